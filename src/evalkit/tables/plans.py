"""Tables about a plan: measurable goals, chain, budget, schedule, risks, what to mend."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.markdown import bullets
from evalkit.municipalities import named_rows
from evalkit.norwegian import (
    date_span_text,
    date_text,
    nok_text,
    number_text,
    percent_text,
    qualified_text,
    quantity_text,
)
from evalkit.plan_review import MEASURABILITY, of_version, without_risk_register
from evalkit.readiness import FINDINGS
from evalkit.references import places_text, source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "budget_table",
    "chain_table",
    "contents_table",
    "decisions_table",
    "detectable_table",
    "evaluation_plan_table",
    "lessons_table",
    "measurability_table",
    "measure_progress_table",
    "milestones_table",
    "plan_changes_table",
    "plan_findings_table",
    "plan_phases_table",
    "plan_versions_table",
    "risks_table",
    "stakeholders_table",
    "status_overview_table",
    "success_criteria_table",
    "targets_table",
]

PARTS = {
    "what": "Hva",
    "for_whom": "Hvem",
    "how_much": "Mengde",
    "by_when": "Frist",
    "baseline": "Nullpkt.",
    "measured_by": "Kilde",
}
KIND_LETTERS = {"effect_goal": "E", "result_goal": "R", "local_goal": "L"}
CHANGED_KINDS = {"goals": "Mål", "milestones": "Milepæl"}
GROUP_NAMES = {"cost": "Utgifter", "income": "Inntekter"}


def yes_no(value: bool) -> str:
    return "ja" if value else "nei"


def measurability_table(measurability: pd.DataFrame) -> ReportTable:
    """What each goal says and does not say of what it takes to measure it.

    Parameters
    ----------
    measurability
        As from ``goal_measurability``; a goal with several indicators says what any of them does.
    """
    rows, counts = [], dict.fromkeys(KIND_LETTERS, 0)
    for _, group in measurability.groupby("goal_id", sort=False):
        first = group.iloc[0]
        counts[first["kind"]] += 1
        rows.append(
            (
                f"{KIND_LETTERS[first['kind']]}{counts[first['kind']]}",
                text_of(first["goal"]),
                *(yes_no(bool(group[part].any())) for part in MEASURABILITY),
            )
        )
    letters = ", ".join(
        f"{letter}: {words.GOAL_KINDS[kind]}"
        for kind, letter in KIND_LETTERS.items()
        if counts[kind]
    )
    return report_table(
        [
            Column("Nr.", 6),
            Column("Mål", 52),
            *(Column(PARTS[part], 7) for part in MEASURABILITY),
        ],
        rows,
        empty="Planen har ingen effektmål eller resultatmål.",
        caption="Hva målene sier om det som må til for å måle dem",
        source=source_line(measurability),
        note=f"{letters}. Hva: en indikator følger målet. Hvem: mål eller indikator nevner en "
        "gruppe. Nullpkt.: en utgangsverdi er kjent. Kilde: det står hvor tallet kommer fra.",
    )


def targets_table(measurability: pd.DataFrame) -> ReportTable:
    """Indicators of the goals with first value, target, date and where values come from."""
    own = measurability.loc[measurability["indicator_id"].notna()]
    own = own.drop_duplicates(["indicator_id", "target_id"])
    directions = {"at_least": "at_least", "at_most": "at_most"}
    rows = []
    for row in own.itertuples():
        first = (
            words.WITHHELD[row.baseline_withheld]
            if present(row.baseline_withheld)
            else qualified_text(quantity_text(row.baseline_value, row.unit), row.baseline_qualifier)
        )
        when = f" ({date_text(row.baseline_period) or 'uten dato'})" if first else ""
        target = qualified_text(
            quantity_text(row.target_value, row.target_unit), directions.get(row.target_direction)
        )
        note = "nådd ved start" if row.met_at_baseline else ""
        rows.append(
            (
                text_of(row.indicator),
                first + when or "mangler",
                ", ".join(part for part in (target or "mangler", note) if part),
                date_text(row.due) or "mangler",
                text_of(row.data_source) or "mangler",
            )
        )
    return report_table(
        [
            Column("Indikator", 34),
            Column("Utgangsverdi", 16),
            Column("Målet er", 16),
            Column("Innen", 10),
            Column("Datakilde", 24),
        ],
        rows,
        empty="Planen har ingen indikatorer for målene.",
        caption="Indikatorer med utgangsverdi og måltall",
        note=groups_left_out(int(own.drop_duplicates("indicator_id")["passed_over_count"].sum())),
        source=source_line(own),
    )


def groups_left_out(count: int) -> str | None:
    """That some first values hold for groups and do not stand in the table."""
    if not count:
        return None
    values = "Én verdi" if count == 1 else f"{count} verdier"
    return f"{values} som bare gjelder en gruppe, er ikke med."


def detectable_table(planned: pd.DataFrame) -> ReportTable:
    """Smallest change that surveys of different sizes would find.

    Parameters
    ----------
    planned
        As from ``planned_detectable_change``, with ``measurement`` as from ``measured_sizes``.
    """
    rows = [
        (
            text_of(row.measurement) or "Undersøkelse der halvparten svarer ja",
            number_text(row.expected_base, decimals=0),
            percent_text(100 * row.before_share, decimals=0),
            f"{number_text(100 * row.smallest_change_share, decimals=0)} prosentpoeng"
            if present(row.smallest_change_share)
            else "for få svar",
        )
        for row in planned.itertuples()
    ]
    return report_table(
        [
            Column("Måling", 40),
            Column("Personer i hver måling", 20, "r"),
            Column("Andel før", 14, "r"),
            Column("Minste endring som kan vises", 26, "r"),
        ],
        rows,
        empty="Ingen undersøkelser er planlagt.",
        caption="Minste endring mellom to målinger, etter antall personer",
        note="Regnet for to uavhengige utvalg, med 80 prosent styrke og 5 prosent "
        "signifikansnivå. Antallene er regneeksempler, for planen oppgir dem ikke.",
    )


def chain_table(chain: pd.DataFrame) -> ReportTable:
    """From measures to goals, with the measures and goals that stand alone.

    Parameters
    ----------
    chain
        As from ``measure_chain``.
    """
    served = chain.loc[chain["measure_id"].notna()]
    rows = [
        (text_of(row.measure), text_of(row.goal) or "uten mål", text_of(row.parents))
        for row in served.itertuples()
    ]
    alone = chain.loc[chain["measure_id"].isna()]
    rows += [
        ("uten tiltak", bullets([text_of(goal) for goal in own["goal"]]), text_of(parents))
        for parents, own in alone.groupby("parents", sort=False)
    ]
    return report_table(
        [Column("Tiltak", 26), Column("Mål det skal tjene", 42), Column("Overordnet mål", 32)],
        rows,
        empty="Planen har verken tiltak eller mål.",
        caption="Kjeden fra tiltak til mål",
        source=source_line(chain),
        grouped=len(rows) > 1,
    )


def risks_table(risks: pd.DataFrame) -> ReportTable:
    """The risk register, with the factors computed anew where the plan grades the risks.

    Parameters
    ----------
    risks
        As from ``recomputed_risks``.
    """
    graded = bool(risks["computed_factor"].notna().any())
    owned = bool(risks["responsible"].notna().any())
    unwritten = without_risk_register(risks)
    mixed = not unwritten and bool((risks["stated_in"] == "prose").any())
    rows = []
    for row in risks.itertuples():
        grades = (
            number_text(row.probability),
            number_text(row.consequence),
            number_text(row.factor),
            number_text(row.computed_factor) + ("" if row.factor_agrees else " (avvik)"),
        )
        rows.append(
            (
                number_text(row.position),
                text_of(row.text),
                *((text_of(words.RISK_PLACES.get(row.stated_in)),) if mixed else ()),
                *(grades if graded else ()),
                text_of(row.mitigation),
                *((text_of(row.responsible),) if owned else ()),
            )
        )
    grade_columns = [
        Column("Sanns.", 7, "r"),
        Column("Kons.", 7, "r"),
        Column("Trykt faktor", 8, "r"),
        Column("Regnet ut", 8, "r"),
    ]
    return report_table(
        [
            Column("Nr.", 5, "r"),
            Column("Risiko", 40),
            *((Column("Står i", 14),) if mixed else ()),
            *(grade_columns if graded else ()),
            Column("Tiltak mot den", 35),
            *((Column("Ansvarlig", 15),) if owned else ()),
        ],
        rows,
        empty="Planen har ikke noe risikoregister.",
        caption="Risikoer i planen",
        source=source_line(risks),
        note=" ".join(
            [words.NO_RISK_REGISTER] * unwritten
            + ["Planen graderer ikke sannsynlighet og konsekvens."] * bool(len(rows) and not graded)
        )
        or None,
    )


def stakeholders_table(stakeholders: pd.DataFrame) -> ReportTable:
    """Stakeholders by the strategy with which the plan meets them."""
    graded = bool(stakeholders["group"].notna().any())
    if not graded:
        rows = [
            (text_of(row.name), text_of(row.strategy))
            for row in stakeholders.itertuples(index=False)
        ]
        columns = [Column("Interessent", 35), Column("Hvordan planen vil møte dem", 65)]
    else:
        named = stakeholders.assign(group=stakeholders["group"].fillna("Ikke plassert"))
        rows = [
            (
                text_of(group),
                ", ".join(text_of(name) for name in own["name"]),
                bullets(list(dict.fromkeys(text_of(t) for t in own["strategy"].dropna()))),
            )
            for group, own in named.groupby("group", sort=False)
        ]
        columns = [
            Column("Gruppe", 18),
            Column("Hvem", 42),
            Column("Hvordan planen vil møte dem", 40),
        ]
    return report_table(
        columns,
        rows,
        empty="Planen har ingen oversikt over interessenter.",
        caption="Interessenter og hvordan planen vil møte dem",
        source=source_line(stakeholders),
    )


def budget_table(budget_lines: pd.DataFrame, *, checks: pd.DataFrame) -> ReportTable:
    """The budget by line and year, as printed, with sums that do not agree marked.

    Parameters
    ----------
    budget_lines
        Rows of ``BudgetLinesTable``.
    checks
        As from ``budget_checks``.
    """
    ordered = budget_lines.assign(year=budget_lines["year"].fillna("")).sort_values(
        "position", kind="stable"
    )
    spans = sorted(ordered["year"].unique(), key=lambda year: (len(year) > 4, year))
    marks = {
        row.budget_id: " (avvik)" if row.is_itemised else " (ikke delt opp)"
        for row in checks.loc[~checks["adds_up"]].itertuples()
    }
    lines = ordered.loc[ordered["is_total"] != "yes", "line"].unique()
    names = [*lines, *[n for n in ordered["line"].unique() if n not in lines]]
    rows = []
    for kind, of_kind in ordered.groupby("kind", sort=False):
        for name in names:
            own = of_kind.loc[of_kind["line"] == name].set_index("year")
            if own.empty:
                continue
            cells = []
            for span in spans:
                if span not in own.index:
                    cells.append("")
                    continue
                held = own.loc[[span]].iloc[0]
                shown = nok_text(held["amount_nok"]) or "ikke oppgitt"
                cells.append(shown + marks.get(held["budget_id"], ""))
            rows.append((GROUP_NAMES[kind], text_of(name), *cells))
    headings = [
        ("Beløp" if not span else span.replace("-", "–"))
        if span != "" or len(spans) == 1
        else "Uten år"
        for span in spans
    ]
    return report_table(
        [
            Column("Type", 12),
            Column("Post", 30),
            *(Column(heading, 14, "r") for heading in headings),
        ],
        rows,
        empty="Planen har ikke noe budsjett.",
        caption="Budsjettet etter post og år",
        source=source_line(budget_lines),
        grouped=len(rows) > 1,
        note=sums_note(checks) if rows else None,
    )


def sums_note(checks: pd.DataFrame) -> str:
    """How many of the printed sums agree with their lines, and how many cannot be checked."""
    if checks.empty:
        return "Planen har ingen trykte summer."
    checked = checks.loc[checks["adds_up"] | checks["is_itemised"]]
    told = []
    if len(checked):
        good, every = int(checked["adds_up"].sum()), len(checked)
        told.append(
            f"{number_text(good)} av {number_text(every)} trykte summer stemmer med linjene."
        )
    if blank := len(checks) - len(checked):
        sums = "1 trykt sum" if blank == 1 else f"{number_text(blank)} trykte summer"
        told.append(f"{sums} kan ikke kontrolleres, fordi linjer mangler beløp.")
    return " ".join(told)


def success_criteria_table(success_criteria: pd.DataFrame) -> ReportTable:
    """What the plan must get right, what may hinder it and what is done about it."""
    own = success_criteria.sort_values("position", kind="stable")
    rows = [
        (text_of(row.text), text_of(row.hindrance), text_of(row.action)) for row in own.itertuples()
    ]
    return report_table(
        [Column("Kriterium", 24), Column("Hva som kan hindre det", 34), Column("Tiltak", 42)],
        rows,
        empty="Planen har ingen suksesskriterier.",
        caption="Suksesskriterier, hindringer og tiltak",
        source=source_line(own),
    )


def plan_phases_table(plan_phases: pd.DataFrame, *, municipalities: pd.DataFrame) -> ReportTable:
    """The phases of the plan, with the municipality of each where there are several plans."""
    own = named_rows(plan_phases.sort_values("position", kind="stable"), municipalities)
    several = own["municipality_code"].nunique(dropna=False) > 1
    rows = [
        (
            *((text_of(row.municipality_name) or "Alle",) if several else ()),
            text_of(row.name),
            phase_time(row.start, row.end),
            text_of(row.text),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            *([Column("Kommune", 14)] if several else []),
            *(Column("Fase", 22), Column("Tid", 22), Column("Hva som skal gjøres", 56)),
        ],
        rows,
        empty="Planen har ingen faser.",
        caption="Fasene i planen",
        source=source_line(own),
        grouped=several and len(rows) > 1,
    )


def phase_time(start: str | None, end: str | None) -> str:
    if not present(start) and not present(end):
        return "ikke oppgitt"
    if not present(end):
        return f"fra {date_text(start)}"
    return date_span_text(start, end)


def milestones_table(
    status: pd.DataFrame, *, plan_phases: pd.DataFrame, with_state: bool = False
) -> ReportTable:
    """Milestones by phase, with the state of each where it is asked for.

    Parameters
    ----------
    status
        As from ``milestone_deadlines``; from ``milestone_status`` where states are shown.
    plan_phases
        Rows of ``PlanPhasesTable``.
    with_state
        Whether to say what is done, due and late.
    """
    names = plan_phases.set_index("phase_id")["name"].to_dict()
    place = {phase: number for number, phase in enumerate(names)}
    own = status.assign(place=status["phase_id"].map(place)).sort_values(
        ["place", "last_day", "position"], kind="stable"
    )
    rows = [
        (
            text_of(names.get(row.phase_id)) or "Uten fase",
            text_of(row.title) + (" (beslutning)" if row.is_decision == "yes" else ""),
            sentence(text_of(row.responsible)) or "mangler",
            date_text(row.due) or "mangler",
            *((words.MILESTONE_STATES[row.state],) if with_state else ()),
        )
        for row in own.itertuples()
    ]
    return report_table(
        [
            Column("Fase", 18),
            Column("Milepæl", 42),
            Column("Ansvarlig", 18),
            Column("Frist", 14),
            *((Column("Status", 14),) if with_state else ()),
        ],
        rows,
        empty="Planen har ingen milepæler.",
        caption="Milepælene og hvor de står" if with_state else "Milepæler med frist og ansvarlig",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def decisions_table(status: pd.DataFrame) -> ReportTable:
    """Who decides what, when.

    Parameters
    ----------
    status
        As from ``milestone_deadlines``; milestones that are no decision are passed over.
    """
    own = status.loc[status["is_decision"] == "yes"]
    rows = [
        (
            date_text(row.due) or "mangler",
            sentence(text_of(row.responsible)) or "mangler",
            text_of(row.title),
            text_of(row.note),
        )
        for row in own.itertuples()
    ]
    return report_table(
        [Column("Når", 16), Column("Hvem", 20), Column("Beslutning", 32), Column("Merknad", 32)],
        rows,
        empty="Planen har ingen beslutningspunkter.",
        caption="Hvem som beslutter hva, og når",
        source=source_line(own),
    )


def evaluation_plan_table(evaluation_plan: pd.DataFrame) -> ReportTable:
    """The steps of the evaluation in the order of time."""
    rows = [
        (
            sentence(words.EVALUATION_STEPS[row.step]),
            date_text(row.due) or "mangler",
            text_of(row.text),
        )
        for row in evaluation_plan.itertuples()
    ]
    return report_table(
        [Column("Steg", 18), Column("Frist", 20), Column("Hva som skal gjøres", 62)],
        rows,
        empty="Planen sier ikke hvordan programmet skal evalueres.",
        caption="Evalueringsplanen",
        source=source_line(evaluation_plan),
        grouped=len(rows) > 1,
    )


def plan_findings_table(findings: pd.DataFrame) -> ReportTable:
    """What to mend before the start, the most important first, with its place.

    Parameters
    ----------
    findings
        As from ``plan_findings``.
    """
    rows = []
    for number, row in enumerate(findings.itertuples(), start=1):
        places = (
            places_text(pd.Series(str(row.locator).split("; "))) if present(row.locator) else ""
        )
        rows.append((str(number), FINDINGS[row.code], text_of(row.text), places or "hele planen"))
    sources = findings.loc[findings["source"].notna(), ["source"]].assign(locator=None)
    return report_table(
        [
            Column("Nr.", 5, "r"),
            Column("Tema", 20),
            Column("Hva som bør rettes", 53),
            Column("Sted", 22),
        ],
        rows,
        empty="Planen har ingenting som må rettes etter disse reglene.",
        caption="Hva som bør rettes før oppstart, viktigst først",
        source=source_line(sources),
    )


def plan_versions_table(goals: pd.DataFrame, *, version: str) -> ReportTable:
    """The programme's goals in the plan and afterwards, side by side.

    Parameters
    ----------
    goals
        Rows of ``GoalsTable``. Goals are paired by kind and identifier, the plan's being the
        later one's with the version before it.
    version
        The plan.
    """
    programme = goals.loc[goals["municipality_code"].isna()]
    planned = of_version(programme, version)
    later = of_version(programme).set_index("goal_id")["text"].to_dict()
    rows = []
    for row in planned.sort_values(["kind", "position"], kind="stable").itertuples():
        after = later.get(row.goal_id.removeprefix(f"{version}-"))
        same = present(after) and after == row.text
        rows.append(
            (
                sentence(words.GOAL_KINDS[row.kind]),
                text_of(row.text),
                "som i planen" if same else text_of(after),
            )
        )
    return report_table(
        [Column("Type", 16), Column("I planen", 42), Column("Senere", 42)],
        rows,
        empty="Planen har ingen mål.",
        caption="Målene i planen og slik de senere ble",
        source=source_line(planned, programme.loc[programme["version"].isna()]),
        grouped=len(rows) > 1,
    )


def status_overview_table(status: pd.DataFrame) -> ReportTable:
    """How many milestones stand where, with their names.

    Parameters
    ----------
    status
        As from ``milestone_status``.
    """
    rows = []
    for state, label in words.MILESTONE_STATES.items():
        own = status.loc[status["state"] == state]
        if len(own):
            titles = [
                text_of(row.title) + (f" ({date_text(row.due)})" if present(row.due) else "")
                for row in own.itertuples()
            ]
            rows.append((sentence(label), str(len(own)), bullets(titles)))
    return report_table(
        [Column("Status", 22), Column("Antall", 8, "r"), Column("Milepæler, med frist", 70)],
        rows,
        empty="Planen har ingen milepæler.",
        caption="Milepælene etter status",
        source=source_line(status),
    )


def measure_progress_table(progress: pd.DataFrame) -> ReportTable:
    """The measures with their time and what is known of how far they have come.

    Parameters
    ----------
    progress
        As from ``measure_progress``.
    """
    rows = [
        (
            text_of(row.name),
            phase_time(row.start, row.end),
            "Skulle vært i gang, ikke rapportert"
            if row.is_overdue
            else sentence(words.MEASURE_STATUS[row.status])
            if present(row.status)
            else "ikke oppgitt",
        )
        for row in progress.itertuples(index=False)
    ]
    return report_table(
        [Column("Tiltak", 50), Column("Tid", 25), Column("Status", 25)],
        rows,
        empty="Planen navngir ingen tiltak.",
        caption="Tiltakene etter status",
        source=source_line(progress),
    )


def plan_changes_table(changes: pd.DataFrame) -> ReportTable:
    """What is changed in the plan since earlier versions; what is as it was is counted only.

    Parameters
    ----------
    changes
        As from ``plan_changes``.
    """
    told = changes.loc[changes["change"] != "same"]
    rows = [
        (
            text_of(row.version) or "ny",
            CHANGED_KINDS[row.table],
            with_due(row.before, row.due_before) or "–",
            with_due(row.now, row.due_now) or "utgått",
        )
        for row in told.itertuples()
    ]
    unchanged = len(changes) - len(told)
    return report_table(
        [Column("Utgave", 14), Column("Hva", 12), Column("Før", 37), Column("Nå", 37)],
        rows,
        empty="Ingen tidligere utgave av planen er registrert."
        if changes.empty
        else "Ingen mål eller milepæler er endret siden forrige utgave.",
        caption="Endringer i planen siden tidligere utgaver",
        source=source_line(told),
        note=f"{number_text(unchanged)} mål og milepæler er som før."
        if rows and unchanged
        else None,
    )


def with_due(text: str | None, due: str | None) -> str:
    return text_of(text) + (f" ({date_text(due)})" if present(due) else "")


def contents_table(contents: pd.DataFrame) -> ReportTable:
    """What the stage of the evaluation asks for, and whether the study has it.

    Parameters
    ----------
    contents
        As from ``study_contents``.
    """
    asked = contents.loc[contents["is_asked"]]
    lacking = [words.TABLE_NAMES[name] for name in asked.loc[asked["row_count"] == 0, "table"]]
    held = asked.loc[asked["row_count"] > 0]
    rows = [
        (state, bullets([sentence(name) for name in names]))
        for state, names in (
            ("Mangler", lacking),
            (
                "Finnes",
                [
                    f"{words.TABLE_NAMES[row.table]} ({number_text(row.row_count)})"
                    for row in held.itertuples()
                ],
            ),
        )
        if names
    ]
    return report_table(
        [Column("Status", 16), Column("Opplysninger, med antall", 84)],
        rows,
        empty="Rapporten ber ikke om noe.",
        caption="Hva rapporten trenger, og hva som mangler",
    )


def lessons_table(lessons: pd.DataFrame) -> ReportTable:
    """What was learnt so far, by topic."""
    rows = [
        (
            sentence(words.LESSON_TOPICS[row.topic]),
            text_of(row.text),
            sentence(words.TOLD_BY[row.told_by]),
        )
        for row in lessons.itertuples()
    ]
    return report_table(
        [Column("Tema", 24), Column("Erfaring", 58), Column("Fortalt av", 18)],
        rows,
        empty="Ingen erfaringer er skrevet ned ennå.",
        caption="Erfaringer så langt",
        source=source_line(lessons),
    )

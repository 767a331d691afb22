"""What to mend in a plan before its programme starts, the most important first."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from evalkit.norwegian import (
    date_span_text,
    date_text,
    joined_text,
    nok_text,
    number_text,
    qualified_text,
    quantity_text,
)
from evalkit.plan_review import (
    budget_checks,
    goal_measurability,
    measure_chain,
    of_version,
    recomputed_risks,
    without_risk_register,
    years_of,
)
from evalkit.process import period_days
from evalkit.vocabulary import BUDGET_KINDS, NO_RISK_REGISTER

__all__ = ["FINDINGS", "PLAN_TABLES", "plan_findings"]

PLAN_TABLES = (
    *("goals", "targets", "indicators", "observations", "measures", "milestones", "plan_phases"),
    *("budget_lines", "risks", "stakeholders", "surveys", "evaluation_plan"),
)

# Codes in the order of importance, each with the heading a reader sees.
FINDINGS = {
    "no_goals": "Ingen mål",
    "target_met_at_baseline": "Nådd før start",
    "no_goal_measurable": "Ingen målbare mål",
    "decision_before_evaluation": "Beslutning før evaluering",
    "no_baseline_planned": "Uten nullpunkt",
    "baseline_missing": "Uten utgangsverdi",
    "baseline_after_start": "Sent nullpunkt",
    "effect_before_target_year": "Effekt før målår",
    "no_final_evaluation": "Uten sluttevaluering",
    "final_at_the_end": "Svar på siste dag",
    "no_decision_after_evaluation": "Ingen beslutning etterpå",
    "goals_without_indicator": "Uten indikator",
    "goals_without_amount": "Uten mengde",
    "goals_without_date": "Uten frist",
    "goals_without_group": "Uten målgruppe",
    "goals_without_source": "Uten datakilde",
    "no_measures": "Uten tiltak",
    "no_milestones": "Uten milepæler",
    "no_decisions": "Uten beslutninger",
    "measures_without_goal": "Tiltak uten mål",
    "goals_without_measure": "Mål uten tiltak",
    "goals_outside_chain": "Brudd i målkjeden",
    "budget_missing": "Uten budsjett",
    "budget_does_not_add_up": "Budsjettet går ikke opp",
    "budget_not_itemised": "Sum som ikke er delt opp",
    "budget_year_missing": "År uten budsjett",
    "budget_amount_missing": "Poster uten beløp",
    "no_risks": "Uten risikoer",
    "no_stakeholders": "Uten interessenter",
    "risk_factor_wrong": "Feil risikofaktor",
    "risks_not_graded": "Ugraderte risikoer",
    "risks_without_owner": "Risiko uten ansvarlig",
    "decisions_without_date": "Beslutning uten dato",
    "milestones_without_date": "Milepæl uten frist",
    "milestones_without_owner": "Milepæl uten ansvarlig",
    "phases_without_date": "Fase uten dato",
    "phases_overlap": "Faser overlapper",
    "evaluation_without_date": "Evaluering uten frist",
    "half_years_without_status": "Halvår uten status",
    "survey_base_unknown": "Ukjent utvalg",
    "stakeholders_not_placed": "Uplasserte interessenter",
}
GOAL_PARTS = {
    "what": ("goals_without_indicator", "har en indikator", "har ingen indikator"),
    "how_much": ("goals_without_amount", "har en mengde å nå", "har ingen mengde å nå"),
    "by_when": ("goals_without_date", "har en frist", "har ingen frist"),
    "for_whom": ("goals_without_group", "nevner en målgruppe", "nevner ingen målgruppe"),
    "measured_by": ("goals_without_source", "har en datakilde", "har ingen datakilde"),
}
# One in definite form, several, several in definite form.
NOUNS = {
    "goal": ("Målet", "mål", "målene"),
    "result_goal": ("Resultatmålet", "resultatmål", "resultatmålene"),
    "measure": ("Tiltaket", "tiltak", "tiltakene"),
    "risk": ("Risikoen", "risikoer", "risikoene"),
    "milestone": ("Milepælen", "milepæler", "milepælene"),
    "step": (
        "Steget i evalueringsplanen",
        "steg i evalueringsplanen",
        "stegene i evalueringsplanen",
    ),
    "survey": ("Spørreundersøkelsen", "spørreundersøkelser", "spørreundersøkelsene"),
    "stakeholder": ("Interessenten", "interessenter", "interessentene"),
}
ONE_YEAR = 366  # days; a decision earlier than that before the evaluation is about something else

Found = Iterator[tuple[str, str, str, pd.DataFrame]]


def plan_findings(
    *,
    goals: pd.DataFrame,
    targets: pd.DataFrame,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    measures: pd.DataFrame,
    milestones: pd.DataFrame,
    plan_phases: pd.DataFrame,
    budget_lines: pd.DataFrame,
    risks: pd.DataFrame,
    stakeholders: pd.DataFrame,
    surveys: pd.DataFrame,
    evaluation_plan: pd.DataFrame,
    version: str | None = None,
) -> pd.DataFrame:
    """What is to be mended in a plan before its programme starts.

    Parameters
    ----------
    goals, targets, ..., evaluation_plan
        Rows of their tables; an empty one is a plan that does not say.
    version
        The plan whose goals and milestones are judged; ``None`` for the study's own. Measures
        and surveys are the study's own, and are passed over where another plan is judged.

    Returns
    -------
    DataFrame
        One row per finding, in the order of ``FINDINGS``: ``code``, ``table`` and ``row_ids``
        (where it stands; identifiers separated by semicolons, empty if something is absent),
        ``text`` (one Norwegian sentence), ``source`` and ``locator`` (the first, and every place,
        of the rows; missing if there are none).
    """
    if version is not None:
        measures, surveys = measures.iloc[:0], surveys.iloc[:0]
    measured = goal_measurability(
        goals,
        targets=targets,
        indicators=indicators,
        observations=observations,
        version=version,
    )
    own_milestones = of_version(milestones, version)
    found = [
        *goal_findings(measured, goals, targets),
        *baseline_findings(measured, evaluation_plan, measures, indicators, targets),
        *evaluation_findings(measured, targets, evaluation_plan, own_milestones, plan_phases),
        *chain_findings(measures, of_version(goals, version)),
        *budget_findings(budget_lines, plan_phases),
        *risk_findings(risks),
        *schedule_findings(own_milestones, plan_phases),
        *survey_findings(surveys),
        *stakeholder_findings(stakeholders),
    ]
    rank = {code: place for place, code in enumerate(FINDINGS)}
    rows = [
        (
            code,
            table,
            "; ".join(dict.fromkeys(rows.iloc[:, 0].dropna().astype(str))) if len(rows) else "",
            text,
            rows["source"].iloc[0] if len(rows) else None,
            "; ".join(dict.fromkeys(rows["locator"].dropna())) if len(rows) else None,
        )
        for code, table, text, rows in sorted(found, key=lambda one: rank[one[0]])
    ]
    return pd.DataFrame(rows, columns=["code", "table", "row_ids", "text", "source", "locator"])


def lacking_text(part: int, whole: int, noun: str, has: str, lacks: str) -> str:
    """``13 av 21 mål har ingen frist``, ``Ingen av de 3 målene har en frist``."""
    one, several, definite = NOUNS[noun]
    if whole == 1:
        return f"{one} {lacks}"
    if part == whole:
        return f"Ingen av de {number_text(whole)} {definite} {has}"
    return f"{number_text(part)} av {number_text(whole)} {several} {lacks}"


def goal_findings(measured: pd.DataFrame, goals: pd.DataFrame, targets: pd.DataFrame) -> Found:
    """Goals that are met already, and what the goals do not say."""
    if measured.empty:
        yield "no_goals", "goals", "Planen har ingen effektmål eller resultatmål.", goals.iloc[:0]
        return
    for row in measured.loc[measured["met_at_baseline"]].itertuples():
        target = qualified_text(
            quantity_text(row.target_value, row.target_unit), row.target_direction
        )
        first = qualified_text(quantity_text(row.baseline_value, row.unit), row.baseline_qualifier)
        place = targets.loc[
            targets["target_id"] == row.target_id, ["target_id", "source", "locator"]
        ]
        yield (
            "target_met_at_baseline",
            "targets",
            f"{row.indicator}: målet er {target} innen {date_text(row.due) or 'ukjent tid'}, men "
            f"utgangsverdien er {first} ({date_text(row.baseline_period)}), så målet er nådd før "
            "programmet begynner.",
            place,
        )
    best = measured.groupby("goal_id", sort=False)
    if not measured["measurable"].any():
        yield (
            "no_goal_measurable",
            "goals",
            "Ikke noe mål sier alt som må til for å måle det: hva, hvem, hvor mye, når, fra "
            "hvilken utgangsverdi og med hvilken kilde.",
            measured.iloc[:0],
        )
    for part, (code, has, lacks) in GOAL_PARTS.items():
        holds = best[part].any()
        without = measured.loc[
            measured["goal_id"].isin(holds.index[~holds]), ["goal_id", "source", "locator"]
        ]
        if len(without):
            many = without["goal_id"].nunique()
            text = lacking_text(many, best.ngroups, "goal", has, lacks)
            yield code, "goals", f"{text}.", without


def baseline_findings(
    measured: pd.DataFrame,
    evaluation_plan: pd.DataFrame,
    measures: pd.DataFrame,
    indicators: pd.DataFrame,
    targets: pd.DataFrame,
) -> Found:
    """Targets without a first value, and a baseline that is absent or late."""
    for row in measured.loc[measured["how_much"] & ~measured["baseline"]].itertuples():
        place = targets.loc[
            targets["target_id"] == row.target_id, ["target_id", "source", "locator"]
        ]
        yield (
            "baseline_missing",
            "targets",
            f"{row.indicator if isinstance(row.indicator, str) else row.goal}: målet er "
            f"{qualified_text(number_text(row.target_value), row.target_direction)}"
            f"{' %' if row.target_unit == 'percent' else ''}, men planen har ingen utgangsverdi å måle "
            "endringen fra.",
            place,
        )
    steps = evaluation_plan.loc[evaluation_plan["step"] == "baseline"]
    if steps.empty:
        yield (
            "no_baseline_planned",
            "evaluation_plan",
            "Evalueringsplanen har ingen nullpunktsmåling, så en endring kan ikke vises etterpå.",
            steps,
        )
        return
    first = period_days(measures["start"])["first_day"].min()
    late = steps.loc[(period_days(steps["due"])["first_day"] > first).to_numpy()]
    for row in late.itertuples():
        starting = measures.loc[period_days(measures["start"])["first_day"] == first]
        yield (
            "baseline_after_start",
            "evaluation_plan",
            f"Nullpunktet med frist {date_text(row.due)} kommer etter at det første tiltaket "
            f"({starting['name'].iloc[0]}) begynner i {date_text(starting['start'].iloc[0])}.",
            late.loc[[row.Index], ["step_id", "source", "locator"]],
        )


def evaluation_findings(
    measured: pd.DataFrame,
    targets: pd.DataFrame,
    evaluation_plan: pd.DataFrame,
    milestones: pd.DataFrame,
    plan_phases: pd.DataFrame,
) -> Found:
    """Evaluations that are absent, undated, too late for a decision or too early for a target."""
    places = ["step_id", "source", "locator"]
    steps = evaluation_plan.assign(**period_days(evaluation_plan["due"]))
    final = steps.loc[steps["step"] == "final"].dropna(subset=["last_day"])
    if not (steps["step"] == "final").any():
        yield (
            "no_final_evaluation",
            "evaluation_plan",
            "Evalueringsplanen har ingen sluttevaluering.",
            steps.iloc[:0],
        )
    decisions = milestones.assign(**period_days(milestones["due"]))
    decisions = decisions.loc[decisions["is_decision"] == "yes"].dropna(subset=["last_day"])
    if len(final) and len(decisions):
        last = decisions.sort_values("last_day", kind="stable").iloc[[-1]]
        end = final.sort_values("last_day", kind="stable").iloc[[-1]]
        gap = (end["last_day"].item() - last["last_day"].item()).days
        if gap > ONE_YEAR:
            yield (
                "no_decision_after_evaluation",
                "evaluation_plan",
                f"Ingen beslutning er satt opp etter sluttevalueringen "
                f"({date_text(end['due'].item())}), så det er ikke avgjort hvem som skal bruke "
                "svaret.",
                end[places],
            )
        elif gap >= 0:
            decision = f"Den siste beslutningen («{last['title'].item()}»"
            yield (
                "decision_before_evaluation",
                "milestones",
                f"{decision}) har samme frist som sluttevalueringen, "
                f"{date_text(end['due'].item())}, så den kan bli tatt før resultatene er kjent."
                if gap == 0
                else f"{decision}, {date_text(last['due'].item())}) tas før sluttevalueringen er "
                f"ferdig ({date_text(end['due'].item())}).",
                last[["milestone_id", "source", "locator"]],
            )
    ends = period_days(plan_phases["end"])["last_day"].max()
    if len(final) and final["last_day"].max() >= ends:
        closing = final.sort_values("last_day", kind="stable").iloc[[-1]]
        yield (
            "final_at_the_end",
            "evaluation_plan",
            f"Sluttevalueringen har frist {date_text(closing['due'].item())}, da planen slutter, "
            "så svaret er ikke kjent mens noe ennå kan endres.",
            closing[places],
        )
    effect = steps.loc[steps["step"] == "effect"].dropna(subset=["last_day"])
    due_years = period_days(measured["due"])
    late = measured.loc[(due_years["first_day"] > effect["last_day"].max()).to_numpy()]
    if len(effect) and len(late):
        yield (
            "effect_before_target_year",
            "evaluation_plan",
            f"Effektene skal evalueres senest {date_text(effect['due'].iloc[-1])}, men målene "
            f"gjelder for {date_text(late['due'].iloc[0])}, så evalueringen kan ikke si om de "
            "ble nådd.",
            effect[places],
        )
    undated = steps.loc[steps["due"].isna(), places]
    if len(undated):
        yield (
            "evaluation_without_date",
            "evaluation_plan",
            lacking_text(len(undated), len(steps), "step", "har en frist", "har ingen frist") + ".",
            undated,
        )
    yield from half_year_findings(steps, plan_phases)


def half_year_findings(steps: pd.DataFrame, plan_phases: pd.DataFrame) -> Found:
    """Half-years of the plan without any evaluation, where the plan follows half-years."""
    status = steps.loc[(steps["step"] == "status") & steps["last_day"].notna()]
    first = period_days(plan_phases["start"])["first_day"].min()
    last = period_days(plan_phases["end"])["last_day"].max()
    if len(status) < 2 or pd.isna(first) or pd.isna(last):
        return
    reported = steps.loc[steps["step"].isin(["status", "final"]), "last_day"].dropna()
    held = {(day.year, 1 if day.month <= 6 else 2) for day in reported}
    wanted = [
        (year, half)
        for year in range(first.year, last.year + 1)
        for half in (1, 2)
        if pd.Timestamp(year, 6 * half - 5, 1) >= first.replace(day=1)
        and pd.Timestamp(year, 6 * half, 28) <= last
    ]
    missing = [pair for pair in wanted if pair not in held]
    if missing:
        texts = joined_text([date_text(f"{year}-H{half}") for year, half in missing])
        yield (
            "half_years_without_status",
            "evaluation_plan",
            f"Ingen underveisevaluering er satt opp i {texts}.",
            status[["step_id", "source", "locator"]],
        )


def chain_findings(measures: pd.DataFrame, goals: pd.DataFrame) -> Found:
    """Measures and goals that do not hang together."""
    if measures.empty:
        yield "no_measures", "measures", "Planen navngir ingen tiltak.", measures
    chain = measure_chain(measures, goals.assign(version=None))
    loose = chain.loc[chain["goal_id"].isna(), ["measure_id", "source", "locator"]]
    if len(loose):
        yield (
            "measures_without_goal",
            "measures",
            lacking_text(
                len(loose), len(measures), "measure", "er knyttet til et mål", "har ikke noe mål"
            )
            + ".",
            loose,
        )
    unserved = chain.loc[chain["measure_id"].isna(), ["goal_id", "source", "locator"]]
    if len(unserved) and len(measures):
        whole = int((goals["kind"] != "impact_goal").sum())
        yield (
            "goals_without_measure",
            "goals",
            lacking_text(
                len(unserved), whole, "goal", "er knyttet til et tiltak", "har ikke noe tiltak"
            )
            + ".",
            unserved,
        )
    if not goals["kind"].isin(["effect_goal", "impact_goal"]).any():
        return
    results = goals.loc[goals["kind"] == "result_goal"]
    outside = results.loc[results["parent_goal_ids"].isna(), ["goal_id", "source", "locator"]]
    if len(outside):
        yield (
            "goals_outside_chain",
            "goals",
            lacking_text(
                len(outside),
                len(results),
                "result_goal",
                "er knyttet til et effektmål",
                "er ikke knyttet til noe effektmål",
            )
            + ".",
            outside,
        )


def budget_findings(budget_lines: pd.DataFrame, plan_phases: pd.DataFrame) -> Found:
    """Sums that are wrong, lines without amount, years without budget."""
    places = ["budget_id", "source", "locator"]
    if budget_lines["amount_nok"].isna().all():
        yield (
            "budget_missing",
            "budget_lines",
            "Planen har ikke noe budsjett med beløp.",
            budget_lines[places],
        )
        return
    checks = budget_checks(budget_lines)
    for row in checks.loc[~checks["adds_up"]].itertuples():
        year = (
            f" for {date_span_text(*row.year.split('-')[:2])}"
            if "-" in str(row.year)
            else (f" for {row.year}" if isinstance(row.year, str) else "")
        )
        printed = f"{row.line}{year} er trykt som {nok_text(row.printed_nok)}, men "
        difference = nok_text(row.difference_nok)
        yield (
            "budget_does_not_add_up" if row.is_itemised else "budget_not_itemised",
            "budget_lines",
            f"{printed}linjene gir {nok_text(row.summed_nok)}; forskjellen er {difference}."
            if row.is_itemised
            else f"{printed}linjer uten beløp står for {difference} av dem, så summen kan ikke "
            "kontrolleres.",
            checks.loc[[row.Index], places],
        )
    first = period_days(plan_phases["start"])["first_day"].min()
    last = period_days(plan_phases["end"])["last_day"].max()
    given = {
        year
        for span in budget_lines.loc[budget_lines["amount_nok"].notna(), "year"]
        for year in years_of(span)
    }
    if given and pd.notna(first) and pd.notna(last):
        whole = range(first.year, last.year + 1)
        missing = [str(year) for year in whole if year not in given]
        if missing:
            yield (
                "budget_year_missing",
                "budget_lines",
                f"Planen gjelder {whole[0]}–{whole[-1]}, men har ikke noe budsjett for "
                f"{joined_text(missing)}.",
                budget_lines[places],
            )
    for kind, lines in budget_lines.loc[budget_lines["amount_nok"].isna()].groupby("kind"):
        yield (
            "budget_amount_missing",
            "budget_lines",
            f"Beløpet mangler for {joined_text(list(lines['line']))} ({BUDGET_KINDS[kind]}).",
            lines[places],
        )


def risk_findings(risks: pd.DataFrame) -> Found:
    """Factors that are not the product, and risks without grade or owner."""
    if risks.empty:
        yield "no_risks", "risks", "Planen nevner ingen risikoer.", risks
    places = ["risk_id", "source", "locator"]
    again = recomputed_risks(risks)
    told = f" {NO_RISK_REGISTER}" if without_risk_register(risks) else ""
    for row in again.loc[~again["factor_agrees"]].itertuples():
        yield (
            "risk_factor_wrong",
            "risks",
            f"Risiko {number_text(row.position)} ({row.text.rstrip('.')}) er trykt med faktor "
            f"{number_text(row.factor)}, men {number_text(row.probability)} ganger "
            f"{number_text(row.consequence)} er {number_text(row.computed_factor)}.",
            again.loc[[row.Index], places],
        )
    for code, column, has, lacks in (
        ("risks_not_graded", "computed_factor", "er gradert", "er ikke gradert"),
        ("risks_without_owner", "responsible", "har en ansvarlig", "har ingen ansvarlig"),
    ):
        blank = again.loc[again[column].isna(), places]
        if len(blank):
            text = lacking_text(len(blank), len(again), "risk", has, lacks)
            yield code, "risks", f"{text}.{told if code == 'risks_not_graded' else ''}", blank


def schedule_findings(milestones: pd.DataFrame, plan_phases: pd.DataFrame) -> Found:
    """Milestones and phases without date or owner, and phases that overlap."""
    if milestones.empty:
        yield "no_milestones", "milestones", "Planen har ingen milepæler.", milestones
    elif not (milestones["is_decision"] == "yes").any():
        yield (
            "no_decisions",
            "milestones",
            "Planen sier ikke hvem som skal beslutte hva.",
            milestones.iloc[:0],
        )
    places = ["milestone_id", "source", "locator"]
    undated = milestones.loc[
        milestones["due"].isna() & milestones["done"].isna() & ~milestones["status"].isin(["done"])
    ]
    decisions = undated.loc[undated["is_decision"] == "yes"]
    if len(decisions):
        titles = joined_text([f"«{title}»" for title in decisions["title"]])
        yield (
            "decisions_without_date",
            "milestones",
            f"Beslutningen har ingen dato: {titles}."
            if len(decisions) == 1
            else f"Beslutningene har ingen dato: {titles}.",
            decisions[places],
        )
    if len(undated):
        text = lacking_text(
            len(undated), len(milestones), "milestone", "har en frist", "har ingen frist"
        )
        yield "milestones_without_date", "milestones", f"{text}.", undated[places]
    unowned = milestones.loc[milestones["responsible"].isna(), places]
    if len(unowned):
        text = lacking_text(
            len(unowned), len(milestones), "milestone", "har en ansvarlig", "har ingen ansvarlig"
        )
        yield "milestones_without_owner", "milestones", f"{text}.", unowned
    blank = plan_phases.loc[plan_phases["start"].isna() | plan_phases["end"].isna()]
    if len(blank):
        yield (
            "phases_without_date",
            "plan_phases",
            f"Start eller slutt mangler for {joined_text(list(blank['name']))}.",
            blank[["phase_id", "source", "locator"]],
        )
    ordered = plan_phases.sort_values("position", kind="stable")
    first = period_days(ordered["start"])["first_day"]
    last = period_days(ordered["end"])["last_day"]
    for before, after in zip(ordered.index, ordered.index[1:], strict=False):
        same = ordered["start"][after] == ordered["end"][before]
        if first[after] <= last[before] and not same:
            yield (
                "phases_overlap",
                "plan_phases",
                f"{ordered['name'][after]} begynner i {date_text(ordered['start'][after])}, før "
                f"{ordered['name'][before]} er slutt ({date_text(ordered['end'][before])}).",
                ordered.loc[[before, after], ["phase_id", "source", "locator"]],
            )


def survey_findings(surveys: pd.DataFrame) -> Found:
    """Surveys whose size is not told, so that no detectable change can be worked out."""
    kinds = surveys["kind"].str.endswith("survey").astype(bool)
    unknown = surveys.loc[
        kinds & surveys["invited_count"].isna() & surveys["answered_count"].isna(),
        ["survey_id", "source", "locator"],
    ]
    if len(unknown):
        text = lacking_text(
            len(unknown),
            int(kinds.sum()),
            "survey",
            "har oppgitt antall spurte eller antall svar",
            "har verken antall spurte eller antall svar",
        )
        yield (
            "survey_base_unknown",
            "surveys",
            f"{text}, så det kan ikke regnes ut hvor små endringer som kan vises.",
            unknown,
        )


def stakeholder_findings(stakeholders: pd.DataFrame) -> Found:
    """Stakeholders without interest or influence, or none at all."""
    if stakeholders.empty:
        yield (
            "no_stakeholders",
            "stakeholders",
            "Planen har ingen oversikt over interessenter.",
            stakeholders,
        )
    blank = stakeholders["interest"].isna() | stakeholders["influence"].isna()
    if blank.any():
        text = lacking_text(
            int(blank.sum()),
            len(stakeholders),
            "stakeholder",
            "er plassert etter interesse og innflytelse",
            "er ikke plassert etter interesse og innflytelse",
        )
        yield (
            "stakeholders_not_placed",
            "stakeholders",
            f"{text}.",
            stakeholders.loc[blank, ["stakeholder_id", "source", "locator"]],
        )

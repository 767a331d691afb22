"""Tables about the programme: goals, roles, schemes, municipalities, workshops and meetings."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.norwegian import date_span_text, joined_text, number_text
from evalkit.references import source_line
from evalkit.tables.context import event_details, event_name
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "calendar_table",
    "criteria_table",
    "gatherings_table",
    "goals_table",
    "meetings_table",
    "municipalities_table",
    "programme_events_table",
    "regions_table",
    "resource_groups_table",
    "result_goals_table",
    "roles_table",
    "schemes_table",
    "workshops_table",
]

LEVELS = {"national": "Nasjonalt", "regional": "Regionalt", "local": "Lokalt"}


def programme_rows(goals: pd.DataFrame, kind: str) -> pd.DataFrame:
    own = goals.loc[goals["municipality_code"].isna() & (goals["kind"] == kind)]
    return own.sort_values("position", kind="stable")


def goals_table(goals: pd.DataFrame) -> ReportTable:
    """The programme's effect goals in the study's own wording."""
    own = programme_rows(goals, "effect_goal")
    own = own.loc[own["version"].isna()]
    rows = [(str(number), text_of(text)) for number, text in enumerate(own["text"], start=1)]
    return report_table(
        [Column("Nr.", 6, "r"), Column("Effektmål", 94)],
        rows,
        empty="Programmet har ingen effektmål.",
        caption="Effektmålene for programmet",
        source=source_line(own),
    )


def result_goals_table(goals: pd.DataFrame) -> ReportTable:
    """The programme's result goals, with the effect goals they serve."""
    own = programme_rows(goals, "result_goal")
    own = own.loc[own["version"].isna()]
    effect = programme_rows(goals, "effect_goal")
    effect = effect.loc[effect["version"].isna()]
    numbers = {goal: str(place) for place, goal in enumerate(effect["goal_id"], start=1)}
    served = own["parent_goal_ids"].fillna("").str.split(r";\s*", regex=True)
    rows = [
        (
            str(place),
            text_of(text),
            ", ".join(sorted(numbers[goal] for goal in parents if goal in numbers)),
        )
        for place, (text, parents) in enumerate(zip(own["text"], served, strict=True), start=1)
    ]
    known = any(row[2] for row in rows)
    columns = [Column("Nr.", 6, "r"), Column("Resultatmål", 76), Column("Effektmål nr.", 18)]
    return report_table(
        columns if known else columns[:2],
        rows if known else [row[:2] for row in rows],
        empty="Programmet har ingen resultatmål.",
        caption="Resultatmålene for programmet",
        source=source_line(own),
    )


def roles_table(roles: pd.DataFrame) -> ReportTable:
    """Who was to do what in the programme."""
    place = {level: number for number, level in enumerate(LEVELS)}
    own = roles.iloc[roles["level"].map(place).argsort(kind="stable")]
    rows = [
        (
            LEVELS[row.level],
            text_of(row.actor) + (" (etter planen)" if present(row.version) else ""),
            text_of(row.responsibility),
        )
        for row in own.itertuples()
    ]
    return report_table(
        [Column("Nivå", 13), Column("Hvem", 25), Column("Ansvar", 62)],
        rows,
        empty="Ingen roller er beskrevet.",
        caption="Roller og ansvar i programmet",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def schemes_table(grant_schemes: pd.DataFrame) -> ReportTable:
    """The grant schemes that the programme gathers."""
    rows = [
        (text_of(row.name), sentence(text_of(row.agency)), text_of(row.note))
        for row in grant_schemes.itertuples(index=False)
    ]
    return report_table(
        [Column("Ordning", 45), Column("Forvaltes av", 25), Column("Merknad", 30)],
        rows,
        empty="Ingen tilskuddsordninger er registrert.",
        caption="Tilskuddsordningene som inngår i programmet",
        source=source_line(grant_schemes),
    )


def criteria_table(selection_criteria: pd.DataFrame) -> ReportTable:
    """How the municipalities were chosen, and how the plan said that they should be."""
    own = selection_criteria.sort_values(["version", "position"], kind="stable")
    own = pd.concat([own.loc[own["version"].isna()], own.loc[own["version"].notna()]])
    rows = [
        (
            "Etter planen" if present(row.version) else "Slik de ble brukt",
            number_text(row.position),
            text_of(row.text),
        )
        for row in own.itertuples()
    ]
    several = len({row[0] for row in rows}) > 1
    columns = [Column("Når", 15), Column("Nr.", 6, "r"), Column("Kriterium", 79)]
    return report_table(
        columns if several else columns[1:],
        rows if several else [row[1:] for row in rows],
        empty="Ingen kriterier er oppgitt.",
        caption="Kriterier for å velge kommuner",
        source=source_line(own),
        grouped=several,
    )


def municipalities_table(municipalities: pd.DataFrame, *, regions: pd.DataFrame) -> ReportTable:
    """The municipalities by region, and who evaluates them."""
    names = regions.set_index("region_id")["name"]
    order = {region: number for number, region in enumerate(regions["region_id"])}
    own = municipalities.iloc[municipalities["region_id"].map(order).argsort(kind="stable")]
    rows = [
        (
            text_of(names[row.region_id]),
            text_of(row.name),
            row.municipality_code,
            words.EVALUATORS[row.evaluated_by],
            text_of(row.note),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Region", 21),
            Column("Kommune", 17),
            Column("Nummer", 10),
            Column("Evaluert av", 19),
            Column("Merknad", 33),
        ],
        rows,
        empty="Ingen kommuner er registrert.",
        caption="Kommunene i programmet",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def regions_table(regions: pd.DataFrame, *, municipalities: pd.DataFrame) -> ReportTable:
    """The regions, who runs the programme there, and their municipalities."""
    members = municipalities.groupby("region_id")["name"].agg(list).to_dict()
    rows = [
        (
            text_of(row.name),
            text_of(row.county_governor),
            joined_text(text_of(name) for name in members.get(row.region_id, [])),
        )
        for row in regions.itertuples(index=False)
    ]
    return report_table(
        [Column("Region", 25), Column("Statsforvalter", 35), Column("Kommuner", 40)],
        rows,
        empty="Ingen regioner er registrert.",
        caption="Regionene i programmet",
        source=source_line(regions),
    )


def place_text(row, regions: pd.DataFrame) -> str:
    """Where an event took place: a municipality, a region, or several of them."""
    if present(row.municipality_name):
        return text_of(row.municipality_name)
    named = regions.loc[regions["region_id"] == row.region_id, "name"]
    return text_of(named.iloc[0]) if len(named) else "Flere kommuner"


def calendar_table(calendar: pd.DataFrame, *, regions: pd.DataFrame, caption: str) -> ReportTable:
    """When something took place in each municipality, such as a focus group interview.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of one kind of event.
    regions
        Rows of ``RegionsTable``, for what a region held.
    caption
        What took place.
    """
    rows = [
        (
            place_text(row, regions),
            date_span_text(row.start, row.end) or "ikke avholdt",
            event_details(row),
        )
        for row in calendar.itertuples()
    ]
    return report_table(
        [Column("Kommune", 20), Column("Tidspunkt", 30), Column("Merknad", 50)],
        rows,
        empty="Ingen tidspunkter er registrert.",
        caption=caption,
        source=source_line(calendar),
    )


def workshops_table(calendar: pd.DataFrame, *, regions: pd.DataFrame) -> ReportTable:
    """The learning workshops by number, one row per municipality with its dates and remarks.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of learning workshops, however many.
    regions
        Rows of ``RegionsTable``, for what a region held.
    """
    kind = words.EVENT_KINDS["learning_workshop"]
    held: dict[tuple[str, str], list] = {}
    for row in calendar.sort_values("number", kind="stable", na_position="last").itertuples():
        number = f"{kind} {number_text(row.number)}" if present(row.number) else kind
        held.setdefault((sentence(number), place_text(row, regions)), []).append(row)
    rows = [
        (
            workshop,
            place,
            "; ".join(date_span_text(row.start, row.end) or "ikke avholdt" for row in meetings),
            " ".join(details for row in meetings if (details := event_details(row))),
        )
        for (workshop, place), meetings in held.items()
    ]
    return report_table(
        [Column("Verksted", 18), Column("Kommune", 15), Column("Når", 25), Column("Merknad", 42)],
        rows,
        empty="Ingen læringsverksteder er registrert.",
        caption="Tidspunkt for læringsverkstedene",
        source=source_line(calendar),
        grouped=len(rows) > 1,
    )


def meetings_table(calendar: pd.DataFrame, *, regions: pd.DataFrame) -> ReportTable:
    """Talks and meetings, one row per municipality with its dates.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of meetings.
    regions
        Rows of ``RegionsTable``, for what a region held.
    """
    dates: dict[str, list[str]] = {}
    for row in calendar.itertuples():
        when = date_span_text(row.start, row.end) or "ikke oppgitt"
        details = event_details(row)
        told = f"{when} ({details})" if details else when
        dates.setdefault(place_text(row, regions), []).append(told)
    rows = [(place, str(len(held)), "; ".join(held)) for place, held in sorted(dates.items())]
    return report_table(
        [Column("Kommune", 25), Column("Antall", 15, "r"), Column("Datoer", 60)],
        rows,
        empty="Ingen møter er registrert.",
        caption="Samtaler og møter med kommunene (ikke fullstendig)",
        source=source_line(calendar),
    )


def gatherings_table(calendar: pd.DataFrame) -> ReportTable:
    """Gatherings for several municipalities, in the order of time.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of gatherings; those of one municipality are passed over.
    """
    shared = calendar.loc[calendar["municipality_name"].isna()]
    rows = [
        (
            sentence(event_name(row)),
            date_span_text(row.start, row.end) or "ikke oppgitt",
            event_details(row),
        )
        for row in shared.itertuples()
    ]
    return report_table(
        [Column("Samling", 38), Column("Når", 30), Column("Merknad", 32)],
        rows,
        empty="Ingen samlinger er registrert.",
        caption="Fagsamlinger og andre samlinger for flere kommuner",
        source=source_line(shared),
    )


def resource_groups_table(calendar: pd.DataFrame, *, regions: pd.DataFrame) -> ReportTable:
    """Meetings of the regions' resource groups, in the order of time for each region.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of meetings of resource groups.
    regions
        Rows of ``RegionsTable``.
    """
    rows = sorted(
        (
            (
                place_text(row, regions),
                date_span_text(row.start, row.end) or "ikke oppgitt",
                event_details(row),
            )
            for row in calendar.itertuples()
        ),
        key=lambda row: row[0],
    )
    return report_table(
        [Column("Region", 30), Column("Når", 30), Column("Merknad", 40)],
        rows,
        empty="Ingen ressursgruppemøter er registrert.",
        caption="Ressursgruppemøter som evaluatorene deltok på (ikke fullstendig)",
        source=source_line(calendar),
        grouped=len(rows) > 1,
    )


def programme_events_table(calendar: pd.DataFrame, *, regions: pd.DataFrame) -> ReportTable:
    """What happened in the programme or a region, and in no single municipality.

    Parameters
    ----------
    calendar
        As from ``event_calendar``; what one municipality did is passed over.
    regions
        Rows of ``RegionsTable``.
    """
    shared = calendar.loc[calendar["municipality_name"].isna()]
    rows = [
        (
            date_span_text(row.start, row.end) or "ikke oppgitt",
            place_text(row, regions),
            ". ".join(text for text in (sentence(event_name(row)), event_details(row)) if text),
        )
        for row in shared.itertuples()
    ]
    return report_table(
        [Column("Når", 25), Column("Hvor", 22), Column("Hva", 53)],
        rows,
        empty="Ingen hendelser er registrert for programmet.",
        caption="Hendelser i programmet i tidsrekkefølge",
        source=source_line(shared),
    )

"""Tables about a municipality: facts, services, projects, organisation, grants, events."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.markdown import bold, bullets
from evalkit.municipalities import Municipality, named_rows
from evalkit.norwegian import (
    date_span_text,
    date_text,
    millions_text,
    nok_text,
    number_text,
    percent_text,
    qualified_text,
    quantity_text,
)
from evalkit.references import source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "claim_text",
    "events_table",
    "facts_table",
    "grant_details_table",
    "grants_table",
    "organisation_table",
    "projects_table",
    "reports_table",
    "services_table",
]

QUANTITIES = {
    "population": "Innbyggere",
    "area": "Areal",
    "primary_schools": "Barneskoler",
    "lower_secondary_schools": "Ungdomsskoler",
    "intermunicipal_lower_secondary_schools": "Interkommunale ungdomsskoler",
    "combined_schools": "Kombinerte barne- og ungdomsskoler",
    "upper_secondary_schools": "Videregående skoler",
    "schools": "Skoler",
    "kindergartens": "Barnehager",
    "municipal_kindergartens": "Kommunale barnehager",
    "private_kindergartens": "Private barnehager",
    "service_areas": "Kommunalområder",
    "employees": "Ansatte",
    "administrative_centre": "Administrasjonssenter",
    "county": "Fylke",
    "community_plan": "Kommuneplanens samfunnsdel",
    "project_leads": "Prosjektledere",
    "focus_areas": "Innsatsområder",
    "working_groups": "Arbeidsgrupper",
}


def claim_text(value: str, unit: str, qualifier: str | None) -> str:
    """The value of a claim as a reader sees it, with its unit."""
    if unit == "date":
        shown = date_text(value)
    elif unit in ("text", "year"):
        shown = text_of(value)
    else:
        shown = quantity_text(float(value), None if unit == "persons" else unit)
    return qualified_text(shown, qualifier)


def of(table: pd.DataFrame, municipality: Municipality) -> pd.DataFrame:
    """The rows of one municipality."""
    return table.loc[table["municipality_code"] == municipality.code]


def rows_and_place(
    table: pd.DataFrame, municipality: Municipality | None, municipalities: pd.DataFrame | None
) -> tuple[pd.DataFrame, str, bool]:
    """Rows of one municipality, or of all; what they are called; whether each row names its own."""
    if municipality is not None:
        return of(table, municipality), municipality.name, False
    if len(municipalities) == 1:
        return table, municipalities["name"].iloc[0], False
    return named_rows(table, municipalities), "kommunene", True


def place_columns(several: bool) -> list[Column]:
    """The column that names the municipality of each row, where there are several."""
    return [Column("Kommune", 14)] if several else []


def place_cells(row, several: bool) -> tuple[str, ...]:
    """The cell below ``place_columns``."""
    return (text_of(row.municipality_name) or "Alle",) if several else ()


def facts_table(claims: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """The fact box of a municipality: the chosen claims about it, one row each.

    Claims of a quantity that has no label for readers are left to the list of all claims.
    """
    own = claims.loc[
        (claims["subject"] == municipality.slug)
        & claims["chosen"].astype(bool)
        & claims["quantity"].isin(QUANTITIES)
    ]
    place = {quantity: number for number, quantity in enumerate(QUANTITIES)}
    own = own.iloc[own["quantity"].map(place).argsort(kind="stable")]
    rows = [
        (
            QUANTITIES[claim.quantity],
            claim_text(claim.value, claim.unit, claim.qualifier),
            date_text(claim.as_of),
        )
        for claim in own.itertuples()
    ]
    return report_table(
        [Column("Opplysning", 40), Column("Verdi", 30), Column("Gjelder", 30)],
        rows,
        empty=f"Ingen opplysninger om {municipality.name} kommune.",
        caption=f"Fakta om {municipality.name} kommune",
        source=source_line(own),
    )


def services_table(organisation: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """How a municipality's services are organised."""
    own = of(organisation, municipality)
    own = own.loc[own["kind"].isin(["service_area", "service"])]
    own = own.sort_values(["kind", "position"], ascending=[False, True], kind="stable")
    rows = [
        (words.ORGANISATION_KINDS[row.kind], text_of(row.name), text_of(row.text))
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [Column("Nivå", 18), Column("Navn", 27), Column("Hva det omfatter", 55)],
        rows,
        empty=f"Ingen opplysninger om hvordan tjenestene i {municipality.name} er organisert.",
        caption=f"Organisering av tjenestene i {municipality.name}",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def projects_table(
    projects: pd.DataFrame,
    municipality: Municipality | None = None,
    *,
    municipalities: pd.DataFrame | None = None,
) -> ReportTable:
    """Other projects, plans and methods of a municipality, or of all that are given."""
    own, where, several = rows_and_place(projects, municipality, municipalities)
    rows = [
        (
            *place_cells(row, several),
            text_of(row.name),
            words.PROJECT_KINDS[row.kind],
            date_span_text(row.start, row.end),
            text_of(row.text),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            *place_columns(several),
            *(Column("Navn", 27), Column("Type", 14), Column("Når", 15), Column("Hva det er", 44)),
        ],
        rows,
        empty=f"Ingen opplysninger om andre prosjekter i {where}.",
        caption=f"Andre prosjekter, planer og metoder i {where}",
        source=source_line(own),
        grouped=several and len(rows) > 1,
    )


def organisation_table(
    organisation: pd.DataFrame,
    municipality: Municipality | None = None,
    *,
    municipalities: pd.DataFrame | None = None,
) -> ReportTable:
    """How the project was owned, led, staffed and anchored in a municipality, or in all given."""
    own, where, several = rows_and_place(organisation, municipality, municipalities)
    own = own.loc[~own["kind"].isin(["service_area", "service"])]
    place = {kind: number for number, kind in enumerate(words.ORGANISATION_KINDS)}
    own = own.assign(place=own["kind"].map(place)).sort_values(["place", "position"], kind="stable")
    if several:
        own = named_rows(own, municipalities)
    rows = [
        (
            *place_cells(row, several),
            words.ORGANISATION_KINDS[row.kind],
            text_of(row.name),
            organisation_details(row),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            *place_columns(several),
            *(Column("Rolle", 20), Column("Hvem eller hva", 28), Column("Mer om det", 52)),
        ],
        rows,
        empty=f"Ingen opplysninger om hvordan prosjektet i {where} var organisert.",
        caption=f"Organisering og forankring av prosjektet i {where}",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def organisation_details(row) -> str:
    """Members, size, time and text of a row of the organisation, as sentences."""
    parts = [
        f"{number_text(row.members_count)} medlemmer" if present(row.members_count) else "",
        f"{percent_text(row.position_percent)} stilling" if present(row.position_percent) else "",
        time_text(row.start, row.end),
    ]
    facts = sentence(", ".join(part for part in parts if part))
    texts = [facts + "." if facts else "", text_of(row.text)]
    return " ".join(text for text in texts if text)


def time_text(start: str | None, end: str | None) -> str:
    """From and to, where either is known."""
    if present(start) and not present(end):
        return f"fra {date_text(start)}"
    return date_span_text(start, end)


def grants_table(summary: pd.DataFrame, municipality: Municipality | None = None) -> ReportTable:
    """What the municipalities were granted, side by side.

    Parameters
    ----------
    summary
        As from ``grant_summary``.
    municipality
        The one whose row is set in bold; ``None`` for none.
    """
    rows = []
    for row in summary.itertuples():
        cells = (
            text_of(row.municipality_name),
            qualified_text(millions_text(row.total_nok), row.total_qualifier),
            qualified_text(millions_text(row.per_year_nok), row.per_year_qualifier),
            number_text(row.population, decimals=0),
            nok_text(row.nok_per_inhabitant),
        )
        is_own = municipality is not None and row.municipality_code == municipality.code
        rows.append(tuple(bold(cell) if cell else "" for cell in cells) if is_own else cells)
    if municipality is not None and municipality.code not in set(summary["municipality_code"]):
        rows = []
    where = f" til {municipality.name}" if municipality else ""
    beside = " og de andre kommunene" if municipality and len(rows) > 1 else ""
    return report_table(
        [
            Column("Kommune", 22),
            Column("Samlet", 22, "r"),
            Column("Per år", 22, "r"),
            Column("Innbyggere", 15, "r"),
            Column("Samlet per innbygger", 19, "r"),
        ],
        rows,
        empty=f"Ingen opplysninger om tilskudd{where}.",
        caption=f"Tilskudd{where}{beside}: samlet, per år og per innbygger",
        source=source_line(summary),
    )


def grant_details_table(
    grants: pd.DataFrame,
    municipality: Municipality | None = None,
    *,
    grant_schemes: pd.DataFrame,
) -> ReportTable:
    """Every amount of a municipality as it was told: of which scheme, for what, when.

    Parameters
    ----------
    grants, grant_schemes
        Rows of ``GrantsTable`` and ``GrantSchemesTable``.
    municipality
        The municipality; ``None`` for the amounts of the programme as a whole.
    """
    if municipality is None:
        own, where = grants.loc[grants["municipality_code"].isna()], "programmet"
    else:
        own, where = of(grants, municipality), municipality.name
    names = grant_schemes.set_index("scheme_id")["name"]
    rows = [
        (
            text_of(names.get(row.scheme_id, row.scheme_id)) or "Alle ordninger samlet",
            f"{sentence(words.GRANT_KINDS[row.kind])} {words.GRANT_SPANS[row.span]}",
            date_text(row.period),
            qualified_text(nok_text(row.amount_nok), row.qualifier) or "ikke oppgitt",
            text_of(row.note),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Ordning", 27),
            Column("Hva", 17),
            Column("År", 12),
            Column("Beløp", 17, "r"),
            Column("Merknad", 27),
        ],
        rows,
        empty=f"Ingen beløp er oppgitt for {where}.",
        caption=f"Beløp som er oppgitt for {where}",
        source=source_line(own),
    )


def events_table(
    calendar: pd.DataFrame,
    municipality: Municipality | None = None,
    *,
    municipalities: pd.DataFrame | None = None,
) -> ReportTable:
    """What happened when in a municipality; what happened several times has one row.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of the municipality.
    municipality
        The municipality; ``None`` for all events of the calendar.
    municipalities
        Rows of ``MunicipalitiesTable``, where no municipality is given: the events of several
        stand with the name of each.
    """
    if municipality is None:
        calendar, where, several = rows_and_place(calendar, None, municipalities)
    else:
        where, several = municipality.name, False
    rows = event_rows(calendar)
    if several:
        rows = [
            (text_of(name) if isinstance(name, str) else "Alle", *cells)
            for name, group in calendar.groupby("municipality_name", sort=False, dropna=False)
            for cells in event_rows(group)
        ]
    return report_table(
        [*place_columns(several), Column("Når", 27), Column("Hva", 73)],
        rows,
        empty=f"Ingen hendelser er registrert for {where}.",
        caption=f"Hendelser i {where} i tidsrekkefølge",
        source=source_line(calendar),
        grouped=several and len(rows) > 1,
    )


def reports_table(calendar: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """When the groups of a municipality reported, in the order of time.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of the municipality's reports.
    municipality
        The municipality.
    """
    return report_table(
        [Column("Når", 27), Column("Hva", 73)],
        event_rows(calendar),
        empty=f"Ingen rapporteringer er registrert for {municipality.name}.",
        caption=f"Rapporteringer i {municipality.name}",
        source=source_line(calendar),
    )


def event_rows(calendar: pd.DataFrame) -> list[tuple[str, str]]:
    """When and what; what happened several times has one row with all its dates."""
    dates: dict[str, list[str]] = {}
    for row in calendar.itertuples():
        when = date_span_text(row.start, row.end) or "ikke oppgitt"
        name, details = sentence(event_name(row)), event_details(row)
        dates.setdefault(f"{name}. {details}" if details else name, []).append(when)
    return [("; ".join(when), what) for what, when in dates.items()]


def event_name(row) -> str:
    """The title of an event, or its kind and number."""
    if present(row.title):
        return text_of(row.title)
    number = f" {number_text(row.number)}" if present(row.number) else ""
    return words.EVENT_KINDS[row.kind] + number


def event_details(row) -> str:
    """How an event was held, who came and what to know, as one text."""
    people = f"{number_text(row.attended_count)} deltakere" if present(row.attended_count) else ""
    mode = words.MODES[row.mode] if present(row.mode) and row.mode != "physical" else ""
    note = text_of(row.note)
    if mode and note.lower().startswith(mode.lower()):
        mode = ""  # the note says so
    facts = sentence(", ".join(part for part in (mode, people) if part))
    return " ".join(part for part in (facts + "." if facts else "", note) if part)


def listed_texts(texts: list[str]) -> tuple[str, ...]:
    """Texts as a cell: one as a paragraph, several as a list."""
    return bullets(texts) if texts else ()

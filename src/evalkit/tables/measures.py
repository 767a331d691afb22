"""Tables about measures: what they are, who took part, their logic models and the gaps."""

from __future__ import annotations

from textwrap import wrap

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.facts import PERSON_UNITS
from evalkit.markdown import Cell, bold, bullets, grid_table
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_span_text, date_text, number_text, qualified_text, quantity_text
from evalkit.references import source_line
from evalkit.small_counts import is_small
from evalkit.tables.context import listed_texts, of
from evalkit.tables.layout import (
    Column,
    fitted_widths,
    present,
    report_table,
    sentence,
    text_of,
)
from evalkit.tables.surveys import fewer_than

__all__ = [
    "STATUS_SYMBOLS",
    "findings_table",
    "logic_model_table",
    "measure_aspects_table",
    "measures_table",
    "model_name",
    "participants_table",
    "recommendations_table",
]

STATUS_SYMBOLS = {"done": "✓", "partly_done": "◐", "not_done": "✗"}
STATUS_WORDS = {"done": "gjennomført", "partly_done": "delvis", "not_done": "ikke gjennomført"}

FINDINGS = {
    "activity-without-outcome": "Aktivitet uten resultat eller virkning",
    "outcome-without-indicator": "Resultat eller virkning uten indikator",
    "indicator-without-source": "Indikator uten kilde",
    "indicator-without-baseline": "Indikator uten verdi fra starten",
    "indicator-without-target": "Indikator uten måltall",
    "indicator-too-general": "Indikator som er for generell til å måles",
    "target-without-date": "Måltall uten frist",
    "target-met-at-baseline": "Måltall som var nådd fra starten",
    "goal-without-measure": "Mål uten tiltak",
    "measure-without-goal": "Tiltak uten mål",
}
SHOWN_SUBJECTS = 5
SHORT = 42  # letters; a cell of shorter statements is one text and no list


def measure_depths(measures: pd.DataFrame) -> dict[str, int]:
    """How deep each measure lies below another, a measure before its parts, in their order."""
    own = list(measures["measure_id"])
    parents = dict(zip(own, measures["parent_measure_id"], strict=True))
    depths: dict[str, int] = {}

    def place(measure: str, depth: int) -> None:
        depths[measure] = depth
        for part in own:
            if parents[part] == measure and part not in depths:
                place(part, depth + 1)

    for measure in [m for m in own if parents[m] not in parents] + own:
        if measure not in depths:
            place(measure, 0)
    return depths


def measure_aspects_table(
    measure_aspects: pd.DataFrame, municipality: Municipality, *, measures: pd.DataFrame
) -> ReportTable:
    """What is said of a municipality's measures, aspect by aspect.

    Parameters
    ----------
    measure_aspects, measures
        Rows of ``MeasureAspectsTable`` and ``MeasuresTable``.
    municipality
        The municipality.
    """
    names = of(measures, municipality).sort_values("position", kind="stable")
    names = names.set_index("measure_id")["name"]
    own = measure_aspects.loc[measure_aspects["measure_id"].isin(names.index)]
    order = pd.DataFrame(
        {
            "measure": own["measure_id"].map({name: n for n, name in enumerate(names.index)}),
            "aspect": own["aspect"].map({name: n for n, name in enumerate(words.MEASURE_ASPECTS)}),
            "position": own["position"],
        }
    ).sort_values(["measure", "aspect", "position"], kind="stable")
    rows = [
        (
            text_of(names[measure]),
            words.MEASURE_ASPECTS[aspect],
            bullets([sentence(text_of(text)) for text in told["text"]]),
        )
        for (measure, aspect), told in own.loc[order.index].groupby(
            ["measure_id", "aspect"], sort=False
        )
    ]
    return report_table(
        [Column("Tiltak", 22), Column("Hva det gjelder", 18), Column("Hva som er sagt", 60)],
        rows,
        empty=f"Ingenting mer er sagt om tiltakene i {municipality.name}.",
        caption=f"Hva som er sagt om tiltakene i {municipality.name}",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def measures_table(measures: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """The measures of a municipality, parts of a measure under the measure itself."""
    own = of(measures, municipality).sort_values("position", kind="stable")
    depths = measure_depths(own)
    ordered = own.set_index("measure_id", drop=False).loc[list(depths)]
    rows = [
        (
            ("– " if depths[row.measure_id] else "") + text_of(row.name),
            text_of(row.description),
            words.MEASURE_STATUS[row.status] if present(row.status) else "",
            date_span_text(row.start, row.end),
        )
        for row in ordered.itertuples(index=False)
    ]
    return report_table(
        [Column("Tiltak", 25), Column("Hva det er", 45), Column("Status", 15), Column("Når", 15)],
        rows,
        empty=f"Ingen tiltak er registrert for {municipality.name}.",
        caption=f"Tiltak i {municipality.name}",
        source=source_line(own),
    )


def participants_table(
    participants: pd.DataFrame,
    municipality: Municipality,
    *,
    measures: pd.DataFrame,
    smallest_count: int = 5,
) -> ReportTable:
    """Who took part in a municipality's measures.

    Parameters
    ----------
    participants
        Rows of ``ParticipantsTable``, or those of ``without_withheld``.
    municipality
        The municipality.
    measures
        Rows of ``MeasuresTable``, for their names.
    smallest_count
        Smaller counts of persons, children or families are hidden.
    """
    own = of(participants, municipality)
    names = measures.set_index("measure_id")["name"]
    rows = []
    for row in own.itertuples(index=False):
        few = row.unit in PERSON_UNITS and is_small(row.count, smallest_count)
        why = getattr(row, "withheld", None)
        beside = present(why) and why != "too_few"
        few = few or (present(why) and not beside)
        shown = qualified_text(quantity_text(row.count, row.unit), row.qualifier)
        rows.append(
            (
                text_of(names.get(row.measure_id, "")),
                sentence(text_of(row.group)),
                date_text(row.period),
                words.WITHHELD[why] if beside else fewer_than(smallest_count) if few else shown,
                "" if few or beside else text_of(row.note),
            )
        )
    return report_table(
        [
            Column("Tiltak", 20),
            Column("Hvem", 28),
            Column("Når", 14),
            Column("Antall", 14, "r"),
            Column("Merknad", 24),
        ],
        rows,
        empty=f"Ingen deltakertall er oppgitt for {municipality.name}.",
        caption=f"Deltakere i tiltakene i {municipality.name}",
        source=source_line(own),
    )


def recommendations_table(
    recommendations: pd.DataFrame, municipality: Municipality | None = None
) -> ReportTable:
    """Recommendations in a municipality; the programme's own where none is given.

    Who gives them to whom stands once for those that follow on each other, and in the caption
    where it is the same for all.
    """
    if municipality is None:
        own = recommendations.loc[recommendations["municipality_code"].isna()]
        where = "programmet"
    else:
        own, where = of(recommendations, municipality), municipality.name
    rows = [
        (
            givers_text(row),
            number_text(row.number),
            sentence(text_of(row.title)),
            text_of(row.text),
        )
        for row in own.itertuples()
    ]
    givers = {row[0] for row in rows}
    alike = len(givers) == 1
    columns = [
        Column("Fra og til", 22),
        Column("Nr.", 6, "r"),
        Column("Tema", 22),
        Column("Anbefaling", 50),
    ]
    return report_table(
        columns[1:] if alike else columns,
        [row[1:] for row in rows] if alike else rows,
        empty=f"Ingen anbefalinger er registrert for {where}.",
        caption=f"Anbefalinger for {where}"
        + (f". {giver}" if alike and (giver := givers.pop()) else ""),
        source=source_line(own),
        grouped=len(rows) > 1 and not alike,
    )


def givers_text(row) -> str:
    """Who gives a recommendation and to whom, as far as it is known."""
    parts = [
        f"Fra: {text_of(row.by)}" if present(row.by) else "",
        f"Til: {text_of(row.addressed_to)}" if present(row.addressed_to) else "",
    ]
    return ". ".join(part for part in parts if part)


def model_name(title: str, municipality: Municipality) -> str:
    """A logic model as captions name it: ``Logisk modell: Skolenærvær, Horten``."""
    said = title if "logisk modell" in title.lower() else f"Logisk modell: {title}"
    return said if municipality.name in said else f"{said}, {municipality.name}"


def logic_model_table(
    frame: pd.DataFrame, municipality: Municipality, *, title: str
) -> ReportTable:
    """A logic model in the report's six columns.

    The status of an activity stands as a symbol and a word after it; rows of indicators begin
    with the word «Indikatorer».

    Parameters
    ----------
    frame
        As from ``logic_model_frame``.
    municipality
        The municipality whose model it is.
    title
        The model's title.
    """
    header = [
        [
            Cell(("Ressurser",), row_span=2),
            Cell(("Gjennomføring",), column_span=2),
            Cell(("Utfall og effekt",), column_span=3),
        ],
        [Cell((label,)) for label in list(words.LOGIC_COLUMNS.values())[1:]],
    ]
    rows: list[list[Cell]] = []
    for _, group in frame.groupby("row"):
        title_column = indicator_title_column(group)
        cells = []
        for cell in group.itertuples():
            blocks = statement_blocks(cell)
            if cell.column_number == title_column:
                blocks = (bold("Indikatorer"), *blocks)
            cells.append(Cell(blocks, cell.row_span, cell.column_span))
        rows.append(cells)
    return ReportTable(
        grid_table(header, rows, widths=column_widths(frame), align="llllll"),
        caption=text_of(model_name(title, municipality)),
        source=source_line(frame),
    )


def indicator_title_column(row: pd.DataFrame) -> int | None:
    """Where a row of indicators says that it is one: its empty first cell, or its indicators."""
    own = row.loc[row["row_kind"] == "indicator"]
    if own.empty:
        return None
    first = own.iloc[0]
    filled = own.loc[own["texts"].map(len) > 0]
    if filled.empty or (first["column"] == "resources" and not first["texts"]):
        return int(first["column_number"])
    measured = filled.loc[(filled["indicator_ids"].map(len) > 0) | (filled["column_number"] > 2)]
    return int((filled if measured.empty else measured)["column_number"].iloc[0])


def statement_blocks(cell) -> tuple[str, ...]:
    """The statements of a cell, activities with their status: a list, or one text if short."""
    texts = []
    for text, status in zip(cell.texts, cell.statuses, strict=True):
        mark = f" ({STATUS_SYMBOLS[status]}\u00a0{STATUS_WORDS[status]})" if status else ""
        texts.append(sentence(text_of(text)) + mark)
    if sum(map(len, texts)) <= SHORT * len(texts):
        return (" • ".join(texts),) if texts else ()
    return listed_texts(texts)


def column_widths(frame: pd.DataFrame) -> list[float]:
    """Shares of a landscape page for the six columns that make the table as low as they can."""
    columns = [Column(label) for label in words.LOGIC_COLUMNS.values()]
    rows = [[("",) for _ in columns] for _ in range(frame["row"].max() + frame["row_span"].max())]
    for cell in frame.loc[frame["column_span"] == 1].itertuples():
        blocks = statement_blocks(cell)
        if len(blocks) == 1 and cell.row_span > 1:  # one text beside all the rows it spans
            share = -(-len(blocks[0]) // cell.row_span)
            blocks = tuple(wrap(blocks[0], share, break_long_words=False))
        step = -(-len(blocks) // cell.row_span)
        for part in range(cell.row_span):
            own = blocks[part * step : (part + 1) * step]
            rows[cell.row - 1 + part][cell.column_number - 1] = own or ("",)
    return fitted_widths(columns, rows, landscape=True)


def findings_table(
    findings: pd.DataFrame, municipality: Municipality, *, logic_models: pd.DataFrame
) -> ReportTable:
    """Gaps in a municipality's logic models, and what would mend them.

    Parameters
    ----------
    findings
        As from ``logic_model_findings``.
    municipality
        The municipality.
    logic_models
        Rows of ``LogicModelsTable``, for their titles.
    """
    own = of(findings, municipality)
    titles = logic_models.set_index("model_id")["title"]
    rows = []
    for code, group in own.groupby("code", sort=False):
        rows.append(
            (
                f"{FINDINGS[code]} ({number_text(len(group))})",
                bullets(finding_subjects(group, titles)),
                text_of(group["sentence"].iloc[0]),
            )
        )
    return report_table(
        [Column("Hva som mangler", 25), Column("Hvor", 50), Column("Hva som retter det", 25)],
        rows,
        empty=f"Ingen mangler er funnet i de logiske modellene for {municipality.name}.",
        caption=f"Mangler i kjeden fra tiltak til mål i {municipality.name}",
        source=source_line(own),
    )


def finding_subjects(group: pd.DataFrame, titles: pd.Series) -> list[str]:
    """What findings of one kind concern: each, if they are few; else how many per model."""
    if len(group) <= SHOWN_SUBJECTS:
        return [sentence(text_of(text)) for text in group["subject_text"]]
    shown = []
    for model, part in group.groupby(group["model_id"].fillna(""), sort=False):
        first = "; ".join(text_of(text) for text in part["subject_text"].iloc[:2])
        more = f"; og {number_text(len(part) - 2)} til" if len(part) > 2 else ""
        named = f"{text_of(titles[model])}: " if model in titles.index else ""
        shown.append(sentence(f"{named}{first}{more}"))
    return shown

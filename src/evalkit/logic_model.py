"""Logic models, from resources to impact: their shape, and the gaps in the chain."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.errors import DataError
from evalkit.municipalities import named_rows
from evalkit.published_indicators import indicator_overview, listed

__all__ = [
    "FINDING_CODES",
    "coverage_summary",
    "indicator_coverage",
    "logic_model_findings",
    "logic_model_frame",
    "outcome_coverage",
]

COLUMNS = list(words.LOGIC_COLUMNS)
OUTCOMES = ("output", "outcome", "impact")

FINDING_CODES = (
    "activity-without-outcome",
    "outcome-without-indicator",
    "indicator-without-source",
    "indicator-without-baseline",
    "indicator-without-target",
    "indicator-too-general",
    "target-without-date",
    "target-met-at-baseline",
    "goal-without-measure",
    "measure-without-goal",
)


def logic_model_frame(cells: pd.DataFrame, *, model_id: str) -> pd.DataFrame:
    """A logic model as cells in rows and six columns, every place of the grid covered once.

    Parameters
    ----------
    cells
        Rows of ``LogicModelCellsTable``: one per statement.
    model_id
        The model.

    Returns
    -------
    DataFrame
        One row per cell, row by row from left to right: ``row``, ``row_kind``, ``column``,
        ``column_number`` (1 to 6), ``row_span``, ``column_span``, ``texts``, ``statuses`` (a
        code or ``None`` per text), ``indicator_ids`` (tuples), ``source``, ``locator``. A place
        that no statement covers is a cell without texts.

    Raises
    ------
    DataError
        If no model has that id, or two cells cover the same place.
    """
    own = cells.loc[cells["model_id"] == model_id]
    if own.empty:
        known = ", ".join(sorted(cells["model_id"].unique())) or "none"
        raise DataError(f"no cells of logic model {model_id!r}; the table holds: {known}")
    own = own.assign(ids=listed(own["indicator_ids"])).sort_values("position", kind="stable")
    kinds = own.groupby("row")["row_kind"].first().to_dict()
    found = []
    for (row, column), group in own.groupby(["row", "column"], sort=False):
        found.append(
            {
                "row": int(row),
                "row_kind": kinds[row],
                "column": column,
                "column_number": COLUMNS.index(column) + 1,
                "row_span": int(group["row_span"].max() if group["row_span"].notna().any() else 1),
                "column_span": int(
                    group["column_span"].max() if group["column_span"].notna().any() else 1
                ),
                "texts": tuple(group["text"]),
                "statuses": tuple(s if isinstance(s, str) else None for s in group["status"]),
                "indicator_ids": tuple(dict.fromkeys(i for ids in group["ids"] for i in ids)),
                "source": group["source"].iloc[0],
                "locator": group["locator"].iloc[0],
            }
        )
    last_row = max(cell["row"] + cell["row_span"] - 1 for cell in found)
    taken: dict[tuple[int, int], str] = {}
    for cell in found:
        name = f"{cell['column']} in row {cell['row']}"
        if cell["column_number"] + cell["column_span"] - 1 > len(COLUMNS):
            raise DataError(f"logic model {model_id!r}: {name} reaches beyond the last column")
        for place in places(cell):
            if place in taken:
                raise DataError(
                    f"logic model {model_id!r}: {name} covers the place of {taken[place]}"
                )
            taken[place] = name
    for row in range(1, last_row + 1):
        for number, column in enumerate(COLUMNS, start=1):
            if (row, number) not in taken:
                found.append(
                    {
                        "row": row,
                        "row_kind": kinds.get(row, "logic"),
                        "column": column,
                        "column_number": number,
                        "row_span": 1,
                        "column_span": 1,
                        "texts": (),
                        "statuses": (),
                        "indicator_ids": (),
                        "source": None,
                        "locator": None,
                    }
                )
    return (
        pd.DataFrame(found)
        .sort_values(["row", "column_number"], kind="stable")
        .reset_index(drop=True)
    )


def places(cell: dict) -> list[tuple[int, int]]:
    """Rows and columns that a cell covers."""
    return [
        (row, column)
        for row in range(cell["row"], cell["row"] + cell["row_span"])
        for column in range(cell["column_number"], cell["column_number"] + cell["column_span"])
    ]


def outcome_coverage(
    logic_models: pd.DataFrame, *, cells: pd.DataFrame, indicators: pd.DataFrame
) -> pd.DataFrame:
    """Which results, outcomes and impacts of the logic models have an indicator.

    A statement has one if it names one itself; if a row of indicators right under its own holds
    something in its column; or, where a model has one row of indicators for all, if one of the
    model's indicators is on its level.

    Parameters
    ----------
    logic_models, cells, indicators
        Rows of ``LogicModelsTable``, ``LogicModelCellsTable``, ``IndicatorsTable``.

    Returns
    -------
    DataFrame
        One row per statement: ``municipality_code``, ``model_id``, ``model_title``, ``row``,
        ``column``, ``text``, ``has_indicator``, ``source``, ``locator``.
    """
    levels = (
        indicators.assign(model_id=listed(indicators["model_ids"]))
        .explode("model_id")
        .dropna(subset="model_id")
        .groupby("model_id")["level"]
        .agg(lambda level: set(level.dropna()))
        .to_dict()
    )
    rows = []
    for model in logic_models.itertuples():
        own = cells.loc[cells["model_id"] == model.model_id]
        if own.empty:
            continue
        frame = logic_model_frame(cells, model_id=model.model_id)
        indicated = {
            place
            for cell in frame.loc[
                (frame["row_kind"] == "indicator") & (frame["texts"].map(len) > 0)
            ].to_dict("records")
            for place in places(cell)
        }
        named = own["indicator_ids"].notna()
        logic = own.loc[(own["row_kind"] == "logic") & own["column"].isin(OUTCOMES)]
        for statement in logic.sort_values(["row", "position"], kind="stable").itertuples():
            number = COLUMNS.index(statement.column) + 1
            span = int(statement.row_span) if pd.notna(statement.row_span) else 1
            under = {(int(statement.row) + down, number) for down in range(1, span + 1)}
            by_row = model.row_pattern == "alternating" and bool(under & indicated)
            by_level = model.row_pattern in ("one_indicator_row", "free_form") and (
                statement.column in levels.get(model.model_id, set())
            )
            rows.append(
                (
                    model.municipality_code,
                    model.model_id,
                    model.title,
                    int(statement.row),
                    statement.column,
                    statement.text,
                    bool(named[statement.Index]) or by_row or by_level,
                    statement.source,
                    statement.locator,
                )
            )
    return pd.DataFrame(
        rows,
        columns=[
            "municipality_code",
            "model_id",
            "model_title",
            "row",
            "column",
            "text",
            "has_indicator",
            "source",
            "locator",
        ],
    )


def indicator_coverage(
    indicators: pd.DataFrame,
    *,
    observations: pd.DataFrame,
    targets: pd.DataFrame,
    municipalities: pd.DataFrame,
) -> pd.DataFrame:
    """Which indicators of the municipalities have a source, a baseline, a second value, a target.

    The baseline is the first value, for the whole municipality or a group in it.

    Parameters
    ----------
    indicators, observations, targets
        Rows of ``IndicatorsTable``, ``ObservationsTable``, ``TargetsTable``.
    municipalities
        Rows of ``MunicipalitiesTable``; an indicator that is everybody's is that of each of them.

    Returns
    -------
    DataFrame
        One row per municipality and indicator, in the municipalities' order:
        ``municipality_code``, ``municipality_name``, ``indicator_id``, ``name``, ``level``,
        ``unit``; ``has_source``, ``has_baseline``, ``has_later_value``, ``has_target``,
        ``has_due`` (every target dated), ``is_measurable`` (a unit is given that counts
        something), ``met_at_first`` (a target met by the first value); ``source``, ``locator``.
    """
    columns = [
        "municipality_code",
        "municipality_name",
        "indicator_id",
        "name",
        "level",
        "unit",
        "has_source",
        "has_baseline",
        "has_later_value",
        "has_target",
        "has_due",
        "is_measurable",
        "met_at_first",
        "source",
        "locator",
    ]
    codes = municipalities[["municipality_code"]]
    of_nobody = indicators["municipality_code"].isna()
    shared = indicators.loc[of_nobody].drop(columns="municipality_code").merge(codes, how="cross")
    own = named_rows(pd.concat([indicators.loc[~of_nobody], shared]), municipalities)
    parts = [
        indicator_overview(
            own.loc[own["municipality_code"] == code],
            observations=observations,
            targets=targets,
            municipality_code=code,
        ).assign(municipality_code=code)
        for code in own["municipality_code"].unique()
    ]
    if not parts:
        return pd.DataFrame(columns=columns)
    known = pd.concat(parts, ignore_index=True)
    known = known.assign(
        has_target=known["target_id"].notna(),
        has_due=known["due"].notna(),
        met=known["met_at_first"].fillna(False).astype(bool),
    )
    keys = ["municipality_code", "indicator_id"]
    per_indicator = known.groupby(keys).agg(
        value_count=("value_count", "first"),
        has_target=("has_target", "any"),
        has_due=("has_due", "all"),
        met_at_first=("met", "any"),
    )
    rows = own.merge(per_indicator, on=keys, how="left", validate="one_to_one")
    return rows.assign(
        has_source=rows["data_source"].notna(),
        has_baseline=rows["value_count"] > 0,
        has_later_value=rows["value_count"] > 1,
        is_measurable=rows["unit"].notna() & (rows["unit"] != "text"),
    )[columns]


def logic_model_findings(
    logic_models: pd.DataFrame,
    *,
    cells: pd.DataFrame,
    measures: pd.DataFrame,
    goals: pd.DataFrame,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    targets: pd.DataFrame,
    municipalities: pd.DataFrame,
) -> pd.DataFrame:
    """Gaps in the chain from activities to goals, and what would mend each.

    Parameters
    ----------
    logic_models, cells, measures, goals, indicators, observations, targets, municipalities
        Rows of the study's tables of those names (``cells``: ``logic_model_cells``).

    Returns
    -------
    DataFrame
        One row per finding, by municipality and in the order of ``FINDING_CODES``:
        ``finding`` (``code:subject``, stable from one edition to the next), ``code``,
        ``municipality_code``, ``municipality_name``, ``model_id`` (missing where it concerns no
        model), ``subject_text`` (what it concerns, in the reader's language), ``sentence``
        (what would mend it, in Norwegian), ``source``, ``locator``.
    """
    models = logic_models.set_index("model_id")
    coverage = indicator_coverage(
        indicators.loc[indicators["municipality_code"].notna()],
        observations=observations,
        targets=targets,
        municipalities=municipalities,
    )
    outcomes = outcome_coverage(logic_models, cells=cells, indicators=indicators)
    found = [
        *activity_findings(models, cells),
        *outcome_findings(outcomes),
        *indicator_findings(coverage, indicators),
        *target_findings(targets, indicators, coverage),
        *goal_findings(goals, measures),
    ]
    rows = pd.DataFrame(
        found,
        columns=[
            "code",
            "subject",
            "municipality_code",
            "model_id",
            "subject_text",
            "sentence",
            "source",
            "locator",
        ],
    )
    order = rows["code"].map({code: n for n, code in enumerate(FINDING_CODES)})
    rows = rows.iloc[order.argsort(kind="stable")]
    rows.insert(0, "finding", rows["code"] + ":" + rows["subject"])
    return named_rows(rows.drop(columns="subject"), municipalities)[
        [
            "finding",
            "code",
            "municipality_code",
            "municipality_name",
            "model_id",
            "subject_text",
            "sentence",
            "source",
            "locator",
        ]
    ]


def activity_findings(models: pd.DataFrame, cells: pd.DataFrame) -> list[tuple]:
    """Rows of activities beside which no result, outcome or impact stands."""
    found = []
    for model_id in models.index.intersection(cells["model_id"].unique(), sort=False):
        frame = logic_model_frame(cells, model_id=model_id)
        filled = frame.loc[frame["texts"].map(len) > 0]
        led_to = {
            row
            for cell in filled.loc[filled["column"].isin(OUTCOMES)].to_dict("records")
            for row, _ in places(cell)
        }
        activities = filled.loc[
            (filled["column"] == "activities") & (filled["row_kind"] == "logic")
        ]
        for cell in activities.to_dict("records"):
            if not {row for row, _ in places(cell)} & led_to:
                found.append(
                    (
                        "activity-without-outcome",
                        f"{model_id}-{cell['row']}",
                        models.loc[model_id, "municipality_code"],
                        model_id,
                        cell["texts"][0],
                        "Skriv hvilke resultater aktiviteten skal føre til, eller ta den ut.",
                        cell["source"],
                        cell["locator"],
                    )
                )
    return found


def outcome_findings(outcomes: pd.DataFrame) -> list[tuple]:
    """Results and outcomes without an indicator."""
    bare = outcomes.loc[
        ~outcomes["has_indicator"].astype(bool) & outcomes["column"].isin(["output", "outcome"])
    ]
    number = bare.groupby(["model_id", "column", "row"]).cumcount() + 1
    return [
        (
            "outcome-without-indicator",
            f"{row.model_id}-{row.column}-{row.row}-{place}",
            row.municipality_code,
            row.model_id,
            row.text,
            "Velg en indikator som viser om dette blir oppnådd.",
            row.source,
            row.locator,
        )
        for row, place in zip(bare.itertuples(), number, strict=True)
    ]


INDICATOR_GAPS = {
    "indicator-without-source": (
        "has_source",
        "Oppgi hvor verdiene skal hentes, og hvem som gjør det.",
    ),
    "indicator-without-baseline": (
        "has_baseline",
        "Hent en verdi fra før tiltaket startet, med dato.",
    ),
    "indicator-without-target": (
        "has_target",
        "Sett et måltall med retning og frist.",
    ),
    "indicator-too-general": (
        "is_measurable",
        "Si hva som telles, hos hvem og i hvilken enhet.",
    ),
}


def indicator_findings(coverage: pd.DataFrame, indicators: pd.DataFrame) -> list[tuple]:
    """Indicators that lack a source, a baseline, a target or a unit."""
    models = listed(indicators["model_ids"]).map(lambda ids: ids[0] if ids else None)
    model_of = dict(zip(indicators["indicator_id"], models, strict=True))
    return [
        (
            code,
            row.indicator_id,
            row.municipality_code,
            model_of[row.indicator_id],
            row.name,
            mend,
            row.source,
            row.locator,
        )
        for code, (column, mend) in INDICATOR_GAPS.items()
        for row in coverage.loc[~coverage[column].astype(bool)].itertuples(index=False)
    ]


def target_findings(
    targets: pd.DataFrame, indicators: pd.DataFrame, coverage: pd.DataFrame
) -> list[tuple]:
    """Targets without a date, and targets that the first value already met."""
    by_id = indicators.set_index("indicator_id")
    aimed = targets.loc[targets["indicator_id"].isin(by_id.index) & targets["due"].isna()]
    undated = [
        (
            "target-without-date",
            row.target_id,
            by_id.loc[row.indicator_id, "municipality_code"],
            None,
            by_id.loc[row.indicator_id, "name"],
            "Sett en frist for når måltallet skal være nådd.",
            row.source,
            row.locator,
        )
        for row in aimed.itertuples()
        if isinstance(by_id.loc[row.indicator_id, "municipality_code"], str)
    ]
    met = [
        (
            "target-met-at-baseline",
            row.indicator_id,
            row.municipality_code,
            None,
            row.name,
            "Målet var nådd før tiltaket startet: sett et nytt måltall som krever endring.",
            row.source,
            row.locator,
        )
        for row in coverage.loc[coverage["met_at_first"].astype(bool)].itertuples(index=False)
    ]
    return [*undated, *met]


def goal_findings(goals: pd.DataFrame, measures: pd.DataFrame) -> list[tuple]:
    """Goals of a municipality that no measure serves, and measures that serve no goal."""
    served = {goal for ids in listed(measures["goal_ids"]) for goal in ids}
    parents = dict(zip(goals["goal_id"], listed(goals["parent_goal_ids"]), strict=True))
    waiting = list(served)
    while waiting:
        for parent in parents.get(waiting.pop(), []):
            if parent not in served:
                served.add(parent)
                waiting.append(parent)
    own = goals.loc[goals["municipality_code"].notna() & ~goals["goal_id"].isin(served)]
    aimless = measures.loc[measures["goal_ids"].isna() & measures["parent_measure_id"].isna()]
    return [
        (
            "goal-without-measure",
            row.goal_id,
            row.municipality_code,
            None,
            row.text,
            "Knytt målet til et tiltak, eller si at det ikke lenger gjelder.",
            row.source,
            row.locator,
        )
        for row in own.itertuples()
    ] + [
        (
            "measure-without-goal",
            row.measure_id,
            row.municipality_code,
            None,
            row.name,
            "Si hvilket mål tiltaket skal bidra til.",
            row.source,
            row.locator,
        )
        for row in aimless.itertuples()
    ]


def coverage_summary(coverage: pd.DataFrame) -> pd.DataFrame:
    """How many of each municipality's indicators have source, values, target and date.

    Parameters
    ----------
    coverage
        As from ``indicator_coverage``.

    Returns
    -------
    DataFrame
        One row per municipality: ``municipality_code``, ``municipality_name``,
        ``indicator_count``, ``has_source_count``, ``has_baseline_count``,
        ``has_later_value_count``, ``has_target_count``, ``has_due_count``, ``source``,
        ``locator`` (of its first indicator).
    """
    by_municipality = coverage.groupby(["municipality_code", "municipality_name"], sort=False)
    kinds = ["has_source", "has_baseline", "has_later_value", "has_target", "has_due"]
    return by_municipality.agg(
        indicator_count=("indicator_id", "size"),
        **{f"{kind}_count": (kind, "sum") for kind in kinds},
        source=("source", "first"),
        locator=("locator", "first"),
    ).reset_index()

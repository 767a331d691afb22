"""What must hold between the tables of a study, beyond each table's own contract."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import DataError
from evalkit.facts import claims
from evalkit.free_text import free_text_breaches
from evalkit.linkage import linkage_breaches
from evalkit.municipality_changes import SHARE_TOLERANCE, require_one_history
from evalkit.protected_surveys import survey_waves
from evalkit.reference_circles import circle_breaches
from evalkit.settings import StudySettings
from evalkit.vocabulary import GRADED_BY

__all__ = ["study_breaches"]

Tables = Mapping[str, pd.DataFrame]
Found = Iterator[tuple[str, str]]
MUNICIPALITY = "municipalities.municipality_code"
LONGEST_QUOTATION = 15  # words


def study_breaches(
    tables: Tables,
    sources: pd.DataFrame,
    settings: StudySettings,
    *,
    unread: Collection[str] = (),
    in_part: Collection[str] = (),
) -> dict[str, list[str]]:
    """Everything that does not hold between the tables, by file.

    Parameters
    ----------
    tables
        Tables that keep their contracts, by name.
    sources
        One row per source with ``key``.
    settings
        The study's settings.
    unread
        Tables that exist and broke their contracts; nothing is said of references to them.
    in_part
        Tables of which some rows only are given, and whose references and counts are held
        against the other tables elsewhere.

    Returns
    -------
    dict
        File name to lines; empty if all is well.
    """
    found: dict[str, list[str]] = {}
    every = claims(tables)
    for check in (
        reference_breaches(tables, sources, unread, in_part),
        circle_breaches(tables),
        chapter_breaches(tables, settings, unread),
        conflict_breaches(every, unread),
        sum_breaches(tables),
        grader_breaches(tables),
        quotation_breaches(tables),
        percentage_breaches({n: table for n, table in tables.items() if n not in in_part}),
        date_breaches(tables, settings),
        repeated_event_breaches(tables),
        original_row_breaches(tables, unread),
        municipality_change_breaches(tables),
        area_breaches(tables, unread),
        respondent_breaches(tables),
        wave_breaches(tables),
        linkage_breaches(tables),
        free_text_breaches(
            {name: table for name, table in tables.items() if name not in in_part}, settings
        ),
    ):
        for file, line in check:
            found.setdefault(file, []).append(line)
    return found


def rows_text(positions: Collection[int]) -> str:
    """Rows as a spreadsheet numbers them."""
    numbers = sorted({int(p) + 2 for p in positions})
    shown = ", ".join(map(str, numbers[:8])) + (" ..." if len(numbers) > 8 else "")
    return ("row " if len(numbers) == 1 else "rows ") + shown


def reference_breaches(
    tables: Tables, sources: pd.DataFrame, unread: Collection[str], in_part: Collection[str] = ()
) -> Found:
    """Codes and identifiers that no row of the table they refer to has."""
    for name, table in tables.items():
        if name in in_part:
            continue
        for column, description in columns_of(CONTRACTS[name]).items():
            metadata = description.metadata or {}
            target = metadata.get("references")
            if not target:
                continue
            if target == "sources":
                known, expected = set(sources["key"]), "a key of sources.bib"
            else:
                other, key = target.split(".")
                if other in unread:
                    continue
                known = set(tables[other][key].dropna()) if other in tables else set()
                expected = f"a {key} of {other}.csv"
            given = table[column].dropna()
            if metadata.get("many"):
                given = given.str.split(r"; ?", regex=True).explode()
            unknown = given[~given.isin(known)]
            for value, rows in unknown.groupby(unknown.to_numpy()):
                yield (
                    f"{name}.csv",
                    f"{column}: {value!r} in {rows_text(rows.index)}; expected {expected}",
                )


def chapter_breaches(tables: Tables, settings: StudySettings, unread: Collection[str]) -> Found:
    """Municipalities with a chapter in the report that the study does not have."""
    if "municipalities" in unread:
        return
    known = (
        set(tables["municipalities"]["municipality_code"]) if "municipalities" in tables else set()
    )
    for code in settings.municipality_codes:
        if code not in known:
            yield (
                "study.toml",
                f"municipality {code!r} in parts; expected a code of municipalities.csv",
            )


def conflict_breaches(every: pd.DataFrame, unread: Collection[str] = ()) -> Found:
    """Claims that disagree and of which none, or more than one value, is chosen with a reason."""
    for (key, _), group in every[every["conflict"]].groupby(
        [every["key"], every["version"].fillna("")]
    ):
        rows = group.loc[group["table"] == "facts", "row"] - 2
        where = "facts.csv" if len(rows) else f"{group['table'].iloc[0]}.csv"
        place = rows_text(rows if len(rows) else group["row"] - 2)
        values = ", ".join(
            f"{value} ({locator})"
            for value, locator in zip(group["value"], group["locator"], strict=True)
            if len(str(value)) <= 40
        )
        chosen = group.loc[group["chosen"], "value"].nunique()
        if chosen != 1:
            yield (
                where,
                (
                    f"{key} in {place} is claimed as {values}, {chosen} of them chosen; "
                    "expected chosen = yes for one and no for the others, each with a reason"
                ),
            )
        elif group.loc[(group["table"] == "facts"), "reason"].isna().any():
            yield (
                where,
                f"{key} in {place}: a claim among {values} has no reason; expected why it was chosen or not",
            )
    if unread:  # the claim that another one was chosen for may stand in a table that is not read
        every = every.loc[every["conflict"] | every["chosen"]]
    lonely = every[(every["table"] == "facts") & ~every["chosen"] & ~every["conflict"]]
    for claim in lonely.itertuples():
        yield (
            "facts.csv",
            (
                f"{claim.key} in {rows_text([claim.row - 2])} is not chosen, but no other claim has another "
                "value; expected a chosen claim, here or as a number of a table"
            ),
        )
    facts = every[every["table"] == "facts"]
    same = ["key", "value", "version", "source", "locator"]
    for _, group in facts[facts.duplicated(same, keep=False)].groupby(same, dropna=False):
        yield (
            "facts.csv",
            f"{rows_text(group['row'] - 2)}: the same claim more than once; expected once",
        )


def rounding(value: float) -> float:
    """Half a unit of the last digit that a published amount shows."""
    digits = f"{value:.0f}".rstrip("0")
    return 0.5 * 10 ** (len(f"{value:.0f}") - len(digits))


def sum_breaches(tables: Tables) -> Found:
    """Totals that are not the sum of their years, as far as published rounding lets one tell."""
    if "grants" not in tables:
        return
    grants = tables["grants"]
    keys = ["municipality_code", "scheme_id", "kind"]
    for _, group in grants.groupby(keys, dropna=False):
        totals = group[(group["span"] == "total") & group["amount_nok"].notna()]
        years = group[(group["span"] == "year") & group["amount_nok"].notna()]
        for total in totals.itertuples():
            slack = rounding(total.amount_nok)
            inside = _years(total.period)
            overlapping = [bool(_years(period) & inside) for period in years["period"]]
            counted = years[overlapping] if inside else years
            if inside and len(counted) and set().union(*counted["period"].map(_years)) == inside:
                summed = counted["amount_nok"].sum()
                room = slack + counted["amount_nok"].map(rounding).sum()
                if abs(summed - total.amount_nok) > room:
                    yield (
                        "grants.csv",
                        (
                            f"amount_nok: {total.amount_nok:.0f} in {rows_text([total.Index])} is the total of "
                            f"{rows_text(counted.index)}, whose sum is {summed:.0f}; expected the same"
                        ),
                    )
            for yearly in group[group["span"] == "per_year"].itertuples():
                if not inside or yearly.period != total.period:
                    continue
                summed = yearly.amount_nok * len(inside)
                if abs(summed - total.amount_nok) > slack + rounding(yearly.amount_nok) * len(
                    inside
                ):
                    yield (
                        "grants.csv",
                        (
                            f"amount_nok: {total.amount_nok:.0f} in {rows_text([total.Index])} is not "
                            f"{len(inside)} years of {yearly.amount_nok:.0f} in {rows_text([yearly.Index])}; "
                            "expected amounts that agree within their rounding"
                        ),
                    )


def _years(period: object) -> set[int]:
    """The years of a period such as ``2020`` or ``2020-2022``."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", str(period))
    if not found:
        return set()
    first, last = int(found[1]), int(found[2] or found[1])
    return set(range(first, last + 1))


def percentage_breaches(tables: Tables) -> Found:
    """Published percentages that no rounding makes of their counts."""
    pairs = [
        ("surveys", "response_rate_percent", "answered_count", "invited_count"),
        ("survey_results", "share_percent", "count", "base_count"),
    ]
    for name, percent, count, base in pairs:
        if name not in tables:
            continue
        table = tables[name].dropna(subset=[percent, count, base])
        table = table.loc[_noise(table, tables) == 0]  # else no count is as published
        for row in table[table[base] > 0].itertuples():
            told, of, share = getattr(row, percent), getattr(row, base), getattr(row, count)
            half = 0.5 if float(told).is_integer() else 0.05
            if abs(100 * share / of - told) > half + 1e-9:
                yield (
                    f"{name}.csv",
                    (
                        f"{percent}: {told:g} in {rows_text([row.Index])} with {share:.0f} of {of:.0f}, "
                        f"which is {100 * share / of:.1f}; expected a percentage that fits its counts"
                    ),
                )
    for name, count, base in [
        ("surveys", "answered_count", "invited_count"),
        ("survey_services", "answered_count", "invited_count"),
        ("survey_results", "count", "base_count"),
        ("observations", "numerator", "denominator"),
    ]:
        if name in tables:
            table = tables[name]
            room = 2 * _noise(table, tables)  # of both counts
            for row in table[table[count] > table[base] + room].itertuples():
                yield (
                    f"{name}.csv",
                    (
                        f"{count}: {getattr(row, count):g} in {rows_text([row.Index])} is more than its {base} "
                        f"{getattr(row, base):g}; expected at most that"
                    ),
                )


def grader_breaches(tables: Tables) -> Found:
    """Judgements that do not say whose they are, and graders of what nobody judged."""
    attainment = tables.get("attainment")
    if attainment is None:
        return
    judged = (attainment["judgement"] != "not_judged").to_numpy()
    graded = attainment["graded_by"].notna().to_numpy()
    for breach, expected in (
        (judged & ~graded, f"one of {', '.join(GRADED_BY)} for a goal that is judged"),
        (graded & ~judged, "nothing for a goal that is not judged"),
    ):
        if breach.any():
            found = "a value" if expected.startswith("nothing") else "nothing"
            yield (
                "attainment.csv",
                f"graded_by: {found} in {rows_text(breach.nonzero()[0])}; expected {expected}",
            )


def quotation_breaches(tables: Tables) -> Found:
    """Quotations that are longer than a short excerpt."""
    quotations = tables.get("quotations")
    if quotations is None:
        return
    lengths = quotations["quotation"].str.split().str.len()
    for position in (lengths > LONGEST_QUOTATION).to_numpy().nonzero()[0]:
        yield (
            "quotations.csv",
            (
                f"quotation: {lengths.iloc[position]} words in {rows_text([position])}; "
                f"expected at most {LONGEST_QUOTATION}: tell the rest in your own words"
            ),
        )


def _noise(table: pd.DataFrame, tables: Tables) -> pd.Series:
    """How far each row's counts may be from the true ones, as its source's publisher says."""
    noise = tables.get("noise")
    if noise is None:
        return pd.Series(0.0, index=table.index)
    width = table["source"].map(noise.set_index("noisy_source")["width"])
    return width.fillna(0.0).astype(float)


def date_breaches(tables: Tables, settings: StudySettings) -> Found:
    """Periods that end before they begin, and events outside the study's years."""
    for name, table in tables.items():
        if not {"start", "end"} <= set(table.columns):
            continue
        given = table.dropna(subset=["start", "end"])
        for row in given.itertuples():
            if row.end[: len(row.start)] < row.start[: len(row.end)] and _sortable(
                row.start, row.end
            ):
                yield (
                    f"{name}.csv",
                    (
                        f"end: {row.end} in {rows_text([row.Index])} is before start {row.start}; "
                        "expected the same day or later"
                    ),
                )
    if "events" in tables:
        first, last = settings.period
        events = tables["events"].dropna(subset=["start"])
        for row in events.itertuples():
            year = int(row.start[:4])
            if not first - 1 <= year <= last + 1:
                yield (
                    "events.csv",
                    (
                        f"start: {row.start} in {rows_text([row.Index])}; expected {first} to {last}, "
                        "or the year before or after"
                    ),
                )
        series = events.dropna(subset=["number", "municipality_code"])
        series = series[series["start"].str.fullmatch(r"\d{4}-\d{2}-\d{2}")]
        for _, group in series.groupby(["municipality_code", "kind"]):
            ordered = group.sort_values(["number", "start"])
            first_days = ordered.groupby("number")["start"].min()
            for (before, earlier), (after, later) in zip(
                first_days.items(), list(first_days.items())[1:], strict=False
            ):
                if later < earlier:
                    rows = ordered.index[ordered["number"].isin([before, after])]
                    yield (
                        "events.csv",
                        (
                            f"start: {rows_text(rows)}: number {after:.0f} ({later}) comes before number "
                            f"{before:.0f} ({earlier}); expected dates in the order of the numbers"
                        ),
                    )


def _sortable(start: str, end: str) -> bool:
    return all(re.fullmatch(r"[\d-]+", value) for value in (start, end))


def repeated_event_breaches(tables: Tables) -> Found:
    """The same event on the same day for the same municipality or region, twice."""
    if "events" not in tables:
        return
    events = tables["events"]
    keys = ["municipality_code", "region_id", "kind", "start", "number", "title"]
    dated = events[events["start"].astype("str").str.fullmatch(r"\d{4}-\d{2}-\d{2}").fillna(False)]
    for _, group in dated[dated.duplicated(keys, keep=False)].groupby(keys, dropna=False):
        yield (
            "events.csv",
            (
                f"{rows_text(group.index)}: the same event more than once; expected one row per event, "
                "or a second claim about it in facts.csv"
            ),
        )


def original_row_breaches(tables: Tables, unread: Collection[str]) -> Found:
    """Rows of the original's tables that are neither an event nor a measure of the study."""
    told = tables.get("original_rows")
    kinds = {"events": "event_id", "measures": "measure_id"}
    if told is None or not kinds.keys().isdisjoint(unread):
        return
    known = {row for name, key in kinds.items() if name in tables for row in tables[name][key]}
    for value, rows in told.loc[~told["row_id"].isin(known)].groupby("row_id"):
        yield (
            "original_rows.csv",
            f"row_id: {value!r} in {rows_text(rows.index)}; expected an event_id of events.csv or "
            "a measure_id of measures.csv",
        )
    for (number, value), rows in told.groupby(["number", "row_id"]):
        if len(rows) > 1:
            yield (
                "original_rows.csv",
                f"row_id: {value!r} of table {number:g} in {rows_text(rows.index)}; expected once",
            )


def area_breaches(tables: Tables, unread: Collection[str] = ()) -> Found:
    """Counties that stand twice, and areas without a value of their own."""
    areas = tables.get("areas")
    if areas is None:
        return
    for county, rows in areas.groupby("county_code", dropna=False):
        if len(rows) > 1:
            held = "all municipalities" if pd.isna(county) else f"county {county}"
            yield (
                "areas.csv",
                f"county_code: {rows_text(rows.index)} are areas of {held}; expected one",
            )
    if "observations" in unread:
        return
    observed = tables.get("observations")
    known = set() if observed is None else set(observed["area"].dropna())
    for row in areas.loc[~areas["area"].isin(known)].itertuples():
        yield (
            "areas.csv",
            f"area: {row.area!r} in {rows_text([row.Index])}; expected an area of observations.csv",
        )


def municipality_change_breaches(tables: Tables) -> Found:
    """Municipalities whose parts do not add up to one, or cannot be what they are said to be."""
    changes = tables.get("municipality_changes")
    if changes is None:
        return
    wrong = False
    for (code, year), event in changes.groupby(["old_code", "year"]):
        total = event["share"].sum(skipna=False)
        if abs(total - 1) > SHARE_TOLERANCE:
            wrong = True
            yield (
                "municipality_changes.csv",
                f"share: {code} was parted in {year:.0f} in shares that add up to {total:g} in "
                f"{rows_text(event.index)}; expected 1",
            )
    if not wrong:
        try:
            require_one_history(changes)
        except DataError as contradiction:
            yield "municipality_changes.csv", str(contradiction)


def respondent_breaches(tables: Tables) -> Found:
    """Answers of a municipality that is not their survey's, and respondents of two services."""
    answers = tables.get("answers")
    if answers is None:
        return
    if "surveys" in tables:
        of_survey = tables["surveys"].set_index("survey_id")["municipality_code"]
        theirs = answers["survey_id"].map(of_survey)
        strange = answers.loc[theirs.notna() & (theirs != answers["municipality_code"])]
        for (survey, code), rows in strange.groupby(["survey_id", "municipality_code"]):
            yield (
                "answers.csv",
                f"municipality_code: {code!r} in {rows_text(rows.index)}; expected "
                f"{of_survey[survey]!r}, the municipality of survey {survey} in surveys.csv",
            )
    who = ["survey_id", "municipality_code", "respondent_id"]
    told = answers.drop_duplicates([*who, "service"])
    for (survey, *_), services in told[told.duplicated(who, keep=False)].groupby(who):
        yield (
            "answers.csv",
            f"service: {rows_text(services.index)} give one respondent of survey {survey} "
            f"{len(services)} services; expected one, or blank in all rows",
        )


def wave_breaches(tables: Tables) -> Found:
    """Surveys with answers that their wave does not tell from others of kind and municipality."""
    surveys, answers = tables.get("surveys"), tables.get("answers")
    if surveys is None or answers is None:
        return
    answered = surveys["survey_id"].isin(answers["survey_id"].unique())
    series = ["municipality_code", "kind"]
    known = [survey_waves(surveys, kind=kind) for kind in surveys.loc[answered, "kind"].unique()]
    placed = pd.concat(known) if known else surveys.iloc[:0]
    unplaced = surveys.loc[answered & ~surveys["survey_id"].isin(placed["survey_id"])]
    for (code, kind), rows in unplaced.groupby(series):
        yield (
            "surveys.csv",
            f"wave: blank in {rows_text(rows.index)}, of several surveys of kind {kind} in {code}; "
            "expected 0 for the first and a number for each other, so that their answers are kept apart",
        )
    for (code, kind, wave), rows in placed.groupby([*series, "wave"]):
        if len(rows) > 1 and answered[rows.index].any():
            yield (
                "surveys.csv",
                f"wave: {wave} in {rows_text(rows.index)}, of kind {kind} in {code}; expected a wave "
                "of its own for each survey with answers, so that their answers are kept apart",
            )

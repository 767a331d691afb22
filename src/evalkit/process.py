"""The course of the programme: events in time, implementation phases, the learning history."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.municipalities import named_rows

__all__ = [
    "event_calendar",
    "last_days",
    "learning_history",
    "period_days",
    "phase_evidence",
    "theme_overview",
    "topic_counts",
]

# Months that a season is taken to last when it must stand on an axis of time.
SEASON_MONTHS = {"winter": (1, 2), "spring": (3, 5), "summer": (6, 8), "autumn": (9, 11)}


def period_days(periods: pd.Series) -> pd.DataFrame:
    """First and last day of full or partial dates.

    Parameters
    ----------
    periods
        Dates such as ``2023-03-24``, ``2023-03``, ``2023-Q1``, ``2023-H1``, ``2023-spring``
        (March to May) or ``2023``.

    Returns
    -------
    DataFrame
        ``first_day`` and ``last_day``, on the index of ``periods``; missing where the period is.
    """
    limits = [day_limits(period) if pd.notna(period) else (None, None) for period in periods]
    return pd.DataFrame(
        {
            "first_day": pd.to_datetime([first for first, _ in limits]),
            "last_day": pd.to_datetime([last for _, last in limits]),
        },
        index=periods.index,
    )


def last_days(periods: pd.Series) -> pd.Series:
    """Last day of each period, by which periods within a year are ordered: spring before autumn."""
    different = periods.drop_duplicates()
    return periods.map(dict(zip(different, period_days(different)["last_day"], strict=True)))


def day_limits(period: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day of one full or partial date."""
    year, _, rest = str(period).partition("-")
    if rest.startswith("Q"):
        first, last = 3 * int(rest[1]) - 2, 3 * int(rest[1])
    elif rest.startswith("H"):
        first, last = 6 * int(rest[1]) - 5, 6 * int(rest[1])
    elif rest in SEASON_MONTHS:
        first, last = SEASON_MONTHS[rest]
    elif rest.count("-") == 1:
        day = pd.Timestamp(period)
        return day, day
    else:
        first, last = (int(rest), int(rest)) if rest else (1, 12)
    return (
        pd.Timestamp(int(year), first, 1),
        pd.Timestamp(int(year), last, 1) + pd.offsets.MonthEnd(0),
    )


def event_calendar(
    events: pd.DataFrame,
    *,
    municipalities: pd.DataFrame,
    municipality_code: str | None = None,
    kind: str | None = None,
    number: int | None = None,
) -> pd.DataFrame:
    """Events in the order of time, with their days and the municipality's name.

    Parameters
    ----------
    events
        Rows of ``EventsTable``.
    municipalities
        Rows of ``MunicipalitiesTable``.
    municipality_code, kind, number
        What to keep; ``None`` keeps all.

    Returns
    -------
    DataFrame
        The columns of ``events`` with ``municipality_name``, ``first_day`` and ``last_day``; an
        event without a date comes last.
    """
    kept = events
    for column, wanted in (
        ("municipality_code", municipality_code),
        ("kind", kind),
        ("number", number),
    ):
        if wanted is not None:
            kept = kept.loc[kept[column] == wanted]
    named = named_rows(kept, municipalities)
    starts = period_days(named["start"])
    ends = period_days(named["end"].fillna(named["start"]))
    return (
        named.assign(first_day=starts["first_day"], last_day=ends["last_day"])
        .sort_values(["first_day", "last_day"], kind="stable", na_position="last")
        .reset_index(drop=True)
    )


def in_vocabulary_order(column: pd.Series, vocabulary: dict[str, str]) -> pd.Series:
    """Places of codes in their vocabulary, to sort by."""
    return column.map({code: place for place, code in enumerate(vocabulary)})


def phase_evidence(phases: pd.DataFrame, *, municipalities: pd.DataFrame) -> pd.DataFrame:
    """What shows each implementation phase, by municipality and in the phases' order.

    Returns
    -------
    DataFrame
        The columns of ``phases`` with ``municipality_name``.
    """
    order = in_vocabulary_order(phases["phase"], words.PHASES)
    ordered = (
        phases.assign(place=order)
        .sort_values(["place", "position"], kind="stable")
        .drop(columns="place")
    )
    return named_rows(ordered, municipalities)


def theme_overview(measure_themes: pd.DataFrame, *, municipalities: pd.DataFrame) -> pd.DataFrame:
    """Measures by theme, by municipality and in the themes' order, with ``municipality_name``."""
    order = in_vocabulary_order(measure_themes["theme"], words.THEMES)
    ordered = (
        measure_themes.assign(place=order).sort_values("place", kind="stable").drop(columns="place")
    )
    return named_rows(ordered, municipalities)


def learning_history(
    lessons: pd.DataFrame, *, municipalities: pd.DataFrame, municipality_code: str | None = None
) -> pd.DataFrame:
    """Statements of the learning history in the topics' order, with ``municipality_name``.

    Parameters
    ----------
    lessons
        Rows of ``LessonsTable``.
    municipalities
        Rows of ``MunicipalitiesTable``.
    municipality_code
        Keeps one municipality's statements; ``None`` keeps all.
    """
    kept = lessons
    if municipality_code is not None:
        kept = lessons.loc[lessons["municipality_code"] == municipality_code]
    named = named_rows(kept, municipalities)
    order = in_vocabulary_order(named["topic"], words.LESSON_TOPICS)
    return named.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def topic_counts(lessons: pd.DataFrame, *, municipalities: pd.DataFrame) -> pd.DataFrame:
    """How many statements each municipality's learning history has on each topic.

    Returns
    -------
    DataFrame
        One row per topic and municipality with a statement, in the topics' order:
        ``topic``, ``municipality_code``, ``municipality_name``, ``statement_count``, ``source``,
        ``locator`` (of the first statement).
    """
    history = learning_history(lessons, municipalities=municipalities)
    counts = history.groupby(["topic", "municipality_code"], sort=False, dropna=False)
    return counts.agg(
        municipality_name=("municipality_name", "first"),
        statement_count=("lesson_id", "size"),
        source=("source", "first"),
        locator=("locator", "first"),
    ).reset_index()

"""The state of a study's runs as text: a table of municipalities and notebooks, then reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.runs.record import JobState

__all__ = ["status_lines"]

MARKS = {"fresh": "ok", "stale": "old", "failed": "FAIL", "never": "-"}
WORST_FIRST = ("failed", "never", "stale", "fresh")
NAMES_SHOWN = 3


def status_lines(states: Sequence[JobState]) -> list[str]:
    """Lines that say what is up to date, and why the rest is not.

    Parameters
    ----------
    states
        From ``job_states``.

    Returns
    -------
    list of str
        A row for each municipality (and one for what is run once), a column for each notebook,
        headed by its number; a notebook with several runs for a municipality shows the worst.
        Then a line for each notebook and reason with the municipalities that it holds for, and
        the counts.
    """
    if not states:
        return ["no notebooks"]
    notebooks = list(dict.fromkeys(state.job.name for state in states))
    columns = {name: name.partition("-")[0] for name in notebooks}
    if len(set(columns.values())) < len(columns):
        columns = {name: name for name in notebooks}
    cells: dict[str, dict[str, str]] = {}
    for state in states:
        row = cells.setdefault(state.job.title, {})
        row[state.job.name] = min(
            state.state, row.get(state.job.name, state.state), key=WORST_FIRST.index
        )
    wide = max(len(title) for title in cells)
    width = max(4, *(len(text) for text in columns.values()))
    lines = [" " * wide + "".join(f"  {columns[name]:<{width}}" for name in notebooks)]
    for title, row in cells.items():
        marks = (MARKS.get(row.get(name, ""), "") for name in notebooks)
        lines.append(f"{title:<{wide}}" + "".join(f"  {mark:<{width}}" for mark in marks))
    counts = {kind: sum(state.state == kind for state in states) for kind in reversed(WORST_FIRST)}
    words = {"fresh": "up to date", "stale": "out of date", "never": "never run"}
    told = ", ".join(f"{count} {words.get(kind, kind)}" for kind, count in counts.items() if count)
    return [line.rstrip() for line in [*lines, "", *_reasons(states), told]]


def _reasons(states: Iterable[JobState]) -> list[str]:
    """One line for each notebook, state and reason, with whom it holds for."""
    whom: dict[tuple[str, str, str], list[str]] = {}
    for state in states:
        if state.state in ("stale", "failed"):
            whom.setdefault((state.job.name, state.state, state.reason), []).append(state.job.title)
    lines = []
    for (notebook, state, reason), titles in whom.items():
        names = list(dict.fromkeys(titles))
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        how = "failed" if state == "failed" else "is out of date"
        lines.append(f"{notebook} {how} for {', '.join(names[:NAMES_SHOWN])}{more}: {reason}")
    return lines

"""What a study has and lacks on a day: tables, milestones past their deadline, conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from evalkit.facts import claims, conflicts
from evalkit.new_study import STAGES
from evalkit.plan_review import milestone_status
from evalkit.process import period_days

__all__ = ["StudyStatus", "study_contents", "study_status"]


@dataclass(frozen=True)
class StudyStatus:
    """What is present, missing, late and in conflict, and what comes next.

    ``present`` holds tables with their numbers of rows; ``missing`` tables that the stage asks for
    and that are absent or empty; ``late`` milestones past their deadline that are not reported as
    done, as from ``milestone_status``; ``conflicts`` the keys of claims that disagree, ``undecided``
    those of them where none is chosen; ``next_title`` and ``next_due`` the next deadline of a
    milestone, an evaluation or a target, ``None`` if there is none.
    """

    present: dict[str, int]
    missing: list[str]
    late: pd.DataFrame
    conflicts: list[str]
    undecided: list[str]
    next_title: str | None
    next_due: str | None


def study_status(
    tables: Mapping[str, pd.DataFrame], *, stage: str, as_of: str, version: str | None = None
) -> StudyStatus:
    """The status of a study on a day.

    Parameters
    ----------
    tables
        The study's tables by name.
    stage
        ``plan``, ``status``, ``final`` or ``effect``, as in ``study.toml``.
    as_of
        The day, such as ``2021-12-01``.
    version
        The plan whose milestones are asked for; ``None`` for the study's own.
    """
    present = {name: len(table) for name, table in tables.items() if len(table)}
    missing = [name for name in STAGES[stage].tables if name not in present]
    every = claims(tables)
    disagreeing = conflicts(every)
    decided = set(disagreeing.loc[disagreeing["chosen"].astype(bool), "key"])
    keys = list(dict.fromkeys(disagreeing["key"]))
    late = pd.DataFrame(columns=["title", "due", "state"])
    deadlines = []
    if "milestones" in present:
        status = milestone_status(tables["milestones"], as_of=as_of, version=version)
        late = status.loc[status["state"].isin(["late", "not_reported"])]
        deadlines.append(status.loc[status["state"].isin(["due", "upcoming"]), ["title", "due"]])
    if "evaluation_plan" in present:
        steps = tables["evaluation_plan"].rename(columns={"text": "title"})
        deadlines.append(steps[["title", "due"]].dropna(subset=["due"]))
    if "targets" in present:
        deadlines.append(target_deadlines(tables))
    coming = pd.concat(deadlines) if deadlines else pd.DataFrame(columns=["title", "due"])
    coming = coming.assign(day=period_days(coming["due"])["last_day"])
    coming = coming.loc[coming["day"] >= pd.Timestamp(as_of)].sort_values("day", kind="stable")
    first = coming.iloc[0] if len(coming) else None
    return StudyStatus(
        present=present,
        missing=missing,
        late=late.reset_index(drop=True),
        conflicts=keys,
        undecided=[key for key in keys if key not in decided],
        next_title=None if first is None else first["title"],
        next_due=None if first is None else first["due"],
    )


def target_deadlines(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The dates of targets, each named by its indicator, or else by its goal."""
    names = {
        **dict(
            tables["indicators"].set_index("indicator_id")["name"] if "indicators" in tables else ()
        ),
        **dict(tables["goals"].set_index("goal_id")["text"] if "goals" in tables else ()),
    }
    dated = tables["targets"].dropna(subset=["due"])
    of = dated["indicator_id"].fillna(dated["goal_id"])
    return dated.assign(title=of.map(names).fillna(dated["target_id"]))[["title", "due"]]


def study_contents(tables: Mapping[str, pd.DataFrame], *, stage: str) -> pd.DataFrame:
    """The tables that a stage asks for and those the study has, with their numbers of rows.

    Returns
    -------
    DataFrame
        One row per table, those that the stage asks for first: ``table``, ``row_count``,
        ``is_asked``.
    """
    asked = STAGES[stage].tables
    names = [*asked, *(name for name in tables if name not in asked)]
    return pd.DataFrame(
        {
            "table": names,
            "row_count": [len(tables.get(name, ())) for name in names],
            "is_asked": [name in asked for name in names],
        }
    )

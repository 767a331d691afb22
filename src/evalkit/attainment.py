"""Judgements of goal attainment, with the evidence they rest on."""

from __future__ import annotations

import pandas as pd

__all__ = ["attainment_matrix", "attainment_overview"]


def programme_goals(goals: pd.DataFrame) -> pd.DataFrame:
    """Effect goals of the programme itself, in their order."""
    own = goals.loc[
        goals["municipality_code"].isna()
        & (goals["kind"] == "effect_goal")
        & goals["version"].isna()
    ]
    return own.sort_values("position", kind="stable")


def attainment_overview(
    attainment: pd.DataFrame, *, goals: pd.DataFrame, municipality_code: str | None
) -> pd.DataFrame:
    """What is judged of each goal in one municipality, or for the programme as a whole.

    Parameters
    ----------
    attainment
        Rows of ``AttainmentTable``.
    goals
        Rows of ``GoalsTable``; every effect goal of the programme gets a row, other goals only
        if they were judged.
    municipality_code
        The municipality; ``None`` for the programme.

    Returns
    -------
    DataFrame
        One row per goal, the programme's first: ``goal_id``, ``goal`` (its wording), ``kind``,
        ``judgement``, ``graded_by``, ``evidence_grade``, ``reason``, ``evidence``, ``too_early``,
        ``source``, ``locator``. A goal without a judgement is ``not_judged`` with the evidence
        grade ``none``, and its grader, texts and source are missing.
    """
    codes = attainment["municipality_code"]
    judged = attainment.loc[
        codes.isna() if municipality_code is None else codes == municipality_code
    ]
    programme = programme_goals(goals)
    others = goals.loc[
        goals["goal_id"].isin(judged["goal_id"]) & ~goals["goal_id"].isin(programme["goal_id"])
    ]
    return judgements(judged, pd.concat([programme, others]))


def attainment_matrix(
    attainment: pd.DataFrame, *, goals: pd.DataFrame, municipalities: pd.DataFrame
) -> pd.DataFrame:
    """Judgements of the programme's effect goals, for every municipality that was judged.

    Returns
    -------
    DataFrame
        One row per municipality and goal, in their orders: ``municipality_code``,
        ``municipality_name``, ``goal_id``, ``goal``, ``judgement``, ``graded_by``,
        ``evidence_grade``, ``source``, ``locator``. What was not judged is ``not_judged``. Judgements of the
        programme as a whole come last, without municipality.
    """
    effect = programme_goals(goals)
    codes = attainment["municipality_code"]
    judged = municipalities.loc[municipalities["municipality_code"].isin(codes)]
    parts = [
        (code, name, attainment.loc[codes == code])
        for code, name in zip(judged["municipality_code"], judged["name"], strict=True)
    ]
    if codes.isna().any():
        parts.append((None, None, attainment.loc[codes.isna()]))
    frames = [
        judgements(own, effect)
        .drop_duplicates("goal_id")
        .assign(municipality_code=code, municipality_name=name)
        for code, name, own in parts
    ]
    columns = [
        "municipality_code",
        "municipality_name",
        "goal_id",
        "goal",
        "judgement",
        "graded_by",
        "evidence_grade",
        "source",
        "locator",
    ]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def judgements(judged: pd.DataFrame, goals: pd.DataFrame) -> pd.DataFrame:
    """What is judged of each of the goals; ``not_judged`` where nothing is."""
    rows = (
        goals[["goal_id", "text", "kind"]]
        .rename(columns={"text": "goal"})
        .merge(
            judged.drop(columns=["attainment_id", "municipality_code"]),
            on="goal_id",
            how="left",
            validate="one_to_many",
        )
    )
    return rows.assign(
        judgement=rows["judgement"].fillna("not_judged"),
        evidence_grade=rows["evidence_grade"].fillna("none"),
    )

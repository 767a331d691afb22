"""Goal attainment by a rule declared beforehand, and what else could explain the change.

A change that is too small to see is never called no effect: it cannot be judged, and the
smallest change that could have been seen stands beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.accepted import GROUP, KEY, NUMBER, Rows, accepts
from evalkit.errors import DataError
from evalkit.reasons import REASONS, checked_reason
from evalkit.vocabulary import EVIDENCE_GRADES, MECHANISM_STATUS, RIVAL_STATUS

__all__ = [
    "CLAIM_STRENGTHS",
    "EVIDENCE_ORDER",
    "RULE_JUDGEMENTS",
    "TARGET_STATUS",
    "contribution_claims",
    "judge_goal_attainment",
    "rival_explanation_summary",
    "smallest_detectable_change",
    "strongest_evidence",
]

TARGET_STATUS = {
    "met": "nådd",
    "not_met": "ikke nådd",
    "unclear": "kan ikke bedømmes",
    "no_target": "ingen målverdi",
}
RULE_JUDGEMENTS = {
    "reached": "målet er nådd",
    "improved": "bedring, men målet er ikke vist nådd",
    "no_change_that_matters": "endringen er for liten til å bety noe",
    "worsened": "utviklingen går feil vei",
    "cannot_be_judged": "kan ikke vurderes",
}
CLAIM_STRENGTHS = {
    "well_supported": "godt underbygget",
    "plausible": "rimelig",
    "weak": "svakt underbygget",
    "contradicted": "motsagt av funnene",
    "cannot_be_judged": "kan ikke vurderes",
}
EVIDENCE_ORDER = (
    "none",
    "told_by_staff",
    "told_by_users",
    "documented",
    "before_and_after",
    "controlled",
    "replicated",
)
DIRECTIONS = {"up": 1.0, "down": -1.0}
FAVOURABLE = ("reached", "improved")
GOAL = ["municipality_code", "goal_id"]


@accepts(lower=NUMBER, upper=NUMBER, confidence_level=NUMBER)
def smallest_detectable_change(
    lower: pd.Series, upper: pd.Series, confidence_level: pd.Series, *, power: float = 0.8
) -> pd.Series:
    """The true change that a study of this precision would find with the given power.

    The standard error is read back from the interval, taken as normal: the change is
    ``(z_level + z_power) * standard error``.

    Parameters
    ----------
    lower, upper
        Limits of the interval of a change, in any unit.
    confidence_level
        Its level, 0 to 1.
    power
        Probability of finding such a change.

    Returns
    -------
    Series
        In the unit of the limits; positive.

    References
    ----------
    Bloom (1995), Evaluation Review 19, 547-556 (minimum detectable effect).
    """
    quantile = stats.norm.ppf(0.5 + np.asarray(confidence_level, dtype=float) / 2)
    error = (upper - lower) / (2 * quantile)
    return (quantile + stats.norm.ppf(power)) * error


@accepts(
    changes=Rows(
        {
            "municipality_code": GROUP,
            "goal_id": KEY,
            "evidence_grade": GROUP,
            "value": NUMBER,
            "lower": NUMBER,
            "upper": NUMBER,
            "confidence_level": NUMBER,
        },
        {"baseline_value": NUMBER},
    ),
    rules=Rows(
        {"goal_id": KEY, "direction": GROUP, "minimum_evidence": GROUP, "smallest_change": NUMBER},
        {"target_value": NUMBER, "confidence_level": NUMBER},
    ),
)
def judge_goal_attainment(
    changes: pd.DataFrame, rules: pd.DataFrame, *, power: float = 0.8
) -> pd.DataFrame:
    """Judge each goal by the rule declared for it.

    With the change counted positive in the wanted direction, and its interval from low to high:
    ``reached`` when low is at or beyond the target (without a target: the smallest change that
    matters); ``improved`` when low is above 0; ``worsened`` when high is below 0;
    ``no_change_that_matters`` when the whole interval is smaller than the smallest change that
    matters; otherwise ``cannot_be_judged``, because the interval holds both nothing and
    something. Evidence weaker than the rule asks for cannot be judged either, nor a target without
    the baseline it is measured from, nor an interval without width; the same holds for the target.

    Parameters
    ----------
    changes
        One row per municipality, goal and kind of evidence: ``municipality_code``, ``goal_id``,
        ``evidence_grade`` (a code of ``EVIDENCE_GRADES``), ``value`` (change since the baseline,
        or difference from a comparison), ``lower``, ``upper``, ``confidence_level``,
        ``baseline_value`` (needed to hold a level against a target; blank for a difference from
        a comparison), ``method``; ``reason`` where the change itself was withheld.
    rules
        One row per ``goal_id``: ``direction`` (``up`` or ``down``), ``target_value`` (a level; may
        be blank), ``smallest_change`` (that matters; positive), ``minimum_evidence``,
        ``confidence_level``. Only changes at the rule's level are judged; where a municipality has
        a change at other levels only, its row is kept without value.
    power
        For the smallest detectable change.

    Returns
    -------
    DataFrame
        One row per judged row of ``changes``: ``municipality_code``, ``goal_id``,
        ``evidence_grade``, ``direction``, ``target_value``, ``baseline_value``, ``needed_change``
        (from the baseline to the target; missing without either), ``smallest_change``, ``value``,
        ``lower``, ``upper``, ``confidence_level``, ``method``, ``target_status`` (``met``,
        ``not_met``, ``unclear`` or ``no_target``), ``judgement`` (a code of
        ``RULE_JUDGEMENTS``), ``smallest_detectable_change``, ``reason``. The reason says why a
        goal cannot be judged: the change's own, ``design_cannot_answer`` for weak evidence or an
        interval without width, ``missing`` for a target without baseline or a change without the
        rule's level, ``base_too_small`` for an interval that is too wide.

    Raises
    ------
    DataError
        If a rule is incomplete, or a goal has no rule or no change at the rule's level.
    """
    _check_rules(rules)
    _check_codes("evidence_grade", changes["evidence_grade"], EVIDENCE_GRADES)
    unknown = sorted(set(changes["goal_id"]) - set(rules["goal_id"]))
    if unknown:
        raise DataError(f"changes: no rule for goal {', '.join(unknown)}; declare one first")
    rows = changes.merge(
        rules, on="goal_id", how="left", suffixes=("", "_rule"), validate="many_to_one"
    )
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, "reason", "baseline_value"])))
    rows = _at_the_rules_level(rows)

    sign = rows["direction"].map(DIRECTIONS).astype(float)
    ends = pd.concat([sign * rows["lower"], sign * rows["upper"]], axis=1)
    low, high = ends.min(axis=1, skipna=False), ends.max(axis=1, skipna=False)
    has_target = rows["target_value"].notna()
    needed = sign * (rows["target_value"] - rows["baseline_value"])
    bar = needed.where(has_target, rows["smallest_change"])
    matters = rows["smallest_change"]

    weak = _grade(rows["evidence_grade"]) < _grade(rows["minimum_evidence"])
    blank = low.isna() | high.isna()
    unmeasured = has_target & needed.isna()
    flat = np.isclose(low, high, rtol=1e-9, atol=1e-12)  # no scatter is not full certainty
    judgement = np.select(
        [
            weak | blank | unmeasured | flat,
            low >= bar,
            low > 0,
            high < 0,
            (low > -matters) & (high < matters),
        ],
        ["cannot_be_judged", "reached", "improved", "worsened", "no_change_that_matters"],
        "cannot_be_judged",
    )
    target_status = np.select(
        [~has_target, weak | blank | unmeasured | flat, low >= needed, high < needed],
        ["no_target", "unclear", "met", "not_met"],
        "unclear",
    )
    wide = (judgement == "cannot_be_judged") & ~weak & ~blank
    reason = pd.Series(None, rows.index, dtype=object)
    reason = reason.mask(wide, checked_reason("base_too_small"))
    reason = reason.mask(flat, checked_reason("design_cannot_answer"))
    reason = reason.mask(unmeasured, checked_reason("missing"))
    reason = reason.mask(blank, rows["reason"].where(rows["reason"].isin(REASONS), "missing"))
    reason = reason.mask(weak, checked_reason("design_cannot_answer"))
    return rows.assign(
        target_status=target_status,
        judgement=judgement,
        smallest_detectable_change=smallest_detectable_change(
            rows["lower"], rows["upper"], rows["confidence_level"], power=power
        ),
        needed_change=rows["target_value"] - rows["baseline_value"],
        reason=reason.where(reason.notna(), None),
    )[
        [
            *GOAL,
            "evidence_grade",
            "direction",
            "target_value",
            "baseline_value",
            "needed_change",
            "smallest_change",
            "value",
            "lower",
            "upper",
            "confidence_level",
            "method",
            "target_status",
            "judgement",
            "smallest_detectable_change",
            "reason",
        ]
    ]


def strongest_evidence(judgements: pd.DataFrame) -> pd.DataFrame:
    """The judgement that rests on the strongest evidence, per municipality and goal.

    A favourable judgement from a controlled comparison counts as replicated when at least two
    municipalities have one for the same goal, and no controlled comparison of that goal finds it
    worsened or without a change that matters. A judgement that could be made goes before one that
    could not, whatever its grade. Between findings of equal grade, the goal reached and the goal
    improved make an improvement; any others that differ contradict each other, and the goal cannot
    be judged.

    Parameters
    ----------
    judgements
        From ``judge_goal_attainment``.

    Returns
    -------
    DataFrame
        One row per municipality and goal, in that order, with the columns of ``judgements`` and
        ``finding_count`` (rows it was chosen from) and ``agreeing_count`` (rows with the same
        judgement). Where findings contradict each other the change is withheld
        (``design_cannot_answer``) and ``agreeing_count`` is 0.
    """
    rows = judgements.copy()
    favourable = rows["judgement"].isin(FAVOURABLE)
    rows["made"] = rows["judgement"] != "cannot_be_judged"
    controlled = rows["evidence_grade"].eq("controlled")
    places = rows.loc[controlled & favourable].groupby("goal_id")["municipality_code"].nunique()
    against = rows.loc[controlled & rows["made"] & ~favourable, "goal_id"]
    repeated = controlled & favourable & (rows["goal_id"].map(places) >= 2)
    repeated &= ~rows["goal_id"].isin(against)
    rows["evidence_grade"] = rows["evidence_grade"].mask(repeated, "replicated")
    rows["finding_count"] = rows.groupby(GOAL)["judgement"].transform("size")
    rows["agreeing_count"] = rows.groupby([*GOAL, "judgement"])["judgement"].transform("size")
    rows["grade"] = _grade(rows["evidence_grade"])
    rows["careful"] = rows["judgement"] == "improved"  # less is claimed than by reached
    order = ["made", "grade", "careful"]
    best = rows.sort_values([*GOAL, *order], ascending=[True, True, False, False, False])
    tied = best.groupby([*GOAL, "made", "grade"])["judgement"]
    contradicted = best["made"] & tied.transform(_contradict)
    chosen = best.assign(contradicted=contradicted).drop_duplicates(GOAL)
    return (
        _without_contradicted(chosen).drop(columns=[*order, "contradicted"]).reset_index(drop=True)
    )


def _contradict(judgements: pd.Series) -> bool:
    return judgements.nunique() > 1 and not judgements.isin(FAVOURABLE).all()


def _without_contradicted(chosen: pd.DataFrame) -> pd.DataFrame:
    """The goals whose findings contradict each other lose the finding that happened to be first."""
    lost = chosen["contradicted"]
    blank = ["value", "lower", "upper", "smallest_detectable_change"]
    result = chosen.assign(
        judgement=chosen["judgement"].mask(lost, "cannot_be_judged"),
        agreeing_count=chosen["agreeing_count"].mask(lost, 0),
        **{name: chosen[name].mask(lost) for name in blank if name in chosen},
    )
    if "target_status" in chosen:
        without = chosen["target_status"].eq("no_target")
        result["target_status"] = chosen["target_status"].mask(lost & ~without, "unclear")
    if "reason" in chosen:
        reason = chosen["reason"].astype(object)
        result["reason"] = reason.mask(lost, checked_reason("design_cannot_answer"))
    return result


def rival_explanation_summary(rivals: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """How many other explanations of each goal's change are still standing.

    Parameters
    ----------
    rivals
        One row per rival explanation: ``municipality_code``, ``goal_id``, ``rival`` (in words),
        ``status`` (a code of ``RIVAL_STATUS``).
    judgements
        Rows of ``municipality_code`` and ``goal_id``; every pair gets a row.

    Returns
    -------
    DataFrame
        One row per municipality and goal: ``rival_count``, ``ruled_out_count``,
        ``weakened_count``, ``open_count``, ``supported_count``, ``standing_rivals`` (those open
        or supported, in words, joined by semicolons) and ``reason`` (``missing`` where nobody
        has listed any: no rival considered is not the same as no rival).
    """
    _check_codes("status", rivals["status"], RIVAL_STATUS)
    counts = (
        pd.crosstab([rivals[key] for key in GOAL], rivals["status"])
        .reindex(columns=list(RIVAL_STATUS), fill_value=0)
        .add_suffix("_count")
    )
    counts.insert(0, "rival_count", counts.sum(axis=1))
    standing = rivals.loc[rivals["status"].isin(["open", "supported"])]
    words = standing.groupby(GOAL)["rival"].agg("; ".join).rename("standing_rivals")
    rows = judgements[GOAL].drop_duplicates().sort_values(GOAL, ignore_index=True)
    rows = rows.merge(counts.reset_index(), on=GOAL, how="left", validate="one_to_one")
    rows = rows.merge(words.reset_index(), on=GOAL, how="left", validate="one_to_one")
    unlisted = rows["rival_count"].isna()
    rows[counts.columns] = rows[counts.columns].fillna(0).astype(int)
    reason = pd.Series(None, rows.index, dtype=object).mask(unlisted, checked_reason("missing"))
    return rows.assign(standing_rivals=rows["standing_rivals"].fillna(""), reason=reason)


def contribution_claims(
    claims: pd.DataFrame, judgements: pd.DataFrame, rivals: pd.DataFrame
) -> pd.DataFrame:
    """How strongly each claim that a measure contributed to a goal is supported.

    ``well_supported``: a favourable judgement on controlled or replicated evidence, the mechanism
    observed, and every listed rival ruled out or weakened. ``plausible``: favourable on at least
    before-and-after evidence, the mechanism at least partly observed, no rival supported.
    ``weak``: favourable, but short of that. ``contradicted``: the goal did not improve, or the
    mechanism was looked for and not found. ``cannot_be_judged``: the goal could not be judged.

    Parameters
    ----------
    claims
        One row per claim: ``municipality_code``, ``goal_id``, ``measure_id``, ``claim`` (in
        words), ``mechanism_status`` (a code of ``MECHANISM_STATUS``).
    judgements
        One row per municipality and goal, from ``strongest_evidence``.
    rivals
        As for ``rival_explanation_summary``.

    Returns
    -------
    DataFrame
        The claims with ``judgement``, ``evidence_grade``, the counts and words of their rivals,
        and ``claim_strength`` (a code of ``CLAIM_STRENGTHS``). Where no rival is listed the claim
        is at most ``weak``.
    """
    _check_codes("mechanism_status", claims["mechanism_status"], MECHANISM_STATUS)
    summary = rival_explanation_summary(rivals, pd.concat([judgements[GOAL], claims[GOAL]]))
    rows = claims.merge(
        judgements[[*GOAL, "judgement", "evidence_grade"]],
        on=GOAL,
        how="left",
        validate="many_to_one",
    ).merge(summary.drop(columns="reason"), on=GOAL, how="left", validate="many_to_one")
    rows["judgement"] = rows["judgement"].fillna("cannot_be_judged")
    rows["evidence_grade"] = rows["evidence_grade"].fillna("none")

    grade = _grade(rows["evidence_grade"])
    favourable = rows["judgement"].isin(FAVOURABLE)
    examined = rows["rival_count"] > 0
    measured = grade >= EVIDENCE_ORDER.index("before_and_after")
    compared = grade >= EVIDENCE_ORDER.index("controlled")
    seen = rows["mechanism_status"].isin(["observed", "partly_observed"])
    cleared = examined & (rows["open_count"] == 0) & (rows["supported_count"] == 0)
    strength = np.select(
        [
            rows["judgement"] == "cannot_be_judged",
            ~favourable | (rows["mechanism_status"] == "not_observed"),
            compared & (rows["mechanism_status"] == "observed") & cleared,
            measured & seen & examined & (rows["supported_count"] == 0),
        ],
        ["cannot_be_judged", "contradicted", "well_supported", "plausible"],
        "weak",
    )
    return rows.assign(claim_strength=strength)


def _grade(codes: pd.Series) -> pd.Series:
    return codes.map({code: place for place, code in enumerate(EVIDENCE_ORDER)}).astype(int)


def _check_rules(rules: pd.DataFrame) -> None:
    if rules["goal_id"].duplicated().any():
        raise DataError("rules: a goal more than once; expected one rule for each goal")
    _check_codes("direction", rules["direction"], DIRECTIONS)
    _check_codes("minimum_evidence", rules["minimum_evidence"], EVIDENCE_GRADES)
    bare = rules.loc[~(rules["smallest_change"] > 0), "goal_id"]
    if len(bare):
        goals = ", ".join(bare)
        raise DataError(f"rules: goal {goals} has no smallest_change above 0; declare what matters")


def _at_the_rules_level(rows: pd.DataFrame) -> pd.DataFrame:
    """The changes at the rule's level; one blank row for those that have other levels only."""
    given = rows["confidence_level"]
    judged = np.isclose(given, rows["confidence_level_rule"]) | given.isna()
    without = rows.loc[~rows["goal_id"].isin(rows.loc[judged, "goal_id"]), "goal_id"].unique()
    if len(without):
        goals = ", ".join(sorted(without))
        raise DataError(f"changes: goal {goals} has no row at the rule's confidence_level")
    own = [*GOAL, "evidence_grade"]
    has_level = judged.groupby([rows[key] for key in own]).transform("any")
    kept = rows.loc[judged | (~has_level & ~rows.duplicated(own))].reset_index(drop=True)
    other = ~np.isclose(kept["confidence_level"], kept["confidence_level_rule"], equal_nan=False)
    other &= kept["confidence_level"].notna()
    numbers = ["value", "lower", "upper"]
    kept[numbers] = kept[numbers].astype(float).mask(other)
    kept["confidence_level"] = kept["confidence_level"].mask(other, kept["confidence_level_rule"])
    kept["reason"] = kept["reason"].astype(object).mask(other, checked_reason("missing"))
    return kept


def _check_codes(column: str, given: pd.Series, known) -> None:
    unknown = sorted(set(given.dropna()) - set(known))
    if unknown or given.isna().any():
        found = ", ".join(map(repr, unknown)) or "a blank"
        raise DataError(f"{column}: {found}; expected one of: {', '.join(known)}")

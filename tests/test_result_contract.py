"""Every statistic of surveys, rates and effects gives the columns of a result, and None where no reason."""

import numpy as np
import pandas as pd
import pytest

from evalkit.bootstrap import bootstrap_change
from evalkit.comparability import comparisons_between_municipalities, comparisons_between_waves
from evalkit.controlled_change import (
    cross_section_difference,
    difference_in_differences,
    difference_of_changes,
)
from evalkit.detectable import planned_detectable_change, with_detectable_change
from evalkit.rates import (
    crude_rate,
    directly_standardised_rate,
    indirectly_standardised_rate,
)
from evalkit.reasons import REASONS, RESULT_COLUMNS
from evalkit.reliability import cronbach_alpha, mcdonald_omega
from evalkit.staggered_starts import group_time_effects, staggered_effects
from evalkit.survey import (
    agreement_share,
    cliffs_delta,
    comparable_shares,
    item_shares,
    mcnemar_test,
    nonresponse_difference,
    ordinal_regression,
    paired_shift,
    probability_of_superiority,
    response_rate,
    score_distribution,
    share_change,
)
from evalkit.weighting import cluster_robust_mean, weighted_share

LEVELS = (0.95, 0.998)


def staff(code):
    """Forty answers to two items in each of two waves; the second item only blanks in 1103."""
    draws = np.random.default_rng(3)
    return pd.DataFrame(
        [
            (code, wave, f"p{person}", item, score, f"s{person % 12}")
            for item in ("plan", "time")
            for wave in (0, 1)
            for person, score in enumerate(draws.integers(1, 6, 40).astype(float))
        ],
        columns=["municipality_code", "wave", "respondent_id", "item", "score", "service"],
    )


ANSWERS = pd.concat([staff("0301"), staff("1103")], ignore_index=True)
ANSWERS.loc[(ANSWERS["municipality_code"] == "1103") & (ANSWERS["item"] == "time"), "score"] = (
    np.nan
)
CROSSWALK = (
    ANSWERS[["municipality_code", "wave", "item"]]
    .drop_duplicates()
    .assign(status=["same", "same", "same", "reworded", "same", "same", "same", "same"])
)
WEIGHED = ANSWERS.assign(agreed=(ANSWERS["score"] >= 4).where(ANSWERS["score"].notna()), weight=2.0)
BY_ITEM = ("municipality_code", "item")
SURVEYS = pd.DataFrame(
    {
        "municipality_code": ["0301", "0301", "1103", "1103"],
        "wave": 0,
        "service": ["school", "care"] * 2,
        "invited_count": [50, 40, 30, np.nan],
        "answered_count": [40, 20, 15, 5],
    }
)
EVENTS = pd.DataFrame(
    {
        "municipality_code": ["0301"] * 2 + ["1103"] * 2,
        "age_group": ["young", "old"] * 2,
        "event_count": [10, 20, np.nan, 3],
        "population_count": [1000, 500, 400, 100],
    }
)
REFERENCE = EVENTS.iloc[:2].drop(columns="municipality_code")
STANDARD = pd.Series({"young": 600.0, "old": 400.0})
CODES = [f"{place:04d}" for place in range(12)]
PANEL = pd.DataFrame(
    np.random.default_rng(4).normal(size=(12, 6)), columns=range(2014, 2020)
).assign(municipality_code=CODES)
PANEL = PANEL.melt(id_vars="municipality_code", var_name="year", value_name="value")
PANEL = PANEL.astype({"year": int})
STARTS = pd.DataFrame({"municipality_code": CODES, "first_treated_year": [2017.0] * 5 + [None] * 7})
CHANGES = pd.DataFrame(
    {"group": ["treated", "comparison"], "value": [0.5, 0.1], "standard_error": 0.1}
)
ASKED = ANSWERS.assign(
    value=ANSWERS["score"],
    treated=ANSWERS["municipality_code"] == "0301",
    after=ANSWERS["wave"],
    cluster=ANSWERS["municipality_code"] + ANSWERS["service"],
)
INDEX = ANSWERS.head(40)[["score"]].assign(a=lambda t: t["score"] + 1, b=range(40))

RESULTS = {
    "response_rate": lambda **chosen: response_rate(SURVEYS, **chosen),
    "nonresponse_difference": lambda **chosen: nonresponse_difference(SURVEYS, **chosen),
    "agreement_share": lambda **chosen: agreement_share(ANSWERS, item="time", **chosen),
    "item_shares": lambda **chosen: item_shares(ANSWERS, **chosen),
    "score_distribution": lambda **chosen: score_distribution(ANSWERS, **chosen),
    "comparable_shares": lambda **chosen: comparable_shares(
        ANSWERS, crosswalk=CROSSWALK, wave=1, **chosen
    ),
    "share_change": lambda **chosen: share_change(
        ANSWERS, linkage="partly_linked", crosswalk=CROSSWALK, **chosen
    ),
    "cliffs_delta": lambda **chosen: cliffs_delta(ANSWERS, crosswalk=CROSSWALK, **chosen),
    "probability_of_superiority": lambda **chosen: probability_of_superiority(ANSWERS, **chosen),
    "paired_shift": lambda **chosen: paired_shift(
        ANSWERS, linkage="linked", crosswalk=CROSSWALK, **chosen
    ),
    "mcnemar_test": lambda **chosen: mcnemar_test(
        ANSWERS, linkage="linked", crosswalk=CROSSWALK, **chosen
    ),
    "bootstrap_change": lambda **chosen: bootstrap_change(
        ANSWERS, seed=1, replicate_count=20, crosswalk=CROSSWALK, **chosen
    ),
    "ordinal_regression": lambda **chosen: ordinal_regression(
        ANSWERS, covariates=["wave"], cluster="service", crosswalk=CROSSWALK, **chosen
    ),
    "weighted_share": lambda **chosen: weighted_share(WEIGHED, by=BY_ITEM, **chosen),
    "cluster_robust_mean": lambda **chosen: cluster_robust_mean(
        ANSWERS, value="score", cluster="service", by=BY_ITEM, **chosen
    ),
    "cronbach_alpha": lambda **chosen: cronbach_alpha(INDEX, **chosen),
    "mcdonald_omega": lambda **chosen: mcdonald_omega(INDEX, replicate_count=20, **chosen),
    "crude_rate": lambda **chosen: crude_rate(EVENTS, **chosen),
    "directly_standardised_rate": lambda **chosen: directly_standardised_rate(
        EVENTS, standard=STANDARD, **chosen
    ),
    "indirectly_standardised_rate": lambda **chosen: indirectly_standardised_rate(
        EVENTS, reference=REFERENCE, **chosen
    ),
    "difference_in_differences": lambda **chosen: difference_in_differences(
        PANEL, treated=CODES[:2], comparison=CODES[2:], treated_from=2017, **chosen
    ),
    "cross_section_difference": lambda **chosen: cross_section_difference(ASKED, **chosen),
    "difference_of_changes": lambda **chosen: difference_of_changes(CHANGES, **chosen),
    "difference_of_changes with bases": lambda **chosen: difference_of_changes(
        CHANGES.assign(base=[40, 60]), **chosen
    ),
    "group_time_effects": lambda **chosen: group_time_effects(PANEL, STARTS, **chosen),
    **{
        f"staggered_effects, {inference}": lambda inference=inference, **chosen: staggered_effects(
            PANEL, STARTS, inference=inference, **chosen
        )
        for inference in ("permutation", "wild_bootstrap", "analytic")
    },
    "with_detectable_change": lambda **chosen: with_detectable_change(
        share_change(ANSWERS, linkage="linked", **chosen)
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_the_columns_of_the_contract_and_both_levels(name):
    rows = RESULTS[name](confidence_levels=LEVELS)

    assert set(RESULT_COLUMNS) <= set(rows)
    assert set(rows["confidence_level"]) == set(LEVELS)
    assert rows["method"].notna().all()


@pytest.mark.parametrize("name", RESULTS)
def test_a_value_without_limits_has_a_reason_and_the_rest_have_none(name):
    rows = RESULTS[name](confidence_levels=LEVELS)

    bare = rows[["value", "lower", "upper"]].isna().any(axis=1)
    assert [reason is not None for reason in rows["reason"]] == bare.tolist()
    assert set(rows["reason"]) <= REASONS | {None}


def test_comparisons_and_plans_have_none_where_there_is_no_reason():
    plan = pd.DataFrame(
        {
            "invited_count": [400, 5],
            "response_share": 0.5,
            "before_share": 0.5,
            "linkage_share": 0.9,
            "correlation": 0.5,
        }
    )

    for rows in (
        comparisons_between_waves(CROSSWALK, before=0, after=1),
        comparisons_between_municipalities(CROSSWALK, wave=1),
        planned_detectable_change(plan),
    ):
        assert None in set(rows["reason"])
        assert set(rows["reason"]) <= REASONS | {None}


def test_a_difference_of_changes_counts_what_the_changes_rest_on_where_it_is_known():
    known = difference_of_changes(CHANGES.assign(base=[40, 60])).iloc[0]
    unknown = difference_of_changes(CHANGES).iloc[0]

    assert known[["count", "base"]].tolist() == [40, 100]
    assert unknown[["count", "base"]].isna().all()
    assert known["value"] == unknown["value"]

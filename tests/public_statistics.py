"""Every public statistic with arguments that it takes, small enough to be run thousands of times."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from test_result_contract import (
    ANSWERS,
    ASKED,
    CHANGES,
    CODES,
    CROSSWALK,
    EVENTS,
    INDEX,
    PANEL,
    REFERENCE,
    STANDARD,
    STARTS,
    SURVEYS,
    WEIGHED,
)

import evalkit as ek

# Homes of functions that give a number of tables or series that a user may bring along. Other
# public functions take the tables of a study, which contracts and checks hold, or results of these.
HOMES = {
    f"evalkit.{module}"
    for module in (
        "agreement",
        "bootstrap",
        "controlled_change",
        "detectable",
        "indicators",
        "interruptions",
        "multiplicity",
        "municipality_changes",
        "pooling",
        "rates",
        "reliability",
        "staggered_starts",
        "survey",
        "synthetic_controls",
        "uncertainty",
        "weighting",
    )
}
DESIGN = {"treated": CODES[:2], "comparison": CODES[2:], "treated_from": 2017}
LEVEL = {"confidence_levels": (0.95,)}


@dataclass(frozen=True)
class Case:
    """A call of a public function: what the function takes as tables or numbers, and what else."""

    name: str
    given: dict[str, Any]
    chosen: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **other: Any) -> Any:
        return getattr(ek, self.name)(**{**self.given, **self.chosen, **other})


def case(name: str, chosen: dict[str, Any] | None = None, **given: Any) -> Case:
    return Case(name, given, chosen or {})


def series(codes=CODES[:3], years=range(2012, 2024)):
    draws = np.random.default_rng(8)
    rows = pd.MultiIndex.from_product([codes, ["absence"], years]).to_frame(index=False)
    rows.columns = ["municipality_code", "indicator_id", "year"]
    base = draws.integers(200, 400, len(rows)).astype(float)
    count = np.round(base * draws.uniform(0.1, 0.3, len(rows)))
    return rows.assign(value=100 * count / base, numerator=count, denominator=base)


FEW = ANSWERS.loc[ANSWERS["respondent_id"].isin([f"p{n}" for n in range(14)])].reset_index(
    drop=True
)
YEARS = series()
PERIODS = YEARS.rename(columns={"year": "period"})
COUNTED = PERIODS.assign(count=PERIODS["numerator"], base=PERIODS["denominator"])
ESTIMATES = pd.DataFrame(
    {
        "municipality_code": CODES[:8],
        "indicator_id": "absence",
        "value": [0.3, -0.1, 0.2, 0.5, 0.1, 0.0, 0.4, 0.2],
        "standard_error": [0.1, 0.2, 0.15, 0.1, 0.3, 0.2, 0.1, 0.2],
        "dose": [1.0, 2, 1, 3, 2, 2, 4, 1],
    }
)
TARGETS = pd.DataFrame(
    {
        "municipality_code": CODES[:3],
        "indicator_id": "absence",
        "direction": "at_most",
        "target_value": 15.0,
        "target_year": 2025.0,
    }
)
AREAS = YEARS.loc[YEARS["municipality_code"] == CODES[0]].assign(
    area="county",
    value=lambda t: t["value"] + 1,
    numerator=lambda t: t["numerator"] * 20,
    denominator=lambda t: t["denominator"] * 20,
    municipality_count=10.0,
)
PROFILES = pd.DataFrame(
    {
        "municipality_code": CODES,
        "size": np.linspace(2, 5, 12),
        "age": np.tile([40.0, 42.0, 44.0], 4),
    }
)
GRADIENT = pd.DataFrame(
    {
        "municipality_code": "0301",
        "indicator_id": "absence",
        "group_order": [1, 2, 3, 4, 5],
        "population": [100.0, 200, 300, 200, 100],
        "value": [9.0, 8, 8, 6, 5],
        "standard_error": 0.5,
    }
)
FUNNEL = pd.DataFrame(
    {"municipality_code": CODES, "count": np.arange(5.0, 17), "base": np.arange(50.0, 170, 10)}
)
CODINGS = pd.DataFrame(
    [
        (f"u{unit:02d}", coder, code)
        for coder in "ab"
        for unit, code in enumerate(np.random.default_rng(6).integers(1, 4, 14).astype(float))
    ],
    columns=["unit", "coder", "code"],
)
CODINGS.loc[[2, 5], "code"] = [1.0, 3.0]
RESPONDENTS = pd.DataFrame({"service": ["school", "school", "care", "care", "care"]})
SERVICES = pd.Series({"care": 60.0, "school": 40.0})
PLAN = pd.DataFrame(
    {
        "municipality_code": CODES[:2],
        "invited_count": [400.0, 60],
        "response_share": 0.5,
        "before_share": 0.5,
        "cluster_size": 10.0,
        "intraclass_correlation": 0.02,
        "linkage_share": 0.9,
        "correlation": 0.5,
    }
)
PUBLISHED = pd.DataFrame({"place": list("abc"), "percentage": [50.0, 61, 0], "base": [20.0, 41, 7]})
CHANGED = ek.share_change(FEW, linkage="linked")
SPLIT = pd.DataFrame(
    {"old_code": ["9998"], "new_code": [CODES[1]], "year": [2012.0], "share": [1.0]}
)
PEERS = ek.peer_group(PROFILES, characteristics=["size", "age"], peer_count=5)
OBSERVED = YEARS.assign(period=YEARS["year"].astype(str), area=None, group=None).drop(
    columns="year"
)
CONTROL = {"treated_from": 2017, "donors": CODES[1:]}
WEIGHTS = ek.synthetic_control_weights(PANEL, municipality_code=CODES[0], **CONTROL)
K, N = pd.Series([3.0, 7, 0]), pd.Series([10.0, 7, 4])

CASES = [
    case("agreement_share", {"item": "plan", **LEVEL}, answers=FEW),
    case("item_shares", LEVEL, answers=FEW),
    case("score_distribution", LEVEL, answers=FEW),
    case("comparable_shares", {"wave": 1, **LEVEL}, answers=FEW, crosswalk=CROSSWALK),
    case("share_change", {"linkage": "linked", **LEVEL}, answers=FEW, crosswalk=CROSSWALK),
    case("share_change", {"linkage": "partly_linked", **LEVEL}, answers=FEW),
    case("share_change", {"linkage": "unlinked", **LEVEL}, answers=FEW),
    case("cliffs_delta", LEVEL, answers=FEW, crosswalk=CROSSWALK),
    case("probability_of_superiority", LEVEL, answers=FEW),
    case("paired_shift", {"linkage": "linked", **LEVEL}, answers=FEW),
    case("mcnemar_test", {"linkage": "linked", **LEVEL}, answers=FEW),
    case("bootstrap_change", {"seed": 1, "replicate_count": 20, **LEVEL}, answers=FEW),
    case("ordinal_regression", {"covariates": ["wave"], **LEVEL}, answers=FEW),
    case("response_rate", LEVEL, surveys=SURVEYS),
    case("nonresponse_difference", LEVEL, surveys=SURVEYS),
    case("weighted_share", LEVEL, answers=WEIGHED.iloc[:60]),
    case("cluster_robust_mean", {"value": "score", "cluster": "service", **LEVEL}, answers=FEW),
    case(
        "post_stratification_weights",
        {"strata": ["service"]},
        respondents=RESPONDENTS,
        population=SERVICES,
    ),
    case("raking_weights", {"margins": {"service": SERVICES}}, respondents=RESPONDENTS),
    case("weight_design_effect", weights=pd.Series([1.0, 2, 3])),
    case("effective_base_of_weights", weights=pd.Series([1.0, 2, 3])),
    case("cronbach_alpha", LEVEL, scores=INDEX),
    case("mcdonald_omega", {"replicate_count": 20, **LEVEL}, scores=INDEX),
    case("crude_rate", LEVEL, events=EVENTS),
    case("directly_standardised_rate", LEVEL, events=EVENTS, standard=STANDARD),
    case("indirectly_standardised_ratio", LEVEL, events=EVENTS, reference=REFERENCE),
    case("indirectly_standardised_rate", LEVEL, events=EVENTS, reference=REFERENCE),
    case("difference_in_differences", {**DESIGN, **LEVEL}, values=PANEL),
    case("event_study", {**DESIGN, **LEVEL}, values=PANEL),
    case("pretrend_check", DESIGN, values=PANEL),
    case("cross_section_difference", LEVEL, answers=ASKED.iloc[:60]),
    case("difference_of_changes", LEVEL, changes=CHANGES),
    case("group_time_effects", LEVEL, values=PANEL, starts=STARTS),
    case("staggered_effects", {"inference": "analytic", **LEVEL}, values=PANEL, starts=STARTS),
    case("staggered_pretrend_check", values=PANEL, starts=STARTS),
    case("synthetic_control_weights", {"municipality_code": CODES[0], **CONTROL}, values=PANEL),
    case(
        "synthetic_control",
        {"treated": CODES[:1], "minimum_pre_periods": 2, **CONTROL, **LEVEL},
        values=PANEL,
    ),
    case("synthetic_control_path", values=PANEL, weights=WEIGHTS),
    case("yearly_values", observations=OBSERVED),
    case("distance_to_target", values=YEARS, targets=TARGETS),
    case("indicator_trend", LEVEL, values=YEARS),
    case("reach_probability", {"rule": "linear_trend", **LEVEL}, values=YEARS, targets=TARGETS),
    case("peer_group", {"characteristics": ["size", "age"], "peer_count": 5}, profiles=PROFILES),
    case("comparison_with_peers", {"minimum_peers": 1}, values=series(CODES), peers=PEERS),
    case(
        "comparison_with_areas",
        {"areas_contain_municipality": True, **LEVEL},
        values=YEARS,
        areas=AREAS,
    ),
    case("funnel_limits", {"kind": "share", **LEVEL}, counts=FUNNEL),
    case("funnel_limits", {"kind": "rate", **LEVEL}, counts=FUNNEL),
    case("inequality_indices", LEVEL, groups=GRADIENT),
    case(
        "interrupted_series",
        {"interrupted_at": 2018, "minimum_periods": 4, **LEVEL},
        values=PERIODS,
    ),
    case("interrupted_series_path", {"interrupted_at": 2018}, values=PERIODS),
    case(
        "interrupted_counts",
        {"interrupted_at": 2018, "minimum_periods": 4, **LEVEL},
        counts=COUNTED,
    ),
    case("pooled_estimate", LEVEL, estimates=ESTIMATES),
    case("forest_rows", estimates=ESTIMATES),
    case("meta_regression", {"moderators": ["dose"], **LEVEL}, estimates=ESTIMATES),
    case("adjusted_p_values", tests=pd.DataFrame({"p_value": [0.01, 0.2, None, 0.04]})),
    case("krippendorff_alpha", {"replicate_count": 20, **LEVEL}, codings=CODINGS),
    case("cohen_kappa", LEVEL, codings=CODINGS),
    case("fleiss_kappa", LEVEL, codings=CODINGS),
    case("present_day_values", values=YEARS, changes=SPLIT),
    case("planned_detectable_change", plan=PLAN),
    case("with_detectable_change", changes=CHANGED),
    case(
        "detectable_share_change",
        before_base=N,
        after_base=N,
        before_share=pd.Series([0.1, 0.5, 0.9]),
    ),
    case(
        "detectable_mean_change",
        before_base=N,
        after_base=N,
        standard_deviation=pd.Series([1.0, 2, 1]),
    ),
    case("required_base", population_count=pd.Series([100.0, 2000, 30])),
    case(
        "cluster_design_effect", cluster_size=pd.Series([10.0, 5, 1]), intraclass_correlation=0.05
    ),
    case("share_from_percentage", LEVEL, published=PUBLISHED),
    case("possible_counts", percentage=pd.Series([50.0, 61, 0]), base=pd.Series([20.0, 41, 7])),
    case("share_limits", LEVEL, counts=pd.DataFrame({"count": K, "base": N})),
    case("effective_base", base=N, population_count=N + 5),
    case("wilson_interval", count=K, base=N, population_count=N + 5),
    case("exact_interval", count=K, base=N),
    case("newcombe_difference_interval", count_1=K, base_1=N, count_2=K[::-1], base_2=N + 9),
    case("newcombe_paired_interval", both=K, first_only=N, second_only=K, neither=N),
    case("newcombe_superiority_interval", superiority=pd.Series([0.5, 0.9, 1]), base_1=N, base_2=N),
    case("mean_interval", mean=K, standard_deviation=N / 5, base=N),
    case("exact_poisson_interval", count=K),
    case("byar_interval", count=K),
    case("count_interval", count=K),
]

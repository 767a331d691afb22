"""Every public function that gives an interval has a simulation of what it covers, and says so."""

import inspect
import re

import pytest
from conftest import PROJECT

import evalkit

# The simulation, and the public functions whose limits it measures or whose limits are the same.
SIMULATIONS = {
    "wilson_limits_cover_as_often_as_they_say_on_average_over_shares": "wilson_interval "
    "agreement_share comparable_shares item_shares score_distribution response_rate share_limits "
    "share_from_percentage survey_response published_results protected_shares protected_survey "
    "protected_side_by_side protect_shares",
    "exact_limits_never_cover_less_than_they_say": "exact_interval",
    "limits_of_counts_cover_at_every_expected_number": "count_interval byar_interval "
    "exact_poisson_interval crude_rate",
    "newcombe_limits_cover_the_difference_of_independent_shares": "newcombe_difference_interval "
    "nonresponse_difference",
    "linked_limits_cover_the_change_of_the_same_persons": "newcombe_paired_interval share_change "
    "mcnemar_test protected_changes with_detectable_change",
    "limits_of_cliffs_delta_cover_the_dominance_of_whole_scores": "cliffs_delta "
    "probability_of_superiority newcombe_superiority_interval",
    "limits_of_a_shift_cover_though_few_move": "paired_shift",
    "bootstrapped_limits_cover_the_change": "bootstrap_change",
    "limits_of_log_odds_cover_the_effect_of_a_group": "ordinal_regression",
    "feldts_limits_cover_the_alpha_of_whole_scores": "cronbach_alpha",
    "bootstrapped_limits_cover_the_omega_of_a_hundred_respondents": "mcdonald_omega",
    "limits_from_services_cover_a_share_that_differs_between_services": "cluster_robust_mean",
    "a_post_stratified_share_covers_the_population_though_one_group_answers_more": "weighted_share",
    "limits_of_a_mean_cover_the_mean_of_few_answers": "mean_interval",
    "limits_of_kappa_cover_the_agreement_on_all_text": "cohen_kappa fleiss_kappa",
    "bootstrapped_limits_cover_the_alpha_of_all_text": "krippendorff_alpha theme_agreement",
    "standardised_rates_cover_the_rate_of_the_standard_population": "directly_standardised_rate",
    "limits_of_an_indirectly_standardised_ratio_cover_it": "indirectly_standardised_ratio "
    "indirectly_standardised_rate",
    "limits_of_inequality_cover_slope_and_ratio": "inequality_indices",
    "limits_beside_a_county_that_contains_the_municipality_cover_the_difference_to_the_rest": (
        "comparison_with_areas"
    ),
    "a_funnel_holds_as_many_municipalities_as_methods_say": "funnel_limits",
    "limits_of_a_trend_hold_where_neighbouring_years_are_alike": "indicator_trend",
    "the_prediction_interval_of_a_walk_covers_the_target_year": "reach_probability",
    "limits_of_an_interrupted_series_cover_its_level_and_trend": "interrupted_series",
    "limits_of_interrupted_counts_hold_where_neighbouring_periods_are_alike": "interrupted_counts",
    "hartung_knapp_limits_cover_the_mean_of_few_municipalities": "pooled_estimate forest_rows",
    "limits_of_a_moderator_cover_its_slope_over_eight_municipalities": "meta_regression",
    "permutation_limits_cover_the_effect_on_three_of_twelve_municipalities": "event_study "
    "difference_in_differences indicator_effect",
    "limits_of_five_clusters_against_seven_cover_the_effect": "cross_section_difference",
    "limits_of_a_difference_of_published_changes_cover_it": "difference_of_changes",
    "limits_of_one_cohort_of_ten_cover_its_effect_each_year": "group_time_effects",
    "dealt_starts_cover_the_effect_on_five_cohorts_of_one": "staggered_effects",
    "placebo_limits_cover_the_effect_on_a_municipality_like_its_donors": "synthetic_control "
    "indicator_synthetic_controls",
}
WITHOUT_AN_INTERVAL = {
    "audit": "bounds of what a reader can work out, which are certain",
    "judge_goal_attainment": "reads the limits it is given",
    "municipality_series": "quartiles and extremes of other municipalities",
    "read_series": "quartiles and extremes of other municipalities",
    "required_base": "a number of answers",
    "smallest_detectable_change": "reads the limits it is given",
    "truth_and_estimates": "shows the limits it is given",
    "with_refused": "shows the limits it is given",
}
MEASURED = {name for names in SIMULATIONS.values() for name in names.split()}


def public_intervals():
    """Public functions with a confidence level, or whose results are said to have limits."""
    found = set()
    for name in evalkit.__all__:
        function = getattr(evalkit, name)
        if not inspect.isfunction(function):
            continue
        returned = (inspect.getdoc(function) or "").partition("Returns\n---")[2]
        returned = returned.partition("\n---")[0]
        levels = {"confidence_level", "confidence_levels"} & set(
            inspect.signature(function).parameters
        )
        if levels or re.search(r"``lower\w*``|\blimits\b", returned):
            found.add(name)
    return found


def test_every_public_interval_has_a_simulation_or_a_reason_to_have_none():
    assert public_intervals() == MEASURED | set(WITHOUT_AN_INTERVAL)
    assert not MEASURED & set(WITHOUT_AN_INTERVAL)


@pytest.mark.parametrize("simulation", SIMULATIONS)
def test_the_simulation_is_there_and_calls_one_of_its_functions(simulation):
    sources = [path.read_text("utf-8") for path in PROJECT.glob("tests/test_coverage_of_*.py")]

    held = [source for source in sources if f"\ndef test_{simulation}(" in source]

    assert len(held) == 1
    assert any(
        f"{name}(" in held[0] or f"{name}," in held[0] for name in SIMULATIONS[simulation].split()
    )


def test_the_list_of_measured_coverage_names_every_interval_and_no_other():
    methods = (PROJECT / "docs" / "methods.md").read_text("utf-8")
    section = methods.partition("\n## Measured coverage\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]

    assert set(re.findall(r"`(\w+)`", "\n".join(rows))) == MEASURED

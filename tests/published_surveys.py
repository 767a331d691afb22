"""Values published by others that surveys, rates and intervals must agree with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from published_case import Case
from scipy import stats

from evalkit.detectable import (
    detectable_mean_change,
    detectable_share_change,
    required_base,
)
from evalkit.multiplicity import adjusted_p_values
from evalkit.rates import crude_rate, directly_standardised_rate, indirectly_standardised_ratio
from evalkit.reliability import cronbach_alpha, mcdonald_omega
from evalkit.survey import (
    cliffs_delta,
    mcnemar_test,
    ordinal_regression,
    paired_shift,
    probability_of_superiority,
)
from evalkit.uncertainty import (
    exact_interval,
    exact_poisson_interval,
    mean_interval,
    newcombe_difference_interval,
    newcombe_paired_interval,
    newcombe_superiority_interval,
    wilson_interval,
)
from evalkit.weighting import (
    cluster_robust_mean,
    effective_base_of_weights,
    post_stratification_weights,
    raking_weights,
    weighted_share,
)

PUBLISHED = Path(__file__).parent / "published"


FOUR = 5.1e-5  # published to four decimals

NEWCOMBE_ONE = "Newcombe (1998), Stat. Med. 17, 857-872, table I, method 3"
NEWCOMBE_TWO = "Newcombe (1998), Stat. Med. 17, 873-890, table II, method 10"
NEWCOMBE_PAIRED = "Newcombe (1998), Stat. Med. 17, 2635-2650, table III, method 10"
FAGERLAND = (
    "R package contingencytables (Fagerland, Lydersen and Laake), tests/testthat/test-ch{}.R"
)
SURVEY = "R package survey, tests/api.Rout.save"
SURVEY_FULL = "R package survey 4.5, as printed by Survey.jl test/r_reference/{}"
SURVEY_DEFF = "R package survey, tests/deff.Rout.save"
JAMOVI = "jamovi's omega of three items, as in jspss test/reliability.test.ts"
MTAB = "mTAB support wiki, Significance testing - Effective Base: 12 women and 28 men"
SCOTLAND = (
    "Scottish Government (2012), Patient Experience Survey of GP services, technical report, annex D; "
    "its interval is symmetric"
)
FLIPDATA = "R package flipData (Displayr), tests/testthat/test-weights.R"
KREJCIE = "Krejcie and Morgan (1970), Educ. Psychol. Meas. 30, 607-610, table 1"
MESS = (
    "R package MESS, power_mcnemar_test, its examples as quoted in contamlab tools/verify_power.py"
)
SINGLE_CASE = "R package SingleCaseES, README, NAP(A, B)"
EFFSIZE = "R package effsize, tests/testthat/testCliff.R"
BROOM = "R package broom, documentation of tidy.svyolr (survey::svyolr on apiclus1)"
ORDINAL = "R package ordinal, clm(rating ~ temp + contact, data = wine), wine: Randall (1989)"
PINGOUIN = "Python package pingouin (tested against R psych), cronbach_alpha, data {}"
FLEISS = "R package tidyrates (epitools), README, data of Fleiss (1981, p. 249)"
R_TESTS = "R documentation, {}"
SQUARE = (
    "R, table 23, 15, 19, 31, as in statsmodels stats/tests/results/contingency_table_r_results.csv"
)
MULTTEST = "R package multtest, as in statsmodels stats/tests/test_multi.py"
DSR = "R package PHEindicatormethods, DSR-vignette, phe_dsr(df2, dths, pop)"
DSRTEST = "R package dsrTest (exact instead of Byar's limits), vignette, dobson [Exact CI]"


def limits(pairs: list[tuple], interval: Callable, statistic: str, source: str) -> list[Case]:
    """Two cases, lower and upper limit, per row of arguments and published limits."""
    return [
        Case(
            statistic,
            f"{', '.join(map(str, arguments))}: {side}",
            (low, high)[place],
            FOUR,
            source,
            lambda arguments=arguments, place=place: interval(*arguments)[place],
        )
        for *arguments, low, high in pairs
        for place, side in enumerate(("lower", "upper"))
    ]


def answers(first: list[float], second: list[float]) -> pd.DataFrame:
    """Answers of two waves as rows; the n-th person of each wave has the same id."""
    return pd.DataFrame(
        {
            "municipality_code": "0301",
            "item": "plan",
            "wave": [0] * len(first) + [1] * len(second),
            "respondent_id": [*range(len(first)), *range(len(second))],
            "score": [*first, *second],
        }
    )


TREATMENT = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50]
CONTROL = [10, 20, 30, 40, 40, 50]
NEGLIGIBLE = [10, 20, 20, 20, 30, 30, 30, 40, 50, 100]


TENS = range(0, 101, 10)


@cache
def cliff() -> pd.Series:
    return cliffs_delta(answers(CONTROL, TREATMENT), interval="cliff", scores=TENS).iloc[0]


@cache
def single_case() -> tuple[float, float]:
    """Newcombe's limits of the superiority that the package finds, of seven against six."""
    before, after = [20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]
    found = probability_of_superiority(answers(before, after), scores=range(31))["value"].item()
    return newcombe_superiority_interval(found, 6, 7)


@cache
def women() -> pd.Series:
    """Women are 30 % of those who answered, and weighted to 52 %."""
    table = pd.DataFrame(
        {"municipality_code": "0301", "agreed": [True] * 12 + [False] * 28, "weight": 0.48 / 0.7}
    )
    table.loc[table["agreed"], "weight"] = 0.52 / 0.3
    return weighted_share(table).iloc[0]


@cache
def ayrshire() -> pd.Series:
    """7 878 answers with a design factor of 1.11811 from weights; 88 % positive.

    The share is printed without decimals; its standard error, 0.003708, makes it 87.64 %. The
    weights are not printed: here half of the answers weigh as much more as gives the factor.
    """
    half, factor = 7878 // 2, 1.11811**2
    heavier = (factor + 2 * np.sqrt(factor - 1)) / (2 - factor)
    positive = np.tile(np.arange(half) < round(0.8764 * half), 2)
    weights = np.repeat([1.0, heavier], half)
    table = pd.DataFrame({"municipality_code": "0301", "agreed": positive, "weight": weights})
    row = weighted_share(table).iloc[0]
    assert abs(row["design_effect"] - factor) < 1e-9
    return row


DEPRESSION_BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
DEPRESSION_AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


@cache
def depression() -> pd.Series:
    scores = sorted({*DEPRESSION_AFTER, *DEPRESSION_BEFORE})
    return paired_shift(
        answers(DEPRESSION_AFTER, DEPRESSION_BEFORE), linkage="linked", scores=scores
    ).iloc[0]


def mcnemar(both: int, before_only: int, after_only: int, neither: int) -> pd.Series:
    pairs = [(5, 5)] * both + [(5, 1)] * before_only + [(1, 5)] * after_only + [(1, 1)] * neither
    before, after = zip(*pairs, strict=True)
    return mcnemar_test(answers(list(before), list(after)), linkage="linked").iloc[0]


WINE = {  # judges 1 to 9, two bottles each
    ("cold", "no"): "212323121 323232122",
    ("cold", "yes"): "313343223 432232232",
    ("warm", "no"): "425332233 435234332",
    ("warm", "yes"): "554535234 544334344",
}


@cache
def wine() -> pd.DataFrame:
    rows = [
        {"temperature": temperature, "contact": contact, "rating": int(digit)}
        for (temperature, contact), bottles in WINE.items()
        for bottle in bottles.split()
        for digit in bottle
    ]
    result = ordinal_regression(
        pd.DataFrame(rows), outcome="rating", covariates=["temperature", "contact"]
    )
    return result.set_index("term")


@cache
def schools() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "apiclus1.csv").assign(municipality_code="all")


@cache
def meals_regression() -> pd.DataFrame:
    """How poor a school's pupils are, in four classes, by district as clusters; by term.

    ``design_error`` is the error as the survey package has it: for 15 of 757 districts, and without
    the factor for estimated coefficients, (n − 1) / (n − k), which statsmodels adds.
    """
    rows = schools().assign(
        meals=pd.cut(schools()["meals_percent"], [0, 25, 50, 75, 100], labels=False)
    )
    result = ordinal_regression(
        rows,
        outcome="meals",
        covariates=["parent_education", "mobility_percent", "school_type"],
        cluster="district",
    ).set_index("term")
    base, coefficients = result["base"].iloc[0], len(result) + 3
    factor = (1 - 15 / 757) * (base - coefficients) / (base - 1)
    return result.assign(design_error=result["standard_error"] * np.sqrt(factor))


@cache
def school_mean(correction: bool) -> pd.Series:
    return cluster_robust_mean(
        schools(), value="api00", cluster="district", cluster_population=757 if correction else None
    ).iloc[0]


SCHOOL_TYPES = pd.Series({"E": 4421.0, "H": 755.0, "M": 1018.0})
SCHOOL_WIDE = pd.Series({"No": 1072.0, "Yes": 5122.0})


def one_standard_error(spread: float, base: int, population: int) -> float:
    """Standard error implied by half the width of a t interval."""
    lower, upper = mean_interval(0.0, spread, base, population_count=population)
    return (upper - lower) / 2 / stats.t.ppf(0.975, base - 1)


def weighted_school_mean(weights: pd.Series) -> float:
    return float((weights * schools()["api00"]).sum() / weights.sum())


QUESTIONS = """1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 1 1 1 0 1 0
nan 0 1 1 nan 1 1 1 1 0 0
1 1 1 0 1 1 0 1 1 0 0
1 1 1 1 1 0 0 0 1 0 0
0 1 nan 0 1 1 1 1 0 0 0
1 1 1 1 0 0 1 0 0 0 0
1 1 1 1 1 0 0 0 0 0 0
0 1 0 1 1 0 0 0 0 1 0
1 0 0 1 0 1 0 0 nan 0 0
1 1 1 0 0 0 0 0 0 0 0
1 0 0 1 0 0 0 0 0 0 0"""


@cache
def questions() -> pd.Series:
    scores = pd.DataFrame([list(map(float, line.split())) for line in QUESTIONS.splitlines()])
    return cronbach_alpha(scores, fewest_respondents=5).iloc[0]


RATINGS = (
    "357261426544564 243452345432553 465363545653655 135354335422245 456242571355323",
    "514245226533321 123242125324213 453663242132442 356675463743463 255352352214554",
)


@cache
def ratings() -> pd.Series:
    columns = [list(map(float, item)) for half in RATINGS for item in half.split()]
    return cronbach_alpha(pd.DataFrame(columns).T).iloc[0]


def omega(*loadings: float) -> float:
    """Omega of scores whose correlations are the products of three published loadings."""
    correlation = np.outer(loadings, loadings)
    np.fill_diagonal(correlation, 1)
    columns = np.cos(2 * np.pi * np.outer(np.arange(24), [1, 2, 3]) / 24)  # uncorrelated
    scores = pd.DataFrame(columns @ np.linalg.cholesky(correlation).T)
    return mcdonald_omega(scores, replicate_count=10)["value"].item()


@cache
def firms() -> pd.Series:
    """Ten firms drawn with unequal probability, each its own cluster."""
    sales = [15, 143, 21, 51, 337, 50, 274, 145, 15, 86]
    weights = [20, 200, 11, 25, 550, 30, 250, 100, 10, 55]
    table = pd.DataFrame(
        {"municipality_code": "all", "firm": range(10), "sales": sales, "weight": weights}
    )
    return cluster_robust_mean(table, value="sales", cluster="firm", weight="weight").iloc[0]


def paired_rise(pairs: float, fewer: float, ratio: float, power: float) -> float:
    """Smallest rise from 0.5 found with pairs of which known shares change one way and the other."""
    rise = fewer * (ratio - 1)
    shares = np.array([0.5, 0.5 + rise])
    phi = (0.5 - fewer - shares.prod()) / np.sqrt((shares * (1 - shares)).prod())
    found = detectable_share_change(pairs, pairs, 0.5, paired=True, correlation=phi, power=power)
    return found["smallest_rise_share"].item()


FLEISS_BIRTHS = {  # per birth order: live births and cases of Down's syndrome, by mother's age
    "1": ([230061, 329449, 114920, 39487, 14208, 3052], [107, 141, 60, 40, 39, 25]),
    "2": ([72202, 326701, 208667, 83228, 28466, 5375], [25, 150, 110, 84, 82, 39]),
    "3": ([15050, 175702, 207081, 117300, 45026, 8660], [3, 71, 114, 103, 108, 75]),
    "4": ([2293, 68800, 132424, 98301, 46075, 9834], [1, 26, 64, 89, 137, 96]),
    "5+": ([327, 30666, 123419, 149919, 104088, 34392], [0, 8, 63, 112, 262, 295]),
}
FLEISS_STANDARD = pd.Series([63986.6, 186263.6, 157302.2, 97647.0, 47572.6, 12262.6])


@cache
def births() -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {
                "municipality_code": order,
                "age_group": range(6),
                "event_count": cases,
                "population_count": population,
            }
        )
        for order, (population, cases) in FLEISS_BIRTHS.items()
    )


def birth_rate(order: str, *, adjusted: bool) -> float:
    rates = (
        directly_standardised_rate(births(), standard=FLEISS_STANDARD, per=1)
        if adjusted
        else crude_rate(births(), per=1)
    )
    return rates.set_index("municipality_code").loc[order, "value"]


EUROPE_2013 = [50, 55, 55, 55, 60, 60, 65, 70, 70, 70, 70, 65, 60, 55, 50, 40, 25, 15, 10]
DEATHS = [1, 1, 0, 0, 0, 1, 1, 3, 3, 3, 3, 10, 10, 10, 10, 8, 8, 8, 8]
PERSONS = [30, 35, 35, 35, 40, 40, 45, 50, 50, 50, 60, 60, 70, 75, 70, 60, 20, 20, 15]


def death_rate() -> pd.Series:
    """Deaths in nineteen age bands of a small place, by the European standard of 2013."""
    events = pd.DataFrame(
        {
            "municipality_code": "place",
            "age_group": range(19),
            "event_count": DEATHS,
            "population_count": PERSONS,
        }
    )
    return directly_standardised_rate(events, standard=pd.Series(EUROPE_2013)).iloc[0]


def fifth_births() -> pd.Series:
    rates = directly_standardised_rate(births(), standard=FLEISS_STANDARD)
    return rates.set_index("municipality_code").loc["5+"]


def nickel() -> pd.Series:
    """One stratum whose reference rate gives the published expected deaths."""
    events = pd.DataFrame(
        {
            "municipality_code": ["all"],
            "age_group": ["all"],
            "event_count": [137],
            "population_count": [24_198.93],
        }
    )
    reference = pd.DataFrame(
        {"age_group": ["all"], "event_count": [1], "population_count": [1000.0]}
    )
    return indirectly_standardised_ratio(events, reference=reference).iloc[0]


MULTTEST_P = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238]
MULTTEST_P += [0.177096952723, 5.23656777208e-5, 0.0202732688798, 0.00028140506198, 0.0149877310796]


def adjusted(p_value: float, method: str) -> float:
    """Ten p values adjusted; the one asked for."""
    rows = adjusted_p_values(pd.DataFrame({"p_value": MULTTEST_P}), method=method)
    return rows.loc[rows["p_value"] == p_value, "adjusted_p_value"].item()


BENJAMINI = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
BENJAMINI += [0.4262, 0.5719, 0.6528, 0.7590, 1.0000]

CASES: list[Case] = [
    *limits(
        [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
        wilson_interval,
        "Wilson interval",
        NEWCOMBE_ONE,
    ),
    *limits([(13, 16, 0.5699, 0.9341)], wilson_interval, "Wilson interval", FAGERLAND.format(2)),
    *limits(
        [(13, 16, 0.5435, 0.9595)], exact_interval, "Clopper-Pearson interval", FAGERLAND.format(2)
    ),
    *limits(
        [
            (56, 70, 48, 80, 0.0524, 0.3339),
            (9, 10, 3, 10, 0.1705, 0.8090),
            (6, 7, 2, 7, 0.0582, 0.8062),
            (5, 56, 0, 29, -0.0381, 0.1926),
            (0, 10, 0, 20, -0.1611, 0.2775),
            (0, 10, 0, 10, -0.2775, 0.2775),
            (10, 10, 0, 20, 0.6791, 1.0),
            (10, 10, 0, 10, 0.6075, 1.0),
        ],
        newcombe_difference_interval,
        "difference, independent shares",
        NEWCOMBE_TWO,
    ),
    *limits(
        [
            (36, 12, 2, 0, 0.0569, 0.3404),
            (20, 12, 2, 16, 0.0562, 0.3292),
            (18, 12, 2, 18, 0.0562, 0.3290),
            (36, 14, 0, 0, 0.1528, 0.4167),
            (35, 14, 0, 1, 0.1461, 0.4175),
            (18, 14, 0, 18, 0.1441, 0.3963),
            (2, 97, 1, 0, 0.8721, 0.9854),
            (0, 30, 0, 0, 0.8395, 1.0),
            (54, 0, 0, 0, -0.0664, 0.0664),
            (30, 0, 0, 24, -0.0358, 0.0358),
        ],
        newcombe_paired_interval,
        "difference, paired shares",
        NEWCOMBE_PAIRED,
    ),
    *limits(
        [(59, 6, 16, 80, -0.1186, -0.0046)],
        newcombe_paired_interval,
        "difference, paired shares",
        FAGERLAND.format(8),
    ),
    Case(
        "Poisson limits, exact",
        "0 events: upper",
        3.689,
        5e-4,
        "R package epitools, pois.conf.int, details",
        lambda: exact_poisson_interval(0)[1],
    ),
    *[
        Case(
            "Poisson limits, exact",
            f"137 Welsh nickel workers' deaths against 24.19893: {side}",
            value,
            5.1e-7,
            R_TESTS.format("poisson.test, data of package ISwR"),
            lambda place=place: exact_poisson_interval(137)[place] / 24.19893,
        )
        for place, (side, value) in enumerate((("lower", 4.753125), ("upper", 6.692709)))
    ],
    Case(
        "indirectly standardised ratio",
        "Welsh nickel workers, expected as published",
        5.661407,
        5.1e-7,
        R_TESTS.format("poisson.test, data of package ISwR"),
        lambda: nickel()["value"],
    ),
    Case("Cliff's delta", "10 against 6", -0.25, 1e-9, EFFSIZE, lambda: cliff()["value"]),
    Case("Cliff's delta", "lower", -0.7265846, 1e-7, EFFSIZE, lambda: cliff()["lower"]),
    Case("Cliff's delta", "upper", 0.3890062, 1e-7, EFFSIZE, lambda: cliff()["upper"]),
    Case(
        "Cliff's delta",
        "nearly alike",
        -0.06666,
        1e-5,
        EFFSIZE,
        lambda: cliffs_delta(answers(CONTROL, NEGLIGIBLE), scores=TENS)["value"].item(),
    ),
    Case(
        "Newcombe, probability of superiority",
        "6 against 7: lower",
        0.5973406,
        5e-5,  # R's uniroot stops when the limit is within 0.0001
        SINGLE_CASE,
        lambda: single_case()[0],
    ),
    Case(
        "Newcombe, probability of superiority",
        "6 against 7: upper",
        0.9860176,
        5e-5,
        SINGLE_CASE,
        lambda: single_case()[1],
    ),
    Case(
        "probability of superiority",
        "A, B, A, C, B against C, B, B, C, B: (1 - 0.44) / 2",
        0.28,
        1e-9,
        EFFSIZE,
        lambda: probability_of_superiority(answers([3, 2, 2, 3, 2], [1, 2, 1, 3, 2]))[
            "value"
        ].item(),
    ),
    Case(
        "Wilcoxon signed-rank test",
        "depression scale: V",
        40,
        0,
        R_TESTS.format("wilcox.test (Hollander and Wolfe 1973, p. 29)"),
        lambda: depression()["statistic"],
    ),
    Case(
        "Wilcoxon signed-rank test",
        "depression scale: one-sided p",
        0.01953,
        5e-6,
        R_TESTS.format("wilcox.test (Hollander and Wolfe 1973, p. 29)"),
        lambda: depression()["p_value"] / 2,
    ),
    *[
        Case(
            "ordinal regression",
            f"{term}: {column}",
            value,
            FOUR,
            ORDINAL,
            lambda term=term, column=column: wine().loc[term, column],
        )
        for term, column, value in (
            ("temperature_warm", "value", 2.5031),
            ("temperature_warm", "standard_error", 0.5287),
            ("contact_yes", "value", 1.5278),
            ("contact_yes", "standard_error", 0.4766),
        )
    ],
    *[
        Case(
            "ordinal regression, clusters",
            f"{term}: {column}",
            value,
            tolerance,
            BROOM,
            lambda term=term, column=column: meals_regression().loc[term, column],
        )
        for term, column, value, tolerance in (
            ("parent_education", "value", -2.6999217, 2e-5),
            ("mobility_percent", "value", 0.0325042, 1e-6),
            ("school_type_H", "value", -1.7574715, 2e-5),
            ("school_type_M", "value", -0.6191463, 2e-5),
            ("parent_education", "design_error", 1.13, 5e-3),
            ("mobility_percent", "design_error", 0.0207, 5e-5),
            ("school_type_H", "design_error", 0.700, 5e-4),
            ("school_type_M", "design_error", 0.310, 5e-4),
        )
    ],
    Case(
        "Cronbach's alpha",
        "eleven yes-or-no questions, blanks left out",
        0.8016949152542373,
        1e-12,
        PINGOUIN.format("cronbach_wide_missing"),
        lambda: questions()["value"],
    ),
    *[
        Case(
            "Cronbach's alpha",
            f"ten ratings: {name}",
            value,
            tolerance,
            PINGOUIN.format("cronbach_alpha"),
            lambda name=name: ratings()[name],
        )
        for name, value, tolerance in (
            ("value", 0.5917188485995826, 1e-12),
            ("lower", 0.195, 5.1e-4),
            ("upper", 0.840, 5.1e-4),
        )
    ],
    *[
        Case(
            "McDonald's omega",
            f"loadings {', '.join(f'{loading:.3f}' for loading in loadings)}",
            value,
            tolerance,
            JAMOVI,
            lambda loadings=loadings: omega(*loadings),
        )
        for loadings, value, tolerance in (
            ((0.856274547, 0.728978383, 0.776175521), 0.8311385, 5e-7),
            ((0.869263365, 0.754297177, 0.863339896), 0.869276765, 5e-9),
        )
    ],
    *[
        Case(
            "cluster-robust mean",
            f"ten firms with unequal weights: {name.replace('_', ' ')}",
            value,
            tolerance,
            SURVEY_DEFF,
            lambda name=name: firms()[name],
        )
        for name, value, tolerance in (
            ("value", 243.914, 5e-4),
            ("standard_error", 48.752, 5e-4),
            ("design_effect", 1.974067, 5e-7),
        )
    ],
    Case(
        "effective base of weights",
        "one weight of 10 and nine of 1",
        3.311927,
        5e-7,
        FLIPDATA,
        lambda: effective_base_of_weights([10] + [1] * 9),
    ),
    Case(
        "weighted share",
        "women, of those who answered",
        0.52,
        1e-9,
        MTAB,
        lambda: women()["value"],
    ),
    Case(
        "weighted share",
        "women: effective base",
        32.509,
        2e-3,  # reckoned from weights rounded to four decimals
        MTAB,
        lambda: women()["effective_base"],
    ),
    Case(
        "weighted share",
        "positive in Ayrshire and Arran: lower",
        0.868,
        1e-3,
        SCOTLAND,
        lambda: ayrshire()["lower"],
    ),
    Case(
        "weighted share",
        "positive in Ayrshire and Arran: upper",
        0.885,
        1e-3,
        SCOTLAND,
        lambda: ayrshire()["upper"],
    ),
    Case(
        "cluster-robust mean",
        "schools in 15 of 757 districts",
        644.17,
        5e-3,
        SURVEY,
        lambda: school_mean(True)["value"],
    ),
    Case(
        "cluster-robust mean",
        "standard error, finite population",
        23.542,
        5e-4,
        SURVEY,
        lambda: school_mean(True)["standard_error"],
    ),
    Case(
        "cluster-robust mean",
        "standard error, endless population",
        23.7790107208869,
        1e-9,
        SURVEY_FULL.format("est_basic.csv"),
        lambda: school_mean(False)["standard_error"],
    ),
    Case(
        "mean, finite population",
        "200 of 6,194 schools: standard error",
        9.2497220392828,
        1e-9,
        SURVEY_FULL.format("est_basic.csv"),
        lambda: one_standard_error(9.40277217088064 * np.sqrt(200), 200, 6194),
    ),
    Case(
        "post-stratification",
        "mean by school type",
        642.310788211584,
        1e-8,
        SURVEY_FULL.format("poststratify_results.csv"),
        lambda: weighted_school_mean(
            post_stratification_weights(schools(), population=SCHOOL_TYPES, strata=["school_type"])
        ),
    ),
    Case(
        "raking",
        "mean by school type and school-wide growth",
        641.230246862208,
        1e-3,
        SURVEY_FULL.format("rake_results.csv"),
        lambda: weighted_school_mean(
            raking_weights(
                schools(), margins={"school_type": SCHOOL_TYPES, "school_wide": SCHOOL_WIDE}
            )
        ),
    ),
    *[
        Case(
            "directly standardised rate" if adjusted else "crude rate",
            f"birth order {order}",
            value,
            tolerance,
            FLEISS,
            lambda order=order, adjusted=adjusted: birth_rate(order, adjusted=adjusted),
        )
        for order, adjusted, value, tolerance in (
            ("1", False, 0.000563, 5e-7),
            ("4", False, 0.00115, 5e-6),
            ("1", True, 0.000923, 5e-7),
            ("2", True, 0.000912, 5e-7),
            ("3", True, 0.000851, 5e-7),
            ("4", True, 0.000927, 5e-7),
            ("5+", True, 0.000755, 5e-7),
        )
    ],
    *[
        Case(
            "directly standardised rate, Dobson",
            f"deaths in a small place: {column}",
            value,
            tolerance,
            DSR,
            lambda column=column: death_rate()[column],
        )
        for column, value, tolerance in (
            ("value", 8283.016, 5e-4),
            ("lower", 6570.819, 5e-4),
            ("upper", 10289.65, 5e-3),
        )
    ],
    *[
        Case(
            "directly standardised rate, Dobson",
            f"birth order 5+: {column}",
            value,
            6e-4,
            DSRTEST,
            lambda column=column: fifth_births()[column],
        )
        for column, value in (("lower", 67.633), ("upper", 83.867))
    ],
    Case(
        "McNemar's test",
        "23, 15, 19, 31: chi-squared",
        0.470588235294118,
        1e-12,
        SQUARE,
        lambda: mcnemar(23, 15, 19, 31)["statistic"],
    ),
    Case(
        "McNemar's test",
        "23, 15, 19, 31: p value",
        0.492716677227088,
        1e-12,
        SQUARE,
        lambda: mcnemar(23, 15, 19, 31)["p_value"],
    ),
    Case(
        "McNemar's test, exact",
        "59, 6, 16, 80: p value",
        0.052479,
        5e-7,
        FAGERLAND.format("8"),
        lambda: mcnemar(59, 6, 16, 80)["p_value"],
    ),
    *[
        Case(
            method,
            f"p = {raw:.3g} of ten",
            value,
            1e-12,
            MULTTEST,
            lambda raw=raw, method=method: adjusted(raw, method),
        )
        for method, raw, value in (
            ("Holm", 5.23656777208e-5, 5.23656777208e-4),
            ("Holm", 0.00028140506198, 2.53264555782e-3),
            ("Holm", 0.0149877310796, 0.119901848636800),
            ("Holm", 0.0202732688798, 0.141912882158600),
            ("Benjamini-Hochberg", 5.23656777208e-5, 5.23656777208e-4),
            ("Benjamini-Hochberg", 0.00028140506198, 1.4070253099e-3),
            ("Benjamini-Hochberg", 0.0149877310796, 4.995910359866667e-2),
            ("Benjamini-Hochberg", 0.0202732688798, 5.06831721995e-2),
            ("Benjamini-Hochberg", 0.177096952723, 0.354193905446),
        )
    ],
    Case(
        "Benjamini-Hochberg",
        "findings among 15 tests",
        4,
        0,
        "Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300, section 4",
        lambda: int(
            adjusted_p_values(pd.DataFrame({"p_value": BENJAMINI}), method="Benjamini-Hochberg")[
                "significant"
            ].sum()
        ),
    ),
    Case(
        "smallest detectable change, share",
        "50 in each wave, from 0.5, power 0.9",
        0.3026,
        FOUR,
        R_TESTS.format("power.prop.test (p2 = 0.8026)"),
        lambda: detectable_share_change(50, 50, 0.5, power=0.9)["smallest_rise_share"].item(),
    ),
    Case(
        "smallest detectable change, share",
        "power that finds 0.5 to 0.75 with 50",
        0.25,
        1e-6,
        R_TESTS.format("power.prop.test (power = 0.7401659)"),
        lambda: detectable_share_change(50, 50, 0.5, power=0.7401659)["smallest_rise_share"].item(),
    ),
    Case(
        "smallest detectable change, mean",
        "22.0211 in each wave, power 0.9",
        1.0,
        1e-5,
        R_TESTS.format("power.t.test (n = 22.02110 for delta = 1)"),
        lambda: detectable_mean_change(22.02110, 22.02110, power=0.9)[
            "smallest_change_mean"
        ].item(),
    ),
    Case(
        "smallest detectable change, mean",
        "20 in each wave, power 0.8689528",
        1.0,
        1e-5,
        R_TESTS.format("power.t.test (power = 0.8689528 for n = 20, delta = 1)"),
        lambda: detectable_mean_change(20, 20, power=0.8689528)["smallest_change_mean"].item(),
    ),
    *[
        Case(
            "smallest detectable change, pairs",
            f"{pairs} pairs, {fewer} change one way and twice as many the other, power {power}",
            fewer,
            1e-6,
            MESS,
            lambda pairs=pairs, fewer=fewer, power=power: paired_rise(pairs, fewer, 2, power),
        )
        for pairs, fewer, power in ((247.9973, 0.125, 0.9), (233.0945, 0.1, 0.8))
    ],
    *[
        Case(
            "answers needed for a margin of 5 points",
            f"{population} persons, given as whole persons",
            answers_needed,
            0.51,
            KREJCIE,
            lambda population=population: required_base(population),
        )
        for population, answers_needed in ((100, 80), (500, 217), (1000, 278), (10000, 370))
    ],
]

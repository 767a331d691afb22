"""Our values beside published ones: one case for each published number.

The data are those of the published source: typed here where they are few, in ``published/``
where they are many (``published/README.md`` tells where each file is from).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from published_case import Case

from evalkit.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from evalkit.controlled_change import (
    cross_section_difference,
    difference_in_differences,
    difference_of_changes,
)
from evalkit.effect_limits import bootstrap_extremes
from evalkit.indicators import funnel_limits, indicator_trend, inequality_indices
from evalkit.interruptions import (
    interrupted_counts,
    interrupted_series,
    newey_west_variance,
)
from evalkit.pooling import meta_regression, pooled_estimate
from evalkit.staggered_starts import (
    group_time_effects,
    staggered_effects,
    staggered_pretrend_check,
)
from evalkit.synthetic_controls import synthetic_control, synthetic_control_weights

PUBLISHED = Path(__file__).parent / "published"


# Pooling: the 13 BCG trials of Colditz et al. (1994): cases and non-cases among the vaccinated,
# among the others, and the absolute latitude.
# Better and all with cisapride, better and all with placebo.
CISAPRIDE = [
    (15, 12, 29, 42, 14, 44, 14, 29, 10, 17, 38, 19, 21),
    (16, 16, 34, 56, 22, 54, 17, 58, 14, 26, 44, 29, 38),
    (9, 1, 18, 31, 6, 17, 7, 23, 3, 6, 12, 22, 19),
    (16, 16, 34, 56, 22, 55, 15, 58, 15, 27, 45, 30, 38),
]
BCG = [
    (4, 119, 11, 128, 44),
    (6, 300, 29, 274, 55),
    (3, 228, 11, 209, 42),
    (62, 13536, 248, 12619, 52),
    (33, 5036, 47, 5761, 13),
    (180, 1361, 372, 1079, 44),
    (8, 2537, 10, 619, 19),
    (505, 87886, 499, 87892, 13),
    (29, 7470, 45, 7232, 27),
    (17, 1699, 65, 1600, 42),
    (186, 50448, 141, 27197, 18),
    (5, 2493, 3, 2338, 33),
    (27, 16886, 29, 17825, 33),
]
# The CLASP trials of DerSimonian and Kacker (2007), table 2: persons and events, both arms.
CLASP = [
    (156, 5, 74, 8),
    (303, 5, 303, 17),
    (565, 12, 477, 9),
    (1570, 69, 1565, 94),
    (103, 9, 105, 11),
    (4659, 313, 4650, 352),
]


@cache
def bcg(measure: str) -> pd.DataFrame:
    cells = np.array(BCG, dtype=float)
    a, b, c, d, latitude = cells.T
    if measure == "risk_ratio":
        value = np.log(a / (a + b)) - np.log(c / (c + d))
        variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    else:
        value = np.log(a * d / (b * c))
        variance = 1 / a + 1 / b + 1 / c + 1 / d
    return pd.DataFrame(
        {
            "indicator_id": "tuberculosis",
            "value": value,
            "standard_error": np.sqrt(variance),
            "latitude": latitude,
        }
    )


@cache
def clasp() -> pd.DataFrame:
    total, events, other_total, other_events = np.array(CLASP, dtype=float).T
    none, other_none = total - events, other_total - other_events
    return pd.DataFrame(
        {
            "indicator_id": "clasp",
            "value": np.log(events * other_none / (none * other_events)),
            "standard_error": np.sqrt(1 / events + 1 / none + 1 / other_events + 1 / other_none),
        }
    )


def cisapride() -> pd.DataFrame:
    """Log odds ratios of the 13 trials, half a patient added to each cell."""
    better, treated, better_placebo, placebo = (np.array(row) for row in CISAPRIDE)
    cells = [better, treated - better, better_placebo, placebo - better_placebo]
    a, b, c, d = (cell + 0.5 for cell in cells)
    return pd.DataFrame(
        {
            "indicator_id": "cisapride",
            "value": np.log(a * d / (b * c)),
            "standard_error": np.sqrt(1 / a + 1 / b + 1 / c + 1 / d),
        }
    )


def pooled(estimates, column, estimator, interval="wald", **options) -> float:
    result = pooled_estimate(
        estimates, estimator=estimator, interval=interval, confidence_levels=[0.95], **options
    )
    return result[column].item()


def predicted(estimates, column, prediction) -> float:
    """A prediction limit as a ratio."""
    return np.exp(pooled(estimates, column, "reml", "hartung_knapp", prediction=prediction))


def regressed(term, column, interval) -> float:
    result = meta_regression(
        bcg("risk_ratio"), moderators=["latitude"], interval=interval, confidence_levels=[0.95]
    )
    return result.set_index("term").loc[term, column]


# Agreement
KRIPPENDORFF_2011 = [
    "1 2 3 3 2 1 4 1 2 * * *",
    "1 2 3 3 2 2 4 1 2 5 * 3",
    "* 3 3 3 2 3 4 2 2 5 1 *",
    "1 2 3 3 2 4 4 1 2 5 1 *",
]
FLEISS_1971 = """
444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444
224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444
133333 555555
"""
SAS_TABLE = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]


def four_observers() -> pd.DataFrame:
    rows = [
        (unit, coder, np.nan if code == "*" else int(code))
        for coder, line in enumerate(KRIPPENDORFF_2011)
        for unit, code in enumerate(line.split())
    ]
    return pd.DataFrame(rows, columns=["unit", "coder", "code"])


def psychiatrists() -> pd.DataFrame:
    rows = [
        (unit, coder, int(code))
        for unit, line in enumerate(FLEISS_1971.split())
        for coder, code in enumerate(line)
    ]
    return pd.DataFrame(rows, columns=["unit", "coder", "code"])


def two_coders(table) -> pd.DataFrame:
    pairs = [
        (first, second)
        for first, row in enumerate(table)
        for second, count in enumerate(row)
        for _ in range(count)
    ]
    rows = [
        (unit, coder, code) for unit, pair in enumerate(pairs) for coder, code in enumerate(pair)
    ]
    return pd.DataFrame(rows, columns=["unit", "coder", "code"])


def alpha(measurement) -> float:
    result = krippendorff_alpha(four_observers(), measurement=measurement, replicate_count=10)
    return result["value"].iloc[0]


def kappa(table, column, weights="none") -> float:
    return cohen_kappa(two_coders(table), weights=weights)[column].iloc[0]


# Difference in differences
@cache
def minimum_wage() -> tuple[pd.DataFrame, pd.DataFrame]:
    wide = pd.read_csv(PUBLISHED / "mpdta.csv", dtype={"county": str})
    wide = wide.rename(columns={"county": "municipality_code"})
    starts = wide[["municipality_code"]].assign(
        first_treated_year=wide["first_treated"].where(wide["first_treated"] > 0)
    )
    values = wide.drop(columns="first_treated").melt(
        id_vars="municipality_code", var_name="year", value_name="value"
    )
    return values.astype({"year": int}), starts


def averaged_over_cohorts() -> float:
    """The cohorts' averages, weighed by their size."""
    result = staggered_effects(
        *minimum_wage(), over="cohort", inference="analytic", confidence_levels=[0.95]
    )
    return np.average(result["value"], weights=result["treated_count"])


def group_time(cohort, year, column="value") -> float:
    result = group_time_effects(*minimum_wage(), confidence_levels=[0.95])
    return result.set_index(["first_treated_year", "year"]).loc[(cohort, year), column]


def averaged(over, place=None, column="value") -> float:
    result = staggered_effects(
        *minimum_wage(), over=over, inference="analytic", confidence_levels=[0.95]
    )
    if place is None:
        return result[column].item()
    return result.set_index(result.columns[0]).loc[place, column]


# House sales in North Andover (Kiel and McClain 1995), as the published regressions give them:
# sales, mean price far from and near the incinerator, before and after it, and the root mean
# squared error of the regression with all four means.
HOUSES = {(0, 0): (123, 82517.23), (1, 0): (56, 82517.23 - 18824.37)}
HOUSES |= {(0, 1): (102, 82517.23 + 18790.29)}
HOUSES |= {(1, 1): (40, 82517.23 - 18824.37 + 18790.29 - 11863.9)}
HOUSES_ERROR = 30243


def incinerator(column) -> float:
    """Sales that have the published means and error: each a little over or under its mean."""
    rows = []
    for (near, after), (count, mean) in HOUSES.items():
        signs = np.array([-1.0, 1.0] * (count // 2) + [0.0] * (count % 2))
        spread = HOUSES_ERROR * np.sqrt((count / 321) * 317 / np.abs(signs).sum())
        values = mean + spread * signs
        rows.append(pd.DataFrame({"value": values, "treated": near, "after": after}))
    return cross_section_difference(pd.concat(rows))[column].iloc[0]


# Changes from before to after of six clusters, the first three treated.
CLUSTERS = np.array(
    [
        *(-0.232297548544, 2.590469013201, 0.80186094038),
        *(-0.786346194658, -0.489209496213, -2.261588072363),
    ]
)
TREATED = np.array([True, True, True, False, False, False])


def wild_p_value(effect: float) -> float:
    """Over all 64 samples, as the package counts: without the two that repeat the data."""
    draws = np.array(list(product([-1.0, 1.0], repeat=6)))
    extreme = bootstrap_extremes(CLUSTERS, TREATED, draws, effect=effect)
    return (extreme.sum() - 2) / 64


def wild_limit(outside: float) -> float:
    """Where the p value passes five per cent, between a value outside and the estimate."""
    inside = 2.23239205609
    for _ in range(40):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if wild_p_value(middle) <= 0.05 else (outside, middle)
    return inside


def fast_food(column) -> float:
    changes = pd.DataFrame(
        {
            "group": ["treated", "comparison"],
            "value": [0.59, -2.16],
            "standard_error": [0.54, 1.25],
        }
    )
    return difference_of_changes(changes)[column].iloc[0]


# Two groups of changes: a hypothetical experiment (Kabacoff 2015, listing 12.1) and the extra
# hours of sleep with two drugs (Student 1908; R's data set sleep).
SCORES = ([40, 57, 45, 55, 58], [57, 64, 55, 62, 65])
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def two_groups(groups, inference, column) -> float:
    """The groups' values as changes from nought, the first group as the treated."""
    changes = np.concatenate(groups)
    codes = [f"{place:04d}" for place in range(len(changes))]
    values = pd.DataFrame(
        {
            "municipality_code": codes * 2,
            "year": np.repeat([2015, 2016], len(codes)),
            "value": np.r_[np.zeros(len(codes)), changes],
        }
    )
    result = difference_in_differences(
        values,
        treated=codes[: len(groups[0])],
        comparison=codes[len(groups[0]) :],
        treated_from=2016,
        inference=inference,
        confidence_levels=[0.95],
    )
    return result[column].item()


@cache
def smoking() -> pd.DataFrame:
    wide = pd.read_csv(PUBLISHED / "prop99.csv").rename(columns={"State": "municipality_code"})
    values = wide.melt(id_vars="municipality_code", var_name="year", value_name="value")
    return values.astype({"year": int})


def other_states() -> list[str]:
    return sorted(set(smoking()["municipality_code"]) - {"California"})


def california_difference() -> float:
    result = difference_in_differences(
        smoking(), treated=["California"], comparison=other_states(), treated_from=1989
    )
    return result["value"].iloc[0]


def california_synthetic() -> float:
    result = synthetic_control(
        smoking(), treated=["California"], treated_from=1989, donors=other_states()
    )
    return result["value"].iloc[0]


@cache
def state_predictors() -> pd.DataFrame:
    """Averages of 1980-1988 (beer: 1984-1988) and the sales of three years, by state."""
    averages = pd.read_csv(PUBLISHED / "prop99_predictors.csv").set_index("State")
    sales = smoking().pivot(index="municipality_code", columns="year", values="value")
    known = averages.join(sales[[1975, 1980, 1988]])
    return known.rename_axis("municipality_code").reset_index()


@cache
def matched_california() -> pd.Series:
    result = synthetic_control(
        smoking(),
        treated=["California"],
        treated_from=1989,
        donors=other_states(),
        predictors=state_predictors(),
        confidence_levels=[0.95],
    )
    return result.iloc[0]


@cache
def matched_weight(state: str) -> float:
    weights = synthetic_control_weights(
        smoking(),
        municipality_code="California",
        treated_from=1989,
        donors=other_states(),
        predictors=state_predictors(),
    )
    return weights.set_index("donor_code").loc[state, "weight"]


# Interrupted series
@cache
def investment_errors() -> dict[str, float]:
    """Newey-West errors with four lags: growth of investment on that of output, and interest."""
    table = sm.datasets.macrodata.load_pandas().data
    growth = 400 * np.log(table[["realinv", "realgdp"]]).diff().iloc[1:].to_numpy()
    design = np.column_stack([growth[:, 1], table["realint"].iloc[:-1], np.ones(len(growth))])
    spread = np.linalg.pinv(design)
    residual = growth[:, 0] - design @ (spread @ growth[:, 0])
    corrected = len(design) / (len(design) - design.shape[1])
    errors = np.sqrt(newey_west_variance(spread * residual, 4) * corrected)
    return dict(zip(("output", "interest", "constant"), errors, strict=True))


def california_interrupted(term, column) -> float:
    series = smoking().query("municipality_code == 'California'")
    series = series.assign(indicator_id="packs").rename(columns={"year": "period"})
    result = interrupted_series(series, interrupted_at=1989, lag_count=1, errors="newey_west")
    return result.set_index("term")[column].groupby("term").first()[term]


# Acute coronary events in Sicily, January 2002 to November 2006, and the person-time at risk
# (standardised population): facts reprinted in the supplement of Lopez Bernal, Cummins and
# Gasparrini (2017), github.com/gasparrini/2017_lopezbernal_IJE_codedata. Smoking was banned
# indoors from January 2005, the 37th month.
CORONARY_EVENTS = """
728 659 791 734 757 726 760 740 720 814 795 858 887 766 851 769 781 756 766 752 765 831 879 928
914 808 937 840 916 828 845 818 860 839 887 886 831 796 833 820 877 758 767 738 781 843 850 908
1021 859 976 888 962 838 810 876 843 936 912
"""
SICILIANS = """
379875.3 376495.5 377040.8 377116.4 377383.4 374113.1 379513.3 376295.5 374653.2 378485.6
375955.5 378349.7 376762.4 379032.3 379360.4 376162 377972.4 381830.7 379888.6 380872.2
380966.9 381240.4 382104.9 381802.7 381656.3 383680 383504.2 386462.9 383783.1 380836.8 383483
380906.2 382926.8 384052.4 384449.6 383428.4 388153.2 388373.2 386470.1 386033.2 383686.4
385509.3 385901.9 386516.6 388436.5 383255.2 390148.7 385874.9 391613.6 391750.4 394005.6
391364.9 391664.6 389022.3 391878.5 388575.3 392989 390018.8 390712.3
"""


@cache
def smoking_ban(interval: str) -> pd.DataFrame:
    counts = pd.DataFrame(
        {
            "municipality_code": "Sicily",
            "indicator_id": "coronary events",
            "period": range(1, 60),
            "count": [float(count) for count in CORONARY_EVENTS.split()],
            "base": [float(base) for base in SICILIANS.split()],
        }
    )
    result = interrupted_counts(
        counts, interrupted_at=37, season_length=12, interval=interval, confidence_levels=[0.95]
    )
    return result.set_index("term")


def smoking_ban_ratio(column, term="rate_ratio", interval="normal") -> float:
    return smoking_ban(interval).loc[term, column]


# Indicators
def anscombe(column) -> float:
    first = pd.DataFrame(
        {
            "municipality_code": "first",
            "indicator_id": "anscombe",
            "year": [2010, 2008, 2013, 2009, 2011, 2014, 2006, 2004, 2012, 2007, 2005],
            "value": [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68],
        }
    )
    result = indicator_trend(first, errors="independent", confidence_levels=[0.95]).iloc[0]
    if column == "standard_error":
        return (result["upper"] - result["lower"]) / 2 / 2.262157  # t quantile, 9 degrees
    return result[column]


# Directly standardised rates of five groups with their limits, worst off first: population,
# rate, lower and upper limit in 2010, and in 2015.
RATES_2010 = [
    (1434002, 150.2200205, 147.3194185, 153.1498241),
    (1450590, 131.0221747, 128.3676972, 133.7051129),
    (1453827, 127.4954973, 125.0421198, 129.975513),
    (1440980, 130.494241, 128.2469515, 132.7657553),
    (1457780, 135.4664241, 133.2469515, 137.8657553),
]
RATES_2015 = [
    (1508923, 143.8177637, 141.0941843, 146.568661),
    (1538008, 127.2058426, 124.7351196, 129.7026732),
    (1538564, 122.4106945, 120.1654081, 124.6801651),
    (1509602, 126.3922397, 124.3450367, 128.4613495),
    (1457780, 135.4664241, 133.2469515, 137.8657553),
]
# Births attended by skilled staff by wealth, poorest first: population and per cent.
BIRTHS = [
    (2072.436, 75.60530),
    (2112.204, 91.01997),
    (1983.059, 96.03959),
    (2052.124, 97.04223),
    (1884.510, 99.22405),
]


def inequality(groups, index, column) -> float:
    gradient = pd.DataFrame(
        {
            "municipality_code": "England",
            "indicator_id": "rate",
            "group_order": range(1, 6),
            "population": [group[0] for group in groups],
            "value": [group[1] for group in groups],
        }
    )
    if len(groups[0]) == 4:
        width = np.array([np.log(upper / lower) for _, _, lower, upper in groups])
        errors = gradient["value"] * width / 2 / 1.959964
        gradient = gradient.assign(standard_error=errors)
    result = inequality_indices(gradient, confidence_levels=[0.95])
    return result.set_index("index")[column][index]


def concentration() -> float:
    """The concentration index that the slope gives: twice the covariance of rank and value."""
    share = np.array([population for population, _ in BIRTHS])
    share = share / share.sum()
    rank = share.cumsum() - share / 2
    return 2 * inequality(BIRTHS, "slope_index", "value") * (share * (rank - 0.5) ** 2).sum()


def funnel_edge(base: float, level: float, column: str) -> float:
    """Per cent of expected where a count first lies outside the funnel at this many expected."""
    at = pd.DataFrame({"municipality_code": ["one"], "count": [1.0], "base": [base]})
    limit = funnel_limits(at, kind="ratio", confidence_levels=[level])[column].item()
    return 100 * (limit if column == "lower" else limit + 1 / base)


def funnel_dispersion() -> float:
    six = pd.DataFrame(
        {
            "municipality_code": list("abcdef"),
            "count": [100, 150, 180, 80, 120, 225],
            "base": [108, 112, 165, 95, 100, 220],
        }
    )
    result = funnel_limits(six, kind="ratio", scale="log", winsorised_share=0)
    return result["dispersion"].iloc[0]


METAFOR_BCG = "metafor, rma(yi, vi, data=dat.bcg), documentation"
METAFOR_HK = "metafor, rma(yi, vi, data=dat.bcg, test='knha'), README"
PIMETA = "R package pimeta, vignette, trials of cisapride (Hartung and Knapp 2001, Stat. Med. 20, 3875-3889)"
METAFOR_MODERATOR = "metafor, rma(yi, vi, mods = ~ ablat, data=dat.bcg, test='knha'), README"
METAFOR_STATA = "metafor test suite, comparison with Stata metan (dat.bcg)"
KACKER = "DerSimonian and Kacker (2007), Contemp. Clin. Trials 28, tables 3 and 4"
KRIPPENDORFF = (
    "Krippendorff (2011), Computing Krippendorff's alpha-reliability; pyirr, tests of kripp_alpha"
)
GWET = "irrCAC (Gwet), overview, cac.raw4raters"
GWET_TABLE = "irrCAC (Gwet), overview, cont3x3abstractors"
SAS = "SAS PROC FREQ output in the statsmodels test suite"
DID = "Callaway and Sant'Anna, R package did, mpdta example without covariates"
LINDEN = "Linden (2015), Stata Journal 15, itsa example, California cigarette sales, lag(1)"
TWFEWEIGHTS = "R package twfeweights (Callaway), README: did::att_gt on mpdta, never treated"
SUNAB = "R package fixest 0.14.0, sunab on mpdta, as held in the tests of the package StatsPAI"
DID_ANALYTIC = (
    "R package did 2.3.0, bstrap = FALSE, as held in the tests of the package StatsPAI "
    "(test_aggte_mpdta_parity.py)"
)
CSDID = "Stata package csdid 1.81, in diff-diff benchmarks/data/etwfe_cs_stata_golden.json"
SYNTH2 = "Stata package synth2 2.1.0, as logged by Mendez, carlos-mendez.org, tutorial python_sc101"
MLSYNTH = "Python package mlsynth 1.0.0, as logged in the same tutorial of Mendez"
TIDYSYNTH = "R package tidysynth, README, smoking, grab_significance()"
NEWEY = (
    "Stata, newey ..., lag(4), in statsmodels regression/tests/results/results_macro_ols_robust.py"
)
ITSA_POWER = "Linden, Stata package power_multi_itsa, help file: tpost of the California example"
COIN = (
    "R package coin, oneway_test with distribution = 'exact', printed in Kabacoff (2015), R in "
    "Action, 2nd ed., listing 12.1"
)
WELCH = "R's t.test(extra ~ group, data = sleep), as printed on its help page"
SICILY = (
    "Lopez Bernal, Cummins and Gasparrini (2017), Int. J. Epidemiol. 46, 348-355, model 3, run in R "
    "(richinex/hirmos, oracle/fixtures/interrupted_series.json)"
)
KIELMC = (
    "Kiel and McClain (1995), Stata's regress rprice y81 nearinc y81nrinc (Wooldridge, ex. 13.3)"
)
ANSCOMBE = "Anscombe (1973), as printed by R's summary(lm(y1 ~ x1, data = anscombe))"
WILD = "R package fwildclusterboot, in diff-diff benchmarks/data/wild_cluster_boot_golden.json"
SII = "R package PHEindicatormethods, WorkedExamples_phe_sii, DSR_data"
ACI = "R package healthequal, aci(OrderedSample): the slope is aci / (2 variance of rank)"
FUNNEL = "R package PHEindicatormethods, tests/testthat/testdata_funnel_ratio_outputs.csv"

CASES = [
    Case(
        "random effects, REML",
        "BCG log risk ratio: tau2",
        0.3132,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "tau2", "reml"),
    ),
    Case(
        "random effects, REML",
        "BCG log risk ratio: mean",
        -0.7145,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "value", "reml"),
    ),
    Case(
        "random effects, REML",
        "BCG log risk ratio: standard error",
        0.1798,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "standard_error", "reml"),
    ),
    Case(
        "random effects, REML",
        "BCG log risk ratio: lower limit",
        -1.0669,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "lower", "reml"),
    ),
    Case(
        "random effects, REML",
        "BCG log risk ratio: upper limit",
        -0.3622,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "upper", "reml"),
    ),
    Case(
        "heterogeneity",
        "BCG: I2, share",
        0.9222,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "i2_share", "reml"),
    ),
    Case(
        "heterogeneity",
        "BCG: Q",
        152.2330,
        5e-5,
        METAFOR_BCG,
        lambda: pooled(bcg("risk_ratio"), "q", "reml"),
    ),
    Case(
        "Hartung-Knapp interval",
        "BCG: standard error",
        0.1808,
        5e-5,
        METAFOR_HK,
        lambda: pooled(bcg("risk_ratio"), "standard_error", "reml", "hartung_knapp"),
    ),
    Case(
        "Hartung-Knapp interval",
        "BCG: lower limit",
        -1.1084,
        5e-5,
        METAFOR_HK,
        lambda: pooled(bcg("risk_ratio"), "lower", "reml", "hartung_knapp"),
    ),
    Case(
        "Hartung-Knapp interval",
        "BCG: upper limit",
        -0.3206,
        5e-5,
        METAFOR_HK,
        lambda: pooled(bcg("risk_ratio"), "upper", "reml", "hartung_knapp"),
    ),
    Case(
        "prediction interval",
        "BCG: lower, as a risk ratio",
        0.14,
        5e-3,
        METAFOR_HK,
        lambda: predicted(bcg("risk_ratio"), "prediction_lower", "classical"),
    ),
    Case(
        "prediction interval",
        "BCG: upper, as a risk ratio",
        1.76,
        5e-3,
        METAFOR_HK,
        lambda: predicted(bcg("risk_ratio"), "prediction_upper", "classical"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "cisapride: mean, as an odds ratio",
        4.141,
        5e-4,
        PIMETA,
        lambda: np.exp(pooled(cisapride(), "value", "dersimonian_laird")),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "cisapride: tau2",
        0.718,
        5e-4,
        PIMETA,
        lambda: pooled(cisapride(), "tau2", "dersimonian_laird"),
    ),
    Case(
        "prediction from the confidence distribution",
        "cisapride: lower, as an odds ratio",
        0.533,
        0.024,  # two standard errors of the published number, from 25 000 draws
        PIMETA,
        lambda: predicted(cisapride(), "prediction_lower", "confidence_distribution"),
    ),
    Case(
        "prediction from the confidence distribution",
        "cisapride: upper, as an odds ratio",
        33.692,
        1.6,  # two standard errors of the published number, from 25 000 draws
        PIMETA,
        lambda: predicted(cisapride(), "prediction_upper", "confidence_distribution"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "BCG log risk ratio: mean",
        -0.7141,
        5e-5,
        METAFOR_STATA,
        lambda: pooled(bcg("risk_ratio"), "value", "dersimonian_laird"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "BCG log risk ratio: tau2",
        0.3088,
        5e-5,
        METAFOR_STATA,
        lambda: pooled(bcg("risk_ratio"), "tau2", "dersimonian_laird"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "BCG log odds ratio: mean",
        -0.7474,
        5e-5,
        METAFOR_STATA,
        lambda: pooled(bcg("odds_ratio"), "value", "dersimonian_laird"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "BCG log odds ratio: tau2",
        0.3663,
        5e-5,
        METAFOR_STATA,
        lambda: pooled(bcg("odds_ratio"), "tau2", "dersimonian_laird"),
    ),
    Case(
        "random effects, DerSimonian-Laird",
        "CLASP: tau",
        0.2323,
        5e-5,
        KACKER,
        lambda: np.sqrt(pooled(clasp(), "tau2", "dersimonian_laird")),
    ),
    Case(
        "random effects, Paule-Mandel",
        "CLASP: tau",
        0.3681,
        5e-5,
        KACKER,
        lambda: np.sqrt(pooled(clasp(), "tau2", "paule_mandel")),
    ),
    Case(
        "random effects, Paule-Mandel",
        "CLASP: mean",
        -0.3811,
        5e-5,
        KACKER,
        lambda: pooled(clasp(), "value", "paule_mandel"),
    ),
    Case(
        "random effects, Paule-Mandel",
        "CLASP: standard error",
        0.2060,
        5e-5,
        KACKER,
        lambda: pooled(clasp(), "standard_error", "paule_mandel"),
    ),
    Case(
        "random effects, REML",
        "CLASP: tau",
        0.1843,
        5e-5,
        KACKER,
        lambda: np.sqrt(pooled(clasp(), "tau2", "reml")),
    ),
    Case(
        "random effects, REML",
        "CLASP: mean",
        -0.2980,
        5e-5,
        KACKER,
        lambda: pooled(clasp(), "value", "reml"),
    ),
    Case("Krippendorff's alpha", "nominal", 0.743, 5e-4, KRIPPENDORFF, lambda: alpha("nominal")),
    Case("Krippendorff's alpha", "ordinal", 0.815, 5e-4, KRIPPENDORFF, lambda: alpha("ordinal")),
    Case("Krippendorff's alpha", "interval", 0.849, 5e-4, KRIPPENDORFF, lambda: alpha("interval")),
    Case("Krippendorff's alpha", "ratio", 0.797, 5e-4, KRIPPENDORFF, lambda: alpha("ratio")),
    Case(
        "Fleiss's kappa",
        "30 patients, six psychiatrists",
        0.430,
        5e-4,
        "Fleiss (1971), Psychological Bulletin 76, table 1",
        lambda: fleiss_kappa(psychiatrists())["value"].iloc[0],
    ),
    Case(
        "Fleiss's kappa",
        "four raters with gaps",
        0.76117,
        5e-6,
        GWET,
        lambda: fleiss_kappa(four_observers())["value"].iloc[0],
    ),
    Case(
        "Fleiss's kappa",
        "four raters with gaps: lower limit",
        0.424,
        5e-4,
        GWET,
        lambda: fleiss_kappa(four_observers())["lower"].iloc[0],
    ),
    Case("Cohen's kappa", "3 x 3 table", 0.4842, 5e-5, SAS, lambda: kappa(SAS_TABLE, "value")),
    Case(
        "Cohen's kappa",
        "3 x 3 table: lower limit",
        0.2137,
        5e-5,
        SAS,
        lambda: kappa(SAS_TABLE, "lower"),
    ),
    Case(
        "Cohen's kappa",
        "3 x 3 table: upper limit",
        0.7547,
        5e-5,
        SAS,
        lambda: kappa(SAS_TABLE, "upper"),
    ),
    Case(
        "Cohen's kappa, linear weights",
        "3 x 3 table",
        0.4701,
        5e-5,
        SAS,
        lambda: kappa(SAS_TABLE, "value", "linear"),
    ),
    Case(
        "Cohen's kappa, linear weights",
        "3 x 3 table: lower limit",
        0.1845,
        5e-5,
        SAS,
        lambda: kappa(SAS_TABLE, "lower", "linear"),
    ),
    Case(
        "Cohen's kappa",
        "100 pregnancies, two abstractors",
        0.7964094,
        5e-8,
        GWET_TABLE,
        lambda: kappa(ABSTRACTORS, "value"),
    ),
    Case(
        "group-time effects",
        "2004 cohort in 2004",
        -0.0105,
        5e-5,
        DID,
        lambda: group_time(2004, 2004),
    ),
    Case(
        "group-time effects",
        "2004 cohort in 2006",
        -0.1373,
        5e-5,
        DID,
        lambda: group_time(2004, 2006),
    ),
    Case(
        "group-time effects",
        "2006 cohort in 2007",
        -0.0412,
        5e-5,
        DID,
        lambda: group_time(2006, 2007),
    ),
    Case(
        "group-time effects",
        "2007 cohort in 2007",
        -0.0261,
        5e-5,
        DID,
        lambda: group_time(2007, 2007),
    ),
    Case(
        "group-time effects",
        "2007 cohort, before, in 2004",
        0.0305,
        5e-5,
        DID,
        lambda: group_time(2007, 2004),
    ),
    Case(
        "staggered event study", "first year", -0.0199, 5e-5, DID, lambda: averaged("event_time", 0)
    ),
    Case(
        "staggered event study",
        "second year",
        -0.0510,
        5e-5,
        DID,
        lambda: averaged("event_time", 1),
    ),
    Case(
        "group-time effects",
        "2004 cohort in 2005",
        -0.070423158,
        5e-9,
        TWFEWEIGHTS,
        lambda: group_time(2004, 2005),
    ),
    Case(
        "group-time effects",
        "2004 cohort in 2007",
        -0.100811363,
        5e-9,
        TWFEWEIGHTS,
        lambda: group_time(2004, 2007),
    ),
    Case(
        "staggered effects, overall",
        "minimum wage, by municipality-years",
        -0.0399512752,
        5e-10,
        SUNAB,
        lambda: averaged("all"),
    ),
    Case(
        "staggered effects, overall",
        "minimum wage, by cohorts",
        -0.03101828,
        5e-8,
        TWFEWEIGHTS,
        averaged_over_cohorts,
    ),
    Case(
        "staggered event study",
        "third year",
        -0.13725874,
        5e-9,
        SUNAB,
        lambda: averaged("event_time", 2),
    ),
    Case(
        "staggered event study",
        "fourth year",
        -0.10081136,
        5e-9,
        SUNAB,
        lambda: averaged("event_time", 3),
    ),
    Case(
        "staggered effects, analytic error",
        "minimum wage, by municipality-years",
        0.0120340128,
        5e-10,
        DID_ANALYTIC,
        lambda: averaged("all", column="standard_error"),
    ),
    *[
        Case(
            "group-time effects, analytic error",
            f"{cohort} cohort in {year}",
            error,
            5e-11,
            CSDID,
            lambda cohort=cohort, year=year: group_time(cohort, year, "standard_error"),
        )
        for cohort, year, error in (
            (2004, 2007, 0.034359225834673233),
            (2006, 2007, 0.020229180704106838),
            (2007, 2004, 0.015033560280130042),
            (2007, 2007, 0.016655435349252175),
        )
    ],
    *[
        Case(
            "synthetic control with predictors",
            f"California cigarette sales: weight of {state}",
            weight,
            2e-4 if source == MLSYNTH else 2e-3,
            source,
            lambda state=state: matched_weight(state),
        )
        for source, weights in (
            (SYNTH2, (0.334, 0.235, 0.202, 0.161, 0.068)),
            (MLSYNTH, (0.3351, 0.2356, 0.2019, 0.1595, 0.0679)),
        )
        for state, weight in zip(
            ("Utah", "Nevada", "Montana", "Colorado", "Connecticut"), weights, strict=True
        )
    ],
    Case(
        "synthetic control with predictors",
        "California cigarette sales: mean gap",
        -19.0018,
        0.03,  # computed there from weights rounded to three decimals
        SYNTH2,
        lambda: matched_california()["value"],
    ),
    Case(
        "synthetic control with predictors",
        "California cigarette sales: error before",
        1.7557,
        2e-3,
        SYNTH2,
        lambda: matched_california()["pre_rmspe"],
    ),
    Case(
        "placebo rank",
        "California among 39 states",
        1,
        0,
        TIDYSYNTH,
        lambda: float(matched_california()["placebo_rank"]),
    ),
    Case(
        "placebo rank",
        "California among 39 states: p value",
        0.0256,
        5e-5,
        TIDYSYNTH,
        lambda: matched_california()["placebo_p_value"],
    ),
    *[
        Case(
            "Newey-West errors",
            f"growth of investment, four lags: {term}",
            error,
            5e-11,
            NEWEY,
            lambda term=term: investment_errors()[term],
        )
        for term, error in (
            ("output", 0.33125644884286),
            ("interest", 0.29582347593197),
            ("constant", 1.1859338087713),
        )
    ],
    Case(
        "interrupted series",
        "trend after",
        -3.274126,
        5e-6,
        ITSA_POWER,
        lambda: california_interrupted("trend_after", "value"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: rate ratio",
        0.885071547,
        5e-9,
        SICILY,
        lambda: smoking_ban_ratio("value"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: lower limit, normal",
        0.839400956,
        1e-7,
        SICILY,
        lambda: smoking_ban_ratio("lower"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: upper limit, normal",
        0.933227010,
        1e-7,
        SICILY,
        lambda: smoking_ban_ratio("upper"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: standard error of the logarithm",
        0.0270311073,
        2e-8,
        SICILY,
        lambda: smoking_ban_ratio("standard_error"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: ratio per month",
        1.005403768,
        5e-9,
        SICILY,
        lambda: smoking_ban_ratio("value", "trend_ratio"),
    ),
    Case(
        "interrupted counts",
        "smoking ban in Sicily: dispersion",
        2.262186415,
        5e-6,
        SICILY,
        lambda: smoking_ban_ratio("dispersion"),
    ),
    Case(
        "pre-trend test, staggered",
        "p value",
        0.16812,
        5e-6,
        DID,
        lambda: staggered_pretrend_check(*minimum_wage(), inference="wald")["p_value"].item(),
    ),
    Case(
        "difference in differences, cross-sections",
        "incinerator and house prices",
        -11863.9,
        0.05,
        KIELMC,
        lambda: incinerator("value"),
    ),
    Case(
        "difference in differences, cross-sections",
        "incinerator: standard error",
        7456.646,
        0.2,  # the published error of the regression is rounded to whole dollars
        KIELMC,
        lambda: incinerator("standard_error"),
    ),
    Case(
        "difference of changes",
        "employment after the minimum wage rose",
        2.76,
        0.011,
        "Card and Krueger (1994), Am. Econ. Rev. 84, table 3 (its changes are rounded)",
        lambda: fast_food("value"),
    ),
    Case(
        "difference of changes",
        "the same: standard error",
        1.36,
        5e-3,
        "Card and Krueger (1994), Am. Econ. Rev. 84, table 3",
        lambda: fast_food("standard_error"),
    ),
    Case(
        "difference in differences, panel",
        "California cigarette sales",
        -27.349,
        5e-4,
        "R package synthdid, did_estimate (Arkhangelsky et al. 2021, table 1: -27.3)",
        california_difference,
    ),
    Case(
        "difference in differences, permutation",
        "five against five: p value",
        0.07143,
        5e-6,
        COIN,
        lambda: two_groups(SCORES, "permutation", "p_value"),
    ),
    Case(
        "difference in differences, Welch",
        "ten against ten: p value",
        0.07939,
        5e-6,
        WELCH,
        lambda: two_groups(SLEEP, "welch", "p_value"),
    ),
    Case(
        "difference in differences, Welch",
        "ten against ten: lower limit",
        -3.3654832,
        5e-8,
        WELCH,
        lambda: two_groups(SLEEP, "welch", "lower"),
    ),
    Case(
        "difference in differences, Welch",
        "ten against ten: upper limit",
        0.2054832,
        5e-8,
        WELCH,
        lambda: two_groups(SLEEP, "welch", "upper"),
    ),
    Case(
        "synthetic control",
        "California cigarette sales, outcome only",
        -19.6,
        0.15,
        "Arkhangelsky et al. (2021), Am. Econ. Rev. 111, table 1 (solved with a small penalty)",
        california_synthetic,
    ),
    Case(
        "interrupted series",
        "trend before",
        -1.779474,
        5e-6,
        LINDEN,
        lambda: california_interrupted("trend_before", "value"),
    ),
    Case(
        "interrupted series",
        "change of level",
        -20.0581,
        5e-5,
        LINDEN,
        lambda: california_interrupted("level_change", "value"),
    ),
    Case(
        "interrupted series",
        "change of trend",
        -1.494652,
        5e-6,
        LINDEN,
        lambda: california_interrupted("trend_change", "value"),
    ),
    Case(
        "trend",
        "first of four data sets: slope",
        0.5001,
        5e-5,
        ANSCOMBE,
        lambda: anscombe("value"),
    ),
    Case(
        "trend",
        "first of four data sets: standard error",
        0.1179,
        5e-5,
        ANSCOMBE,
        lambda: anscombe("standard_error"),
    ),
    *[
        Case(
            f"{'slope' if index == 'slope_index' else 'relative'} index of inequality",
            f"rates of {year} by fifth: {column}",
            value,
            tolerance,
            SII,
            lambda groups=groups, index=index, column=column: inequality(groups, index, column),
        )
        for year, groups, index, column, value, tolerance in (
            (2010, RATES_2010, "slope_index", "value", -14.848683, 5e-7),
            (2015, RATES_2015, "slope_index", "value", -9.042367, 5e-7),
            (2010, RATES_2010, "relative_index", "value", 0.8956758, 5e-8),
            (2015, RATES_2015, "relative_index", "value", 0.9332670, 5e-8),
            (2010, RATES_2010, "slope_index", "lower", -18.94895, 0.06),  # simulated there
            (2010, RATES_2010, "slope_index", "upper", -10.767618, 0.06),
            (2010, RATES_2010, "relative_index", "lower", 0.8689296, 4e-4),
            (2010, RATES_2010, "relative_index", "upper", 0.9231619, 4e-4),
        )
    ],
    Case(
        "slope index of inequality",
        "births by wealth: as a concentration index",
        4.30052,
        5e-6,
        ACI,
        concentration,
    ),
    *[
        Case(
            "funnel, exact limits",
            f"{count} events, {100 * level:g} %: {column}",
            value,
            2e-4,
            FUNNEL,
            lambda base=base, level=level, column=column: funnel_edge(base, level, column),
        )
        for count, level, column, base, value in (
            (10, 0.95, "lower", 18.39035799, 54.3763205),
            (10, 0.95, "upper", 4.795387629, 208.5337156),
            (10, 0.998, "lower", 24.13397235, 41.43536693),
            (10, 0.998, "upper", 2.960519925, 337.778507),
            (100, 0.95, "lower", 121.6268111, 82.21871402),
            (100, 0.95, "upper", 81.36400699, 122.9044681),
        )
    ],
    Case(
        "wild cluster bootstrap",
        "six clusters, all samples: p value",
        0.03125,
        0,
        WILD,
        lambda: wild_p_value(0.0),
    ),
    *[
        Case(
            "wild cluster bootstrap",
            f"six clusters, all samples: {side}",
            limit,
            1e-4,
            WILD,
            lambda outside=outside: wild_limit(outside),
        )
        for side, limit, outside in (
            ("lower", 0.226920726858, -1.0),
            ("upper", 4.86871767596, 6.0),
        )
    ],
    Case(
        "funnel, dispersion",
        "six units, log scale",
        2.948033,
        5e-7,
        "R package FunnelPlotR, test suite (phi)",
        funnel_dispersion,
    ),
    Case(
        "meta-regression",
        "BCG on latitude: slope",
        -0.0291,
        5e-5,
        METAFOR_MODERATOR,
        lambda: regressed("latitude", "value", "hartung_knapp"),
    ),
    Case(
        "meta-regression",
        "BCG on latitude: standard error",
        0.0082,
        5e-5,
        METAFOR_MODERATOR,
        lambda: regressed("latitude", "standard_error", "hartung_knapp"),
    ),
    Case(
        "meta-regression",
        "BCG on latitude: lower limit",
        -0.0472,
        5e-5,
        METAFOR_MODERATOR,
        lambda: regressed("latitude", "lower", "hartung_knapp"),
    ),
    Case(
        "meta-regression",
        "BCG on latitude: intercept",
        0.2515,
        5e-5,
        METAFOR_MODERATOR,
        lambda: regressed("intercept", "value", "hartung_knapp"),
    ),
    Case(
        "meta-regression",
        "BCG on latitude: tau2 explained, share",
        0.7562,
        1e-4,
        METAFOR_MODERATOR,
        lambda: regressed("latitude", "explained_share", "wald"),
    ),
]

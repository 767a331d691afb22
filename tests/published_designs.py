"""Our values beside published ones: one case for each published number.

The data are those of the published source: typed here where they are few, in ``published/``
where they are many (``published/README.md`` tells where each file is from).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from published_case import Case

from evalkit.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from evalkit.difference_in_differences import (
    cross_section_difference,
    difference_in_differences,
    difference_of_changes,
    group_time_effects,
    staggered_effects,
    staggered_pretrend_check,
)
from evalkit.indicators import funnel_limits, indicator_trend
from evalkit.interrupted_series import interrupted_counts, interrupted_series
from evalkit.pooling import meta_regression, pooled_estimate
from evalkit.synthetic_control import synthetic_control

PUBLISHED = Path(__file__).parent / "published"


# Pooling: the 13 BCG trials of Colditz et al. (1994): cases and non-cases among the vaccinated,
# among the others, and the absolute latitude.
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


def pooled(estimates, column, estimator, interval="wald") -> float:
    result = pooled_estimate(
        estimates, estimator=estimator, interval=interval, confidence_levels=[0.95]
    )
    return result[column].item()


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


def group_time(cohort, year) -> float:
    result = group_time_effects(*minimum_wage(), confidence_levels=[0.95])
    return result.set_index(["first_treated_year", "year"]).loc[(cohort, year), "value"]


def averaged(over, place=None) -> float:
    result = staggered_effects(*minimum_wage(), over=over, confidence_levels=[0.95])
    if place is None:
        return result["value"].item()
    return result.set_index(result.columns[0]).loc[place, "value"]


def incinerator(column) -> float:
    houses = pd.read_csv(PUBLISHED / "kielmc.csv")
    sales = pd.DataFrame(
        {"value": houses["rprice"], "treated": houses["nearinc"], "after": houses["y81"]}
    )
    return cross_section_difference(sales)[column].iloc[0]


def fast_food(column) -> float:
    changes = pd.DataFrame(
        {
            "group": ["treated", "comparison"],
            "value": [0.59, -2.16],
            "standard_error": [0.54, 1.25],
        }
    )
    return difference_of_changes(changes)[column].iloc[0]


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


# Interrupted series
def california_interrupted(term, column) -> float:
    series = smoking().query("municipality_code == 'California'")
    series = series.assign(indicator_id="packs").rename(columns={"year": "period"})
    result = interrupted_series(series, interrupted_at=1989, lag_count=1)
    return result.set_index("term")[column].groupby("term").first()[term]


def sicily(column, season_length=None) -> float:
    months = pd.read_csv(PUBLISHED / "sicily.csv").rename(
        columns={"time": "period", "aces": "count", "stdpop": "base"}
    )
    months = months.assign(municipality_code="sicily", indicator_id="coronary")
    result = interrupted_counts(months, interrupted_at=37, season_length=season_length)
    return result.loc[result["term"] == "rate_ratio", column].iloc[0]


# Indicators
def anscombe(column) -> float:
    first = pd.DataFrame(
        {
            "municipality_code": "first",
            "indicator_id": "anscombe",
            "year": [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5],
            "value": [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68],
        }
    )
    result = indicator_trend(first, confidence_levels=[0.95]).iloc[0]
    if column == "standard_error":
        return (result["upper"] - result["lower"]) / 2 / 2.262157  # t quantile, 9 degrees
    return result[column]


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
METAFOR_MODERATOR = "metafor, rma(yi, vi, mods = ~ ablat, data=dat.bcg, test='knha'), README"
METAFOR_STATA = "metafor test suite, comparison with Stata metan (dat.bcg)"
KACKER = "DerSimonian and Kacker (2007), Contemp. Clin. Trials 28, tables 3 and 4"
KRIPPENDORFF = "Krippendorff (2011), Computing Krippendorff's alpha-reliability"
GWET = "irrCAC (Gwet), overview, cac.raw4raters"
GWET_TABLE = "irrCAC (Gwet), overview, cont3x3abstractors"
SAS = "SAS PROC FREQ output in the statsmodels test suite"
DID = "Callaway and Sant'Anna, R package did, mpdta example without covariates"
LINDEN = "Linden (2015), Stata Journal 15, itsa example, California cigarette sales, lag(1)"
BERNAL = "Lopez Bernal, Cummins and Gasparrini (2017), Int. J. Epidemiol. 46, Sicily"

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
        lambda: np.exp(pooled(bcg("risk_ratio"), "prediction_lower", "reml", "hartung_knapp")),
    ),
    Case(
        "prediction interval",
        "BCG: upper, as a risk ratio",
        1.76,
        5e-3,
        METAFOR_HK,
        lambda: np.exp(pooled(bcg("risk_ratio"), "prediction_upper", "reml", "hartung_knapp")),
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
        "pre-trend test, staggered",
        "p value",
        0.16812,
        5e-6,
        DID,
        lambda: staggered_pretrend_check(*minimum_wage())["p_value"].item(),
    ),
    Case(
        "difference in differences, cross-sections",
        "incinerator and house prices",
        -11863.9,
        0.05,
        "Kiel and McClain (1995) in Wooldridge, Introductory Econometrics, example 13.3",
        lambda: incinerator("value"),
    ),
    Case(
        "difference in differences, cross-sections",
        "incinerator: standard error",
        7456.65,
        0.01,
        "Kiel and McClain (1995) in Wooldridge, Introductory Econometrics, example 13.3",
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
        "interrupted counts",
        "smoking ban: rate ratio",
        0.894,
        5e-4,
        BERNAL,
        lambda: sicily("value"),
    ),
    Case(
        "interrupted counts",
        "smoking ban, season: rate ratio",
        0.885,
        5e-4,
        BERNAL,
        lambda: sicily("value", 12),
    ),
    Case(
        "interrupted counts",
        "smoking ban, season: lower limit",
        0.839,
        5e-4,
        BERNAL,
        lambda: sicily("lower", 12),
    ),
    Case(
        "interrupted counts",
        "smoking ban, season: upper limit",
        0.933,
        5e-4,
        BERNAL,
        lambda: sicily("upper", 12),
    ),
    Case(
        "trend",
        "first of four data sets: slope",
        0.5,
        5e-4,
        "Anscombe (1973), The American Statistician 27, 17-21",
        lambda: anscombe("value"),
    ),
    Case(
        "trend",
        "first of four data sets: standard error",
        0.118,
        5e-4,
        "Anscombe (1973), The American Statistician 27, 17-21",
        lambda: anscombe("standard_error"),
    ),
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

"""Trends, areas, groups and designs of indicators as report tables, refusals among them."""

import numpy as np
import pandas as pd
import pytest

import evalkit as ek

OWN = ek.Municipality("9901", "regnbuvik", "Regnbuvik", "demo")
INDICATORS = pd.DataFrame({"indicator_id": ["fravaer"], "name": ["Høyt fravær"]})
SOURCES = pd.DataFrame({"source": ["evalkit-demo"], "locator": ["generatoren"]})
SHOWN = {"observations": SOURCES, "synthetic": True}
GROUPS = ["Femdel 1", "Femdel 2", "Femdel 3", "Femdel 4"]
LEVEL = {"confidence_levels": (0.95,)}


def text(table):
    """What a reader sees, without the width of the columns."""
    return " ".join(
        f"{table.markdown} {table.source}".replace("\u00a0", " ").replace("\u2060", "").split()
    )


def observations(*rows):
    """(group, year, count, base) of an area; None is the whole."""
    return pd.DataFrame(rows, columns=["group", "period", "numerator", "denominator"]).assign(
        area="Alle", indicator_id="fravaer", municipality_code=None, value=np.nan
    )


FIFTHS = observations(
    *[(group, "2024", count, 100) for group, count in zip(GROUPS, (40, 30, 20, 10), strict=True)],
    (None, "2024", 100, 400),
)


def test_groups_come_in_the_order_given_and_are_no_part_of_the_whole():
    backwards = ek.group_values(FIFTHS, area="Alle", groups=GROUPS[::-1])
    areas = pd.DataFrame({"area": ["Alle"], "county_code": [None]})
    whole = ek.indicator_totals(FIFTHS, areas=areas)

    assert backwards["group"].tolist() == GROUPS[::-1]
    assert backwards["value"].tolist() == [10, 20, 30, 40]
    assert backwards["standard_error"].iloc[1] == pytest.approx(4.0)
    assert whole["numerator"].tolist() == [100]


def test_a_small_group_hides_all_groups_of_its_year_since_they_part_the_whole():
    small = observations(
        *[(group, "2023", count, 100) for group, count in zip(GROUPS, (4, 30, 20, 10), strict=True)]
    )

    rows = ek.group_values(pd.concat([FIFTHS, small]), area="Alle", groups=GROUPS)
    hidden = rows.loc[rows["year"] == 2023]

    assert hidden["reason"].tolist() == ["too_few", *["can_be_derived"] * 3]
    assert hidden[["numerator", "value", "standard_error"]].isna().all(axis=None)
    assert rows.loc[rows["year"] == 2024, "reason"].isna().all()


def test_an_area_without_such_groups_is_refused_by_name():
    with pytest.raises(ek.DataError, match="'Ingen' by group; expected: Femdel 1"):
        ek.group_values(FIFTHS, area="Ingen", groups=GROUPS)


def test_inequality_is_told_as_a_difference_and_a_ratio_and_few_groups_say_why():
    """Values 40, 30, 20 and 10 lie on a line from 45 to 5."""
    values = ek.group_values(FIFTHS, area="Alle", groups=GROUPS)
    named = values.rename(columns={"denominator": "population"})
    by = {"by": ("indicator_id", "year"), **LEVEL}

    shown = text(
        ek.inequality_table(ek.inequality_indices(named, **by), indicators=INDICATORS, **SHOWN)
    )
    few = text(
        ek.inequality_table(
            ek.inequality_indices(named.head(3), **by), indicators=INDICATORS, **SHOWN
        )
    )

    assert "| Høyt fravær | 2024 | 4 | −40,0 |" in shown
    assert "| 0,11 |" in shown
    assert few.count("*opplegget kan ikke svare*") == 2


def test_a_standardised_rate_stands_beside_the_rate_as_it_is():
    """Half the pupils are old the first year and all but a tenth the last; the rates are the same."""
    events = pd.DataFrame(
        {
            "year": [2010, 2010, 2024, 2024],
            "grade": ["ung", "gammel"] * 2,
            "event_count": [10, 40, 2, 72],
            "population_count": [100, 100, 20, 180],
        }
    )
    rates = {"by": ("year",), "per": 100}
    standard = pd.Series({"ung": 100, "gammel": 100})

    shown = ek.standardised_rates_table(
        ek.crude_rate(events, **rates),
        ek.directly_standardised_rate(events, standard=standard, stratum="grade", **rates),
        name="høyt fravær",
        per="100 elever",
        standard="fordelingen i 2010",
        **SHOWN,
    )

    assert "| 2024 | 37,0 |" in text(shown)
    assert "| 25,0 |" in text(shown).split("| 2024 |")[1]
    assert "%" not in shown.markdown
    assert "Standarden er fordelingen i 2010." in text(shown)
    assert shown.caption.startswith("Høyt fravær per 100 elever")


def series(values, code="9901"):
    return pd.DataFrame(
        {
            "municipality_code": code,
            "indicator_id": "fravaer",
            "year": range(2010, 2010 + len(values)),
            "value": values,
        }
    )


def test_a_trend_has_its_interval_and_a_short_series_its_reason():
    values = [9.0, 9.4, 8.8, 9.1, 8.7, 8.9, 8.2, 8.6]
    trends = ek.indicator_trend(series(values), **LEVEL)
    short = ek.indicator_trend(series(values[:3]), **LEVEL)
    given = {"indicators": INDICATORS, **SHOWN}

    shown, refused = (text(ek.trends_table(rows, OWN, **given)) for rows in (trends, short))

    slope = f"{trends['value'].item():.2f}".replace("-", "−").replace(".", ",")
    assert f"| 2010–2017 | 8 | {slope} |" in shown
    assert "t-fordeling" in shown
    assert "*for få år*" in refused
    assert "nan" not in refused


def test_a_municipality_stands_beside_the_rest_of_the_area_without_itself():
    """20 of 100 beside 50 of 400 of all: the rest has 30 of 300."""
    own = series([20.0]).assign(numerator=20.0, denominator=100.0)
    totals = pd.DataFrame(
        {
            "indicator_id": ["fravaer"],
            "year": [2010],
            "value": [12.5],
            "numerator": [50.0],
            "denominator": [400.0],
        }
    )
    areas = ek.indicator_areas(totals, ["9901"])
    hidden = own.assign(value=np.nan, numerator=np.nan, denominator=np.nan)
    given = {"areas": {"all": "resten"}, "indicators": INDICATORS, **SHOWN}

    shown, without = (
        text(
            ek.area_comparison_table(
                ek.comparison_with_areas(rows, areas, areas_contain_municipality=True, **LEVEL),
                OWN,
                **given,
            )
        )
        for rows in (own, hidden)
    )

    assert "| 2010 | 20,0 % | resten | 10,0 % | +10,0 |" in shown
    assert "*mangler*" in without
    assert "12,5" not in without


def test_designs_stand_beside_each_other_and_one_that_cannot_answer_says_why():
    result = {"lower": -3.0, "upper": -1.0, "p_value": 0.01, "smallest_change": 1.4}
    told = {"confidence_level": 0.95, "method": "permutation of treated municipalities"}
    seen = pd.DataFrame([{"value": -2.0, **result, **told, "reason": None}])
    interrupted = ek.interrupted_series(
        series([9.0, 8.0, 9.5, 7.0]).rename(columns={"year": "period"}),
        interrupted_at=2012,
        **LEVEL,
    )

    shown = text(
        ek.designs_table(
            {"forskjell i forskjeller": seen, "avbrutt tidsserie": interrupted},
            indicator="Høyt fravær",
            **SHOWN,
        )
    )

    assert "| Forskjell i forskjeller | −2,0 | −3,0 til −1,0 | 0,010 |" in shown
    assert "| Avbrutt tidsserie | *for få år* |" in shown


def test_a_dose_over_few_municipalities_is_refused_and_over_many_it_is_told():
    draw = np.random.default_rng(3)
    dose = np.arange(8.0)
    estimates = pd.DataFrame(
        {"value": -0.5 * dose + draw.normal(0, 0.1, 8), "standard_error": 0.1, "dose": dose}
    )
    given = {"terms": {"dose": "For hver samling"}, "about": "virkningen etter dose", **SHOWN}

    many, few = (
        text(ek.moderators_table(ek.meta_regression(rows, moderators=["dose"], **LEVEL), **given))
        for rows in (estimates, estimates.head(3))
    )

    assert "| For hver samling | −0,5" in many
    assert "8 kommuner." in many
    assert "*for få kommuner*" in few


def test_those_without_the_measure_never_begin():
    values = pd.concat([series([1.0], code) for code in ("9901", "9902")])

    starts = ek.measure_starts(values, treated=["9902"], treated_from=2020)

    assert starts["municipality_code"].tolist() == ["9901", "9902"]
    assert starts["first_treated_year"].isna().tolist() == [True, False]

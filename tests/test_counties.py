"""Counties beside the area that holds all: compared with, and telling nothing that is hidden."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import evalkit as ek
from evalkit.checks import area_breaches
from evalkit.contracts import CONTRACTS, typed
from evalkit.demo import generate_demo
from evalkit.disclosure import CountTable, relations_of
from evalkit.errors import DataError
from evalkit.municipalities import Municipality
from evalkit.protected_claims import withheld_observations
from evalkit.publication import Publication

AREAS = pd.DataFrame(
    {
        "area": ["Alle", "Fylke 11", "Fylke 12", "Fylke 13"],
        "county_code": [None, "11", "12", "13"],
    }
)
INDICATORS = pd.DataFrame(
    {"indicator_id": ["absence"], "unit": ["percent"], "name": ["Høyt fravær"]}
)
# Three counties; in the last there is one municipality.
PLACES = {
    **{"1101": (3, 100), "1102": (20, 100), "1103": (30, 100)},
    **{"1201": (40, 200), "1202": (50, 200), "1301": (60, 200)},
}


def observed(places, counties=("11", "12", "13"), year="2020"):
    """Observations of the places, each a count and base, of their counties and of all."""
    sums = {"Alle": places} | {
        f"Fylke {county}": {code: told for code, told in places.items() if code[:2] == county}
        for county in counties
    }
    rows = [(code, None, *told) for code, told in places.items()]
    rows += [(None, area, *np.sum(list(held.values()), axis=0)) for area, held in sums.items()]
    table = pd.DataFrame(rows, columns=["municipality_code", "area", "numerator", "denominator"])
    return table.assign(
        observation_id="row",
        indicator_id="absence",
        group=None,
        period=year,
        value=100 * table["numerator"] / table["denominator"],
        source="nf2024",
        locator="s. 1",
    )


def protected(observations, areas=AREAS):
    return ek.protected_indicators(
        ek.yearly_values(observations), totals=ek.indicator_totals(observations, areas=areas)
    )


def shown_of(frame, column):
    return frame.set_index(column)["reason"].to_dict()


def require_safe(values, totals):
    ek.require_safe(ek.audit_publication(Publication(values=values, totals=totals)))


def test_a_hidden_municipality_is_not_told_by_its_county_less_the_others_there():
    values, totals = protected(observed(PLACES))

    assert shown_of(values, "municipality_code") == {
        **{"1101": "too_few", "1102": "can_be_derived", "1103": None},
        **{"1201": None, "1202": None, "1301": None},
    }
    assert totals["reason"].isna().all()
    require_safe(values, totals)


def test_another_county_is_hidden_where_a_county_has_one_municipality():
    """1301 is its county, and all less the other counties would be 1301."""
    values, totals = protected(observed(PLACES | {"1101": (33, 100), "1301": (3, 200)}))
    of_area, of_place = shown_of(totals, "area"), shown_of(values, "municipality_code")
    hidden = totals.set_index("area").loc[["Fylke 12", "Fylke 13"]]

    assert of_area["Fylke 13"] == "too_few"
    assert [reason for reason in of_area.values() if reason == "can_be_derived"] != []
    assert of_area["Alle"] is None
    assert of_place["1301"] == "too_few"
    assert list(of_place.values()).count("can_be_derived") == 1
    assert hidden.loc["Fylke 13", ["value", "numerator"]].isna().all()
    require_safe(values, totals)


def test_a_run_is_caught_that_shows_counties_beside_values_protected_without_them():
    """Where only the whole is thought of, the smallest count of another county is hidden too."""
    given = observed(PLACES | {"1201": (15, 200)})
    whole = ek.indicator_totals(given, areas=AREAS.head(1))
    alone = ek.protected_values(ek.yearly_values(given), totals=whole)

    assert alone.loc[alone["reason"].notna(), "municipality_code"].tolist() == ["1101", "1201"]
    require_safe(alone, whole)
    with pytest.raises(DataError, match="municipality_code=1101"):
        require_safe(alone, ek.indicator_totals(given, areas=AREAS))


def test_a_run_is_caught_that_shows_a_county_from_which_another_can_be_found():
    given = observed(PLACES | {"1101": (33, 100), "1301": (3, 200)})
    values, totals = protected(given)
    true = ek.indicator_totals(given, areas=AREAS)
    beside = totals["reason"].eq("can_be_derived")
    careless = totals.assign(
        numerator=totals["numerator"].mask(beside, true["numerator"]),
        reason=totals["reason"].mask(beside, None),
    )

    with pytest.raises(DataError, match="municipality_code=13"):
        require_safe(values, careless)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_shown_of_random_municipalities_and_counties_tells_nothing_hidden(seed):
    draw = np.random.default_rng(seed)
    places = {}
    for county in ("11", "12", "13"):
        for number in range(int(draw.integers(1, 6))):
            base = int(draw.integers(20, 300))
            places[f"{county}{number + 1:02d}"] = (int(draw.binomial(base, 0.06)), base)
    published = ["11", "12", "13"][: int(draw.integers(0, 4))]

    given = observed(places, published)
    values, totals = protected(given)
    claims = withheld_observations(given, indicators=INDICATORS, areas=AREAS)["reason"]

    require_safe(values, totals)
    hidden = [*values["reason"].notna(), *totals["reason"].notna()]
    assert not (np.array(hidden) & claims.isna()).any()


def test_a_year_in_which_a_county_is_not_published_is_part_of_the_whole():
    """Fylke 11 has no value: its municipalities and the other counties are all there is."""
    cells = pd.DataFrame(
        {"place": ["total", "12", "1101", "1102", "1201"], "count": [10, 6, 1, 3, 6]}
    )
    table = CountTable(
        cells, ["place"], "persons", parents={"place": {"1101": "11", "1102": "11", "1201": "12"}}
    )

    sums = [set(relation.weights) for relation in relations_of(table)]

    assert {
        "persons",
        "persons | place=12",
        "persons | place=1101",
        "persons | place=1102",
    } in sums
    assert {"persons | place=12", "persons | place=1201"} in sums


def test_a_county_that_is_not_the_sum_of_its_municipalities_is_refused():
    given = observed(PLACES)
    given.loc[given["area"] == "Fylke 11", "numerator"] = 54

    with pytest.raises(DataError, match="do not add up"):
        protected(given)


def test_a_county_that_publishes_no_count_is_neither_hidden_nor_part_of_a_sum():
    given = observed(PLACES)
    given.loc[given["area"] == "Fylke 11", ["numerator", "denominator"]] = np.nan

    values, totals = protected(given)

    assert values["reason"].tolist() == ["too_few", "can_be_derived", None, None, None, None]
    assert totals["reason"].isna().all()
    assert totals["municipality_count"].tolist() == [6, 3, 2, 1]
    require_safe(values, totals)


def test_an_area_that_the_study_does_not_name_is_no_sum_of_its_municipalities():
    given = observed(PLACES)
    given.loc[given["area"] == "Alle", "area"] = "Landet"

    assert set(ek.indicator_totals(given, areas=AREAS)["area"]) == {
        "Fylke 11",
        "Fylke 12",
        "Fylke 13",
    }


def compared(code, places=PLACES):
    values, totals = protected(observed(places))
    own = values.loc[values["municipality_code"] == code]
    return ek.comparison_with_areas(
        own,
        ek.indicator_areas(totals, [code]),
        areas_contain_municipality=True,
        confidence_levels=(0.95,),
    ).set_index("area")


FOUR = PLACES | {"1101": (33, 100), "1104": (10, 100)}


def test_a_municipality_stands_beside_the_rest_of_its_county_and_of_all():
    """10 of 100; in the rest of the county 83 of 300, and of all 233 of 900."""
    result = compared("1104", FOUR)

    assert result.index.tolist() == ["county", "all"]
    assert result.loc["county", "area_value"] == pytest.approx(100 * 83 / 300)
    assert result.loc["all", "area_value"] == pytest.approx(100 * 233 / 900)
    lower, upper = ek.newcombe_difference_interval(10, 100, 83, 300)
    assert result.loc["county", ["lower", "upper"]].tolist() == pytest.approx(
        [100 * lower, 100 * upper]
    )


def test_a_county_with_fewer_than_three_others_is_not_compared_with():
    """Two others in county 12, none in 13; of all there are six."""
    for code in ("1201", "1301"):
        result = compared(code, FOUR)

        assert result.loc["county", "reason"] == "too_few_donors"
        assert result.loc["county", ["value", "lower", "upper", "area_value"]].isna().all()
        assert pd.notna(result.loc["all", "value"])
        assert result.loc["all", "reason"] is None


def test_what_is_hidden_says_why_it_is_not_compared():
    of_own = compared("1101")
    hidden_county = ek.comparison_with_areas(
        pd.DataFrame(
            {
                "municipality_code": ["1101"],
                "indicator_id": "absence",
                "year": 2020,
                "value": 20.0,
                "numerator": 20.0,
                "denominator": 100.0,
            }
        ),
        pd.DataFrame(
            {
                "municipality_code": ["1101"],
                "indicator_id": "absence",
                "year": 2020,
                "area": "county",
                "value": np.nan,
                "municipality_count": 5,
                "reason": "can_be_derived",
            }
        ),
        areas_contain_municipality=True,
        confidence_levels=(0.95,),
    )

    assert of_own["reason"].tolist() == ["too_few", "too_few"]
    assert hidden_county["reason"].tolist() == ["can_be_derived"]
    assert hidden_county["value"].isna().all()


def test_the_table_shows_the_county_and_why_there_is_none():
    given = observed(FOUR)
    shown = {"areas": {"county": "resten av fylket", "all": "alle de andre"}}
    told = {"indicators": INDICATORS, "observations": given, "synthetic": True}

    four, alone = (
        ek.area_comparison_table(
            compared(code, FOUR).reset_index(),
            Municipality(code, "vik", "Vik", "region"),
            **shown,
            **told,
        ).body
        for code in ("1104", "1301")
    )

    assert "| resten av fylket | 27,7\xa0% | −17,7 |" in four
    assert "| alle de andre | 25,9\xa0% | −15,9 |" in four
    assert "| 30,0\xa0% | resten av fylket | – | *for få å sammenligne med* | – |" in alone


def test_claims_of_a_county_are_hidden_where_the_report_hides_the_county():
    given = observed(PLACES | {"1101": (33, 100), "1301": (3, 200)})
    values, totals = protected(given)

    claims = withheld_observations(given, indicators=INDICATORS, areas=AREAS)["reason"]

    assert claims.head(6).tolist() == values["reason"].tolist()
    assert claims.tail(4).tolist() == totals["reason"].tolist()
    assert claims.notna().sum() == 4


def test_a_county_twice_and_an_area_without_values_are_breaches():
    areas = AREAS.assign(county_code=[None, "11", "11", "13"])
    given = observed(PLACES, ("11", "12"))

    lines = [line for _, line in area_breaches({"areas": areas, "observations": given})]

    assert lines == [
        "county_code: rows 3, 4 are areas of county 11; expected one",
        "area: 'Fylke 13' in row 5; expected an area of observations.csv",
    ]


@pytest.fixture(scope="module")
def demo():
    return {
        name: typed(table, CONTRACTS[name])
        for name, table in generate_demo(2024, area_count=60).items()
    }


def published(demo):
    return ek.study_publication(
        Publication(),
        codings=demo["codings"].head(0),
        observations=demo["observations"],
        mergers=demo["municipality_changes"],
        areas=demo["areas"],
    )


def test_the_demo_has_seven_counties_and_each_is_the_sum_of_its_municipalities_of_today(demo):
    today = ek.present_day_values(
        ek.yearly_values(demo["observations"]), demo["municipality_changes"]
    )
    totals = ek.indicator_totals(demo["observations"], areas=demo["areas"])
    counties = totals.dropna(subset="county_code")
    keys = ["county_code", "indicator_id", "year"]
    own = today.assign(county_code=today["municipality_code"].str[:2])
    sums = own.groupby(keys)[["numerator", "denominator"]].sum()

    assert demo["areas"]["area"].str.startswith("Demofylket").sum() == 7
    assert counties.set_index(keys)[["numerator", "denominator"]].sort_index().equals(sums)
    assert len(counties) == 7 * 2 * 15


def test_the_demo_passes_with_its_counties_and_is_caught_when_they_are_forgotten(demo):
    safe = published(demo)
    true = ek.indicator_totals(demo["observations"], areas=demo["areas"])
    today = ek.present_day_values(
        ek.yearly_values(demo["observations"]), demo["municipality_changes"]
    )
    without = ek.protected_values(
        today.loc[today["basis"] != "refused"], totals=true.loc[true["county_code"].isna()]
    )
    hidden = safe.totals["reason"].notna()

    ek.require_safe(ek.audit_publication(safe))
    assert hidden.sum() == 4
    with pytest.raises(DataError, match="municipality_code=0991"):
        ek.require_safe(ek.audit_publication(replace(safe, values=without, totals=true)))
    with pytest.raises(DataError, match="municipality_code=0991"):
        ek.require_safe(ek.audit_publication(replace(safe, totals=true)))
    with pytest.raises(DataError, match="municipality_code=0991"):
        ek.require_safe(ek.audit_publication(replace(safe, values=without)))

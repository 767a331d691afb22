import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.grants import grant_summary, population

MUNICIPALITIES = pd.DataFrame(
    {
        "municipality_code": ["0301", "3801"],
        "slug": ["oslo", "horten"],
        "name": ["Oslo", "Horten"],
        "region_id": "ost",
    }
)


def grants(*rows):
    columns = ["grant_id", "municipality_code", "span", "period", "amount_nok"]
    return pd.DataFrame(rows, columns=columns).assign(
        scheme_id=None, kind="granted", qualifier=None, source="plan", locator="s. 1"
    )


def claims(*rows):
    columns = ["subject", "value", "as_of", "chosen"]
    return pd.DataFrame(rows, columns=columns).assign(
        quantity="population", source="ssb", locator="tabell 1"
    )


def summary(table, told=None):
    told = claims() if told is None else told
    return grant_summary(table, claims=told, municipalities=MUNICIPALITIES)


def test_the_amount_per_inhabitant_is_the_total_by_the_inhabitants():
    result = summary(
        grants(("a", "3801", "total", None, 9_700_000.0)), claims(("horten", "27600", "2022", True))
    )

    assert result["nok_per_inhabitant"].item() == pytest.approx(351.449, abs=1e-3)
    assert result["population_source"].item() == "ssb"


def test_without_a_published_total_the_years_are_summed():
    result = summary(grants(("a", "0301", "year", "2020", 2.0), ("b", "0301", "year", "2021", 3.0)))

    assert result["total_nok"].item() == 5.0
    assert result["total_method"].item() == "sum of years"
    assert result["municipality_code"].item() == "0301"


def test_a_published_total_is_used_as_it_stands():
    result = summary(
        grants(
            ("a", "3801", "total", None, 9.7),
            ("b", "3801", "per_year", None, 3.2),
            ("c", "3801", "year", "2020", 1.0),
        )
    )

    assert result["total_nok"].item() == 9.7
    assert result["per_year_nok"].item() == 3.2
    assert result["total_method"].item() == "published"


def test_a_municipality_without_inhabitants_or_grants_is_left_blank_or_out():
    result = summary(grants(("a", "3801", "total", None, 9.7)))

    assert result["municipality_name"].tolist() == ["Horten"]
    assert result["nok_per_inhabitant"].isna().all()


def test_two_totals_for_one_municipality_are_refused():
    twice = grants(("a", "3801", "total", None, 9.7), ("b", "3801", "total", None, 9.6))

    with pytest.raises(DataError, match="more than one amount granted total to 3801"):
        summary(twice)


def test_no_grants_give_no_rows():
    assert summary(grants()).empty


def test_only_chosen_claims_count_and_the_latest_is_used():
    told = claims(
        ("horten", "27300", "2020", True),
        ("horten", "27600", "2022", True),
        ("horten", "99999", "2023", False),
    )

    result = population(told, MUNICIPALITIES)

    assert result["population"].tolist() == [27600]


def by_scheme(*rows):
    given = grants(*(row[:5] for row in rows))
    return given.assign(scheme_id=[row[5] for row in rows])


def test_schemes_are_summed_where_no_total_is_told():
    told = by_scheme(
        ("a", "3801", "total", "2020-2022", 3_000_000.0, "oppvekst"),
        ("b", "3801", "year", "2020", 1_000_000.0, "nav"),
        ("c", "3801", "year", "2021", 500_000.0, "nav"),
        ("d", "0301", "per_year", None, 200_000.0, "nav"),
    )

    result = summary(told).set_index("municipality_code")

    assert result.loc["3801", "total_nok"] == 4_500_000
    assert result.loc["3801", "total_method"] == "sum of schemes"
    assert result.loc["0301", "per_year_nok"] == 200_000


def test_the_total_of_all_schemes_goes_before_their_sum():
    told = by_scheme(
        ("a", "3801", "total", None, 9.7, None), ("b", "3801", "total", None, 4.0, "nav")
    )

    assert summary(told)["total_nok"].item() == 9.7

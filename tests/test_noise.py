"""Counts that their publisher perturbs: totals that are not the sums of their parts."""

import pandas as pd
import pytest

from evalkit.checks import percentage_breaches
from evalkit.disclosure import TOTAL, CountTable, audit, protect
from evalkit.errors import DataError
from evalkit.preparation import indicator_noise, protected_indicators

PLACES = ["1101", "1102", "1103", TOTAL]


def perturbed(*counts, noise):
    """Counts of three municipalities and all of them, each at most ``noise`` from the true one."""
    cells = pd.DataFrame({"municipality_code": PLACES, "count": counts, "noise": noise})
    return CountTable(cells, ("municipality_code",), "users")


def test_a_total_within_the_stated_noise_is_no_contradiction():
    with pytest.raises(DataError, match="do not add up"):
        protect([perturbed(20, 30, 40, 93, noise=0)])

    assert not protect([perturbed(20, 30, 40, 93, noise=1)])["hidden"].any()


def test_a_total_beyond_the_stated_noise_is_one_still():
    with pytest.raises(DataError, match="off by -5"):
        protect([perturbed(20, 30, 40, 95, noise=1)])


def test_noise_alone_hides_no_count():
    """93 less 30 and 40 is 23: all but what the publisher added, so another is hidden too."""
    counts = perturbed(3, 30, 40, 76, noise=2)

    plan = protect([counts]).set_index("cell")["hidden"]

    assert plan.sum() == 2
    cells = counts.cells.assign(count=[None, 30.0, 40.0, 76.0]).astype({"count": float})
    careless = audit([CountTable(cells, ("municipality_code",), "users")])
    assert careless["upper"].item() - careless["lower"].item() > 4
    assert not careless["safe"].item()


def observed(source="perturbed"):
    return pd.DataFrame(
        {"indicator_id": ["absence", "absence", "jobs"], "source": [source, "exact", "exact"]}
    )


NOISE = pd.DataFrame({"noisy_source": ["perturbed"], "width": [2.0]})


def test_an_indicator_has_the_noise_of_its_sources():
    assert indicator_noise(observed(), NOISE) == {"absence": 2.0}
    assert indicator_noise(observed("exact"), NOISE) == {}
    assert indicator_noise(observed(), None) == {}


def yearly(*rows):
    return pd.DataFrame(
        [(code, "absence", 2020, 10.0, count, base) for code, count, base in rows],
        columns=["municipality_code", "indicator_id", "year", "value", "numerator", "denominator"],
    )


def test_indicators_of_a_perturbed_source_are_protected_beside_their_area():
    values = yearly(("1101", 3.0, 40.0), ("1102", 20.0, 60.0), ("1103", 30.0, 80.0))
    total = yearly(("", 54.0, 182.0)).drop(columns="municipality_code")

    with pytest.raises(DataError, match="do not add up"):
        protected_indicators(values, totals=total)
    shown, sums = protected_indicators(values, totals=total, noise={"absence": 2.0})

    assert shown["reason"].notna().sum() == 2
    assert sums["numerator"].item() == 54


def test_a_perturbed_count_may_be_above_its_perturbed_base():
    table = pd.DataFrame(
        {
            "numerator": [12.0, 20.0],
            "denominator": [10.0, 10.0],
            "source": ["perturbed", "perturbed"],
        }
    )
    exact = list(percentage_breaches({"observations": table}))
    perturbed_too = list(percentage_breaches({"observations": table, "noise": NOISE}))

    assert len(exact) == 2
    assert ["row 3" in line for _, line in perturbed_too] == [True]


def test_a_total_that_stands_in_a_second_table_is_counted_with():
    parts = pd.DataFrame({"service": ["a", "b"], "count": [None, 20.0]}).astype({"count": float})
    total = pd.DataFrame({"service": [TOTAL], "count": [23.0]})

    audited = audit(
        [CountTable(parts, ("service",), "users"), CountTable(total, ("service",), "users")]
    )

    assert audited[["lower", "upper"]].to_numpy().tolist() == [[3, 3]]
    assert not audited["safe"].item()

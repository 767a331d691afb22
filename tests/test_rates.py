import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.rates import (
    crude_rate,
    directly_standardised_rate,
    indirectly_standardised_rate,
    indirectly_standardised_ratio,
)
from evalkit.uncertainty import exact_poisson_interval

EVENTS = pd.DataFrame(
    {
        "municipality_code": ["0301"] * 2 + ["1103"] * 2,
        "age_group": ["young", "old"] * 2,
        "event_count": [10, 20, 2, 3],
        "population_count": [1000, 500, 400, 100],
    }
)
STANDARD = pd.Series({"young": 600.0, "old": 400.0})


def test_a_crude_rate_is_events_per_person_years():
    rows = crude_rate(EVENTS, per=1000).set_index("municipality_code")

    assert rows["value"].tolist() == [20, 10]
    assert rows["method"].tolist() == ["Byar", "exact Poisson"]
    assert rows.loc["1103", "upper"] == pytest.approx(exact_poisson_interval(5)[1] * 2)


def test_a_direct_rate_weighs_each_age_group_as_the_standard_does():
    row = directly_standardised_rate(EVENTS, standard=STANDARD, per=1000).iloc[0]

    assert row["value"] == pytest.approx(0.6 * 10 + 0.4 * 40)
    assert row["lower"] < row["value"] < row["upper"]


def test_with_the_municipality_as_its_own_standard_dobson_is_byar():
    own = pd.Series({"young": 1000.0, "old": 500.0})

    direct = directly_standardised_rate(EVENTS.iloc[:2], standard=own).iloc[0]
    crude = crude_rate(EVENTS.iloc[:2]).iloc[0]

    assert direct[["value", "lower", "upper"]].tolist() == pytest.approx(
        crude[["value", "lower", "upper"]].tolist()
    )


def test_a_direct_rate_of_under_ten_events_is_withheld():
    row = directly_standardised_rate(EVENTS, standard=STANDARD).iloc[1]

    assert row["reason"] == "too_few"
    assert np.isnan(row["value"])
    assert row["count"] == 5


def test_both_levels_come_from_one_call():
    rows = directly_standardised_rate(
        EVENTS.iloc[:2], standard=STANDARD, confidence_levels=(0.95, 0.998)
    )

    assert rows["confidence_level"].tolist() == [0.95, 0.998]
    assert rows["lower"].is_monotonic_decreasing


def test_a_ratio_of_1_means_as_many_as_expected():
    reference = pd.DataFrame(
        {"age_group": ["young", "old"], "event_count": [10, 40], "population_count": [1000, 1000]}
    )

    rows = indirectly_standardised_ratio(EVENTS, reference=reference)

    assert rows["expected_count"].tolist() == [30, 8]
    assert rows["value"].tolist() == [1, 5 / 8]
    assert rows["method"].tolist() == ["Byar", "exact Poisson"]


def test_an_indirect_rate_is_the_ratio_times_the_reference_rate():
    reference = pd.DataFrame(
        {"age_group": ["young", "old"], "event_count": [10, 40], "population_count": [1000, 1000]}
    )

    rows = indirectly_standardised_rate(EVENTS, reference=reference, per=1000)

    assert rows["value"].iloc[0] == pytest.approx(25)


REFERENCE = pd.DataFrame(
    {"age_group": ["young", "old"], "event_count": [10, 40], "population_count": [1000, 1000]}
)


def larger(**columns):
    """Two municipalities of thirty events, some numbers changed."""
    return EVENTS.assign(event_count=[10, 20, 10, 20], **columns)


@pytest.mark.parametrize(
    "events",
    [
        larger().iloc[1:],
        larger(population_count=[np.nan, 500, 400, 100]),
        larger(population_count=[0, 500, 400, 100]),
        larger().assign(event_count=[np.nan, 20, 10, 20]),
    ],
)
def test_a_municipality_without_all_its_numbers_is_withheld_and_the_others_are_not(events):
    rows = directly_standardised_rate(events, standard=STANDARD)

    assert rows["municipality_code"].tolist() == ["0301", "1103"]
    assert rows["reason"].tolist() == ["missing", None]
    assert rows.loc[0, ["value", "lower", "upper"]].isna().all()
    assert rows.loc[1, ["value", "lower", "upper"]].notna().all()


@pytest.mark.parametrize(
    "events", [EVENTS.iloc[1:], EVENTS.assign(population_count=[np.nan, 500, 400, 100])]
)
def test_a_blank_age_group_leaves_what_is_expected_unknown(events):
    rows = indirectly_standardised_ratio(events, reference=REFERENCE)

    assert rows["reason"].tolist() == ["missing", None]
    assert rows["expected_count"].isna().tolist() == [True, False]


@pytest.mark.parametrize("blank", [{"event_count": [10, np.nan]}, {"population_count": [1000, 0]}])
def test_a_reference_without_a_rate_where_somebody_lives_is_refused(blank):
    with pytest.raises(DataError, match=r"nobody in age_group \['old'\]"):
        indirectly_standardised_ratio(EVENTS, reference=REFERENCE.assign(**blank))


def test_a_reference_may_lack_a_rate_where_nobody_lives():
    nobody_old = EVENTS.assign(population_count=[1000, 0, 400, 0])

    rows = indirectly_standardised_ratio(
        nobody_old, reference=REFERENCE.assign(population_count=[1000, 0])
    )

    assert rows["expected_count"].tolist() == [10, 4]


def test_a_blank_count_is_missing_and_has_no_method():
    rows = crude_rate(EVENTS.assign(event_count=[10, np.nan, 2, 3]))

    assert rows["reason"].tolist() == ["missing", None]
    assert rows["method"].tolist() == ["none", "exact Poisson"]


def test_a_reference_with_an_age_group_twice_is_refused():
    with pytest.raises(DataError, match="same age_group twice"):
        indirectly_standardised_ratio(EVENTS, reference=pd.concat([REFERENCE, REFERENCE]))

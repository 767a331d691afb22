import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.bootstrap import bootstrap_change
from evalkit.errors import DataError
from evalkit.reasons import RESULT_COLUMNS
from evalkit.survey import share_change


def waves(before, after, *, second_id=0):
    """Two waves of one item; the n-th answers are one person unless ``second_id`` says otherwise."""
    return pd.DataFrame(
        {
            "municipality_code": "0301",
            "item": "plan",
            "wave": [0] * len(before) + [1] * len(after),
            "respondent_id": [f"p{n}" for n in range(len(before))]
            + [f"p{second_id + n}" for n in range(len(after))],
            "score": [*before, *after],
        }
    )


def scores(seed, count, shift=0.0):
    draws = np.random.default_rng(seed)
    return np.clip(np.round(3 + shift + draws.normal(size=count)), 1, 5)


@pytest.mark.parametrize("paired", [True, False])
def test_the_limits_are_those_of_scipy_for_the_same_draw_of_persons(paired):
    first = scores(1, 80)
    second = np.clip(first + scores(2, 80) - 3, 1, 5) if paired else scores(2, 70, 0.4)
    table = waves(first, second, second_id=0 if paired else 1000)

    row = bootstrap_change(table, seed=3, measure="mean", replicate_count=20_000).iloc[0]

    theirs = stats.bootstrap(
        (second, first),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        paired=paired,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(4),
    )
    limits = [theirs.confidence_interval.low, theirs.confidence_interval.high]
    assert [row["lower"], row["upper"]] == pytest.approx(limits, abs=0.02)
    assert row["value"] == pytest.approx(second.mean() - first.mean())


def test_the_change_is_that_of_the_closed_form_and_the_limits_are_near():
    table = pd.concat(
        [waves(scores(n, 200), scores(n + 50, 200, 0.3)).assign(item=f"q{n}") for n in range(5)]
    )

    drawn = bootstrap_change(table, seed=1, replicate_count=4000)
    closed = share_change(table, linkage="linked")

    assert drawn["value"].tolist() == pytest.approx(closed["value"].tolist())
    assert drawn["base"].tolist() == closed["after_base"].tolist()
    for limit in ("lower", "upper"):
        assert drawn[limit].tolist() == pytest.approx(closed[limit].tolist(), abs=0.02)
    assert set(RESULT_COLUMNS) <= set(drawn)


def test_the_same_seed_gives_the_same_limits_and_another_seed_others():
    table = waves(scores(1, 50), scores(2, 50))

    first, again, other = (bootstrap_change(table, seed=seed) for seed in (1, 1, 2))

    pd.testing.assert_frame_equal(first, again)
    assert first["lower"].item() != other["lower"].item()


def test_services_whose_answers_go_together_give_wider_limits():
    draws = np.random.default_rng(5)
    service = np.repeat(np.arange(20), 10)
    shift = draws.integers(-1, 2, size=20)[service]
    table = waves(
        np.clip(np.round(3 + draws.normal(size=200)), 1, 5), np.clip(scores(1, 200) + shift, 1, 5)
    )
    table["service"] = np.tile(service, 2).astype(str)

    persons = bootstrap_change(table, seed=1, measure="mean").iloc[0]
    services = bootstrap_change(table, seed=1, measure="mean", cluster="service").iloc[0]

    assert services["value"] == pytest.approx(persons["value"])
    assert services["upper"] - services["lower"] > 1.5 * (persons["upper"] - persons["lower"])
    assert "service drawn" in services["method"]


def test_few_services_give_a_value_without_limits():
    table = waves(scores(1, 40), scores(2, 40)).assign(service=["a", "b"] * 40)

    row = bootstrap_change(table, seed=1, cluster="service").iloc[0]

    assert row["reason"] == "too_few_clusters"
    assert np.isnan(row["lower"])
    assert row["value"] == row["value"]


def test_few_answers_give_a_reason_and_no_number():
    row = bootstrap_change(waves([1, 5, 5], [5, 5, 5]), seed=1).iloc[0]

    assert row["reason"] == "base_too_small"
    assert row[["value", "lower", "upper"]].isna().all()


def test_two_answers_of_one_person_in_one_wave_are_refused():
    doubled = pd.concat([waves([5], [5]), waves([1], [])])

    with pytest.raises(DataError, match="the same municipality_code, wave, respondent_id and item"):
        bootstrap_change(doubled, seed=1)


def test_an_unknown_measure_is_refused():
    with pytest.raises(DataError, match="expected one of: share, mean"):
        bootstrap_change(waves([5], [5]), seed=1, measure="median")


@pytest.mark.parametrize(("before", "after"), [(5, 5), (5, 1)])
def test_answers_that_never_vary_have_a_change_without_limits(before, after):
    row = bootstrap_change(waves([before] * 12, [after] * 12), seed=1).iloc[0]

    assert row["value"] == (after > 3) - (before > 3)
    assert row["reason"] == "design_cannot_answer"
    assert row[["lower", "upper"]].isna().all()


def test_an_item_of_blanks_keeps_its_row_with_a_reason():
    blank = waves([None] * 12, [None] * 12)

    alone = bootstrap_change(blank, seed=1, confidence_levels=(0.95, 0.998))
    beside = bootstrap_change(
        pd.concat([waves(scores(1, 20), scores(2, 20)), blank.assign(item="time")]), seed=1
    )

    assert alone["reason"].tolist() == ["missing", "missing"]
    assert beside["item"].tolist() == ["plan", "time"]
    assert beside["reason"].tolist() == [None, "missing"]
    assert beside["base"].tolist() == [20, 0]
    assert set(RESULT_COLUMNS) <= set(alone)


def test_a_reworded_item_is_refused_with_its_reason():
    table = waves(scores(1, 20), scores(2, 20))
    asked = pd.DataFrame(
        {
            "municipality_code": "0301",
            "wave": [0, 1] * 2,
            "item": ["plan"] * 2 + ["time"] * 2,
            "status": ["same", "same", "same", "reworded"],
        }
    )

    rows = bootstrap_change(pd.concat([table, table.assign(item="time")]), seed=1, crosswalk=asked)

    assert rows["reason"].tolist() == [None, "not_comparable"]
    assert rows["explanation"].tolist() == [None, "asked in other words"]
    assert rows["value"].isna().tolist() == [False, True]

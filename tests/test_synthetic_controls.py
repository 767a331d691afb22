import time

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.synthetic_controls import (
    synthetic_control,
    synthetic_control_path,
    synthetic_control_weights,
)

YEARS = np.arange(2005, 2021)


def panel(donor_count=20, effect=0.0, seed=1, noise=1.0):
    """One treated municipality, an even mix of the first two donors, and its donors."""
    generator = np.random.default_rng(seed)
    shapes = generator.normal(size=(3, len(YEARS))).cumsum(axis=1) * 3
    donors = generator.dirichlet(np.ones(3), size=donor_count) @ shapes
    donors = 100 + donors + noise * generator.normal(size=donors.shape)
    own = (donors[0] + donors[1]) / 2 + effect * (YEARS >= 2015)
    table = pd.DataFrame(np.vstack([own, donors]), columns=YEARS)
    table.insert(0, "municipality_code", [f"{n:04d}" for n in range(donor_count + 1)])
    values = table.melt(id_vars="municipality_code", var_name="year", value_name="value")
    return values.astype({"year": int}), table["municipality_code"].tolist()[1:]


def test_an_exact_mix_is_found():
    values, donors = panel()

    weights = synthetic_control_weights(
        values, municipality_code="0000", treated_from=2015, donors=donors
    ).set_index("donor_code")["weight"]

    assert weights.sum() == pytest.approx(1.0)
    assert weights[["0001", "0002"]].tolist() == pytest.approx([0.5, 0.5], abs=1e-4)


def test_the_effect_is_the_gap_after_the_change():
    values, donors = panel(effect=7.0)

    result = synthetic_control(values, treated=["0000"], treated_from=2015, donors=donors).iloc[0]

    assert result["value"] == pytest.approx(7.0, abs=1e-2)
    assert result["placebo_rank"] == 1
    assert result["placebo_p_value"] == pytest.approx(1 / 21)
    assert result["donor_count"] == 20


def test_the_path_holds_the_gap_of_every_year():
    values, donors = panel(effect=7.0)
    weights = synthetic_control_weights(
        values, municipality_code="0000", treated_from=2015, donors=donors
    )

    path = synthetic_control_path(values, weights)

    assert path.loc[path["year"] < 2015, "gap"].abs().max() < 0.05
    assert path.loc[path["year"] >= 2015, "gap"].tolist() == pytest.approx([7.0] * 6, abs=0.05)


def test_the_weights_fit_no_worse_than_those_of_pysyncon():
    synth = pytest.importorskip("pysyncon").Synth()
    values, donors = panel(donor_count=25, noise=4.0, seed=3)
    table = values.pivot(index="year", columns="municipality_code", values="value").loc[:2014]
    own = table["0003"]
    others = [code for code in donors if code != "0003"]

    weights = synthetic_control_weights(
        values, municipality_code="0003", treated_from=2015, donors=others
    ).set_index("donor_code")["weight"]

    same_scale = np.full(len(table), 1 / len(table))
    synth.fit(X0=table[others], X1=own, Z0=table[others], Z1=own, custom_V=same_scale)
    ours = np.sqrt(((own - table[others] @ weights[others]) ** 2).mean())
    theirs = np.sqrt(((own.to_numpy() - table[others].to_numpy() @ synth.W) ** 2).mean())
    assert ours <= theirs + 1e-6
    assert ours == pytest.approx(theirs, rel=0.05)


def test_no_other_mix_of_two_donors_fits_better():
    values, _ = panel(noise=5.0, seed=5)
    table = values.pivot(index="year", columns="municipality_code", values="value").loc[:2014]

    weights = synthetic_control_weights(
        values, municipality_code="0004", treated_from=2015, donors=["0001", "0002"]
    ).set_index("donor_code")["weight"]

    shares = np.linspace(0, 1, 1001)
    mixes = np.outer(table["0001"], shares) + np.outer(table["0002"], 1 - shares)
    errors = ((table["0004"].to_numpy()[:, None] - mixes) ** 2).sum(axis=0)
    assert weights["0001"] == pytest.approx(shares[errors.argmin()], abs=1e-3)


def test_predictors_choose_the_mix_when_given():
    values, donors = panel()
    predictors = predictors_of(values)

    weights = synthetic_control_weights(
        values, municipality_code="0000", treated_from=2015, donors=donors, predictors=predictors
    )

    assert weights["weight"].sum() == pytest.approx(1.0)
    path = synthetic_control_path(values, weights)
    assert path.loc[path["year"] < 2015, "gap"].abs().mean() < 1.0


def test_too_few_donors_are_refused():
    values, donors = panel(donor_count=5)

    result = synthetic_control(values, treated=["0000"], treated_from=2015, donors=donors)

    assert result["reason"].tolist() == ["too_few_donors"]
    assert result["value"].isna().all()
    assert result["donor_count"].tolist() == [5]


def test_too_few_years_before_are_refused():
    values, donors = panel()

    result = synthetic_control(values, treated=["0000"], treated_from=2008, donors=donors)

    assert set(result["reason"]) == {"too_few_periods"}


def test_a_municipality_without_values_is_missing():
    values, donors = panel()

    result = synthetic_control(values, treated=["9999"], treated_from=2015, donors=donors)

    assert set(result["reason"]) == {"missing"}


def test_a_level_that_the_donors_cannot_reach_has_no_limits():
    values, donors = panel(donor_count=20, effect=7.0)

    result = synthetic_control(
        values,
        treated=["0000"],
        treated_from=2015,
        donors=donors,
        confidence_levels=(0.95, 0.998),
    )

    assert result["lower"].notna().tolist() == [True, False]
    assert result["reason"].isna().tolist() == [True, False]
    assert result["value"].notna().all()


def test_placebos_that_can_be_copied_exactly_are_no_division_by_rounding():
    values, donors = panel(donor_count=120, noise=0.0)
    own = values["municipality_code"].eq("0000")
    noise = np.random.default_rng(2).normal(size=len(values))
    before = values["year"] < 2015
    values["value"] += noise * before * (own | values["municipality_code"].isin(donors[:4]))
    values["value"] += noise * ~before

    result = synthetic_control(
        values, treated=["0000"], treated_from=2015, donors=donors, confidence_levels=[0.95]
    ).iloc[0]

    assert result["method"].endswith("gaps not scaled: exact fit before")  # of most
    assert result["upper"] - result["lower"] < 10  # and not millions
    assert result["lower"] < result["value"] < result["upper"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("effect", [0.0, 3.0])
def test_no_effect_is_outside_the_limits_exactly_where_the_placebo_test_says_so(seed, effect):
    """Rank and limits are one test: at each limit the p value turns."""
    values, donors = panel(donor_count=19, effect=effect, seed=seed, noise=2.0)
    values["value"] += np.random.default_rng(seed).normal(size=len(values))
    asked = {"treated": ["0000"], "treated_from": 2015, "donors": donors}
    after = values["municipality_code"].eq("0000") & (values["year"] >= 2015)

    def p_value(removed):
        changed = values.assign(value=values["value"] - removed * after)
        return synthetic_control(changed, **asked)["placebo_p_value"].item()

    row = synthetic_control(values, **asked, confidence_levels=[0.8]).iloc[0]

    assert (not row["lower"] <= 0 <= row["upper"]) == (row["placebo_p_value"] <= 0.2)
    for limit, outward in ((row["lower"], -1), (row["upper"], 1)):
        if not np.isnan(limit):
            assert p_value(limit - outward * 1e-6) > 0.2
            assert p_value(limit + outward * 1e-6) <= 0.2


def test_a_donor_listed_twice_is_refused_by_its_code():
    values, donors = panel()
    asked = {"treated_from": 2015, "donors": [*donors, "0003"]}

    with pytest.raises(DataError, match="0003: more than once in the same list"):
        synthetic_control(values, treated=["0000"], **asked)
    with pytest.raises(DataError, match="0003: more than once in the same list"):
        synthetic_control_weights(values, municipality_code="0000", **asked)
    with pytest.raises(DataError, match="0000: more than once in the same list"):
        synthetic_control(values, treated=["0000"] * 2, treated_from=2015, donors=donors)


def with_donors(values, **series):
    more = [
        pd.DataFrame({"municipality_code": code, "year": YEARS, "value": value})
        for code, value in series.items()
    ]
    return pd.concat([values, *more], ignore_index=True)


def ranked(values, donors):
    return synthetic_control(values, treated=["0000"], treated_from=2015, donors=donors).iloc[0]


def error_ratio(values, code, donors):
    """Error after over error before, of a municipality from the mix of the others."""
    others = [donor for donor in donors if donor != code]
    weights = synthetic_control_weights(
        values, municipality_code=code, treated_from=2015, donors=others
    )
    path = synthetic_control_path(values, weights)
    square = path["gap"] ** 2
    after = path["year"] >= 2015
    return np.sqrt(square[after].mean() / square[~after].mean())


def test_two_donors_of_nothing_but_noughts_are_ranked_last_and_change_no_other_ratio():
    """They copy each other before and after the change: no error at all."""
    values, own = panel(donor_count=20, effect=1.0, seed=3, noise=2.0)
    values["value"] += np.random.default_rng(9).normal(size=len(values))
    values = with_donors(values, **{"9001": 0.0, "9002": 0.0})
    donors = [*own, "9001", "9002"]

    result = ranked(values, donors)

    ratios = np.array([error_ratio(values, code, donors) for code in own])
    expected = 1 + (ratios >= error_ratio(values, "0000", donors)).sum()
    assert result["placebo_rank"] == expected
    assert result["placebo_p_value"] == pytest.approx(expected / 23)
    assert "2 with exact fit before" in result["method"]


def test_one_placebo_that_is_copied_exactly_changes_its_own_place_alone():
    """A donor midway between two others before the change: its fit is 0 and theirs are not."""
    values, donors = panel(donor_count=20, effect=1.0, seed=3, noise=2.0)
    far = {"9001": 300.0 + 5 * np.arange(16), "9002": 400.0 - 3 * np.arange(16)}
    midway = (far["9001"] + far["9002"]) / 2 + np.where(YEARS >= 2015, 0.001, 0.0)
    more = with_donors(values, **far)
    exact = with_donors(more, **{"9003": midway})

    rank = ranked(more, [*donors, *far])["placebo_rank"]
    with_exact = ranked(exact, [*donors, *far, "9003"])["placebo_rank"]

    assert with_exact == rank


def test_a_treated_municipality_is_no_donor():
    values, donors = panel()

    with pytest.raises(DataError, match="0001: both treated and donors"):
        synthetic_control(values, treated=["0001"], treated_from=2015, donors=donors)


def test_placebos_over_356_donors_take_under_a_second():
    values, donors = panel(donor_count=356)
    started = time.process_time()

    synthetic_control(values, treated=["0000"], treated_from=2015, donors=donors)

    assert time.process_time() - started < 1  # a fifth of a second on a quiet machine


def predictors_of(values):
    early = values[values["year"] < 2015].groupby("municipality_code")["value"]
    return early.agg(["mean", "first", "last"]).reset_index()


def test_with_predictors_the_estimate_is_the_mean_gap_of_the_weights_they_give():
    values, donors = panel(noise=3.0, effect=15.0)
    predictors = predictors_of(values)
    asked = {"treated_from": 2015, "donors": donors, "predictors": predictors}

    result = synthetic_control(values, treated=["0000"], **asked).iloc[0]

    weights = synthetic_control_weights(values, municipality_code="0000", **asked)
    path = synthetic_control_path(values, weights)
    assert result["value"] == pytest.approx(path.loc[path["year"] >= 2015, "gap"].mean())
    assert result["placebo_rank"] == 1
    assert "predictors" in result["method"]


def test_a_placebo_with_predictors_is_a_donor_matched_on_the_other_donors():
    values, (own, *donors) = panel(donor_count=13, noise=3.0)
    predictors = predictors_of(values)

    result = synthetic_control(
        values, treated=[own], treated_from=2015, donors=donors, predictors=predictors
    ).iloc[0]

    def ratio(code):
        others = [donor for donor in donors if donor != code]
        weights = synthetic_control_weights(
            values,
            municipality_code=code,
            treated_from=2015,
            donors=others,
            predictors=predictors,
        )
        path = synthetic_control_path(values, weights)
        square = path["gap"] ** 2
        after = path["year"] >= 2015
        return square[after].mean() / square[~after].mean()

    ranks = 1 + sum(ratio(code) >= ratio(own) for code in donors)
    assert result["placebo_rank"] == ranks


def test_a_donor_without_predictors_is_left_out():
    values, donors = panel()
    predictors = predictors_of(values).query("municipality_code != '0005'")

    result = synthetic_control(
        values, treated=["0000"], treated_from=2015, donors=donors, predictors=predictors
    )

    assert result["donor_count"].tolist() == [19]


def test_a_municipality_without_predictors_is_missing():
    values, donors = panel()
    predictors = predictors_of(values).query("municipality_code != '0000'")

    result = synthetic_control(
        values, treated=["0000"], treated_from=2015, donors=donors, predictors=predictors
    )

    assert set(result["reason"]) == {"missing"}


def test_a_predictor_that_does_not_vary_is_named():
    values, donors = panel()

    with pytest.raises(DataError, match="no variation among the donors in mean"):
        synthetic_control(
            values,
            treated=["0000"],
            treated_from=2015,
            donors=donors,
            predictors=predictors_of(values).assign(mean=1.0),
        )


def test_a_real_series_is_ranked_among_all_municipalities_with_a_full_series(shared_data):
    table = pd.read_csv(
        shared_data / "indicators" / "ssb05065_user_payments_homecare_2003_2016.csv",
        dtype={"knr": str},
    ).rename(columns={"knr": "municipality_code", "user_payment_hbc": "value"})
    codes = sorted(table["municipality_code"].unique())

    result = synthetic_control(
        table, treated=codes[:1], treated_from=2012, donors=codes[1:], confidence_levels=[0.95]
    ).iloc[0]

    assert result["donor_count"] > 200
    assert 1 <= result["placebo_rank"] <= result["donor_count"] + 1
    assert result["lower"] < result["value"] < result["upper"]


def test_a_municipality_and_year_in_two_rows_is_refused_by_row():
    values, donors = panel_of_copies()
    twice = pd.concat([values, values.iloc[[1]]])

    with pytest.raises(DataError, match="rows 3, 211: the same"):
        synthetic_control(twice, treated=["0000"], treated_from=2015, donors=donors)


def test_placebos_without_any_gap_give_no_limits():
    values, donors = panel_of_copies()
    values.loc[(values["municipality_code"] == "0000") & (values["year"] >= 2015), "value"] += 3

    result = synthetic_control(
        values, treated=["0000"], treated_from=2015, donors=donors, confidence_levels=[0.9]
    ).iloc[0]

    assert result["value"] == pytest.approx(3.0)
    assert result["reason"] == "design_cannot_answer"
    assert np.isnan(result["lower"])
    assert [result["count"], result["base"]] == [12, 13]


def panel_of_copies():
    """Thirteen municipalities that all follow the same line, one of the donors with a gap."""
    codes = [f"{number:04d}" for number in range(14)]
    values = pd.DataFrame(
        [(code, year, float(year)) for code in codes for year in range(2005, 2020)],
        columns=["municipality_code", "year", "value"],
    )
    gap = (values["municipality_code"] == "0013") & (values["year"] == 2010)
    return values.loc[~gap].reset_index(drop=True), codes[1:]

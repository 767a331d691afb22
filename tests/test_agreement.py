import krippendorff
import numpy as np
import pandas as pd
import pytest

from evalkit.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from evalkit.errors import DataError


def codings(*coders):
    return pd.DataFrame(
        [
            (unit, f"coder{place}", code)
            for place, codes in enumerate(coders, start=1)
            for unit, code in enumerate(codes)
        ],
        columns=["unit", "coder", "code"],
    )


FIRST = [1, 1, 2, 2, 3, 3, 1, 2, 3, 1, 2, 3]
SECOND = [1, 2, 2, 2, 3, 3, 1, 1, 3, 1, 2, 3]
THIRD = [1, 1, 2, 3, 3, 3, 1, 2, 3, np.nan, 2, 3]


def test_full_agreement_is_one():
    for agreement in (krippendorff_alpha, cohen_kappa, fleiss_kappa):
        result = agreement(codings(FIRST, FIRST))

        assert result["value"].tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("measurement", ["nominal", "ordinal", "interval", "ratio"])
def test_the_bootstrap_recomputes_the_same_alpha_as_the_library(measurement):
    """With every unit drawn many times over, the median replicate is near the value."""
    many = codings(FIRST * 40, SECOND * 40, THIRD * 40)

    result = krippendorff_alpha(many, measurement=measurement, replicate_count=400).iloc[0]

    wide = many.pivot(index="coder", columns="unit", values="code").to_numpy()
    library = krippendorff.alpha(wide, level_of_measurement=measurement)
    assert result["value"] == pytest.approx(library)
    assert result["lower"] < library < result["upper"]
    assert result["upper"] - result["lower"] < 0.25


def test_the_same_seed_gives_the_same_interval():
    table = codings(FIRST, SECOND, THIRD)

    first, again = (krippendorff_alpha(table, seed=3, replicate_count=200) for _ in range(2))

    pd.testing.assert_frame_equal(first, again)


def test_few_units_keep_their_value_and_lose_the_interval():
    result = krippendorff_alpha(codings([1, 2, 1], [1, 2, 2])).iloc[0]

    assert not np.isnan(result["value"])
    assert np.isnan(result["lower"])
    assert result["reason"] == "base_too_small"


def test_agreement_without_exception_has_no_limits_without_width():
    for agreement in (krippendorff_alpha, cohen_kappa, fleiss_kappa):
        result = agreement(codings(FIRST, FIRST))

        assert result["value"].tolist() == pytest.approx([1.0])
        assert result[["lower", "upper"]].isna().all(axis=None)
        assert result["reason"].tolist() == ["design_cannot_answer"]


def test_codes_that_never_vary_say_nothing_about_agreement():
    for agreement in (krippendorff_alpha, cohen_kappa, fleiss_kappa):
        result = agreement(codings([1] * 12, [1] * 12))

        assert result["reason"].tolist() == ["design_cannot_answer"]
        assert result["value"].isna().all()


def test_a_unit_coded_once_is_not_in_the_base():
    result = krippendorff_alpha(codings([1, 2, np.nan], [1, 2, 1]))

    assert result["unit_count"].tolist() == [2]
    assert result["base"].tolist() == [4]


def test_cohens_kappa_is_for_two_coders():
    with pytest.raises(DataError, match="expected two"):
        cohen_kappa(codings(FIRST, SECOND, THIRD))


def test_a_near_miss_costs_less_when_weighted():
    plain = cohen_kappa(codings(FIRST, SECOND))["value"].iloc[0]
    weighted = cohen_kappa(codings(FIRST, SECOND), weights="quadratic")["value"].iloc[0]

    assert weighted > plain


def test_a_unit_coded_twice_by_one_coder_is_refused():
    twice = pd.concat([codings(FIRST, SECOND), codings(FIRST)])

    with pytest.raises(DataError, match="more than once"):
        fleiss_kappa(twice)

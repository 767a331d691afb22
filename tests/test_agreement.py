import krippendorff
import numpy as np
import pandas as pd
import published_designs
import pytest
from published_designs import SAS_TABLE, four_observers, two_coders

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


# ---- Codes whose order is not the alphabet's

STEPS = ["ikke", "delvis", "helt"]  # by the alphabet: delvis, helt, ikke


def said(table, kind):
    """The same codes as words: of a stated order, an ordered categorical, or numbers."""
    if kind == "numbers":
        return table, {}
    words = table.assign(code=table["code"].map(dict(enumerate(STEPS))))
    if kind == "stated":
        return words, {"order": STEPS}
    return words.assign(code=pd.Categorical(words["code"], STEPS, ordered=True)), {}


@pytest.mark.parametrize("kind", ["numbers", "stated", "categorical"])
def test_weighted_kappa_counts_the_steps_of_the_scale_as_sas_does(kind):
    """SAS/STAT user's guide, PROC FREQ: weighted kappa of the 3 x 3 table."""
    (published,) = (
        case.published
        for case in published_designs.CASES
        if case.statistic == "Cohen's kappa, linear weights" and "limit" not in case.case
    )
    table, chosen = said(two_coders(SAS_TABLE), kind)

    result = cohen_kappa(table, weights="linear", **chosen)

    assert result["value"].item() == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("kind", ["numbers", "stated", "categorical"])
def test_ordinal_alpha_has_the_order_of_the_scale(kind):
    """Krippendorff (2011), section E: 0.815 with the codes 1 to 5."""
    table = four_observers()
    names = {1: "ingen", 2: "litt", 3: "en del", 4: "mye", 5: "alt"}
    words = table.assign(code=table["code"].map(names))
    given, chosen = {
        "numbers": (table, {}),
        "stated": (words, {"order": list(names.values())}),
        "categorical": (
            words.assign(code=pd.Categorical(words["code"], names.values(), ordered=True)),
            {},
        ),
    }[kind]

    result = krippendorff_alpha(given, measurement="ordinal", replicate_count=10, **chosen)

    assert result["value"].item() == pytest.approx(0.815, abs=5e-4)


def test_a_step_that_nobody_used_is_a_step():
    """Between 1 and 4 of four steps lie three, which is as far apart as the scale goes."""
    table = codings([1, 1, 2, 4], [1, 2, 2, 4])
    scale = table.assign(code=pd.Categorical(table["code"], [1, 2, 3, 4], ordered=True))

    result = cohen_kappa(scale, weights="linear")["value"].item()

    observed, by_chance = 1 / 4, np.mean([abs(a - b) for a in (1, 1, 2, 4) for b in (1, 2, 2, 4)])
    assert result == pytest.approx(1 - observed / by_chance)
    assert cohen_kappa(table, weights="linear", order=[1, 2, 3, 4])["value"].item() == result


@pytest.mark.parametrize(
    "measure",
    [
        lambda table: cohen_kappa(table, weights="linear"),
        lambda table: cohen_kappa(table, weights="quadratic"),
        lambda table: krippendorff_alpha(table, measurement="ordinal"),
    ],
)
@pytest.mark.parametrize("kind", [lambda code: code, pd.Categorical])
def test_words_without_an_order_are_refused_where_order_counts(measure, kind):
    words, _ = said(two_coders(SAS_TABLE), "stated")

    with pytest.raises(DataError, match=r"code: text in rows 2, 3, .*, whose order is not known"):
        measure(words.assign(code=kind(words["code"])))


def test_a_code_that_is_not_on_the_stated_scale_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"code: row 2 not on the scale; expected one of"):
        cohen_kappa(codings([9, 1], [1, 2]), weights="linear", order=[1, 2])


def test_an_order_that_says_nothing_is_refused():
    with pytest.raises(DataError, match="order= says nothing without"):
        krippendorff_alpha(codings(FIRST, SECOND), order=[1, 2, 3])


def test_words_are_no_numbers():
    words, _ = said(two_coders(SAS_TABLE), "stated")

    with pytest.raises(DataError, match="a scale of interval needs them"):
        krippendorff_alpha(words, measurement="interval")

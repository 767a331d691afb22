from itertools import count as counting

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.municipality_changes import present_day_values


def changes(*rows):
    columns = ["old_code", "new_code", "year", "share"]
    return pd.DataFrame(rows, columns=columns)


def values(*rows):
    """Code, year, numerator and denominator; the value is the share in per cent."""
    table = pd.DataFrame(
        rows, columns=["municipality_code", "year", "numerator", "denominator"]
    ).assign(indicator_id="falls")
    return table.assign(value=100 * table["numerator"] / table["denominator"])


MERGER = changes(("0901", "0910", 2020, 1.0), ("0902", "0910", 2020, 1.0))
SPLIT = changes(("0903", "0911", 2020, 0.75), ("0903", "0912", 2020, 0.25))


def test_a_merger_adds_the_counts_and_ends_the_old_codes():
    series = values(("0901", 2019, 10, 100), ("0902", 2019, 20, 300), ("0910", 2020, 35, 410))

    result = present_day_values(series, MERGER)

    assert result["municipality_code"].tolist() == ["0910", "0910"]
    assert result["numerator"].tolist() == [30, 35]
    assert result["denominator"].tolist() == [400, 410]
    assert result["value"].tolist() == pytest.approx([7.5, 100 * 35 / 410])
    assert result["basis"].tolist() == ["merged", "own"]


def test_a_merger_with_a_part_missing_is_missing_and_not_too_small():
    series = values(("0901", 2018, 10, 100), ("0901", 2019, 10, 100), ("0902", 2019, 5, np.nan))

    result = present_day_values(series, MERGER)

    today = result.loc[result["municipality_code"] == "0910"]
    assert today["reason"].tolist() == ["missing", "missing"]
    assert today[["value", "numerator", "denominator"]].isna().all(axis=None)


def test_the_others_of_a_merger_with_a_part_missing_keep_their_years_under_their_own_codes():
    series = values(("0901", 2018, 10, 100), ("0901", 2019, 10, 100), ("0902", 2019, 5, np.nan))

    result = present_day_values(series, MERGER).set_index(["municipality_code", "year"])

    assert result.loc["0901", "numerator"].tolist() == [10, 10]
    assert result.loc["0901", "basis"].tolist() == ["own", "own"]


def test_mergers_that_follow_each_other_are_followed_to_the_end():
    later = pd.concat([MERGER, changes(("0910", "0920", 2022, 1.0), ("0904", "0920", 2022, 1.0))])
    series = values(
        ("0901", 2019, 1, 10),
        ("0902", 2019, 2, 10),
        ("0904", 2019, 3, 10),
        ("0910", 2021, 4, 20),
        ("0904", 2021, 5, 10),
        ("0920", 2022, 9, 30),
    )

    result = present_day_values(series, later)

    assert set(result["municipality_code"]) == {"0920"}
    assert result["numerator"].tolist() == [6, 9, 9]


def test_the_years_before_a_split_are_refused_and_stay_with_the_one_that_was_split():
    series = values(("0903", 2019, 40, 400), ("0911", 2020, 33, 300), ("0912", 2020, 7, 100))

    result = present_day_values(series, SPLIT).set_index(["municipality_code", "year"])

    assert result.loc[("0903", 2019), "value"] == 10
    assert result.loc[("0911", 2019), "reason"] == "not_comparable"
    assert result.loc[("0911", 2019), "basis"] == "refused"
    assert np.isnan(result.loc[("0912", 2019), "value"])
    assert result.loc[("0911", 2020), "value"] == 11


def test_a_stated_key_apportions_the_counts_and_leaves_the_value():
    series = values(("0903", 2019, 40, 400), ("0911", 2020, 33, 300), ("0912", 2020, 7, 100))

    result = present_day_values(series, SPLIT, splits="apportion").set_index(
        ["municipality_code", "year"]
    )

    assert "0903" not in result.index.get_level_values(0)
    assert result.loc[("0911", 2019), ["numerator", "denominator", "value"]].tolist() == [
        30,
        300,
        10,
    ]
    assert result.loc[("0912", 2019), "numerator"] == 10
    assert result.loc[("0912", 2019), "basis"] == "apportioned"


def test_a_split_without_a_key_is_refused_whatever_was_asked():
    series = values(("0903", 2019, 40, 400))

    result = present_day_values(series, SPLIT.assign(share=np.nan), splits="apportion")

    assert result["municipality_code"].tolist() == ["0903", "0911", "0912"]
    assert result["reason"].tolist() == [None, "not_comparable", "not_comparable"]


def test_a_part_that_goes_to_a_neighbour_changes_both():
    border = changes(
        ("0905", "0905", 2020, 0.9), ("0905", "0906", 2020, 0.1), ("0906", "0906", 2020, 1.0)
    )
    series = values(
        ("0905", 2019, 90, 900),
        ("0906", 2019, 10, 200),
        ("0905", 2020, 81, 810),
        ("0906", 2020, 19, 290),
    )

    apportioned = present_day_values(series, border, splits="apportion")
    refused = present_day_values(series, border)

    assert refused["reason"].tolist() == ["not_comparable", None, "not_comparable", None]
    assert apportioned["numerator"].tolist() == [81, 81, 19, 19]
    assert apportioned["denominator"].tolist() == [810, 810, 290, 290]


@pytest.mark.parametrize("splits", ["refuse", "apportion"])
def test_the_sum_over_all_municipalities_is_the_same_as_before(splits):
    both = pd.concat([MERGER, SPLIT])
    series = values(
        ("0901", 2019, 1, 10), ("0902", 2019, 2, 20), ("0903", 2019, 3, 30), ("0999", 2019, 4, 40)
    )

    result = present_day_values(series, both, splits=splits)

    assert result["numerator"].sum() == 10
    assert result["denominator"].sum() == 100


def test_without_changes_the_values_are_as_they_were():
    series = values(("0901", 2019, 1, 10), ("0901", 2020, 1, 10))

    result = present_day_values(series, changes())

    pd.testing.assert_frame_equal(result[series.columns], series)


def test_a_value_of_a_municipality_that_was_not_there_is_refused():
    with pytest.raises(DataError, match="0901 has a value for 2021"):
        present_day_values(values(("0901", 2021, 1, 10)), MERGER)


def test_an_unknown_rule_is_refused():
    with pytest.raises(DataError, match="expected one of: refuse, apportion"):
        present_day_values(values(), MERGER, splits="halve")


# ---- Merged with part of a split


def test_places_that_merge_with_part_of_a_split_keep_their_years_under_their_old_codes():
    """Narvik 1805 and Ballangen 1854 into 1806, with part of Tysfjord 1850; the rest into 1875."""
    narvik = changes(
        ("1805", "1806", 2020, 1.0),
        ("1854", "1806", 2020, 1.0),
        ("1850", "1806", 2020, 0.5),
        ("1850", "1875", 2020, 0.5),
    )
    series = values(("1805", 2019, 15, 100), ("1854", 2019, 5, 50), ("1850", 2019, 10, 100))

    result = present_day_values(series, narvik).set_index("municipality_code")

    assert result["numerator"].sum() == 30
    assert result["numerator"].dropna().to_dict() == {"1805": 15, "1850": 10, "1854": 5}
    assert result.loc[["1806", "1875"], "reason"].tolist() == ["not_comparable"] * 2


def test_a_part_of_a_split_whose_neighbour_is_missing_stays_under_the_old_code():
    """0903 is 3 : 1; the quarter goes to 0912 with 0904, which has no row."""
    with_neighbour = pd.concat([SPLIT, changes(("0904", "0912", 2020, 1.0))])
    series = values(("0903", 2019, 40, 400))

    result = present_day_values(series, with_neighbour, splits="apportion")

    assert result["municipality_code"].tolist() == ["0903", "0911", "0912"]
    assert result["numerator"].tolist()[:2] == [10, 30]
    assert result["reason"].tolist() == [None, None, "missing"]
    assert result["numerator"].sum() == 40


def test_what_came_together_again_is_whole_though_nobody_knows_the_shares():
    again = pd.concat(
        [
            SPLIT.assign(share=np.nan),
            changes(("0911", "0913", 2022, 1.0), ("0912", "0913", 2022, 1)),
        ]
    )

    result = present_day_values(values(("0903", 2019, 40, 400)), again)

    assert result[["municipality_code", "numerator", "basis"]].values.tolist() == [
        ["0913", 40, "merged"]
    ]


# ---- An earlier municipality again

HARAM = changes(
    ("1504", "1507", 2020, 1.0),
    ("1534", "1507", 2020, 1.0),
    ("1507", "1508", 2024, 0.86),
    ("1507", "1580", 2024, 0.14),
).assign(restored_code=[None, None, None, "1534"])


@pytest.mark.parametrize("splits", ["refuse", "apportion"])
def test_haram_has_its_own_years_again_and_alesund_the_rest(shared_data, splits):
    folder = shared_data / "publicbugs" / "merged-and-parted-again"
    codes = dict.fromkeys(("municipality_code", "old_code", "new_code"), str)
    parted = pd.read_csv(folder / "changes.csv", dtype=codes)
    series = pd.read_csv(folder / "values.csv", dtype=codes)

    result = present_day_values(
        series, parted.assign(restored_code=HARAM["restored_code"]), splits=splits
    ).set_index(["municipality_code", "year"])

    assert result.loc[("1580", 2019), ["numerator", "denominator"]].tolist() == [5, 90]
    assert result.loc[("1580", 2019), "value"] == pytest.approx(5.56, abs=0.005)
    assert result.loc[("1508", 2019), ["numerator", "denominator"]].tolist() == [40, 400]
    assert result.loc[("1580", 2023), "basis"] == {"refuse": "refused"}.get(splits, "apportioned")


def test_a_municipality_may_come_back_under_its_old_code():
    back = HARAM.replace({"new_code": {"1580": "1534"}})
    series = values(("1504", 2019, 40, 400), ("1534", 2019, 5, 90), ("1507", 2021, 45, 500))

    result = present_day_values(series, back).set_index(["municipality_code", "year"])

    assert result.loc[("1534", 2019), "numerator"] == 5
    assert result.loc[("1508", 2019), "numerator"] == 40
    assert result.loc[("1507", 2021), "numerator"] == 45
    assert result.loc[("1534", 2021), "reason"] == "not_comparable"


@pytest.mark.parametrize("earlier", ["1508", "9999", "1507"])
def test_a_part_cannot_be_what_was_never_merged_into_the_whole(earlier):
    with pytest.raises(DataError, match=f"1580 as {earlier} again in 2024"):
        present_day_values(
            values(("1504", 2019, 1, 10)), HARAM.replace({"restored_code": {"1534": earlier}})
        )


def test_parts_that_are_all_earlier_ones_must_be_all_that_was_merged():
    third = pd.concat([HARAM, changes(("1546", "1507", 2020, 1.0))])
    both = third.assign(restored_code=[None, None, "1504", "1534", None])

    with pytest.raises(DataError, match="all parts of 1507 in 2024 are earlier municipalities"):
        present_day_values(values(("1546", 2019, 1, 10)), both)


# ---- Rows as they are exported


def test_blank_rows_of_years_when_a_municipality_was_not_there_count_for_nothing():
    blank = [("0910", 2019, np.nan, np.nan), ("0901", 2020, np.nan, np.nan)]
    series = values(("0901", 2019, 10, 100), ("0902", 2019, 20, 300), *blank)

    result = present_day_values(series, MERGER)

    assert result[["municipality_code", "year", "numerator"]].values.tolist() == [
        ["0910", 2019, 30]
    ]


def test_a_hidden_part_hides_the_sum_for_its_own_reason():
    series = values(("0901", 2019, 10, 100), ("0902", 2019, np.nan, np.nan))

    result = present_day_values(series.assign(reason=[None, "too_few"]), MERGER)

    assert result.set_index("municipality_code")["reason"]["0910"] == "too_few"


def test_a_sum_over_nobody_says_so():
    series = values(("0901", 2019, 0, 0), ("0902", 2019, 0, 0)).assign(value=0.0)

    assert present_day_values(series, MERGER)["reason"].tolist() == ["base_too_small"]


def test_the_same_year_twice_is_refused_with_its_rows():
    with pytest.raises(DataError, match="rows 2, 3: the same municipality_code"):
        present_day_values(values(("0901", 2019, 1, 10), ("0901", 2019, 1, 10)), MERGER)


@pytest.mark.parametrize("shares", [(0.7, 0.2), (0.8, 0.8), (1.5, -0.5)])
def test_shares_that_do_not_add_up_are_refused(shares):
    with pytest.raises(DataError, match=r"share: 1.5 in row 2|shares of the parts of 0903 in 2020"):
        present_day_values(values(("0903", 2019, 1, 10)), SPLIT.assign(share=shares))


# ---- Nobody is lost and nobody counted twice


@st.composite
def histories(draw):
    """Chains of mergers, splits, renumberings, border changes and restorations, and who lived where."""
    fresh = counting(100)
    there = [f"{next(fresh):04d}" for _ in range(draw(st.integers(2, 5)))]
    whole_into: dict[str, list[str]] = {}  # who may come back out of whom
    rows, years = [], {2010: list(there)}
    for year in range(2011, 2011 + draw(st.integers(1, 5))):
        free = list(there)
        for _ in range(draw(st.integers(0, 2))):
            if not free:
                break
            old = free.pop(draw(st.integers(0, len(free) - 1)))
            kind = draw(st.sampled_from(["merge", "split", "border", "restore", "rename"]))
            if kind in ("merge", "border") and free:
                other = free.pop(draw(st.integers(0, len(free) - 1)))
            elif kind in ("merge", "border"):
                kind = "rename"
            new, second = (f"{next(fresh):04d}" for _ in range(2))
            share = draw(st.sampled_from([0.25, 0.5, 0.9, np.nan]))
            if kind == "merge":
                rows += [(old, new, year, 1.0, None), (other, new, year, 1.0, None)]
                whole_into[new] = [old, other]
                there = [code for code in there if code not in (old, other)] + [new]
            elif kind == "border":
                rows += [
                    (old, old, year, share, None),
                    (old, other, year, 1 - share, None),
                    (other, other, year, 1.0, None),
                ]
                whole_into.pop(old, None)
                whole_into.pop(other, None)
            elif kind == "rename":
                rows.append((old, new, year, 1.0, None))
                whole_into[new] = whole_into.pop(old, [])
                there = [code for code in there if code != old] + [new]
            else:
                earlier = whole_into.pop(old, [])
                again = earlier[0] if kind == "restore" and earlier else None
                rows += [(old, new, year, share, again), (old, second, year, 1 - share, None)]
                there = [code for code in there if code != old] + [new, second]
        years[year] = list(there)
    series = [
        (code, year, draw(st.integers(0, 20)), draw(st.integers(20, 90)))
        for year, codes in years.items()
        for code in codes
        if draw(st.integers(0, 9))  # an export lacks a row now and then
    ]
    blank = [
        (code, year, np.nan, np.nan)
        for year, codes in years.items()
        for code in {row[0] for row in rows} - set(codes)
    ]
    told = pd.DataFrame(rows, columns=["old_code", "new_code", "year", "share", "restored_code"])
    return told, values(*series, *blank), years


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from(["refuse", "apportion"]))
def test_every_count_is_found_once_after_any_chain_of_changes(history, splits):
    """But for those of a municipality that keeps its code and whose year is withheld or parted."""
    told, series, years = history

    result = present_day_values(series, told, splits=splits)

    assert not result.duplicated(["municipality_code", "year"]).any()
    today = set(max(years.items())[1])
    keeps = series["municipality_code"].isin(today)
    before = series.loc[series["numerator"].notna()].groupby("year")["numerator"].sum()
    after = result.groupby("year")["numerator"].sum().reindex(before.index, fill_value=0)
    lived_on = series.loc[keeps].merge(
        result.loc[result["numerator"].isna() | result["basis"].eq("apportioned")],
        on=["municipality_code", "year"],
    )
    at_most = lived_on.groupby("year")["numerator_x"].sum().reindex(before.index, fill_value=0)
    assert (after <= before + 1e-6).all()
    assert (before - after <= at_most + 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_year_that_is_carried_over_is_the_sum_of_whole_municipalities(history):
    """With nothing apportioned, every count is a sum of some of the counts that were given."""
    told, series, _ = history

    result = present_day_values(series, told)

    assert "apportioned" not in set(result["basis"])
    shown = result.loc[result["numerator"].notna()]
    assert (shown["numerator"] == shown["numerator"].round()).all()
    withheld = result.loc[result["basis"].eq("refused") | result["reason"].notna()]
    assert withheld["value"].isna().all()
    assert shown["value"].notna().all()


def test_statistics_norways_changes_leave_the_sum_as_it_was(shared_data):
    """All municipalities of 2015 to 2024, and the published list of who became whom (csdata).

    That list lacks the part of Stokke (0720) that went to Tønsberg in 2017, and Haram's return.
    """
    geo = shared_data / "geo"
    moved = pd.read_csv(geo / "klass131_municipality_changes.csv", dtype=str)
    codes = pd.read_csv(geo / "klass131_municipality_codes.csv", dtype=str)
    moved = moved.assign(year=moved["changeOccurred"].str[:4].astype(int)).query("year >= 2016")
    moved = moved.drop_duplicates(["from_code", "to_code", "year"])
    parts = moved.groupby(["from_code", "year"])["to_code"].transform("size")
    told = pd.DataFrame(
        {
            "old_code": moved["from_code"],
            "new_code": moved["to_code"],
            "year": moved["year"],
            "share": (1.0 / parts).where(parts == 1),
            "restored_code": moved["to_code"].map({"1580": "1534"}),
        }
    )
    generator = np.random.default_rng(5)
    first, last = codes["validFrom"].str[:4], codes["validTo"].fillna("9999").str[:4]
    rows = [
        (code, year, int(generator.integers(0, 50)), int(generator.integers(50, 900)))
        for year in range(2015, 2025)
        for code in sorted(set(codes.loc[(first <= str(year)) & (str(year) < last), "code"]))
        if code != "9999"
    ]
    series = values(*rows)

    result = present_day_values(series, told)

    sums = [table.groupby("year")["numerator"].sum() for table in (series, result)]
    pd.testing.assert_series_equal(sums[1].astype(int), sums[0])
    haram = result.set_index(["municipality_code", "year"])["numerator"]
    given = series.set_index(["municipality_code", "year"])["numerator"]
    assert haram["1580", 2019] == given["1534", 2019]
    weights = pd.read_csv(
        geo / "csdata_redistricting_municip_2015_2026.csv",
        dtype={"location_code_current": str, "location_code_original": str},
    ).query("calyear < 2023 and location_code_current != '1508'")
    whole = weights.groupby(["location_code_current", "calyear"]).filter(
        lambda group: group["weighting"].eq(1).all()
    )
    published = (
        whole.rename(columns={"location_code_original": "municipality_code", "calyear": "year"})
        .merge(series, on=["municipality_code", "year"])
        .groupby(["location_code_current", "year"])["numerator"]
        .sum()
    )
    assert len(published) > 2500
    shown = haram.reindex(published.index)
    differing = published.index[shown.ne(published)]
    assert {code for code, _ in differing} == {"3905", "3907"}
    assert {year for _, year in differing} == {2015, 2016}

import pandas as pd
import pytest

from evalkit.comparability import (
    comparable_answers,
    comparisons_between_municipalities,
    comparisons_between_waves,
    left_out,
)
from evalkit.errors import DataError

COLUMNS = ["municipality_code", "wave", "item", "status", "variant"]
BANK = pd.DataFrame({"item": ["plan", "time"], "text": ["Planen er kjent", "Jeg har tid"]})


def crosswalk(*rows):
    return pd.DataFrame([(*row, None)[:5] for row in rows], columns=COLUMNS)


def between_waves(first, second, **chosen):
    rows = crosswalk(("0301", 0, "plan", *first), ("0301", 1, "plan", *second))
    return comparisons_between_waves(rows, before=0, after=1, **chosen).iloc[0]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (["same"], ["same"], None),
        (["same"], ["reworded"], "not_comparable"),
        (["same"], ["other_scale"], "not_comparable"),
        (["reworded"], ["reworded"], "not_comparable"),
        (["reworded", "local"], ["reworded", "local"], None),
        (["reworded", "local"], ["other_scale", "local"], "not_comparable"),
        (["same"], ["not_asked"], "not_asked"),
    ],
)
def test_waves_are_compared_only_where_the_question_was_one_and_the_same(first, second, reason):
    row = between_waves(first, second)

    assert row["allowed"] == (reason is None)
    assert (row["reason"] if reason else None) == reason
    assert pd.isna(row["reason"]) == (reason is None)


def test_an_item_without_a_row_in_a_wave_was_not_asked():
    rows = crosswalk(("0301", 0, "plan", "same"))

    row = comparisons_between_waves(rows, before=0, after=1).iloc[0]

    assert row["reason"] == "not_asked"
    assert row["explanation"] == "not asked in the second wave"


def test_every_item_of_the_bank_is_judged():
    rows = crosswalk(("0301", 0, "plan", "same"), ("0301", 1, "plan", "same"))

    result = comparisons_between_waves(rows, before=0, after=1, bank=BANK)

    assert result["item"].tolist() == ["plan", "time"]
    assert result["explanation"].tolist() == ["asked alike", "asked in neither wave"]


def test_an_item_outside_the_bank_is_refused():
    with pytest.raises(DataError, match="items that the bank lacks: tid"):
        comparisons_between_waves(
            crosswalk(("0301", 0, "tid", "same")), before=0, after=1, bank=BANK
        )


def test_an_unknown_status_is_refused():
    with pytest.raises(DataError, match="expected one of: same"):
        comparisons_between_waves(crosswalk(("0301", 0, "plan", "similar")), before=0, after=1)


def test_a_row_that_occurs_twice_is_refused():
    row = ("0301", 0, "plan", "same")

    with pytest.raises(DataError, match="twice"):
        comparisons_between_waves(crosswalk(row, row), before=0, after=1)


def test_the_largest_group_that_asked_alike_is_compared():
    rows = crosswalk(
        ("0301", 0, "plan", "reworded", "county"),
        ("1103", 0, "plan", "reworded", "county"),
        ("4601", 0, "plan", "same"),
        ("5001", 0, "plan", "not_asked"),
    )

    result = comparisons_between_municipalities(rows, wave=0).set_index("municipality_code")

    assert result["allowed"].tolist() == [True, True, False, False]
    assert result["reason"].isna().tolist() == [True, True, False, False]
    assert result["reason"].tolist()[2:] == ["not_comparable", "not_asked"]


def test_a_municipality_alone_with_its_question_has_nothing_to_be_compared_with():
    rows = crosswalk(("0301", 0, "plan", "same"), ("1103", 0, "plan", "reworded"))

    result = comparisons_between_municipalities(rows, wave=0)

    assert not result["allowed"].any()


def test_answers_are_parted_from_what_is_refused():
    answers = pd.DataFrame(
        {"municipality_code": "0301", "item": ["plan", "time", "extra"], "score": [5, 4, 3]}
    )
    rows = crosswalk(
        ("0301", 0, "plan", "same"),
        ("0301", 1, "plan", "same"),
        ("0301", 0, "time", "same"),
        ("0301", 1, "time", "other_scale"),
    )

    kept, refused = comparable_answers(answers, comparisons_between_waves(rows, before=0, after=1))

    assert kept["item"].tolist() == ["plan"]
    assert refused["item"].tolist() == ["time", "extra"]
    assert refused["reason"].tolist() == ["not_comparable", "not_comparable"]


def test_what_was_left_out_is_told_once_per_item_and_reason():
    results = pd.DataFrame(
        {
            "municipality_code": ["0301", "1103", "4601"],
            "item": "plan",
            "reason": ["not_asked", "not_asked", None],
        }
    )

    row = left_out(results).iloc[0]

    assert row["municipality_count"] == 2
    assert row["municipality_codes"] == "0301, 1103"

"""Work done once for all municipalities, for as long as what it rests on stands."""

import operator
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import evalkit as ek
from evalkit import shared
from evalkit.errors import DataError
from evalkit.shared import adopt, noted, once, sharing

CALLS = Counter()


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(shared, "_kept", {})
    CALLS.clear()


def doubled(value):
    CALLS["doubled"] += 1
    return value * 2


def text_of(path):
    CALLS["text_of"] += 1
    noted(path)
    return path.read_text("utf-8")


def rows_of(study, processed_dir):
    CALLS["rows_of"] += 1
    return len(ek.read_processed("goals", study, processed_dir))


def rows_in_parts(parts):
    CALLS["rows_in_parts"] += 1
    return sum(len(part) for part in parts)


def nested(study, processed_dir):
    return once(rows_of, study, processed_dir)


def write_goals(folder, count):
    goals = pd.DataFrame({"goal_id": list("abcdef")[:count], "municipality_code": "0301"})
    ek.write_processed({"goals": goals, "study": goals}, "demo", folder)


def test_a_result_is_computed_the_first_time_only():
    results = [once(doubled, [1, 2]) for _ in range(2)]

    assert results[0] is results[1]
    assert CALLS["doubled"] == 1


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"base": [3, 5], "place": ["a", "b"]}),
        pd.DataFrame({"base": [3.0, 4.0], "place": ["a", "b"]}),
        pd.DataFrame({"count": [3, 4], "place": ["a", "b"]}),
        pd.DataFrame({"base": [3, 4], "place": ["b", "a"]}),
        pd.DataFrame({"base": [3, 4], "place": ["a", "b"]}, index=[1, 0]),
        pd.DataFrame({"base": [3, 4]}),
        {"base": [3, 4]},
        np.array([3, 4]),
        [34],
        "34",
    ],
)
def test_other_content_gives_another_result(other):
    once(doubled_or_nothing, pd.DataFrame({"base": [3, 4], "place": ["a", "b"]}))
    once(doubled_or_nothing, other)

    assert CALLS["tried"] == 2


def doubled_or_nothing(value):
    CALLS["tried"] += 1
    return type(value)


def test_the_same_content_in_another_table_is_the_same_work():
    for _ in range(2):
        once(doubled, pd.DataFrame({"base": [3, 4]}))

    assert CALLS["doubled"] == 1


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = tmp_path / "text"
    path.write_text("18 of 20", encoding="utf-8")
    before = once(text_of, path)
    path.write_text("hidden", encoding="utf-8")

    assert [before, once(text_of, path)] == ["18 of 20", "hidden"]


@pytest.mark.parametrize("read", [rows_of, nested])
def test_processed_tables_that_have_changed_are_read_again(tmp_path, read):
    write_goals(tmp_path, 3)
    before = [once(read, "demo", tmp_path) for _ in range(2)]
    write_goals(tmp_path, 2)
    after = [once(read, "demo", tmp_path) for _ in range(2)]

    assert (before, after) == ([3, 3], [2, 2])
    assert CALLS["rows_of"] == 2


def test_parts_of_a_table_that_has_changed_are_read_again(tmp_path):
    write_goals(tmp_path, 3)
    before = once(rows_in_parts, ek.processed_parts("goals", "demo", tmp_path))
    write_goals(tmp_path, 2)
    after = [once(rows_in_parts, ek.processed_parts("goals", "demo", tmp_path)) for _ in range(2)]

    assert (before, after) == (3, [2, 2])
    assert CALLS["rows_in_parts"] == 2


def test_what_one_process_computes_another_adopts(monkeypatch):
    handed_over = []
    with sharing(handed_over.append):
        once(doubled, 3)
    monkeypatch.setattr(shared, "_kept", {})
    adopt(handed_over[0])

    assert once(doubled, 3) == 6
    assert CALLS["doubled"] == 1


def test_what_cannot_be_sent_is_still_computed():
    handed_over = []
    with sharing(handed_over.append):
        assert once(operator.itemgetter, 1)([5, 7]) == 7
        assert once(parts_without_end)(3) == 3
    assert len(handed_over) == 1


def parts_without_end():
    return lambda value: value


@pytest.mark.parametrize("unseen", [lambda: 7, "text".upper, ("survey", "demo")])
def test_a_function_whose_content_cannot_be_seen_is_refused(unseen):
    with pytest.raises(DataError, match="expected a function of a package and what it is called"):
        once(unseen)


def test_an_argument_whose_content_cannot_be_told_is_refused():
    with pytest.raises(DataError, match="argument answers of rows_in_parts cannot be told"):
        once(rows_in_parts, answers=iter([1]))


def test_it_is_a_public_name():
    assert ek.once is once

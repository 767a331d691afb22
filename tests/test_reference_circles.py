"""Rows that refer to themselves, straight or by way of others."""

import pandas as pd
import pytest
from studies import write_study

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import DataError
from evalkit.readers import read_study
from evalkit.reference_circles import circle_breaches, own_references, rows_in_circles


def told(tmp_path, **tables):
    """What reading a study with these tables says is wrong."""
    with pytest.raises(DataError) as error:
        read_study(write_study(tmp_path, **tables))
    return str(error.value)


def measure(identifier, parent):
    return {
        "measure_id": identifier,
        "municipality_code": "3801",
        "position": 1,
        "name": "Et tiltak",
        "description": "Om tiltaket",
        "parent_measure_id": parent,
    }


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ({"a": "a"}, "parent_measure_id: row 2 refers to itself; expected another measure_id"),
        (
            {"a": "b", "b": "c", "c": "a", "d": "a"},
            "parent_measure_id: rows 2, 3, 4 refer to each other in a circle",
        ),
    ],
)
def test_a_measure_is_no_part_of_itself(tmp_path, parents, expected):
    rows = [measure(identifier, parent) for identifier, parent in parents.items()]

    assert expected in told(tmp_path, measures=rows)


@pytest.mark.parametrize(("table", "column", "key"), own_references())
def test_two_rows_that_refer_to_each_other_are_told_in_every_table_that_can_hold_them(
    table, column, key
):
    rows = pd.DataFrame({key: ["a", "b", "c"], column: ["b", "a", "b"]})

    found = list(circle_breaches({table: rows}))

    assert found == [
        (
            f"{table}.csv",
            f"{column}: rows 2, 3 refer to each other in a circle; expected another {key}, or "
            "blank for the first of them",
        )
    ]


def test_a_row_may_refer_to_several_and_be_referred_to_by_several():
    goals = pd.DataFrame(
        {"goal_id": ["a", "b", "c", "d"], "parent_goal_ids": ["b; c", "d", "d", None]}
    )

    assert rows_in_circles(goals, key="goal_id", refers="parent_goal_ids") == []


def test_several_circles_are_told_one_by_one():
    goals = pd.DataFrame(
        {"goal_id": ["a", "b", "c", "d"], "parent_goal_ids": ["a; d", "c", "b; d", None]}
    )

    found = rows_in_circles(goals, key="goal_id", refers="parent_goal_ids")

    assert [rows.tolist() for rows in found] == [[0], [1, 2]]


def test_no_reference_leads_back_to_its_table_by_way_of_another_table():
    leads = {
        (name, str((column.metadata or {}).get("references")).split(".")[0])
        for name, contract in CONTRACTS.items()
        for column in columns_of(contract).values()
        if (column.metadata or {}).get("references")
    }
    tables = pd.DataFrame(
        [
            (name, "; ".join(sorted(other for first, other in leads if first == name != other)))
            for name in CONTRACTS
        ],
        columns=["name", "others"],
    )

    assert rows_in_circles(tables, key="name", refers="others") == []

"""Linkage of waves is what the study declares, and nothing else."""

import json

import pandas as pd
import pytest
from conftest import PROJECT

import evalkit as ek
from evalkit.demo import write_demo
from evalkit.errors import DataError
from evalkit.linkage import linkage_breaches, linkage_questions, survey_linkage


def surveys(*rows):
    """(survey, wave, follows, linkage) of one municipality."""
    columns = ["survey_id", "wave", "follows", "linkage"]
    own = pd.DataFrame(rows, columns=columns).astype({"follows": object, "linkage": object})
    return own.assign(municipality_code="0301", kind="staff_survey")


def answers(**persons):
    """Who answered each survey, in the order of the rows; survey ``s0`` is wave 0."""
    return pd.DataFrame(
        [
            {
                "survey_id": survey,
                "municipality_code": "0301",
                "item": "plan",
                "respondent_id": person,
                "score": 4.0 if place % 2 else 2.0,
                "wave": int(survey[1:]),
            }
            for survey, own in persons.items()
            for place, person in enumerate(own)
        ]
    )


def linkage_of(before, after, *rows):
    return survey_linkage(surveys(*rows), before=before, after=after)["linkage"].tolist()


def test_a_wave_that_declares_nothing_is_unlinked():
    assert linkage_of(0, 1, ("s0", 0, None, None), ("s1", 1, "s0", None)) == ["unlinked"]
    assert linkage_of(0, 1, ("s0", 0, None, None), ("s1", 1, None, None)) == ["unlinked"]


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("linked", "linked", "linked"),
        ("linked", "partly_linked", "partly_linked"),
        ("partly_linked", "linked", "partly_linked"),
        ("linked", None, "unlinked"),
        ("unlinked", "linked", "unlinked"),
    ],
)
def test_the_weakest_linkage_on_the_way_counts(first, second, whole):
    rows = [("s0", 0, None, None), ("s1", 1, "s0", first), ("s2", 2, "s1", second)]

    assert linkage_of(0, 2, *rows) == [whole]


def test_surveys_that_follow_each_other_in_a_ring_are_unlinked():
    rows = [("s1", 1, "s2", "linked"), ("s2", 2, "s1", "linked")]

    assert linkage_of(0, 2, *rows) == ["unlinked"]


def test_two_samples_whose_identifiers_are_row_numbers_are_compared_as_different_persons():
    own = surveys(("s0", 0, None, None), ("s1", 1, "s0", None))
    given = answers(s0=["1", "2", "3", "4"], s1=["1", "2", "3"])

    row = ek.share_change(given, linkage=survey_linkage(own, before=0, after=1)).iloc[0]

    assert row["linkage"] == "unlinked"
    assert row[["before_count", "before_base", "after_count", "after_base"]].tolist() == [
        2,
        4,
        1,
        3,
    ]
    assert row["value"] == pytest.approx(1 / 3 - 2 / 4)
    assert pd.isna(row["linked_count"])
    assert row["method"] == "Newcombe, independent shares"


def test_each_municipality_is_compared_as_it_declares():
    one = answers(s0=["a", "b", "c"], s1=["a", "b", "c"])
    given = pd.concat([one, one.assign(municipality_code="1103")])
    declared = pd.DataFrame({"municipality_code": ["1103"], "linkage": ["linked"]})

    rows = ek.share_change(given, linkage=declared).set_index("municipality_code")

    assert rows["linkage"].to_dict() == {"0301": "unlinked", "1103": "linked"}
    assert rows["linked_count"].dropna().to_dict() == {"1103": 3}


def test_partly_linked_answers_of_a_whole_population_have_no_limits_and_the_reason():
    given = answers(s0=["a", "b", "c"], s1=["a", "b", "d"])
    declared = pd.DataFrame({"municipality_code": ["0301"], "linkage": ["partly_linked"]})
    invited = pd.DataFrame(
        {"municipality_code": "0301", "wave": [0, 1], "population_count": [10.0, 10.0]}
    )

    row = ek.share_change(given, linkage=declared, population=invited).iloc[0]

    assert row["value"] == 0
    assert pd.isna(row["lower"])
    assert row["reason"] == "design_cannot_answer"


PAIRED = [ek.share_change, ek.mcnemar_test, ek.paired_shift]


@pytest.mark.parametrize("compare", PAIRED)
def test_linked_answers_without_one_person_in_both_waves_are_refused(compare):
    given = answers(s0=["a", "b"], s1=["c", "d"])

    with pytest.raises(DataError, match="no respondent_id of wave 0 is one of wave 1"):
        compare(given, linkage="linked")


@pytest.mark.parametrize("test", [ek.mcnemar_test, ek.paired_shift])
def test_tests_of_pairs_refuse_unlinked_answers(test):
    with pytest.raises(DataError, match="linkage 'unlinked'"):
        test(answers(s0=["1", "2"], s1=["1", "2"]), linkage="unlinked")


def test_a_linkage_to_no_wave_is_refused_by_row():
    own = surveys(("s0", 0, None, None), ("s1", 1, None, "linked"))

    (found,) = linkage_breaches({"surveys": own})

    assert found[0] == "surveys.csv"
    assert "linkage: 'linked' in row 3, where follows is blank" in found[1]


def test_a_linkage_of_persons_who_are_never_the_same_is_refused():
    own = surveys(("s0", 0, None, None), ("s1", 1, "s0", "linked"))

    (found,) = linkage_breaches({"surveys": own, "answers": answers(s0=["a"], s1=["b"])})

    assert "row 3" in found[1]
    assert "survey s1 is one of survey s0" in found[1]


@pytest.mark.parametrize("linkage", ["linked", "partly_linked"])
@pytest.mark.parametrize("persons", [["1", "2", "3"], ["r01", "r02", "r03"]])
def test_row_numbers_are_questioned_where_linkage_is_declared(linkage, persons):
    given = answers(s0=persons, s1=persons)

    own = surveys(("s0", 0, None, None), ("s1", 1, "s0", linkage))
    (question,) = linkage_questions({"surveys": own, "answers": given})

    assert "row 3" in question
    assert "numbered 1 to 3 in the order of the rows" in question


@pytest.mark.parametrize(
    ("linkage", "persons"),
    [
        ("linked", ["1", "3"]),  # a gap: somebody did not answer again
        ("linked", ["2", "1", "3"]),  # another order
        ("linked", ["a1", "b2"]),
        ("unlinked", ["1", "2", "3"]),
        (None, ["1", "2", "3"]),
    ],
)
def test_other_identifiers_are_not_questioned(linkage, persons):
    own = surveys(("s0", 0, None, None), ("s1", 1, "s0", linkage))

    given = answers(s0=["1", "2", "3"], s1=persons)

    assert linkage_questions({"surveys": own, "answers": given}) == []


def test_the_demo_declares_the_linkage_that_it_makes(tmp_path):
    write_demo(tmp_path)
    told = pd.read_csv(tmp_path / "surveys.csv", dtype=str)

    waves = told.loc[told["kind"] == "staff_survey"].groupby("wave")["linkage"].unique()

    assert waves["1"].tolist() == ["linked"]
    assert waves["2"].tolist() == ["partly_linked"]


def test_no_notebook_says_how_answers_are_linked():
    typed = [
        path.name
        for path in sorted((PROJECT / "notebooks").glob("*.ipynb"))
        for cell in json.loads(path.read_text())["cells"]
        if any(
            f'linkage="{code}"' in "".join(cell["source"]) for code in ("linked", "partly_linked")
        )
    ]

    assert typed == []

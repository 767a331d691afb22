import pandas as pd
import pytest

from evalkit.agreement import krippendorff_alpha
from evalkit.coding import (
    cleared_excerpts,
    code_presence,
    codings_by_municipality,
    joint_display,
    theme_agreement,
    theme_matrix,
)
from evalkit.errors import DataError

CODINGS = pd.DataFrame(
    [
        ("intervju 1", "u1", "forankring", "coder1", "Ledelsen sto bak.", "cleared"),
        ("intervju 1", "u1", "forankring", "coder2", "Ledelsen sto bak.", "cleared"),
        ("intervju 1", "u2", "tid", "coder1", "Vi rakk det ikke.", "not_checked"),
        ("intervju 2", "u3", "tid", "coder1", "Kari hadde ikke tid.", "needs_change"),
        ("intervju 3", "u4", "forankring", "coder1", "Rådet vedtok planen.", "cleared"),
    ],
    columns=["document", "unit", "code", "coder", "excerpt", "anonymity"],
)
DOCUMENTS = pd.DataFrame(
    {
        "document": ["intervju 1", "intervju 2", "intervju 3", "intervju 4"],
        "municipality_code": ["0301", "0301", "1103", "1103"],
    }
)
FINDINGS = pd.DataFrame(
    {
        "finding_id": ["f1", "f2"],
        "municipality_code": ["0301", "1103"],
        "finding": ["Flere opplever forankring", "Færre har tid"],
        "value": [0.2, -0.1],
    }
)
LINKS = pd.DataFrame({"finding_id": ["f1"], "code": ["forankring"], "fit": ["confirms"]})


def test_a_theme_is_counted_once_per_document_and_unit():
    result = theme_matrix(CODINGS, DOCUMENTS).set_index(["code", "municipality_code"])

    assert result.loc[("forankring", "0301"), ["unit_count", "count", "base"]].tolist() == [1, 1, 2]
    assert result.loc[("tid", "0301"), "value"] == 1.0


def test_a_theme_nobody_raised_has_a_zero_with_its_base():
    result = theme_matrix(CODINGS, DOCUMENTS).set_index(["code", "municipality_code"])

    assert result.loc[("tid", "1103"), ["unit_count", "count", "base"]].tolist() == [0, 0, 2]


def test_a_coded_document_without_municipality_is_refused_without_its_name():
    with pytest.raises(DataError, match="1 coded documents") as caught:
        codings_by_municipality(CODINGS, DOCUMENTS.iloc[1:])

    assert "intervju" not in str(caught.value)


def test_only_cleared_excerpts_pass_and_no_coder_with_them():
    result = cleared_excerpts(CODINGS)

    assert result["excerpt"].tolist() == ["Ledelsen sto bak.", "Rådet vedtok planen."]
    assert "coder" not in result


def test_an_excerpt_one_coder_holds_back_is_held_back():
    doubtful = CODINGS.copy()
    doubtful.loc[1, "anonymity"] = "withheld"

    result = cleared_excerpts(doubtful)

    assert "Ledelsen sto bak." not in set(result["excerpt"])


def test_a_blank_anonymity_status_is_refused():
    blank = CODINGS.assign(anonymity=None)

    with pytest.raises(DataError, match="not_checked"):
        cleared_excerpts(blank)


def test_a_finding_stands_beside_its_excerpts():
    placed = codings_by_municipality(CODINGS, DOCUMENTS)

    result = joint_display(FINDINGS, LINKS, placed).set_index("finding_id")

    assert result.loc["f1", "excerpts"] == ("Ledelsen sto bak.",)
    assert result.loc["f1", "unit_count"] == 1
    assert result.loc["f1", "fit"] == "confirms"


def test_a_finding_without_coded_text_says_so():
    placed = codings_by_municipality(CODINGS, DOCUMENTS)

    result = joint_display(FINDINGS, LINKS, placed).set_index("finding_id")

    assert result.loc["f2", "excerpts"] == ()
    assert result.loc["f2", "text_reason"] == "missing"


def test_uncleared_text_is_counted_but_not_shown():
    placed = codings_by_municipality(CODINGS, DOCUMENTS)
    links = LINKS.assign(code="tid", fit="contradicts")

    result = joint_display(FINDINGS, links, placed).set_index("finding_id")

    assert result.loc["f1", "excerpts"] == ()
    assert result.loc["f1", "uncleared_count"] == 2


def test_an_excerpt_that_only_one_of_two_coders_gave_the_theme_is_not_shown():
    placed = codings_by_municipality(CODINGS.assign(anonymity="cleared"), DOCUMENTS)
    links = LINKS.assign(code="tid")

    result = joint_display(FINDINGS, links, placed).set_index("finding_id").loc["f1"]

    assert result["excerpts"] == ("Kari hadde ikke tid.",)
    assert result["unit_count"] == 2
    assert result["uncleared_count"] == 0


def test_agreement_is_by_theme_and_a_unit_may_have_several():
    several = pd.DataFrame(
        [
            ("d", f"u{n}", code, coder)
            for n in range(12)
            for coder, codes in (("coder1", ["tid", "plan"]), ("coder2", ["tid"]))
            for code in codes[n % 2 :]
        ],
        columns=["document", "unit", "code", "coder"],
    )

    result = theme_agreement(several, replicate_count=50, confidence_levels=[0.95])

    assert result["theme"].tolist() == ["plan", "tid"]
    assert result["unit_count"].tolist() == [12, 12]
    assert result["value"].iloc[0] < result["value"].iloc[1]


def test_units_of_the_same_name_in_two_documents_are_two():
    twice = pd.DataFrame(
        [(document, "1", "tid", coder) for document in "ab" for coder in ("coder1", "coder2")],
        columns=["document", "unit", "code", "coder"],
    )

    assert code_presence(twice)["unit"].nunique() == 2


def test_coders_who_used_the_same_codes_agree_fully():
    same = pd.DataFrame(
        [
            ("d", f"u{n}", code, coder)
            for n in range(12)
            for coder in ("coder1", "coder2")
            for code in [["tid", "forankring"][n % 2]]
        ],
        columns=["document", "unit", "code", "coder"],
    )

    presence = code_presence(same)

    one_theme = presence[presence["theme"] == "tid"]
    assert one_theme["code"].sum() == 12
    assert krippendorff_alpha(one_theme)["value"].iloc[0] == 1.0


def test_a_coder_who_never_opened_a_document_is_not_counted_as_disagreeing():
    presence = code_presence(CODINGS)

    in_third = presence[presence["unit"] == "u4"]
    assert set(in_third["coder"]) == {"coder1"}


def test_documents_that_number_their_passages_alike_are_kept_apart():
    """The first passage of one document says nothing of the first passage of another."""
    alike = CODINGS.assign(unit="u1")
    findings = FINDINGS.assign(municipality_code=None)

    matrix = theme_matrix(alike, DOCUMENTS).set_index(["code", "municipality_code"])
    excerpts = cleared_excerpts(alike)
    display = joint_display(findings.head(1), LINKS, alike.assign(municipality_code="0301"))

    assert matrix.loc[("tid", "0301"), "unit_count"] == 2
    assert excerpts["document"].tolist() == ["intervju 3"]  # intervju 1 has a doubted passage
    assert display["unit_count"].item() == 2


def test_a_doubt_in_one_document_holds_no_passage_of_another_back():
    codings = pd.DataFrame(
        [
            ("intervju 1", "u1", "tid", "coder1", "Vi rakk det.", "cleared"),
            ("intervju 2", "u1", "tid", "coder1", "Kari rakk det.", "needs_change"),
        ],
        columns=CODINGS.columns,
    )

    assert cleared_excerpts(codings)["excerpt"].tolist() == ["Vi rakk det."]

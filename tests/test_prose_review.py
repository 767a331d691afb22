"""Sentences beside rows: words of doubt, actors and informants that a sentence lacks, superlatives."""

import json

import pandas as pd
import pytest
from studies import write_study

from evalkit.cli import main
from evalkit.prose import sentences
from evalkit.prose_review import prose_findings, row_texts


def review(sentence, *rows, before="", facts=(), codes=()):
    """Findings of one sentence beside rows of (text, told_by, municipality)."""
    table = pd.DataFrame(
        [(text, told_by, code) for text, told_by, code in rows],
        columns=["text", "told_by", "code"],
    )
    texts = row_texts(
        {"lessons": table}, {"lessons": table["code"].fillna("")}, {"lessons": ["text"]}
    )
    given = pd.DataFrame(
        [("horten.qmd", 7, sentence, before, facts, codes)],
        columns=["file", "line", "text", "before", "facts", "codes"],
    )
    return prose_findings(given, texts, {"horten.x": ("lessons", 2)})


# The sentences and rows of issue 13, line 4, that rest on a row of the pilot.
@pytest.mark.parametrize(
    ("sentence", "row", "told_by", "finding"),
    [
        (
            "Piloten virket hele tiden bedre forankret i Oppvekst enn i Velferd.",
            "Piloten var hele tiden noe bedre forankret i Oppvekst enn i Velferd.",
            "evaluator",
            "the row has «noe bedre»",
        ),
        (
            "Det siste året var Piloten kommet på sporet igjen.",
            "Piloten kom på sporet igjen det siste året.",
            "staff",
            "told by ansatte",
        ),
        (
            "Familiene er entydig positive.",
            "SINTEF intervjuet fem personer; familiene er entydig positive.",
            None,
            "the row has «fem personer»",
        ),
        (
            "Hospiteringen blir omtalt som nyttig og lærerik, og som det grepet som best forankret den.",
            "Oppfattet som nyttig og lærerik, og som et tiltak som forankret Piloten.",
            None,
            "«best»: the row does not say it",
        ),
        (
            "Evaluatorene mener at kommunen har evaluert grundig, med intervjuer og samtaler.",
            "Kommunen har evaluert grundig, med intervjuer og samtaler.",
            "municipality",
            "says evaluator; told by kommunen",
        ),
    ],
)
def test_what_a_sentence_says_beyond_its_row_is_listed(sentence, row, told_by, finding):
    found = review(sentence, (row, told_by, None))

    assert found["findings"].item() == [finding]
    assert found["row"].item() == "lessons.csv:2"
    assert found[["file", "line"]].values.tolist() == [["horten.qmd", 7]]


@pytest.mark.parametrize(
    ("sentence", "before"),
    [
        ("De ansatte forteller at Piloten kom litt mer på sporet det siste året.", ""),
        ("Piloten kom litt mer på sporet det siste året.", "Så fortalte ansatte."),
    ],
)
def test_a_sentence_that_keeps_doubt_and_actor_is_not_listed(sentence, before):
    row = "Piloten kom noe mer på sporet igjen det siste året."

    assert review(sentence, (row, "staff", None), before=before).empty


def test_a_superlative_without_any_row_is_listed_last():
    found = prose_findings(
        pd.DataFrame(
            [
                ("a.qmd", 1, "Dette er det viktigste av alt.", "", (), ()),
                ("a.qmd", 2, "Samtalene med elevene bygde alltid tillit.", "", (), ()),
            ],
            columns=["file", "line", "text", "before", "facts", "codes"],
        ),
        row_texts(
            {"lessons": pd.DataFrame({"text": ["Samtalene med elevene bygde tillit."]})},
            {"lessons": pd.Series([""])},
            {"lessons": ["text"]},
        ),
        {},
    )

    assert found["line"].tolist() == [2, 1]
    assert found["findings"].tolist()[1] == ["«viktigste»: no row alike was found"]
    assert pd.isna(found["row"].iloc[1])


def test_a_fact_leads_to_its_row_however_it_is_worded():
    found = review(
        "Der var det 7.", ("Trolig møttes gruppen fire ganger", None, None), facts=("horten.x",)
    )

    assert found["findings"].item() == ["the row has «trolig»"]


def test_rows_of_other_municipalities_are_not_what_a_chapter_rests_on():
    row = ("Piloten kom på sporet igjen det siste året.", "staff", "3801")

    assert review("Piloten kom på sporet igjen det siste året.", row, codes=("3812",)).empty
    assert len(review("Piloten kom på sporet igjen det siste året.", row, codes=("3801",))) == 1


def test_sentences_have_their_line_and_their_facts_filled_in():
    text = """---
title: Kapittel
---
# Overskrift

**Mål.** Kommunen har []{fact="a.b"} mål [@nf2024, s. 4]. De er
klare, jf. kap. 2. Slutt.

| a | b |
|---|---|

- Første punkt
- Andre punkt
"""
    found = list(sentences(text, {"a.b": "3"}.get))

    assert [(one.line, one.text) for one in found] == [
        (6, "Mål."),
        (6, "Kommunen har 3 mål."),
        (6, "De er klare, jf. kap. 2."),
        (7, "Slutt."),
        (12, "Første punkt"),
        (13, "Andre punkt"),
    ]
    assert found[1].facts == ("a.b",)
    assert found[2].before == "Kommunen har 3 mål."


@pytest.fixture
def project(tmp_path):
    raw = write_study(tmp_path)
    book = tmp_path / "reports" / raw.name
    book.mkdir(parents=True)
    (book / "horten.qmd").write_text("# Horten\n\nDette er det viktigste av alt.\n", "utf-8")
    return raw.name, tmp_path, book


def test_check_prose_lists_sentences_with_file_and_line_and_is_no_gate(project, capsys):
    study, root, _ = project

    assert main(["check", study, "--project", str(root), "--prose"]) == 0
    assert f"reports/{study}/horten.qmd:3: «viktigste»: no row alike" in capsys.readouterr().out

    assert main(["check", study, "--project", str(root), "--prose", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prose"][0]["line"] == 3


@pytest.mark.parametrize("command", ["check", "render", "report"])
def test_a_typed_number_stops_with_file_and_line(project, capsys, command):
    study, root, book = project
    (book / "horten.qmd").write_text("# Horten\n\nI fjor kom 17 lærere.\n", "utf-8")
    (book / "_quarto.yml").write_text("book: {title: Bok, chapters: [horten.qmd]}\n", "utf-8")

    assert main([command, study, "--project", str(root)]) == 1
    assert "  horten.qmd:3: the number 17 is typed" in capsys.readouterr().err


def test_digits_that_belong_to_a_name_may_be_marked_as_such(project, capsys):
    study, root, book = project
    (book / "horten.qmd").write_text("# Horten\n\nUnder [covid-19]{.name}.\n", "utf-8")

    assert main(["check", study, "--project", str(root)]) == 0

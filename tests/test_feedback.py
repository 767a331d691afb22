"""A returned Word draft: what was commented and changed, where, and logged once."""

import csv
import json

import pandas as pd
import pypandoc
import pytest
from studies import write_study

from evalkit.cli import main
from evalkit.errors import DataError
from evalkit.feedback import new_validations, read_feedback
from evalkit.municipalities import Municipality
from evalkit.readers import read_study

WHO = 'author="Kari Nordmann" date="2026-11-02T09:00:00Z"'
RETURNED = f"""---
title: Horten
subtitle: Kortrapport fra Et lite program
---

# Horten

## Nullpunktsanalysen

Skjemaet gikk til [Også til ledere?]{{.comment-start id="0" {WHO}}}alle
ansatte[]{{.comment-end id="0"}} i [2020]{{.deletion {WHO}}}[2021]{{.insertion {WHO}}}.

## Tiltakene

| Tiltak | Status |
|--------|--------|
| Mentor | i gang |
| Losen  | [ikke]{{.deletion {WHO}}} startet |

Table: Tabell 1.1: Tiltak

Siste avsnitt er uendret.
"""
HORTEN = Municipality("3801", "horten", "Horten", "ost")


def word_file(folder, text=RETURNED):
    path = folder / "kommune-horten.docx"
    pypandoc.convert_text(text, "docx", format="markdown", outputfile=str(path))
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_study(tmp_path)
    word_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(project):
    with (project / "data/raw/lite/validations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_comments_and_changes_come_with_their_section_and_words(tmp_path):
    entries = read_feedback(word_file(tmp_path)).entries

    assert entries["kind"].tolist() == ["comment", "deletion", "insertion", "deletion"]
    assert entries["section"].str.endswith(("analysen", "Tiltakene")).all()
    comment, taken_out, put_in, _ = entries.itertuples()
    assert (comment.before, comment.text) == ("alle ansatte", "Også til ledere?")
    assert comment.passage == "Skjemaet gikk til alle ansatte i 2020."
    assert [taken_out.before, put_in.text] == ["2020", "2021"]
    assert pd.isna([taken_out.text, put_in.before]).all()


def test_a_change_in_a_table_names_the_table_and_the_row(tmp_path):
    entry = read_feedback(word_file(tmp_path)).entries.iloc[-1]

    assert entry["row"].endswith("rad 2: Losen")
    assert entry["before"] == "ikke"
    assert entry["passage"] == "ikke startet"


def test_the_title_page_says_whose_draft_it_is(tmp_path):
    draft = read_feedback(word_file(tmp_path))

    assert (draft.title, draft.subtitle) == ("Horten", "Kortrapport fra Et lite program")


def test_a_comment_over_two_paragraphs_holds_the_words_of_both(tmp_path):
    text = (
        f'# A\n\nDet [Uklart.]{{.comment-start id="1" {WHO}}}første.\n\n'
        'Det andre[]{.comment-end id="1"} siste.\n'
    )

    entry = read_feedback(word_file(tmp_path, text)).entries.iloc[0]

    assert entry["before"].replace(" ", "") == "første.Detandre"
    assert entry["passage"] == "Det første."


def test_a_file_that_is_no_word_document_is_told_without_its_text(tmp_path):
    path = tmp_path / "brev.docx"
    path.write_text("Kari Nordmann skrev dette", encoding="utf-8")

    with pytest.raises(DataError, match="cannot be read as a Word document") as told:
        read_feedback(path)
    assert "Kari" not in str(told.value)
    with pytest.raises(DataError, match="is not there"):
        read_feedback(tmp_path / "borte.docx")


def test_the_same_words_twice_in_a_passage_are_two_entries():
    entry = {"kind": "insertion", "section": "A", "row": None, "passage": "B", "text": "ny"}
    entries = pd.DataFrame([entry, entry]).reindex(
        columns=["kind", "section", "row", "passage", "before", "text"]
    )
    logged = pd.DataFrame(columns=["validation_id", "municipality_code", "round"])

    rows = new_validations(entries, logged=logged, municipality=HORTEN, received="2026-11-22")

    assert rows["validation_id"].is_unique
    assert rows["round"].tolist() == [1, 1]


def test_a_returned_draft_is_logged_in_the_study_that_its_title_page_names(project, capsys):
    assert main(["feedback", "kommune-horten.docx", "--received", "2026-11-22"]) == 0

    said = capsys.readouterr().out
    assert "Også til ledere?" in said
    assert "4 new of 4 in data/raw/lite/validations.csv, Horten, round 1" in said
    rows = logged(project)
    assert [row["kind"] for row in rows] == ["comment", "deletion", "insertion", "deletion"]
    assert {row["source"] for row in rows} == {"horten2026-validering-1"}
    assert {row["answer"] for row in rows} == {""}
    read = read_study(project / "data/raw/lite")
    assert len(read.tables["validations"]) == 4


def test_no_name_of_a_commenter_is_printed_or_kept(project, capsys):
    main(["feedback", "kommune-horten.docx"])

    written = [path.read_text("utf-8") for path in (project / "data/raw/lite").iterdir()]
    assert not any("Nordmann" in text for text in [capsys.readouterr().out, *written])


def test_the_same_file_read_again_adds_nothing_and_keeps_the_answers(project, capsys):
    main(["feedback", "kommune-horten.docx"])
    path = project / "data/raw/lite/validations.csv"
    rows = pd.read_csv(path, dtype="str", keep_default_na=False)
    rows.loc[0, "answer"] = "Ja."
    rows.to_csv(path, index=False)
    answered = path.read_text("utf-8")
    capsys.readouterr()

    assert main(["feedback", "kommune-horten.docx"]) == 0

    assert "0 new of 4" in capsys.readouterr().out
    assert path.read_text("utf-8") == answered


def test_what_is_new_in_a_later_file_becomes_the_next_round(project, capsys):
    main(["feedback", "kommune-horten.docx"])
    word_file(project, RETURNED.replace("uendret", f"[helt ]{{.insertion {WHO}}}uendret"))

    main(["feedback", "kommune-horten.docx"])

    assert "1 new of 5" in capsys.readouterr().out
    assert [row["round"] for row in logged(project)] == ["1", "1", "1", "1", "2"]
    assert len(read_study(project / "data/raw/lite").sources) == 4


def test_a_dry_run_gives_json_and_logs_nothing(project, capsys):
    assert main(["feedback", "kommune-horten.docx", "--dry-run", "--json"]) == 0

    assert len(json.loads(capsys.readouterr().out)) == 4
    assert not (project / "data/raw/lite/validations.csv").exists()


@pytest.mark.parametrize(
    ("title", "subtitle", "message"),
    [
        ("Horten", "Notat", "name it with --study, one of lite"),
        ("Bergen", "Kortrapport fra Et lite program", "no municipality 'Bergen'"),
    ],
)
def test_a_draft_that_does_not_say_whose_it_is_asks(project, capsys, title, subtitle, message):
    text = RETURNED.replace("title: Horten", f"title: {title}", 1)
    word_file(project, text.replace("Kortrapport fra Et lite program", subtitle))

    assert main(["feedback", "kommune-horten.docx"]) == 1
    assert message in capsys.readouterr().err


def test_a_day_that_is_no_date_is_refused(project, capsys):
    assert main(["feedback", "kommune-horten.docx", "--received", "i går"]) == 1
    assert "expected a date such as 2026-11-22" in capsys.readouterr().err

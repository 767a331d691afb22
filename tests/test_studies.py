"""From a study's folder to its book, on a study of two municipalities and a book of two chapters."""

import json

import pytest
from small_project import JUDGED, write_small_project
from studies import SETTINGS, TABLES, write_study

from evalkit.cli import main


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project, as the current folder."""
    monkeypatch.chdir(write_small_project(tmp_path))
    return tmp_path


def chapter(project, old, new):
    path = project / "reports" / "lite" / "horten.qmd"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def report(*options):
    return main(["report", "lite", "--engine", "embedded", *options])


def test_a_report_is_made_and_made_again_only_when_something_has_changed(project, capsys):
    assert report() == 0
    said = capsys.readouterr().out
    assert "2 notebooks made" in said
    assert said.endswith("reports/lite/_book/index.html\nreports/lite/_book/rapport.pdf\n")
    page = (project / "reports" / "lite" / "_book" / "horten.html").read_text(encoding="utf-8")
    assert "27\u00a0600" in page
    assert "delvis nådd" in page

    assert report() == 0
    assert "nothing has changed since the book was rendered" in capsys.readouterr().out


def test_a_report_is_told_as_one_json_document(project, capsys):
    assert report("--json", "--to", "html") == 0

    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["study"], told["made"], told["failed"]) == ("lite", 2, 0)
    assert told["book"]["html"] == "reports/lite/_book/index.html"
    assert told["book"]["unchanged"] is False
    assert "2 notebooks made" in said.err

    assert main(["render", "lite", "--engine", "embedded", "--to", "html", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["book"]["unchanged"] is True
    assert "notebooks" not in told


def test_after_a_run_the_book_has_all_that_quarto_needs(project):
    main(["run", "lite"])

    book = project / "reports" / "lite"
    needed = ["facts.json", "sources.bib", "evalkit.csl", "_tabeller-og-figurer.qmd"]
    assert all((book / name).is_file() for name in needed)
    assert (book / "_extensions" / "evalkit" / "_extension.yml").is_file()
    assert "@tbl-attainment-horten" in (book / needed[-1]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("horten.population", "horten.populasjon", "horten.qmd:3: fact horten.populasjon is not"),
        ("se @tbl-att", "se @tbl-atta", "horten.qmd:3: @tbl-attaainment-horten points to nothing"),
        ("[@nf2024]", "[@nf2042]", "horten.qmd:3: citation @nf2042 is in no bibliography"),
    ],
)
def test_what_does_not_fit_together_stops_the_book_with_file_and_line(
    project, capsys, old, new, message
):
    main(["run", "lite"])
    chapter(project, old, new)

    assert report() == 1

    assert message in capsys.readouterr().err
    assert not (project / "reports" / "lite" / "_book").exists()


def test_a_book_with_stale_parts_is_made_only_when_asked_for_and_says_so(project, capsys):
    report()
    write_study(project, attainment=[JUDGED], goals=[TABLES["goals"][0] | {"text": "Annet"}])

    assert main(["render", "lite", "--engine", "embedded"]) == 1
    assert "06-attainment-horten: stale, data/raw/lite/goals.csv changed" in (
        capsys.readouterr().err
    )

    assert main(["render", "lite", "--engine", "embedded", "--allow-incomplete"]) == 0
    page = (project / "reports" / "lite" / "_book" / "horten.html").read_text(encoding="utf-8")
    assert "Ufullstendig" in page


MODEL = {
    "model_id": "horten-model",
    "municipality_code": "3801",
    "position": 1,
    "title": "Modell",
    "row_pattern": "no_indicators",
}
OUTCOME = {
    "model_id": "horten-model",
    "row": 1,
    "row_kind": "logic",
    "column": "outcome",
    "position": 1,
    "text": "Flere trives",
}


def test_check_finds_gaps_in_logic_models_and_tells_which_are_accepted(project, capsys):
    accepted = SETTINGS + '\n[accepted]\n"outcome-without-indicator:*" = "Måles nasjonalt"\n'
    write_study(project, settings=accepted, logic_models=[MODEL], logic_model_cells=[OUTCOME])

    assert main(["check", "lite", "--findings"]) == 0

    said = capsys.readouterr().out
    assert "outcome-without-indicator:horten-model" in said
    assert "Horten: Flere trives" in said
    assert "Måles nasjonalt" in said
    assert ", 1 accepted" in said

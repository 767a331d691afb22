"""The books in reports/: no typed numbers, nothing listed that is not there."""

import tomllib

import pytest
import yaml
from conftest import PROJECT

from evalkit.prose import check_typed_numbers

REPORTS = sorted(p.parent for p in (PROJECT / "reports").glob("*/_quarto.yml"))


@pytest.mark.parametrize("report", REPORTS, ids=lambda p: p.name)
def test_every_number_in_prose_is_a_fact(report):
    check_typed_numbers(report)


def listed(entries):
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif "chapters" in entry:
            if str(entry.get("part", "")).endswith(".qmd"):
                yield entry["part"]
            yield from listed(entry["chapters"])


@pytest.mark.parametrize("report", REPORTS, ids=lambda p: p.name)
def test_every_chapter_of_a_book_is_there_and_every_file_is_a_chapter(report):
    book = yaml.safe_load((report / "_quarto.yml").read_text(encoding="utf-8"))["book"]
    chapters = {*listed(book["chapters"]), *listed(book.get("appendices", []))}
    files = {
        path.name for path in report.glob("*.qmd") if not path.name.startswith(("_", "kommune-"))
    }

    assert chapters == files


@pytest.mark.parametrize("report", REPORTS, ids=lambda p: p.name)
def test_a_book_is_norwegian_and_uses_our_extension(report):
    settings = yaml.safe_load((report / "_quarto.yml").read_text(encoding="utf-8"))

    assert settings["lang"] == "nb"
    assert settings["filters"] == ["evalkit"]
    assert settings["language"]["crossref-ch-prefix"] == "Kapittel"


@pytest.mark.parametrize("report", REPORTS, ids=lambda p: p.name)
def test_the_author_of_a_book_is_who_evaluates_or_for_whom(report):
    raw = PROJECT / "data" / "raw" / report.name / "study.toml"
    if not raw.is_file():
        pytest.skip("the study is made by a command")
    study = tomllib.loads(raw.read_text(encoding="utf-8"))
    book = yaml.safe_load((report / "_quarto.yml").read_text(encoding="utf-8"))["book"]

    assert book["author"] in [study["evaluator"], *study["clients"]]

"""Quotations of the pilot: short, few in a chapter, marked in the text, and as they are printed."""

import re
from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).parents[1]
QUOTATIONS = pd.read_csv(PROJECT / "data" / "raw" / "pilot" / "quotations.csv", dtype=str)
REPORT = PROJECT.parent / "shared" / "seeds" / "004_b1c63594b9109300.txt"
MOST_IN_A_CHAPTER = 3


def quotations_in(chapter):
    """Identifiers that a chapter quotes, each between quotation marks and with its pages."""
    text = chapter.read_text(encoding="utf-8")
    return re.findall(r'«\[\]\{fact="([\w-]+)\.quotation"\}» \[@nf2024, s\. \d+–\d+\]', text)


def test_each_quotation_stands_once_marked_and_with_its_pages_and_a_chapter_has_few():
    chapters = sorted((PROJECT / "reports" / "pilot").glob("*.qmd"))
    quoted = {chapter.name: quotations_in(chapter) for chapter in chapters}
    every = [identifier for own in quoted.values() for identifier in own]
    spans = sum(chapter.read_text("utf-8").count('.quotation"}') for chapter in chapters)

    assert sorted(every) == sorted(QUOTATIONS["quotation_id"])
    assert spans == len(every)
    assert max(map(len, quoted.values())) <= MOST_IN_A_CHAPTER


@pytest.mark.skipif(not REPORT.exists(), reason="needs the report beside the project")
@pytest.mark.parametrize("quotation", QUOTATIONS["quotation"])
def test_a_quotation_stands_word_for_word_in_the_report(quotation):
    report = " ".join(REPORT.read_text(encoding="utf-8").split())

    assert quotation in report

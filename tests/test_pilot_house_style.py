"""One house style in the pilot's chapters and rows: Evaluatorene, Piloten, fram."""

import re
from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).parents[1]
PILOT = PROJECT / "data" / "raw" / "pilot"
MUNICIPALITIES = [  # those with a chapter; others were evaluated by others
    slug
    for slug in pd.read_csv(PILOT / "municipalities.csv")["slug"]
    if (PROJECT / "reports" / "pilot" / f"{slug}.qmd").exists()
]
REFUSED = re.compile(
    r"(?<![-\w])(?:piloten|[Ee]valuators?|[Ff]rem|[Ff]remover|[Ff]remheve[rt]?|[Ff]remdrift\w*)(?![-\w])"
)
NO_PROSE = re.compile(r"\{[^}]*\}|@[\w-]+|\([^()\s]*\.html\)")  # attributes, keys and links


def refused(text):
    return REFUSED.findall(NO_PROSE.sub("", text))


def sections(chapter):
    """Heading and prose of each section of a chapter, without what is embedded."""
    parts = re.split(r"^(#+ .*)$", chapter.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = [line for line in body.splitlines() if not line.startswith(("{{<", ":::"))]
        yield heading, " ".join(lines).strip()


@pytest.mark.parametrize("slug", MUNICIPALITIES)
def test_no_section_of_a_municipality_is_one_sentence(slug):
    chapter = PROJECT / "reports" / "pilot" / f"{slug}.qmd"
    sentences = {
        heading: len(re.findall(r"[.!?](?:\s|$)", NO_PROSE.sub("", body)))
        for heading, body in sections(chapter)
        if body
    }

    assert [heading for heading, count in sentences.items() if count < 2] == []


def test_no_chapter_of_the_pilot_leaves_the_house_style():
    chapters = sorted((PROJECT / "reports" / "pilot").glob("*.qmd"))
    found = {chapter.name: refused(chapter.read_text(encoding="utf-8")) for chapter in chapters}

    assert {name: words for name, words in found.items() if words} == {}


def test_no_row_of_the_pilot_leaves_the_house_style():
    found = []
    for path in sorted(PILOT.glob("*.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        for row, cells in enumerate(table.to_numpy(), start=2):
            found += [
                f"{path.name}:{row}: {word}"
                for cell in cells
                if " " in cell
                for word in refused(cell)
            ]

    assert found == []


def test_the_house_style_is_looked_for_in_prose_alone():
    assert refused("Evaluator mener at piloten gikk frem.") == ["Evaluator", "piloten", "frem"]
    assert refused('I 0–24-piloten gikk []{fact="piloten.x"} fram, etter @sec-om-piloten.') == []

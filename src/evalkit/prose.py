"""Numbers typed into a report's prose, where a fact span should stand."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["typed_numbers"]

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
NOT_PROSE = re.compile(
    r"```.*?```"  # code and raw blocks
    r"|`[^`\n]*`"  # code
    r"|\{\{<.*?>\}\}"  # shortcodes
    r"|<!--.*?-->"
    r"|\{[^{}\n]*\}"  # attributes, and so the fact spans' names
    r"|\]\([^)\s]*\)"  # link targets
    r"|\[[^\]\n]*@[^\]\n]*\]"  # citations with their pages
    r"|-?@[\w:./-]+"  # references and citations
    r"|<?https?://[^\s>)]+>?"
    r"|^:::.*$",
    re.DOTALL | re.MULTILINE,
)
# What may be typed: years standing alone or as a span, chapters, sections and tables of other
# documents, laws and their sections, reports and other publications' numbers, the programme's
# names that hold digits or a version (Ta Sats 2.0), and the numbers of a list.
ALLOWED = re.compile(
    r"(?:kapittel|kap\.|avsnitt|tabell|figur|del|vedlegg|side|s\.|§+|nr\.|nummer|fase|læringsverksted)"
    r"[\s\u00a0]+\d+(?:[.–-]\d+)*\b"
    r"|\b(?:19|20)\d{2}\s?[–-]\s?(?:19|20)?\d{2}\b"
    r"|\b(?:19|20)\d{2}\b(?![ \u00a0]?(?:kroner|prosent|personer|barn|ansatte|innbyggere|%))"
    r"|(?-i:\b[A-ZÆØÅ]\w*[ \u00a0]\d\.0)"
    r"|\b0[–-]24\b|\b24-timers"
    r"|\b(?:NF-rapport|rapport|Meld\. St\.|Prop\.|NOU)[\s\u00a0]+[\d:/]+(?:[\s\u00a0]\w)?"
    r"|\bISBN\b[^\n]*|\bISSN\b[^\n]*"
    r"|^\s*\d+[.)]\s",
    re.IGNORECASE | re.MULTILINE,
)
NUMBER = re.compile(r"(?<![\w.,])\d[\d\u00a0 .,]*\d\b|(?<![\w.,])\d\b")


def typed_numbers(path: Path) -> list[tuple[int, str]]:
    """Numbers that stand as digits in the prose of a chapter, with their lines.

    Fact spans, references, citations, code and attributes are not prose. Years, the numbers of
    chapters, tables, laws and publications, and the programme's names that hold digits
    (0–24-samarbeidet) may be typed; nothing else may.

    Returns
    -------
    list of (line, number)
        Empty if every number is a fact span.
    """
    text = path.read_text(encoding="utf-8")
    for pattern in (FRONT_MATTER, NOT_PROSE, ALLOWED):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", "¤", found[0]), text)
    return [
        (text.count("\n", 0, found.start()) + 1, found[0].strip())
        for found in NUMBER.finditer(text)
    ]

"""The prose of a report's chapters: its files, its sentences, and numbers typed into it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import BookError, ConfigError

__all__ = [
    "Sentence",
    "chapter_files",
    "chapter_text",
    "check_typed_numbers",
    "sentences",
    "typed_numbers",
]

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
NOT_PROSE = re.compile(
    r"```.*?```"  # code and raw blocks
    r"|`[^`\n]*`"  # code
    r"|\[[^\]\n]*\]\{\.name\}"  # digits that belong to a name
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
    (0–24-samarbeidet) may be typed, and other names as ``[covid-19]{.name}``; nothing else may.

    Returns
    -------
    list of (line, number)
        Empty if every number is a fact span.
    """
    text = chapter_text(path)
    for pattern in (FRONT_MATTER, NOT_PROSE, ALLOWED):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", "¤", found[0]), text)
    return [
        (text.count("\n", 0, found.start()) + 1, found[0].strip())
        for found in NUMBER.finditer(text)
    ]


def chapter_text(path: Path) -> str:
    """What a chapter's file holds.

    Raises
    ------
    ConfigError
        If the file is not UTF-8, with the place of the first byte that is not.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start + 1} is not UTF-8; save it as UTF-8"
        ) from error


GENERATED = ("kommune-*.qmd", "_tabeller-og-figurer.qmd")  # written by evalkit, not by an author
MADE_FOLDERS = ("_", ".", "notebooks")  # how folders begin that hold no chapters


def chapter_files(book_dir: Path) -> list[Path]:
    """The files of a book that an author writes: chapters, what they include, the template.

    Parameters
    ----------
    book_dir
        The book's folder; none that is there gives no files.
    """
    return [
        path
        for path in sorted(book_dir.rglob("*.qmd"))
        if not any(path.match(name) for name in GENERATED)
        and not any(part.startswith(MADE_FOLDERS) for part in path.relative_to(book_dir).parts[:-1])
    ]


def check_typed_numbers(book_dir: Path) -> None:
    """Refuse a book with numbers typed into its prose, naming each with file and line.

    Raises
    ------
    BookError
        With every number that ``typed_numbers`` finds in the files of ``chapter_files``.
    """
    typed = [
        f"  {path.relative_to(book_dir).as_posix()}:{line}: the number {number} is typed"
        for path in chapter_files(book_dir)
        for line, number in typed_numbers(path)
    ]
    if typed:
        raise BookError(
            f"{book_dir} has {len(typed)} numbers typed into its prose; write each as a claim's "
            '[]{fact="subject.quantity"}, or, where its digits belong to a name, as [10]{.name}:\n'
            + "\n".join(typed)
        )


FACT = re.compile(r"\[[^\]\n]*\]\{[^{}\n]*\bfact=[\"']([^\"'}]*)[\"'][^{}\n]*\}")
HIDDEN = re.compile(
    r"\A---\n.*?\n---\n|^```.*?^```[^\n]*|<!--.*?-->|\{\{<.*?>\}\}|^:::.*?$|^\|.*?$|^\s*:\s.*?$",
    re.DOTALL | re.MULTILINE,
)
CITED = re.compile(r"\s*\[[^\]\n]*@[^\]\n]*\]|\s*\(@[\w:./-]+\)")
MARKS = re.compile(
    r"\{[^{}\n]*\}|\]\([^)\s]*\)|[\[\]*`_]|^#+ |^\s*(?:[-+]|\d+[.)])\s+", re.MULTILINE
)
PARAGRAPH = re.compile(r"(?:^(?!\s*$|#).+\n?)+", re.MULTILINE)
ITEM = re.compile(r"^\s*(?:[-+*]|\d+[.)])\s", re.MULTILINE)
SENTENCE_END = re.compile(
    r"(?<!\bca)(?<!\bkap)(?<!\bnr)(?<!\bjf)(?<!\bbl\.a)[.!?:][\"”»)*\]]*\s+(?=[A-ZÆØÅÉ«\"(\[*@])"
)


@dataclass(frozen=True)
class Sentence:
    """A sentence of a chapter: where it begins, and its text as it is read, facts filled in."""

    line: int
    text: str
    before: str  # the sentence before it in its paragraph
    facts: tuple[str, ...]


def sentences(text: str, value_of: Callable[[str], str]) -> Iterator[Sentence]:
    """The sentences of a chapter's running text; headings, tables and code are left out.

    Parameters
    ----------
    text
        The chapter, as in its file.
    value_of
        What stands in the place of a fact, by its key.
    """
    for pattern in (HIDDEN, CITED):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for paragraph in PARAGRAPH.finditer(text):
        starts = [0, *(found.start() for found in ITEM.finditer(paragraph[0]))]
        starts += [found.end() for found in SENTENCE_END.finditer(paragraph[0])]
        bounds = [*sorted(set(starts)), len(paragraph[0])]
        before = ""
        for start, end in itertools.pairwise(bounds):
            raw = paragraph[0][start:end]
            shown = FACT.sub(lambda found: value_of(found[1]), raw)
            shown = re.sub(r" (?=[.,;:!?])", "", " ".join(MARKS.sub("", shown).split()))
            if re.search(r"\w", shown):
                line = text.count("\n", 0, paragraph.start() + start) + 1
                yield Sentence(line, shown, before, tuple(FACT.findall(raw)))
                before = shown

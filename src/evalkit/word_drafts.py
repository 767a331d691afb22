"""A Word file read as it came back: its passages as they were sent, its comments and tracked changes.

Word writes a change as an element around what was put in or taken out (``w:ins``, ``w:del``), around
both ends of what was moved, or within the properties of a paragraph's mark or a table's row. Every
such element, and every comment, is counted, and those that no entry tells of are named, so that
nothing is lost in silence. Who wrote them is known by a number within the file, never by name.

The format is ISO/IEC 29500-1; threads of comments are Microsoft's [MS-DOCX] 2.5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from evalkit.archives import unpacked
from evalkit.errors import DataError
from evalkit.word_parts import (
    CHANGES,
    SIGNS,
    Comments,
    Styles,
    W,
    all_changed,
    is_heading_row,
    local_name,
)

__all__ = ["Passage", "WordDraft", "WordEntry", "joined", "read_word_draft"]

TEXT_LIMIT = 60 * 10**6  # bytes of all parts with text; a report of 100 pages has 2
PARTS = r"word/(?:document|comments|commentsExtended|footnotes|endnotes|styles|header\d*|footer\d*)\.xml"
PUT_IN = {"insertion", "moved_to"}
MOVES = {"moveFromRangeStart": "moved_from", "moveToRangeStart": "moved_to"}
FORMAT_CHANGES = (
    "rPrChange",
    "pPrChange",
    "tblPrChange",
    "trPrChange",
    "tcPrChange",
    "sectPrChange",
)
CELL_CHANGES = ("cellIns", "cellDel", "cellMerge")
NO_TEXT = {"pPr", "rPr", "tblPr", "tblGrid", "trPr", "tcPr", "sectPr", "instrText", "delInstrText"}
END_OF_PARAGRAPH = " ¶ "


@dataclass
class WordEntry:
    """One comment or change: its place, the words it is about and its own words."""

    kind: str
    section: str
    row: str
    passage: Passage
    author: str = ""
    made: str = ""
    before: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    belongs_to: WordEntry | None = None

    def says_something(self) -> bool:
        return bool(joined(self.before) or joined(self.text))


@dataclass
class Passage:
    """A paragraph or cell as it was sent, with its heading and its row of a table."""

    section: str
    row: str
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return joined(self.words)


@dataclass
class WordDraft:
    """What a Word file holds; ``unread`` says, a line each, what no entry tells of."""

    title: str
    subtitle: str
    entries: list[WordEntry]
    passages: list[Passage]
    unread: list[str]


def joined(words: Iterable[str]) -> str:
    """Words with single, plain spaces."""
    return " ".join("".join(words).split())


def read_word_draft(path: Path) -> WordDraft:
    """Read a ``.docx`` file.

    Raises
    ------
    DataError
        If the file is no Word document, is encrypted, or holds more text than a report does.
    """
    told = f"{path} cannot be read as a Word document (.docx)"
    try:
        parts = unpacked(path, lambda name: bool(re.fullmatch(PARTS, name)), limit=TEXT_LIMIT)
        trees = {name.split("/")[-1][:-4]: _tree(content) for name, content in parts.items()}
    except etree.XMLSyntaxError as error:
        raise DataError(told) from error
    except DataError as error:
        raise DataError(told if "not a zip" in str(error) else str(error)) from error
    if "document" not in trees:
        raise DataError(told)
    reader = _Reader(trees)
    reader.read()
    return WordDraft(
        joined(reader.title),
        joined(reader.subtitle),
        [entry for entry in reader.entries if entry.says_something()],
        [passage for passage in reader.passages if passage.text],
        reader.unread(),
    )


def _tree(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(content, parser)
    for fallback in list(root.iter("{*}Fallback")):  # says again what stands beside it
        fallback.getparent().remove(fallback)
    return root


@dataclass
class _Open:
    """A comment whose range has begun, and how many of its words its first paragraph had."""

    entry: WordEntry
    own_paragraph: int | None = None


class _Reader:
    """Walks a file once; knows the heading, table row and paragraph that it is in."""

    def __init__(self, trees: dict[str, etree._Element]) -> None:
        self.trees = trees
        self.styles = Styles(trees.get("styles"))
        self.comments = Comments(trees.get("comments"), trees.get("commentsExtended"))
        self.notes = {
            kind: {note.get(f"{W}id"): note for note in trees[part].iterchildren(f"{W}{kind}")}
            for kind, part in (("footnote", "footnotes"), ("endnote", "endnotes"))
            if part in trees
        }
        self.entries: list[WordEntry] = []
        self.passages: list[Passage] = []
        self.title: list[str] = []
        self.subtitle: list[str] = []
        self.section = self.row = self.caption = ""
        self.passage = Passage("", "")
        self.joins: WordEntry | None = None
        self.change: WordEntry | None = None
        self.later: list[tuple[etree._Element, str]] = []
        self.commented: dict[str, _Open] = {}
        self.by_comment: dict[str, WordEntry] = {}
        self.joining: list[etree._Element] = []
        self.moves: dict[str, dict[str, WordEntry]] = {}
        self.moving: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        self.owner: dict[etree._Element, WordEntry] = {}

    # ---- the whole file

    def read(self) -> None:
        body = self.trees["document"].find(f"{W}body")
        self._blocks(body if body is not None else [])
        for name in sorted(self.trees):
            if name.startswith(("header", "footer")):
                self.section, self.row = "", "topptekst" if name[0] == "h" else "bunntekst"
                self._blocks(self.trees[name])
        for opened in self.commented.values():  # its range never ended
            del opened.entry.before[opened.own_paragraph :]
        self._place_comments()
        for ends in self.moves.values():
            if len(ends) == 2:
                ends["moved_to"].belongs_to = ends["moved_from"]

    def unread(self) -> list[str]:
        """What the file has more of than the entries tell."""
        spoken = {id(entry) for entry in self.entries if entry.says_something()}
        lost = Counter(
            f"w:{etree.QName(mark).localname} in {name}.xml"
            for name, tree in self.trees.items()
            for mark in tree.iter(*(f"{W}{kind}" for kind in (*CHANGES, *CELL_CHANGES)))
            if id(self.owner.get(mark)) not in spoken
        )
        lost.update(
            "w:comment in comments.xml"
            for number in self.comments.elements
            if id(self.by_comment.get(number)) not in spoken
        )
        formats = sum(
            1
            for tree in self.trees.values()
            for _ in tree.iter(*(f"{W}{f}" for f in FORMAT_CHANGES))
        )
        told = [
            f"{count} {what}: no words to list (a picture, a field or a cell); look in the file"
            for what, count in sorted(lost.items())
        ]
        return told + ([f"{formats} changes of format alone: not listed"] if formats else [])

    def _place_comments(self) -> None:
        """Give replies the words of what they answer; comments that stand nowhere come last."""
        for number in self.comments.elements:
            if number not in self.by_comment:
                self._comment(number, Passage("", ""))
        for number, entry in self.by_comment.items():
            answered = self.by_comment.get(self.comments.answered.get(number, ""))
            if answered is not None and answered is not entry:
                entry.belongs_to = answered
                if not joined(entry.before):
                    entry.before, entry.passage = answered.before, answered.passage
                    entry.section, entry.row = answered.section, answered.row

    # ---- blocks

    def _blocks(self, parent: Iterable[etree._Element]) -> None:
        for block in parent:
            kind = local_name(block)
            if kind == "p":
                self._paragraph(block)
            elif kind == "tbl":
                self._table(block)
            elif kind.endswith(("RangeStart", "RangeEnd")):
                self._mark(block, kind)
            elif kind not in NO_TEXT:
                self._blocks(block)

    def _table(self, table: etree._Element) -> None:
        name = self.caption.partition(":")[0] if self.caption.startswith("Tabell") else "Tabell"
        outer, number, headings = self.row, 0, True
        for row in table.iter(f"{W}tr"):
            if next(row.iterancestors(f"{W}tbl")) is not table:
                continue
            headings = headings and is_heading_row(row, table)
            number += not headings
            first = self._as_sent(row.find(f".//{W}tc"))
            place = f"{name}, {'overskriften' if headings else f'rad {number}'}"
            self.row = f"{place}: {first}" if first else place
            for mark in row.iterfind(f"{W}trPr/*"):
                if local_name(mark) in ("ins", "del"):
                    kind = "row_insertion" if local_name(mark) == "ins" else "row_deletion"
                    self._row_change(kind, mark, row)
            for cell in row.iter(f"{W}tc"):
                if next(cell.iterancestors(f"{W}tr")) is row:
                    self._blocks(cell)
        self.row = outer

    def _row_change(self, kind: str, mark: etree._Element, row: etree._Element) -> None:
        words = " | ".join(
            joined(cell.itertext(f"{W}t", f"{W}delText")) for cell in row.iterfind(f"{W}tc")
        )
        entry = self._entry(kind, mark, Passage(self.section, self.row, [words]))
        (entry.text if kind == "row_insertion" else entry.before).append(words)

    def _paragraph(self, paragraph: etree._Element) -> None:
        style = self.styles.name(paragraph)
        heads = self.styles.is_heading(paragraph)
        if heads:
            self.section = self._as_sent(paragraph)
        if self.joins is None:
            self.passage = Passage(self.section, self.row)
            self.passages.append(self.passage)
        self.change = None
        before = len(self.passage.words)
        own = self.passage.words
        self._inlines(paragraph, "", None)
        self._join(own[before:])
        if style in ("title", "subtitle"):
            words = self.title if style == "title" else self.subtitle
            words += [*own[before:], " "]
        self.caption = joined(own) or self.caption
        for opened in self.commented.values():
            if opened.own_paragraph is None:
                opened.own_paragraph = len(opened.entry.before)
            opened.entry.before.append(" ")
        self._paragraph_mark(paragraph, before)
        self._later()

    def _later(self) -> None:
        """Footnotes and text boxes of the paragraph, after it."""
        later, self.later = self.later, []
        outer, passage = self.row, self.passage
        for blocks, name in later:
            self.row = ", ".join(part for part in (outer, name) if part)
            self._blocks(blocks)
        if later:
            self.row, self.passage = outer, passage

    def _join(self, words: list[str]) -> None:
        """Take a paragraph to the mark before it, which was put in or taken out."""
        split, self.joins = self.joins, None
        if split is not None and not joined(words) and self.change is not None:
            self.entries.remove(split)  # a whole paragraph was put in, which its own entry tells
            self.owner |= {mark: self.change for mark, of in self.owner.items() if of is split}
        elif split is not None:
            split.text += words
        for mark in self.joining:
            self.owner[mark] = self.change
        self.joining = []

    def _paragraph_mark(self, paragraph: etree._Element, before: int) -> None:
        """A tracked change of the mark that ends a paragraph: made two of one, or one of two."""
        properties = paragraph.find(f"{W}pPr/{W}rPr")
        for mark in properties if properties is not None else ():
            kind = CHANGES.get(local_name(mark))
            if kind is None:
                continue
            kept = joined(self.passage.words[before:])
            following = next(paragraph.itersiblings(f"{W}p"), None)
            if self.change and self.change.kind == kind and all_changed(paragraph, kind):
                self.owner[mark] = self.change  # the mark came or went with all of its words
            elif kind in PUT_IN:
                self.joins = self._entry("paragraph_split", mark, self.passage)
                self.joins.text += [kept, END_OF_PARAGRAPH]
            elif following is not None and all_changed(following, kind):
                self.joining.append(mark)  # the next paragraph went whole, as its entry tells
            else:
                entry = self._entry("paragraph_merge", mark, self.passage)
                entry.before += [kept, END_OF_PARAGRAPH, self._as_sent(following)]

    # ---- inlines

    def _inlines(self, parent: etree._Element, change: str, entry: WordEntry | None) -> None:
        for inline in parent:
            kind = local_name(inline)
            if kind in CHANGES:
                made = self._changed(CHANGES[kind], inline)
                self._inlines(inline, change if change in PUT_IN else CHANGES[kind], made)
                if entry is not None:
                    self.change = entry
            elif kind in ("t", "delText"):
                self._say(inline.text or "", change, inline)
            elif kind in SIGNS:
                self._say(SIGNS[kind], change, inline)
            elif kind == "sym":
                self._say("□", change, inline)
            elif kind in ("footnoteReference", "endnoteReference"):
                note = self.notes.get(kind.removesuffix("Reference"), {}).get(inline.get(f"{W}id"))
                if note is not None:
                    self.later.append((note, "fotnote" if kind[0] == "f" else "sluttnote"))
            elif kind == "txbxContent":
                self.later.append((inline, "tekstboks"))
            elif kind == "commentReference":
                self._refer(inline.get(f"{W}id"))
            elif kind.endswith(("RangeStart", "RangeEnd")):
                self._mark(inline, kind)
            elif kind not in NO_TEXT:
                self._inlines(inline, change, entry)

    def _mark(self, mark: etree._Element, kind: str) -> None:
        number = mark.get(f"{W}id", "")
        if kind == "commentRangeStart":
            self.commented[number] = _Open(self._comment(number, self.passage))
        elif kind == "commentRangeEnd":
            self.commented.pop(number, None)
        elif kind in MOVES:
            self.moving[MOVES[kind]] = mark.get(f"{W}name", "")

    def _refer(self, number: str) -> None:
        if number not in self.by_comment:
            self._comment(number, self.passage)

    def _comment(self, number: str, passage: Passage) -> WordEntry:
        element = self.comments.elements.get(number)
        entry = self.by_comment.get(number)
        if entry is None:
            entry = self.by_comment[number] = self._entry("comment", element, passage)
            if element is not None:
                entry.text += self.comments.words(element)
        return entry

    def _changed(self, kind: str, element: etree._Element) -> WordEntry:
        """The entry of a change: the one that goes on here, or a new one."""
        author, made = self._who(element)
        last = self.change
        if last is None or (last.kind, last.author, last.made) != (kind, author, made):
            self.change = last = self._entry(kind, element, self.passage)
            if kind in self.moving:
                self.moves.setdefault(self.moving[kind], {})[kind] = last
        self.owner[element] = last
        return last

    def _entry(self, kind: str, element: etree._Element | None, passage: Passage) -> WordEntry:
        author, made = self._who(element)
        entry = WordEntry(kind, passage.section, passage.row, passage, author, made)
        self.entries.append(entry)
        if element is not None:
            self.owner[element] = entry
        return entry

    def _who(self, element: etree._Element | None) -> tuple[str, str]:
        if element is None:
            return "", ""
        name, when = element.get(f"{W}author", ""), element.get(f"{W}date", "")
        label = self.authors.setdefault(name, f"reader{len(self.authors) + 1}") if name else ""
        day = when[:10]
        return label, day if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) else ""

    def _say(self, text: str, change: str, place: etree._Element) -> None:
        for opened in self.commented.values():
            opened.entry.before.append(text)
        if change not in PUT_IN:
            self.passage.words.append(text)
        for parent in place.iterancestors():
            kind = CHANGES.get(local_name(parent))
            if kind:
                entry = self.owner[parent]
                (entry.text if kind in PUT_IN else entry.before).append(text)
        if text and not change:
            self.change = None

    def _as_sent(self, block: etree._Element | None) -> str:
        """Words of a block without what was put in."""
        if block is None:
            return ""
        put_in = {f"{W}{name}" for name, kind in CHANGES.items() if kind in PUT_IN}
        return joined(
            text.text or ""
            for text in block.iter(f"{W}t", f"{W}delText")
            if not put_in & {parent.tag for parent in text.iterancestors()}
        )

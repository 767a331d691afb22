"""Parts of a Word file: what its styles are for, its comments and their threads, its elements' names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

__all__ = [
    "CHANGES",
    "SIGNS",
    "Comments",
    "Styles",
    "W",
    "all_changed",
    "is_heading_row",
    "local_name",
]

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
W15 = "{http://schemas.microsoft.com/office/word/2012/wordml}"
CHANGES = {"ins": "insertion", "del": "deletion", "moveFrom": "moved_from", "moveTo": "moved_to"}
SIGNS = {"tab": " ", "br": " ", "cr": " ", "ptab": " ", "noBreakHyphen": "-"}


class Styles:
    """What a document's styles are for, by the names that Word gives them in every language."""

    def __init__(self, tree: etree._Element | None) -> None:
        self._names: dict[str, str] = {}
        self._based: dict[str, str] = {}
        self._levels: set[str] = set()
        for style in tree.iterfind(f"{W}style") if tree is not None else ():
            number = style.get(f"{W}styleId", "")
            name, based = style.find(f"{W}name"), style.find(f"{W}basedOn")
            self._names[number] = (name.get(f"{W}val", "") if name is not None else "").lower()
            if based is not None:
                self._based[number] = based.get(f"{W}val", "")
            if style.find(f"{W}pPr/{W}outlineLvl") is not None:
                self._levels.add(number)

    def name(self, paragraph: etree._Element) -> str:
        number = self._number(paragraph)
        return self._names.get(number, number.lower())

    def is_heading(self, paragraph: etree._Element) -> bool:
        level = paragraph.find(f"{W}pPr/{W}outlineLvl")
        if level is not None:
            return level.get(f"{W}val") != "9"
        return any(
            number in self._levels
            or re.fullmatch(r"(?:heading|overskrift) ?\d", self._names.get(number, number.lower()))
            for number in self._family(self._number(paragraph))
        )

    def _family(self, number: str) -> Iterator[str]:
        seen: set[str] = set()
        while number and number not in seen:
            seen.add(number)
            yield number
            number = self._based.get(number, "")

    @staticmethod
    def _number(paragraph: etree._Element) -> str:
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        return style.get(f"{W}val", "") if style is not None else ""


class Comments:
    """Comments by their number, and which comment each reply answers."""

    def __init__(self, tree: etree._Element | None, threads: etree._Element | None) -> None:
        found = tree.iterchildren(f"{W}comment") if tree is not None else ()
        self.elements = {comment.get(f"{W}id", ""): comment for comment in found}
        paragraphs = {
            paragraph.get(f"{W14}paraId"): number
            for number, comment in self.elements.items()
            for paragraph in comment.iter(f"{W}p")
        }
        self.answered = {
            paragraphs[thread.get(f"{W15}paraId")]: paragraphs[thread.get(f"{W15}paraIdParent")]
            for thread in (threads if threads is not None else ())
            if {thread.get(f"{W15}paraId"), thread.get(f"{W15}paraIdParent")} <= set(paragraphs)
        }

    @staticmethod
    def words(comment: etree._Element) -> list[str]:
        """What a comment says now: what was taken out of it again is not said."""
        gone = {f"{W}del", f"{W}moveFrom"}
        words: list[str] = []
        for paragraph in comment.iter(f"{W}p"):
            words += [
                SIGNS.get(local_name(sign), sign.text or "")
                for sign in paragraph.iter(f"{W}t", *(f"{W}{name}" for name in SIGNS))
                if not gone & {parent.tag for parent in sign.iterancestors()}
            ]
            words.append(" ")
        return words


def all_changed(paragraph: etree._Element, kind: str) -> bool:
    """Whether a paragraph has words, all of them put in or taken out."""
    around = {f"{W}{name}" for name, change in CHANGES.items() if change == kind}
    texts = [text for text in paragraph.iter(f"{W}t", f"{W}delText") if text.text]
    return bool(texts) and all(
        around & {parent.tag for parent in text.iterancestors()} for text in texts
    )


def is_heading_row(row: etree._Element, table: etree._Element) -> bool:
    if row.find(f"{W}trPr/{W}tblHeader") is not None:
        return True
    if row is not table.find(f"{W}tr"):
        return False
    look = table.find(f"{W}tblPr/{W}tblLook")
    if look is None:
        return False
    first = look.get(f"{W}firstRow")
    if first is not None:
        return first in ("1", "true", "on")
    return bool(int(look.get(f"{W}val", "0") or "0", 16) & 0x20)


def local_name(element: etree._Element) -> str:
    """An element's name without its namespace; comments of XML have none."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""

"""The texts that a REFI-QDA project codes, and what the positions of its passages count.

The standard counts characters from 0. Programs also count line breaks otherwise than the text has
them, bytes, halves of large characters, or the byte order mark. Where passages carry their own
words, the words of a document's passages tell how that document was counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from evalkit.errors import DataError

__all__ = ["AS_CHARACTERS", "Counting", "SourceTexts", "counting_of", "says_the_same", "stands_in"]

SHORTENED = ("...", "…")  # how programs end a passage's words that they have cut
BYTE_ORDER = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass
class SourceTexts:
    """The text files of a project by the path that its sources name."""

    members: Mapping[str, bytes]
    archive: str
    _read: dict[str, str] = field(default_factory=dict)

    def text(self, path: str | None) -> str | None:
        """The text at a path of the project; ``None`` where it lies outside the project.

        Raises
        ------
        DataError
            If several files fit the path, or the file is neither UTF-8 nor UTF-16.
        """
        member = self._member(path or "")
        if member is None:
            return None
        if member not in self._read:
            self._read[member] = self._decoded(member)
        return self._read[member]

    def _member(self, path: str) -> str | None:
        scheme, found, place = path.partition("://")
        if found and scheme != "internal":
            return None
        asked = _inside(place if found else path)
        exact = [member for member in self.members if _inside(member) == asked]
        fitting = exact or [
            member for member in self.members if _inside(member).casefold() == asked.casefold()
        ]
        if len(fitting) > 1:
            raise DataError(
                f"{self.archive}: {path} may be any of {', '.join(sorted(fitting))}; "
                "export the project again, with one file for each text"
            )
        return fitting[0] if fitting else None

    def _decoded(self, member: str) -> str:
        content = self.members[member]
        encoding = BYTE_ORDER.get(content[:2]) or _without_mark(content)
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.archive}: {member} is neither UTF-8 nor UTF-16 text; save that text as "
                "UTF-8 and export the project again"
            ) from error


def _without_mark(content: bytes) -> str:
    """UTF-16 without its mark has a zero byte in nearly every pair; UTF-8 text has none."""
    if b"\0" not in content:
        return "utf-8"
    return "utf-16-le" if content[1::2].count(0) >= content[::2].count(0) else "utf-16-be"


def _inside(member: str) -> str:
    """A file's path within the folder of sources."""
    return re.sub(r"^/*(?:sources/)?", "", member.replace("\\", "/"), flags=re.IGNORECASE)


@dataclass(frozen=True)
class Counting:
    """How positions count in a text."""

    unit: str = "character"
    line_break: str = "as it lies"
    mark: bool = False
    inclusive: bool = False

    def words(self, text: str, start: int, end: int) -> str | None:
        """The words between two positions; ``None`` where the text has no such place."""
        counted = _with_breaks(text, self.line_break)
        counted = "\ufeff" + counted if self.mark else counted
        end += self.inclusive
        if self.unit == "character":
            return counted[start:end] if end <= len(counted) else None
        encoding, width = {"half": ("utf-16-le", 2), "byte": ("utf-8", 1)}[self.unit]
        content = counted.encode(encoding, errors="surrogatepass")
        if end * width > len(content):
            return None
        return content[start * width : end * width].decode(encoding, errors="replace")

    def __str__(self) -> str:
        said = {"character": "characters", "half": "halves of UTF-16", "byte": "bytes of UTF-8"}
        breaks = {"as it lies": "", "\n": ", line breaks as one", "\r\n": ", line breaks as two"}
        return (
            said[self.unit]
            + breaks[self.line_break]
            + (", with a byte order mark" if self.mark else "")
            + (", the end included" if self.inclusive else "")
        )


AS_CHARACTERS = Counting()
COUNTINGS = [
    Counting(unit, line_break, mark, inclusive)
    for inclusive, mark, unit, line_break in product(
        (False, True), (False, True), ("character", "half", "byte"), ("as it lies", "\n", "\r\n")
    )
]


def counting_of(text: str, passages: Iterable[tuple[int, int, str]]) -> Counting:
    """How the positions of a document's passages count, as their own words show.

    Parameters
    ----------
    text
        The document's text.
    passages
        Start, end and own words of each passage that carries words.

    Returns
    -------
    Counting
        The one under which the words of most passages stand at their positions; characters where
        no passage carries words, or none of them fits.
    """
    passages = list(passages)
    if all(says_the_same(AS_CHARACTERS.words(text, *place), own) for *place, own in passages):
        return AS_CHARACTERS
    return max(
        COUNTINGS,
        key=lambda counting: sum(
            says_the_same(counting.words(text, *place), own) for *place, own in passages
        ),
    )


def says_the_same(words: str | None, own: str) -> bool:
    """Whether the words at a passage's positions are its own, which may be cut at the end."""
    if words is None:
        return False
    found, (said, whole) = " ".join(words.split()), _own_words(own)
    return found == said if whole else found.startswith(said)


def stands_in(text: str, own: str) -> bool:
    """Whether a passage's own words stand anywhere in a text."""
    said, _ = _own_words(own)
    return said in " ".join(text.split())


def _own_words(own: str) -> tuple[str, bool]:
    """A passage's own words with plain spaces, and whether they are all of its words."""
    said = " ".join(own.split())
    for ending in SHORTENED:
        if said.endswith(ending):
            return said.removesuffix(ending).rstrip(), False
    return said, True


def _with_breaks(text: str, line_break: str) -> str:
    if line_break == "as it lies":
        return text
    return re.sub(r"\r\n|\r|\n", lambda _: line_break, text)

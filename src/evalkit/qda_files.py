"""Coded material from qualitative software: REFI-QDA projects (QDPX) and codebooks (QDC).

The format is the exchange standard of NVivo, ATLAS.ti, MAXQDA and others. Only text is read;
coded pictures and sound are counted as coded, without an excerpt.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from lxml import etree

from evalkit.archives import apart, unpacked
from evalkit.errors import DataError
from evalkit.qda_texts import (
    AS_CHARACTERS,
    Counting,
    SourceTexts,
    counting_of,
    says_the_same,
    stands_in,
)
from evalkit.shared import noted

__all__ = ["CodedText", "read_codebook", "read_qdpx"]

PROJECT = "project.qde"
TEXT_SELECTIONS = {"PlainTextSelection", "TranscriptSelection"}
POSITION = r"\d{1,9}"  # a text has fewer than 1,000 million characters
SHOWN = 8
COLUMNS = [
    "document",
    "unit",
    "code",
    "code_path",
    "coder",
    "start",
    "end",
    "excerpt",
    "anonymity",
]


@dataclass(frozen=True)
class CodedText:
    """Codings that were read, and what a reader must know of them.

    ``remarks`` says, a line each, which passages have no text, whose words do not fit their
    positions, and which documents count otherwise than in characters: by document and code,
    never with the words.
    """

    codings: pd.DataFrame
    remarks: tuple[str, ...] = ()


def read_qdpx(
    path: str | Path, *, project: str = "", coders: Mapping[str, str] | None = None
) -> CodedText:
    """Codings of a REFI-QDA project, one row per document, passage, code and coder.

    Parameters
    ----------
    path
        A ``.qdpx`` file: a zip with ``project.qde`` and the texts.
    project
        Put before the labels of the coders, so that those of several projects stay apart.
    coders
        By the guid of a user, the label of the coder, so that one who worked in several projects
        is the same in all; never a name. Other users are numbered.

    Returns
    -------
    CodedText
        Its ``codings`` have ``document`` (its name, with its guid where several have that name),
        ``unit`` (document and passage), ``code`` (its name), ``code_path`` (parents first, joined
        by `` > ``), ``coder`` (``coder1`` for the project's first user, or as given; never a
        name), ``start`` and ``end`` (as the file has them; missing outside plain text),
        ``excerpt`` (missing outside plain text, and where the text is not there or does not fit
        the passage's own words) and ``anonymity``, which is ``not_checked`` for every row: nobody
        has cleared an excerpt that was just read.

    Raises
    ------
    DataError
        If the file is no zip, has no ``project.qde``, its XML is broken or too large, a text is
        neither UTF-8 nor UTF-16, or positions are no whole numbers in their order.

    References
    ----------
    REFI-QDA Standard 1.5 (2019), qdasoftware.org.
    """
    noted(Path(path))
    return apart(_project, Path(path), project, dict(coders or {}))


def _project(path: Path, project: str, coders: Mapping[str, str]) -> CodedText:
    name = path.name
    members = unpacked(path, lambda member: member == PROJECT or _is_text(member))
    if PROJECT not in members:
        raise DataError(f"{name}: no {PROJECT} inside; expected a REFI-QDA project")
    root = _parsed(members.pop(PROJECT), name)
    reading = _Reading(
        name, SourceTexts(members, name), _codes(root), _coder_labels(root, project, coders)
    )
    sources = list(root.iterfind("{*}Sources/*"))
    for source, document in zip(sources, _document_names(sources), strict=True):
        reading.source(source, document)
    reading.refuse_odd_positions()
    frame = pd.DataFrame(reading.rows, columns=COLUMNS).astype({"start": "Int64", "end": "Int64"})
    return CodedText(frame.drop_duplicates(ignore_index=True), tuple(reading.remarks()))


def _is_text(member: str) -> bool:
    return member.lower().endswith(".txt")


def read_codebook(path: str | Path) -> pd.DataFrame:
    """Codes of a REFI-QDA codebook or project, in their order.

    Parameters
    ----------
    path
        A ``.qdc`` file, or a ``.qdpx`` file.

    Returns
    -------
    DataFrame
        ``guid``, ``code``, ``code_path``, ``parent_code`` (missing at the top), ``level`` (1 at
        the top), ``codable`` (true or false) and ``description`` (blank where there is none).

    Raises
    ------
    DataError
        If the file cannot be read as a codebook.
    """
    noted(Path(path))
    return apart(_codebook, Path(path))


def _codebook(path: Path) -> pd.DataFrame:
    name = path.name
    if zipfile.is_zipfile(path):
        content = unpacked(path, lambda member: member == PROJECT).get(PROJECT)
        if content is None:
            raise DataError(f"{name}: no {PROJECT} inside; expected a REFI-QDA project")
    else:
        content = path.read_bytes()
    rows = _codes(_parsed(content, name))
    if not rows:
        raise DataError(f"{name}: no codes inside; expected a REFI-QDA codebook")
    return pd.DataFrame(rows)


def _parsed(content: bytes, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"{name}: broken XML, {error.msg}") from error


def _codes(root: etree._Element) -> list[dict]:
    rows = []

    def descend(element, parents: list[str]) -> None:
        for code in element.iterfind("{*}Code"):
            path = [*parents, code.get("name", "")]
            rows.append(
                {
                    "guid": _guid(code.get("guid")),
                    "code": path[-1],
                    "code_path": " > ".join(path),
                    "parent_code": parents[-1] if parents else None,
                    "level": len(path),
                    "codable": code.get("isCodable", "true").lower() in ("true", "1"),
                    "description": (code.findtext("{*}Description") or "").strip(),
                }
            )
            descend(code, path)

    for codes in root.iter("{*}Codes"):
        descend(codes, [])
    return rows


def _coder_labels(root: etree._Element, project: str, given: Mapping[str, str]) -> dict[str, str]:
    """A short label for each user: projects hold full names, which go no further."""
    known = {_guid(guid): label for guid, label in given.items()}
    prefix = f"{project}-" if project else ""
    users = [_guid(user.get("guid")) for user in root.iterfind("{*}Users/{*}User")]
    return {
        user: known.get(user, f"{prefix}coder{place}") for place, user in enumerate(users, start=1)
    }


def _document_names(sources: list[etree._Element]) -> list[str]:
    """The sources' names, with the guid where several have the same."""
    guids = [_guid(source.get("guid")) for source in sources]
    names = [source.get("name") or guid for source, guid in zip(sources, guids, strict=True)]
    times = Counter(names)
    return [
        f"{name} ({guid})" if times[name] > 1 else name
        for name, guid in zip(names, guids, strict=True)
    ]


@dataclass
class _Reading:
    """What has been read of a project so far, source by source."""

    name: str
    texts: SourceTexts
    codebook: list[dict]
    coders: Mapping[str, str]
    rows: list[dict] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = {row["guid"]: row for row in self.codebook}

    def source(self, source: etree._Element, document: str) -> None:
        """Add the codings of one source."""
        places = {
            place: None for coding in source.iter("{*}Coding") for place in [coding.getparent()]
        }
        positions = {place: self._positions(place, document) for place in places}
        countings = self._countings(positions, document)
        for coding in source.iter("{*}Coding"):
            place = coding.getparent()
            span = positions[place]
            excerpt = self._excerpt(place, span, countings, document) if span else None
            start, end = span or (None, None)
            user = coding.get("creatingUser") or place.get("creatingUser")
            for code in self._codes_of(coding, document):
                self.rows.append(
                    {
                        "document": document,
                        "unit": f"{document}:{_where(place, source, span)}",
                        "code": code["code"],
                        "code_path": code["code_path"],
                        "coder": self.coders.get(_guid(user), "unknown"),
                        "start": start,
                        "end": end,
                        "excerpt": excerpt,
                        "anonymity": "not_checked",
                    }
                )

    def refuse_odd_positions(self) -> None:
        if self.odd:
            raise DataError(
                f"{self.name}: expected positions that are whole numbers from 0, the end not "
                f"before the start; export the project again\n  " + _listed(self.odd, "\n  ")
            )

    def remarks(self) -> list[str]:
        return [f"{what} ({len(places)}): {_listed(places)}" for what, places in self.told.items()]

    def _positions(self, place: etree._Element, document: str) -> tuple[int, int] | None:
        """Start and end of a passage of plain text; ``None`` of anything else."""
        start, end = place.get("startPosition"), place.get("endPosition")
        if etree.QName(place).localname not in TEXT_SELECTIONS or start is None or end is None:
            return None
        sound = all(re.fullmatch(POSITION, position, re.ASCII) for position in (start, end))
        if not sound or int(start) > int(end):
            passage = _guid(place.get("guid"))
            self.odd.append(f"document {document!r}, passage {passage!r}: {start!r} to {end!r}")
            return None
        return int(start), int(end)

    def _countings(self, positions: Mapping, document: str) -> dict[etree._Element, Counting]:
        """How each text of the source is counted, by the element that holds the text."""
        carrying: dict[etree._Element, list[tuple[int, int, str]]] = {}
        for place, span in positions.items():
            if span:
                own = place.get("name") or ""
                passages = carrying.setdefault(place.getparent(), [])
                passages += [(*span, own)] if own.strip() else []
        found = {}
        for holder, passages in carrying.items():
            text = self._text(holder)
            found[holder] = counting_of(text, passages) if text else AS_CHARACTERS
            if found[holder] != AS_CHARACTERS:
                self._tell(
                    f"documents counted in {found[holder]}, as their passages show", document
                )
        return found

    def _text(self, holder: etree._Element) -> str | None:
        """The text that positions inside a source, representation or transcript count in."""
        return holder.findtext("{*}PlainTextContent") or self.texts.text(
            holder.get("plainTextPath")
        )

    def _excerpt(self, place, span, countings, document: str) -> str | None:
        holder, own = place.getparent(), (place.get("name") or "").strip()
        text = self._text(holder)
        words = countings[holder].words(text, *span) if text else None
        what = f"{document} {_codes_named(place, self.codes)}"
        if words is None:
            self._tell("passages without text: outside the file, or past the text's end", what)
            return (own or None) if text is None else None
        if own and not says_the_same(words, own):
            if stands_in(text, own):
                self._tell("passages whose words stand elsewhere, left without excerpt", what)
                return None
            self._tell("passages with a name that is not in their text", what)
        return words

    def _tell(self, what: str, place: str) -> None:
        places = self.told.setdefault(what, [])
        if place not in places:
            places.append(place)

    def _codes_of(self, coding: etree._Element, document: str) -> list[dict]:
        guids = [_guid(reference.get("targetGUID")) for reference in coding.iterfind("{*}CodeRef")]
        if not all(guid in self.codes for guid in guids):
            raise DataError(
                f"{self.name}: a passage in {document!r} uses a code not in its codebook"
            )
        return [self.codes[guid] for guid in guids]


def _where(place: etree._Element, source: etree._Element, span: tuple[int, int] | None) -> str:
    """Which passage of its source, for a unit that coders share."""
    if place is source:
        return "whole"
    if span is None:
        return _guid(place.get("guid"))
    holder = place.getparent()
    part = "" if holder is source else f"{_guid(holder.get('guid'))}:"
    return f"{part}{span[0]}-{span[1]}"


def _codes_named(place: etree._Element, codes: Mapping[str, dict]) -> str:
    """A passage's positions with its codes, for a remark."""
    guids = (_guid(code.get("targetGUID")) for code in place.iterfind("{*}Coding/{*}CodeRef"))
    named = ", ".join(sorted({codes[guid]["code"] for guid in guids if guid in codes}))
    return f"{place.get('startPosition')}-{place.get('endPosition')} ({named})"


def _listed(places: list[str], between: str = "; ") -> str:
    more = [f"and {len(places) - SHOWN} more"] if len(places) > SHOWN else []
    return between.join([*places[:SHOWN], *more])


def _guid(value: str | None) -> str:
    return (value or "").strip("{}").lower()

"""Coded material from qualitative software: REFI-QDA projects (QDPX) and codebooks (QDC).

The format is the exchange standard of NVivo, ATLAS.ti, MAXQDA and others. Only text is read;
coded pictures and sound are counted as coded, without an excerpt.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from lxml import etree

from evalkit.errors import DataError

__all__ = ["read_codebook", "read_qdpx"]

LARGEST_PROJECT = 200 * 1024 * 1024  # bytes unpacked; text projects are far smaller
TEXT_SELECTIONS = {"PlainTextSelection", "TranscriptSelection"}


def read_qdpx(
    path: str | Path, *, project: str = "", coders: Mapping[str, str] | None = None
) -> pd.DataFrame:
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
    DataFrame
        ``document`` (its name, with its guid where several have that name), ``unit`` (document and
        passage), ``code`` (its name), ``code_path`` (parents first, joined by `` > ``), ``coder``
        (``coder1`` for the project's first user, or as given; never a name), ``start`` and ``end`` (characters; missing outside plain text), ``excerpt`` (missing
        outside plain text) and ``anonymity``, which is ``not_checked`` for every row: nobody has
        cleared an excerpt that was just read.

    Raises
    ------
    DataError
        If the file is no zip, has no ``project.qde``, or its XML is broken or too large.

    References
    ----------
    REFI-QDA Standard 1.5 (2019), qdasoftware.org.
    """
    name = Path(path).name
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(info.filename).name: info for info in archive.infolist()}
            if "project.qde" not in members:
                raise DataError(f"{name}: no project.qde inside; expected a REFI-QDA project")
            if sum(info.file_size for info in members.values()) > LARGEST_PROJECT:
                raise DataError(f"{name}: larger than 200 MB unpacked; export the texts only")
            root = _parsed(archive.read(members["project.qde"]), name)
            texts = {
                member: archive.read(info).decode("utf-8-sig", errors="replace")
                for member, info in members.items()
                if member.lower().endswith(".txt")
            }
    except zipfile.BadZipFile as error:
        raise DataError(f"{name}: not a zip file; expected a REFI-QDA project (.qdpx)") from error

    codes = {row["guid"]: row for row in _codes(root)}
    labels = _coder_labels(root, project, coders or {})
    sources = list(root.iterfind("{*}Sources/*"))
    rows = [
        row
        for source, document in zip(sources, _document_names(sources), strict=True)
        for row in _source_codings(source, document, texts, codes, labels, name)
    ]
    columns = [
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
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"start": "Int64", "end": "Int64"}).drop_duplicates(ignore_index=True)


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
    name = Path(path).name
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith("project.qde")]
            if not members or members[0].file_size > LARGEST_PROJECT:
                raise DataError(f"{name}: no readable project.qde inside")
            content = archive.read(members[0])
    else:
        content = Path(path).read_bytes()
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


def _source_codings(source, document, texts, codes, coders, name) -> list[dict]:
    rows = []
    for coding in source.iter("{*}Coding"):
        place = coding.getparent()
        is_passage = etree.QName(place).localname in TEXT_SELECTIONS
        start, end = place.get("startPosition"), place.get("endPosition")
        excerpt = None
        if is_passage and start is not None and end is not None:
            start, end = int(start), int(end)
            text = _text_of(place.getparent(), texts)
            excerpt = text[start:end] if text else place.get("name")
        else:
            start = end = None
        where = "whole" if place is source else _guid(place.get("guid"))
        if start is not None:
            holder = place.getparent()
            part = "" if holder is source else f"{_guid(holder.get('guid'))}:"
            where = f"{part}{start}-{end}"
        unit = f"{document}:{where}"
        user = coding.get("creatingUser") or place.get("creatingUser")
        for reference in coding.iterfind("{*}CodeRef"):
            code = codes.get(_guid(reference.get("targetGUID")))
            if code is None:
                raise DataError(
                    f"{name}: a passage in {document!r} uses a code not in its codebook"
                )
            rows.append(
                {
                    "document": document,
                    "unit": unit,
                    "code": code["code"],
                    "code_path": code["code_path"],
                    "coder": coders.get(_guid(user), "unknown"),
                    "start": start,
                    "end": end,
                    "excerpt": excerpt,
                    "anonymity": "not_checked",
                }
            )
    return rows


def _text_of(holder, texts: dict[str, str]) -> str:
    """The text that positions inside a source, representation or transcript count in."""
    content = holder.findtext("{*}PlainTextContent")
    if content:
        return content
    path = holder.get("plainTextPath")
    return texts.get(re.split(r"[/\\]", path)[-1], "") if path else ""


def _guid(value: str | None) -> str:
    return (value or "").strip("{}").lower()

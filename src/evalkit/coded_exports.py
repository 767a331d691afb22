"""Exports of coded text on their way into a study: which documents, codes and coders they hold.

What comes out are rows of ``CodingsTable``. Nobody has cleared an excerpt that was just read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from evalkit.csv_files import read_cells
from evalkit.errors import DataError
from evalkit.identifiers import slug, slugs_apart
from evalkit.qda_files import CodedText, read_codebook, read_qdpx
from evalkit.shared import noted

__all__ = ["new_codings", "placed_documents", "read_coded_export"]

KEY = ["document", "unit", "code_id", "coder"]
NEEDED = ("document", "unit", "code", "coder")
OPTIONAL = ("excerpt", "municipality_code", "anonymity")
ROWS_SHOWN = 8


def read_coded_export(path: str | Path, *, project: str = "") -> CodedText:
    """Codings of an export, named as a study names things.

    Parameters
    ----------
    path
        A REFI-QDA project (``.qdpx``); a codebook (``.qdc``), which has codes and no codings; or
        a CSV file in UTF-8 with the columns ``document``, ``unit``, ``code``, ``coder`` and, where
        they are known, ``excerpt`` and ``municipality_code``.
    project
        Put before the coders' labels, so that those of several exports stay apart.

    Returns
    -------
    CodedText
        Its ``codings`` have ``document``, ``unit``, ``code_id`` and ``coder`` in small letters,
        digits and hyphens; ``excerpt``, ``locator`` (the place, in Norwegian) and
        ``municipality_code`` (missing unless the file says). One row per passage, code and coder;
        of a codebook, ``code_id`` alone is filled in. Its ``remarks`` are those of the file.

    Raises
    ------
    DataError
        If the file cannot be read, or a cell is blank, by file and row. No excerpt is quoted.
    """
    path = Path(path)
    noted(path)
    if not path.is_file():
        raise DataError(f"{path} is not there; expected an export: .qdpx, .qdc or .csv")
    kind = path.suffix.lower()
    if kind == ".qdc":
        codes = read_codebook(path)
        rows = codes.loc[codes["codable"]].reindex(columns=["document", "unit", "coder", "excerpt"])
        return CodedText(
            _named(rows.assign(code=codes["code"], code_path=codes["code_path"]), path.name)
        )
    if kind == ".qdpx":
        read = read_qdpx(path, project=slug(project))
        found = read.codings
        own = [
            unit[len(document) + 1 :]
            for document, unit in zip(found["document"], found["unit"], strict=True)
        ]
        return CodedText(_named(found.assign(unit=own), path.name), read.remarks)
    if kind == ".csv":
        found = _read_csv(path)
        prefix = f"{project}-" if project else ""
        return CodedText(
            _named(found.assign(coder=prefix + found["coder"], code_path=None), path.name)
        )
    raise DataError(f"{path.name}: unknown kind of export; expected .qdpx, .qdc or .csv")


def placed_documents(
    codings: pd.DataFrame,
    *,
    municipalities: pd.DataFrame,
    given: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The codings with the municipality of each document.

    A document belongs to the municipality that was given for it or that the export says;
    otherwise to the one whose code or slug is part of its name, between hyphens, such as
    ``intervju-larvik-2``.

    Parameters
    ----------
    codings
        From ``read_coded_export``.
    municipalities
        Rows of ``MunicipalitiesTable``.
    given
        By document, the municipality's code.

    Returns
    -------
    DataFrame
        The codings with ``municipality_code`` filled in.

    Raises
    ------
    DataError
        If a document given is not in the export, a code is not of the study, or the name of a
        document holds no municipality, or several.
    """
    given = {slug(name): code for name, code in (given or {}).items()}
    known = dict(zip(municipalities["municipality_code"], municipalities["slug"], strict=True))
    documents = list(codings["document"].dropna().unique())
    absent = sorted(set(given) - set(documents))
    if absent:
        raise DataError(f"no document {', '.join(absent)} in the export")
    said = codings.dropna(subset=["municipality_code"]).groupby("document")["municipality_code"]
    twice = said.nunique().loc[lambda count: count > 1].index.tolist()
    if twice:
        raise DataError(f"several municipalities for {_listed(twice)}; expected one for each")
    places = {**said.first().to_dict(), **given}
    strange = sorted(set(places.values()) - set(known))
    if strange:
        raise DataError(
            f"no municipality {', '.join(map(repr, strange))} in the study; it holds: "
            f"{', '.join(sorted(known))}"
        )
    unplaced = []
    for document in documents:
        if document not in places:
            named = [
                code
                for code, slug in known.items()
                if f"-{code}-" in f"-{document}-" or f"-{slug}-" in f"-{document}-"
            ]
            if len(named) == 1:
                places[document] = named[0]
            else:
                unplaced.append(document)
    if unplaced:
        raise DataError(
            f"no municipality for {_listed(unplaced)}; expected its code or slug in the "
            "document's name, or --document NAME=CODE"
        )
    return codings.assign(municipality_code=codings["document"].map(places))


def new_codings(codings: pd.DataFrame, *, logged: pd.DataFrame, source: str) -> pd.DataFrame:
    """The codings that a study does not have yet, as rows of ``CodingsTable``.

    A passage with the same document, unit, code and coder is passed over, so that the same export
    read twice adds nothing, and what was cleared stays as it was.

    Parameters
    ----------
    codings
        From ``placed_documents``.
    logged
        Rows of ``CodingsTable`` that the study holds.
    source
        Key of the export in ``sources.bib``.

    Returns
    -------
    DataFrame
        Rows to append, ``anonymity`` of each ``not_checked``.
    """
    old = pd.MultiIndex.from_frame(logged[KEY].astype(object))
    fresh = ~pd.MultiIndex.from_frame(codings[KEY].astype(object)).isin(old)
    rows = codings.loc[fresh].drop_duplicates(KEY, ignore_index=True)
    return rows.assign(anonymity="not_checked", source=source)


def _named(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows with identifiers for names; the code's whole path where its own name is not enough."""
    if rows.empty:
        raise DataError(f"{name}: nothing is coded in it")
    codes = rows[["code", "code_path"]].drop_duplicates()
    codes = codes.assign(code_path=codes["code_path"].fillna(codes["code"]))
    codes = codes.drop_duplicates("code_path")
    names = codes["code"].where(~codes["code"].duplicated(keep=False), codes["code_path"])
    ids = slugs_apart(names)
    by_path = dict(zip(codes["code_path"], names.map(ids), strict=True))
    coded = rows["code_path"].fillna(rows["code"]).map(by_path)
    named = rows.assign(code_id=coded, locator=rows["unit"].map(_place, na_action="ignore"))
    for column in ("document", "unit", "coder"):
        named[column] = rows[column].map(slug, na_action="ignore")
    documents = pd.DataFrame({"name": rows["document"], "slug": named["document"]})
    alike = documents.dropna().drop_duplicates().groupby("slug")["name"].nunique()
    if (alike > 1).any() or "" in alike.index:
        raise DataError(
            f"{name}: documents whose names differ in signs only, or have no letters "
            f"({_listed(alike.index[alike > 1].tolist())}); rename one of them"
        )
    columns = ["document", "unit", "municipality_code", "code_id", "coder", "excerpt", "locator"]
    return named.reindex(columns=columns).drop_duplicates(KEY, ignore_index=True)


def _read_csv(path: Path) -> pd.DataFrame:
    """The cells as text; blank cells and rows of other lengths are refused by row."""
    try:
        table, _ = read_cells(path)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error
    table = table.rename(columns={"code_id": "code"})
    header = list(table.columns)
    absent = [name for name in NEEDED if name not in header]
    if absent:
        raise DataError(
            f"{path.name}: no column {', '.join(absent)}; expected {', '.join(NEEDED)} and, where "
            "they are known, excerpt and municipality_code"
        )
    table = table[[name for name in (*NEEDED, *OPTIONAL) if name in header]]
    for name in NEEDED:
        blank = [row + 2 for row in table.index[table[name].isna()]]
        if blank:
            raise DataError(f"{path.name}: {name} is blank in {_rows(blank)}; expected one in each")
    return table


def _place(unit: str) -> str:
    """Where in the document a passage stands, for a reader."""
    span = re.fullmatch(r"(\d+)-(\d+)", unit)
    if span:
        return f"tegn {int(span[1]) + 1}–{span[2]}"
    return "hele dokumentet" if unit == "whole" else unit


def _listed(names: list[str]) -> str:
    more = len(names) - ROWS_SHOWN
    return ", ".join(names[:ROWS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:ROWS_SHOWN])) + (", ..." if numbers[ROWS_SHOWN:] else "")
    return f"row {shown}" if len(numbers) == 1 else f"rows {shown}"

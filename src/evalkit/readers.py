"""Raw files to validated tables; the only module that opens ``data/raw``."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evalkit.characters import unseen_in
from evalkit.csv_files import read_cells, with_decimal_points
from evalkit.errors import ConfigError, DataError
from evalkit.files import says_why
from evalkit.observation_store import is_large
from evalkit.programs import run_pandoc
from evalkit.settings import StudySettings, read_settings

if TYPE_CHECKING:
    from evalkit.contracts import StudyTable
    from evalkit.large_observations import LargeObservations

__all__ = ["Study", "read_sources", "read_study"]


MEASURED_BY = {"observations": "indicators"}  # a table whose numbers another one's units allow


@dataclass(frozen=True)
class Study:
    """A study read from its folder: settings, validated tables and sources.

    ``folder`` is where the tables and sources lie: that of another study, if ``study.toml`` says
    ``tables_from``. ``tables`` holds one DataFrame per CSV file, by the file's name; ``sources``
    one row per entry of ``sources.bib``; ``rows``, per table, a hash of each municipality's rows,
    where they are known; ``contents``, by path, hashes of the files that it was read from and of
    those that were made of them, as they were then. Of observations that are too many to be
    read, only the study's own rows are there, as `LargeObservations` says.
    """

    folder: Path
    settings: StudySettings
    tables: Mapping[str, pd.DataFrame]
    sources: pd.DataFrame
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    contents: Mapping[Path, str | None] = field(default_factory=dict)


def read_study(
    study_dir: str | Path,
    *,
    between_tables: bool = True,
    known: Mapping[str, pd.DataFrame] | None = None,
    large: LargeObservations | None = None,
) -> Study:
    """Read and check a study: contracts, references, conflicts, sums, dates.

    Parameters
    ----------
    study_dir
        The study's folder under ``data/raw``.
    between_tables
        False checks each table by itself only, to look into a study whose claims still
        disagree.
    known
        Tables that were read and checked by themselves before, from the same bytes.
    large
        Observations that are too many to be read, where they lie on disk already.

    Raises
    ------
    ConfigError
        If ``study.toml`` is missing or wrong.
    DataError
        With every breach of every file, by file and spreadsheet row.
    """
    settings = read_settings(Path(study_dir))
    folder = tables_folder(Path(study_dir), settings)
    if large is None and is_large(folder):
        from evalkit.large_observations import LargeObservations
        from evalkit.observation_writer import write_rows

        with tempfile.TemporaryDirectory(prefix="evalkit-") as scratch:
            wrong = write_rows(folder / "observations.csv", Path(scratch), is_sorted=False)
            large = LargeObservations(Path(scratch), wrong)
            return _read_study(folder, settings, between_tables, known, large)
    return _read_study(folder, settings, between_tables, known, large)


def _read_study(
    folder: Path,
    settings: StudySettings,
    between_tables: bool,
    known: Mapping[str, pd.DataFrame] | None,
    large: LargeObservations | None,
) -> Study:
    from evalkit.checks import study_breaches
    from evalkit.contracts import CONTRACTS, breaches, typed

    found: dict[str, list[str]] = {}
    tables: dict[str, pd.DataFrame] = {}
    unread: set[str] = set()
    for path in sorted(folder.glob("*.csv")):
        contract = CONTRACTS.get(path.stem)
        if contract is None:
            found[str(path)] = [f"unknown table; expected one of {', '.join(CONTRACTS)}"]
            continue
        if path.stem == "observations" and large is not None:
            wrong = large.found
            try:
                if not wrong:
                    tables[path.stem] = large.own_rows(
                        settings.municipality_codes, tables, settings.smallest_count
                    )
            except DataError as error:
                wrong = [str(error)]
            if wrong:
                found[f"{path} does not match {contract.__name__}"] = wrong
                unread.add(path.stem)
            continue
        if known and {path.stem, MEASURED_BY.get(path.stem, path.stem)} <= known.keys():
            tables[path.stem] = known[path.stem]
            continue
        try:
            raw = _cells_of(path, contract)
            wrong = breaches(raw, contract, indicator_units=_indicator_units(tables))
        except DataError as error:
            raw, wrong = None, [str(error)]
        except OSError as error:
            raw, wrong = None, [f"cannot be read: {says_why(error)}"]
        if wrong:
            found[f"{path} does not match {contract.__name__}"] = wrong
            unread.add(path.stem)
        else:
            tables[path.stem] = typed(raw, contract)
    try:
        sources = read_sources(folder / "sources.bib")
    except DataError as error:
        sources = None
        found["sources"] = [str(error)]
    if between_tables and sources is not None:
        in_part = () if large is None else ("observations",)
        lacking = study_breaches(tables, sources, settings, unread=unread, in_part=in_part)
        if large is not None and not large.found:
            lines = [*large.breaches(tables, sources, unread)]
            if lines:
                lacking.setdefault("observations.csv", []).extend(lines)
        for name, lines in lacking.items():
            found.setdefault(str(folder / name), []).extend(lines)
    if found:
        raise DataError(
            "\n".join(f"{name}:\n  " + "\n  ".join(lines) for name, lines in found.items())
        )
    return Study(folder, settings, tables, sources)


def _indicator_units(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """The unit of each indicator that says one, once the table of indicators is read."""
    if "indicators" not in tables:
        return {}
    return tables["indicators"].set_index("indicator_id")["unit"].dropna().to_dict()


def tables_folder(study_dir: Path, settings: StudySettings) -> Path:
    """Where a study's tables lie: in its own folder, or in that of the study it takes them from."""
    if not settings.tables_from:
        return study_dir
    folder = study_dir.parent / settings.tables_from
    own = sorted(path.name for path in study_dir.glob("*.csv"))
    if own:
        raise ConfigError(
            f"{study_dir} has tables of its own ({', '.join(own)}) and takes those of "
            f"{settings.tables_from!r}; expected one of the two"
        )
    if not (folder / "study.toml").is_file() or read_settings(folder).tables_from:
        raise ConfigError(
            f"{study_dir / 'study.toml'} takes its tables from {settings.tables_from!r}; "
            f"expected a study with its own tables in {study_dir.parent}"
        )
    return folder


def _cells_of(path: Path, contract: type[StudyTable]) -> pd.DataFrame:
    """A file's cells as text, its numbers with a point before their decimals."""
    from evalkit.contracts import columns_of, numeric_columns

    table, dialect = read_cells(path)
    numbers = set(numeric_columns(contract)) | {
        name
        for name, column in columns_of(contract).items()
        if "measured_in" in (column.metadata or {})
    }
    return table.assign(
        **{
            name: with_decimal_points(table[name], dialect)
            for name in table.columns
            if name in numbers
        }
    )


def read_sources(path: Path) -> pd.DataFrame:
    """The entries of a BibTeX file.

    Returns
    -------
    DataFrame
        One row per entry, in file order: ``key``, ``type``, ``title``, ``url`` and ``short``
        (author and year, as a reader would name it).

    Raises
    ------
    DataError
        If the file is missing or cannot be read, a key stands twice, a character is not seen, or an
        address leads elsewhere than to the web or a DOI.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; expected the study's sources as BibTeX")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    wrong = [
        f"line {number} has characters that are not seen ({', '.join(unseen)}); write it anew"
        for number, line in enumerate(lines, start=1)
        if (unseen := unseen_in(line))
    ]
    if wrong:
        raise DataError("\n  ".join([f"{path} cannot be used:", *wrong]))
    done = run_pandoc(["--from=bibtex", "--to=csljson", path])
    if done.returncode:
        raise DataError(f"{path} cannot be read as BibTeX: {done.stderr.strip()}")
    entries = json.loads(done.stdout)
    wrong = [line for entry in entries for line in _source_breaches(entry)]
    if wrong:
        raise DataError("\n  ".join([f"{path} cannot be used:", *wrong]))
    table = pd.DataFrame(
        [
            {
                "key": entry["id"],
                "type": entry["type"],
                "title": entry.get("title", entry["id"]),
                "url": entry.get("URL"),
                "short": _short_name(entry),
            }
            for entry in entries
        ],
        columns=["key", "type", "title", "url", "short"],
        dtype="str",
    )
    repeated = sorted(table.loc[table["key"].duplicated(), "key"].unique())
    if repeated:
        raise DataError(f"{path}: key {', '.join(repeated)} more than once; expected once each")
    return table


WEB_ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)
DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?10\.", re.IGNORECASE)


def _source_breaches(entry: dict) -> list[str]:
    found = []
    address, doi = entry.get("URL"), entry.get("DOI")
    if address and not WEB_ADDRESS.match(address) and not DOI.match(address):
        found.append(f"url of {entry['id']} is no address; expected http://, https:// or a DOI")
    if doi and not DOI.match(doi):
        found.append(f"doi of {entry['id']} is no DOI; expected one that begins with 10.")
    return found


def _short_name(entry: dict) -> str:
    people = entry.get("author") or entry.get("editor") or []
    names = [person.get("literal") or person.get("family", "") for person in people]
    if len(names) > 2:
        who = f"{names[0]} mfl."
    else:
        who = " og ".join(names) or entry.get("publisher") or entry.get("title", entry["id"])
    dates = entry.get("issued", {}).get("date-parts", [[]])[0]
    return f"{who} ({dates[0]})" if dates else who

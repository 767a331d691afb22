"""A study's raw files made into what notebooks and books read, again only when they change.

What was made is recorded with the hashes of what it was made from; the record is written
last. A record that does not fit, or a file that is not as it was left, means that the work is
done again.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.errors import DataError, RunError
from evalkit.files import remove_leftovers, write_whole, written_whole
from evalkit.markdown import escaped
from evalkit.municipalities import owners_of
from evalkit.observation_store import is_large
from evalkit.programs import run_pandoc
from evalkit.readers import Study, read_study, tables_folder
from evalkit.runs.lanes import Died, results_side_by_side
from evalkit.runs.lock import study_lock
from evalkit.runs.record import Hashes, environment_versions, hash_of_bytes, sealed, unsealed
from evalkit.settings import read_settings
from evalkit.store import NAMED_AFTER, OBSERVATIONS, OWNED_THROUGH, StoredTables, write_processed

__all__ = ["StudyFiles", "current_study", "process_files", "row_hashes", "row_owners"]

RECORD = "processed.json"
PROOF = "made.json"  # of observations on disk: what they were made from
HIDDEN_BY_OTHERS = OBSERVATIONS  # whose counts may be hidden for another municipality's sake
ROWS_AT_ONCE = 100_000
LARGE = 20_000_000  # bytes of tables; checking them takes several times as much memory
STYLE = Path(__file__).parent / "extension" / "evalkit.csl"
CITATION = re.compile(r"(?<![\w\\])@\{?(\w[\w:.#$%&+?<>~/-]*\w|\w)")
SOURCES, FACTS, SETTINGS = "sources.bib", "facts.json", "study.toml"


@dataclass(frozen=True)
class StudyFiles:
    """The folders of one study: raw, processed (all studies'), and its book, if it has one."""

    raw: Path
    processed: Path
    book: Path

    @property
    def study(self) -> str:
        return self.raw.name

    @property
    def has_book(self) -> bool:
        return (self.book / "_quarto.yml").is_file()

    @property
    def store(self) -> Path:
        """Where observations lie that are too many to be read."""
        return self.processed / self.study / OBSERVATIONS

    @property
    def record(self) -> Path:
        return self.processed / self.study / RECORD

    @property
    def runs(self) -> Path:
        """Where records of runs lie, and the study's lock."""
        return self.processed / self.study / "runs"


class _Current:
    """What a study would be made from now, and what of an earlier making still stands."""

    def __init__(self, files: StudyFiles) -> None:
        self.files = files
        self.hashes = Hashes()
        self.hashes.of(files.raw / SETTINGS)  # before it is read: what changes then is seen later
        self.settings = read_settings(files.raw)
        self.folder = tables_folder(files.raw, self.settings)
        tables = sorted(self.folder.glob("*.csv"))
        paths = [*tables, self.folder / SOURCES, files.raw / SETTINGS]
        package = Path(__file__).parent
        code = [*sorted(package.rglob("*.py")), package / "extension" / "evalkit.csl"]
        self.hashes.of_all([*paths, *code])
        self.raw_paths = paths
        self.large = is_large(self.folder)
        self.byte_count = sum(path.stat().st_size for path in tables if path.is_file())
        self.raw = {path.name: self.hashes.of(path) for path in paths}
        self.raw["chapters' citations"] = hash_of_bytes(
            "\n".join(chapter_citations(files)).encode()
        )
        tools = {
            "code": {str(path.relative_to(package)): self.hashes.of(path) for path in code},
            "versions": environment_versions(),
            "book": files.has_book,
            "observations": _database_version() if self.large else "in memory",
        }
        self.tools = hash_of_bytes(json.dumps(tools, sort_keys=True).encode())
        self.found: list[str] = []  # what breaks the contract of observations on disk
        self.then = _read_record(files.record)
        self.made = _hashes_of_made(files)

    @cached_property
    def whole(self) -> bool:
        """Whether all that was made is as it would be made now."""
        return (
            self.then.get("raw") == self.raw
            and self.then.get("tools") == self.tools
            and _by_name(self.made) == self.then.get("made")
        )

    @cached_property
    def tables(self) -> list[str]:
        """Tables that need not be read again."""
        if self.then.get("tools") != self.tools:
            return []
        made, now = self.then.get("made", {}), _by_name(self.made)
        return [
            Path(name).stem
            for name, content in self.raw.items()
            if name.endswith(".csv")
            and self.then["raw"].get(name) == content
            and (made.get(f"{Path(name).stem}.parquet") == now.get(f"{Path(name).stem}.parquet"))
            and not (self.large and Path(name).stem == OBSERVATIONS)
        ]

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What is known of the observations on disk, if they are those of the file as it is."""
        if not self.large:
            return {}
        proof = _unsealed_file(self.files.store / PROOF, {"raw", "tools", "rows"})
        given = {"raw": self.raw[f"{OBSERVATIONS}.csv"], "tools": self.tools}
        whole = given | {"rows": self.made.get(self.files.store / "rows.parquet")}
        return proof if {name: proof.get(name) for name in whole} == whole else {}

    def stored(self) -> StoredTables:
        on_disk = [OBSERVATIONS] if self.large and self.whole else []
        return StoredTables(
            sorted([*self.tables, *on_disk]), self.files.study, self.files.processed
        )

    @property
    def contents(self) -> dict[Path, str | None]:
        return {path: self.hashes.of(path) for path in self.raw_paths} | self.made

    def remember(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Record what was made just now."""
        self.made = _hashes_of_made(self.files)
        record = {
            "raw": self.raw,
            "tools": self.tools,
            "made": _by_name(self.made),
            "rows": rows,
        }
        write_whole(self.files.record, sealed(record))


def _hashes_of_made(files: StudyFiles) -> dict[Path, str | None]:
    """Hashes of the files that were made of a study, as they are now."""
    folder = files.processed / files.study
    paths = sorted([*folder.glob("*.parquet"), *files.store.glob("*.parquet")])
    if files.has_book:
        paths += [files.book / FACTS, files.book / SOURCES]
    hashes = Hashes()
    hashes.of_all(paths)
    return {path: hashes.of(path) for path in paths}


def _by_name(contents: Mapping[Path, str | None]) -> dict[str, str | None]:
    return {
        f"{OBSERVATIONS}/{path.name}" if path.parent.name == OBSERVATIONS else path.name: content
        for path, content in contents.items()
    }


def _read_record(path: Path) -> dict[str, Any]:
    return _unsealed_file(path, {"raw", "tools", "made", "rows"})


def _unsealed_file(path: Path, needed: set[str]) -> dict[str, Any]:
    """A sealed record with all that is needed; empty where there is none."""
    try:
        record = unsealed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and needed <= set(record) else {}


def _database_version() -> str | None:
    """The version of DuckDB, which works out the numbers of large studies."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("duckdb")
    return None


def process_files(files: StudyFiles) -> Study:
    """Check a study and write its processed tables, and its book's facts and sources.

    Nothing is read or written where nothing has changed; of changed studies only the tables
    that changed are read again, but all are checked against each other. The study's lock is
    held all the while; who goes on to run and render holds it from before.

    Returns
    -------
    Study
        Its tables are read from the processed ones when they are asked for, so that what was
        checked does not stay in memory.

    Raises
    ------
    ConfigError, DataError
        With everything that is wrong with the study's files.
    """
    read_settings(files.raw)  # a study that is not there leaves no folder behind
    with study_lock(files.runs):
        remove_leftovers(files.processed / files.study)
        _remove_store_leftovers(files)
        now = _Current(files)
        if now.whole:
            return _stored_study(files, now)
        return _made_elsewhere(files) if now.byte_count > LARGE else _made(files)


def _remove_store_leftovers(files: StudyFiles) -> None:
    remove_leftovers(files.store)
    for path in [*files.store.glob(".writing-*"), *files.store.glob(".duckdb")]:
        shutil.rmtree(path, ignore_errors=True)


def _made(files: StudyFiles) -> Study:
    now = _Current(files)
    if now.large and not now.kept:
        _write_rows(files, now)
    read, hidden = _read(files, now, store=files.store)
    if now.large:
        _write_store(files, now, read)
    _write(files, read, hidden, now.tables, files.store if now.large else None)
    if not now.large:
        shutil.rmtree(files.store, ignore_errors=True)
    now.remember(read.rows)
    stored = StoredTables(list(read.tables), files.study, files.processed)
    return replace(read, tables=stored, contents=now.contents)


def _write_rows(files: StudyFiles, now: _Current) -> None:
    """Put the rows of observations on disk, with what tells later whether they still stand."""
    from evalkit.large_observations import MEMORY_LIMIT
    from evalkit.observation_writer import municipality_hashes, write_rows

    files.store.mkdir(parents=True, exist_ok=True)
    source = now.folder / f"{OBSERVATIONS}.csv"
    now.found = write_rows(source, files.store, memory_limit=MEMORY_LIMIT)
    if now.found:
        return
    now.kept = {
        "raw": now.raw[source.name],
        "tools": now.tools,
        "rows": Hashes().of(files.store / "rows.parquet"),
        "municipalities": municipality_hashes(files.store, memory_limit=MEMORY_LIMIT),
    }
    write_whole(files.store / PROOF, sealed(now.kept))


def _write_store(files: StudyFiles, now: _Current, read: Study) -> None:
    """What is made of the rows: the study's own, and series and areas without small counts."""
    from evalkit.large_observations import MEMORY_LIMIT
    from evalkit.observation_writer import write_areas, write_values

    own = read.tables[OBSERVATIONS]
    with written_whole(files.store / "own.parquet") as file:
        own.assign(row=own.index + 2).to_parquet(file, index=False)
    few = read.settings.smallest_count
    asked = {
        "indicators": now.raw.get("indicators.csv"),
        "smallest_count": [int(few), few.nought_is_small],
    }
    made = {name: now.made.get(files.store / f"{name}.parquet") for name in ("values", "areas")}
    if now.kept.get("series") == {**asked, **made}:
        return
    indicators = read.tables["indicators"]
    percent = indicators.loc[indicators["unit"] == "percent", "indicator_id"]
    write_values(files.store, percent=percent, smallest_count=few, memory_limit=MEMORY_LIMIT)
    write_areas(files.store, memory_limit=MEMORY_LIMIT)
    hashes = Hashes()
    made = {name: hashes.of(files.store / f"{name}.parquet") for name in made}
    now.kept = {**now.kept, "series": {**asked, **made}}
    write_whole(files.store / PROOF, sealed(now.kept))


def _made_elsewhere(files: StudyFiles) -> Study:
    """Make a large study in a process of its own, whose memory is free when it has ended."""
    ((_, made),) = results_side_by_side(_made, [(files,)], workers=1)
    if isinstance(made, Died):
        raise RunError(
            f"{files.raw} could not be checked: {made}, perhaps for want of memory; "
            "run the same command again"
        )
    return made


def current_study(files: StudyFiles, *, between_tables: bool = True) -> Study:
    """As `process_files`, but nothing is written; ``between_tables`` as for `read_study`."""
    now = _Current(files)
    if now.whole:
        return _stored_study(files, now)
    if not now.large or now.kept:
        read, _ = _read(files, now, between_tables, store=files.store)
        return replace(read, contents=now.contents)
    from evalkit.large_observations import MEMORY_LIMIT
    from evalkit.observation_writer import municipality_hashes, write_rows

    with tempfile.TemporaryDirectory(prefix="evalkit-") as scratch:
        store = Path(scratch)
        source = now.folder / f"{OBSERVATIONS}.csv"
        now.found = write_rows(source, store, memory_limit=MEMORY_LIMIT)
        if not now.found:
            now.kept = {"municipalities": municipality_hashes(store, memory_limit=MEMORY_LIMIT)}
        read, _ = _read(files, now, between_tables, store=store)
        return replace(read, contents=now.contents)


def _stored_study(files: StudyFiles, now: _Current) -> Study:
    references = pd.read_parquet(files.processed / files.study / "sources.parquet")
    return Study(
        now.folder,
        now.settings,
        now.stored(),
        references.drop(columns="reference"),
        now.then["rows"],
        now.contents,
    )


def _read(
    files: StudyFiles, now: _Current, between_tables: bool = True, *, store: Path
) -> tuple[Study, pd.DataFrame]:
    """The study, and which of its observations are hidden and why, as from `hidden_rows`."""
    stored, large = now.stored(), None
    if now.large:
        from evalkit.large_observations import LargeObservations

        large = LargeObservations(store, now.found)
    read = read_study(files.raw, between_tables=between_tables, known=stored, large=large)
    earlier = {name: now.then["rows"][name] for name in stored if name in now.then["rows"]}
    # whose a row is may be told by another table, which may have changed; so may what is hidden
    again = {
        name
        for name in read.tables
        if name not in earlier
        or name in OWNED_THROUGH
        or name in NAMED_AFTER
        or name == HIDDEN_BY_OTHERS
    }
    from evalkit.protected_claims import hidden_rows

    hidden = hidden_rows(read.tables, read.settings.smallest_count)
    rows = {**earlier, **row_hashes(read.tables, again, hidden=hidden)}
    if large is not None:  # the study's own rows tell what is hidden, all rows what they hold
        of_own = rows[OBSERVATIONS]
        rows[OBSERVATIONS] = {
            owner: hash_of_bytes(f"{content} {of_own.get(owner, '')}".encode())
            for owner, content in now.kept["municipalities"].items()
        }
    return replace(read, rows=rows), hidden


def row_hashes(
    tables: Mapping[str, pd.DataFrame],
    names: set[str] | None = None,
    *,
    smallest_count: int = 5,
    hidden: pd.DataFrame | None = None,
) -> dict[str, dict[str, str]]:
    """Per table, a hash of each municipality's rows in their order; ``""`` for nobody's rows.

    Parameters
    ----------
    tables
        A study's validated tables.
    names
        The tables to look at; by default all.
    smallest_count
        As in the study's settings: that a count is hidden for another municipality's sake
        changes the row.
    hidden
        As from ``hidden_rows`` of these tables, where that is known already.
    """
    from evalkit.protected_claims import hidden_rows

    if hidden is None:
        hidden = hidden_rows(tables, smallest_count)
    return {
        name: _hashes_by_owner(
            _with_hidden(table, hidden) if name == HIDDEN_BY_OTHERS else table,
            row_owners(name, table, tables),
        )
        for name, table in tables.items()
        if names is None or name in names
    }


def _with_hidden(table: pd.DataFrame, hidden: pd.DataFrame) -> pd.DataFrame:
    if hidden.empty:
        return table
    return table.assign(reason=hidden["reason"], base_reason=hidden["base_reason"])


def row_owners(name: str, table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Code of the municipality that each row of a table belongs to; ``""`` for nobody's."""
    if "municipality_code" in table:
        return table["municipality_code"].fillna("")
    if name in OWNED_THROUGH:
        column, other = OWNED_THROUGH[name]
        if other in tables:
            owner = tables[other].set_index(column)["municipality_code"]
            return table[column].map(owner).fillna("")
    if name in NAMED_AFTER:
        return owners_of(table[NAMED_AFTER[name]], tables["municipalities"]).fillna("")
    return pd.Series("", index=table.index, dtype="str")


def _claim_owners(every: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """The municipality of the row that a claim was read from, else that it is named after."""
    owners = owners_of(every["subject"], tables["municipalities"])
    observations = tables.get(OBSERVATIONS)
    if observations is None or observations.empty:
        return owners
    row = observations.set_index("observation_id")["municipality_code"].dropna()
    of_row = every["subject"].map(row).where(every["table"] == OBSERVATIONS)
    return of_row.astype(object).where(of_row.notna(), owners)


def _hashes_by_owner(table: pd.DataFrame, owners: pd.Series) -> dict[str, str]:
    rows = _row_hashes(table)
    codes, names = pd.factorize(owners, sort=True)
    parts = pd.Series(rows).groupby(codes, sort=True)
    return {str(names[code]): hash_of_bytes(part.to_numpy().tobytes()) for code, part in parts}


def _row_hashes(table: pd.DataFrame) -> np.ndarray:
    """A hash of each row, worked out some rows at a time, for tables that are large in memory."""
    text = {c: "str" for c in table if table[c].dtype.kind != "f"}
    return np.concatenate(
        [
            pd.util.hash_pandas_object(
                table.iloc[first : first + ROWS_AT_ONCE].astype(text), index=False
            ).to_numpy()
            for first in range(0, max(len(table), 1), ROWS_AT_ONCE)
        ]
    )


def _write(
    files: StudyFiles,
    read: Study,
    hidden: pd.DataFrame,
    unchanged: list[str],
    on_disk: Path | None = None,
) -> None:
    import pyarrow.parquet as pq

    from evalkit.book import install_extension, with_year_letters
    from evalkit.facts import claims, fact_entries
    from evalkit.person_counts import without_withheld
    from evalkit.protected_claims import withheld_claims
    from evalkit.study_status import study_contents

    settings = read.settings
    every = withheld_claims(claims(read.tables), read.tables, hidden=hidden, **settings.count_rules)
    about = pd.DataFrame(
        [
            {
                "study": settings.study,
                "title": settings.title,
                "language": settings.language,
                "smallest_count": int(settings.smallest_count),
                "nought_is_small": settings.smallest_count.nought_is_small,
                "published_tables": ";".join(settings.published_tables),
                "synthetic": settings.synthetic,
                "status_date": settings.status_date,
                "plan_version": settings.plan_version,
                "first_year": settings.period[0],
                "last_year": settings.period[1],
                "report_codes": ";".join(settings.municipality_codes),
            }
        ]
    )
    contents = study_contents(read.tables, stage=settings.report)
    if on_disk is not None:
        rows = pq.read_metadata(on_disk / "rows.parquet").num_rows
        contents.loc[contents["table"] == OBSERVATIONS, "row_count"] = rows
    bibliography = (read.folder / SOURCES).read_text(encoding="utf-8")
    if files.has_book:
        cited = read.sources["key"] if on_disk else cited_by_study(files, read.tables)
        (bibliography,) = with_year_letters([bibliography], STYLE, cited=set(cited))
    made = {
        "claims": every.assign(municipality_code=_claim_owners(every, read.tables)),
        "sources": formatted_references(bibliography, read.sources),
        "study": about,
        "contents": contents,
    }
    in_files = {
        name: without_withheld(table, every, name=name)[list(table.columns)]
        if name in ("events", "organisation")
        else table
        for name, table in read.tables.items()
        if not (on_disk and name == OBSERVATIONS)
    }
    write_processed(
        {**in_files, **made},
        files.study,
        files.processed,
        unchanged=unchanged,
    )
    if files.has_book:
        install_extension(files.book)
        entries = fact_entries(
            every,
            read.sources,
            smallest_count=settings.smallest_count,
            published_counts=settings.published_counts,
        )
        text = json.dumps(entries, ensure_ascii=False, indent=1, sort_keys=True)
        write_whole(files.book / FACTS, text.encode())
        write_whole(files.book / SOURCES, bibliography.encode())


def chapter_citations(files: StudyFiles) -> list[str]:
    """What may be keys of sources in the texts of a study's book: words after an at sign."""
    own = [path for path in files.book.glob("*.qmd") if not path.name.startswith("kommune-")]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in own]
    return sorted({key for text in texts for key in CITATION.findall(text)})


def cited_by_study(files: StudyFiles, tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """Keys of the sources that the chapters cite or that rows of the tables rest on."""
    cited = set(chapter_citations(files))
    for table in tables.values():
        for column in table.columns:
            if column == "source" or column.endswith("_source"):
                cited |= set(table[column].dropna().astype(str))
    return cited


def formatted_references(bibliography: str, sources: pd.DataFrame) -> pd.DataFrame:
    """The sources with their full reference as Markdown, in the report's citation style."""
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        path = Path(folder) / SOURCES
        path.write_text(bibliography, encoding="utf-8")
        document = json.loads(
            _converted(
                "---\nnocite: '@*'\nlang: nb\n---\n",
                *("--from=markdown", "--to=json", "--citeproc"),
                *(f"--bibliography={path}", f"--csl={STYLE}"),
            )
        )
    texts = {}
    entries = next(
        (block["c"][1] for block in document["blocks"] if block["c"][0][0] == "refs"), []
    )
    for entry in entries:
        key = entry["c"][0][0].removeprefix("ref-")
        one = {
            **document,
            "meta": {},
            "blocks": [{"t": "Plain", "c": b["c"]} for b in entry["c"][1]],
        }
        texts[key] = one["blocks"]
    marker = {"t": "HorizontalRule"}
    blocks = [block for key in texts for block in (*texts[key], marker)]
    markdown = _converted(
        json.dumps({**document, "meta": {}, "blocks": blocks}),
        *("--from=json", "--to=markdown-smart", "--wrap=none"),
    )
    parts = re.split(r"^-{5,}$", markdown, flags=re.MULTILINE)
    formatted = {key: part.strip() for key, part in zip(texts, parts, strict=False)}
    return sources.assign(
        reference=sources["key"].map(formatted).fillna(sources["title"].map(escaped))
    )


def _converted(text: str, *arguments: str) -> str:
    done = run_pandoc(arguments, text=text)
    if done.returncode:
        raise DataError(f"the references of {SOURCES} cannot be written out: {done.stderr.strip()}")
    return done.stdout

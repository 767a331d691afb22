"""Knows by content whether a book's output is up to date, so that nothing is rendered again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evalkit.book.check import BIB_KEY, Survey
from evalkit.book.extension import EXTENSION
from evalkit.files import remove_leftovers, replace_text, write_whole

__all__ = [
    "FOLDER",
    "READINGS",
    "book_key",
    "cache_folder",
    "cited_sources",
    "is_current",
    "remember",
    "remove_half_made",
]

FOLDER = ".evalkit-cache"
READINGS = "reading"  # a folder in it: what the embedded engine read of the book's chapters
TOOLS = ("pypandoc_binary", "typst", "lxml")


def book_key(survey: Survey, engine: str) -> str:
    """A digest of all that a book's output depends on.

    That is the chapters with what they include, the embedded cells, the pictures, the facts and
    sources that they name, the citation style, the settings, the extension, this package's own code
    and the versions of what it calls.

    Parameters
    ----------
    survey
        The checked book.
    engine
        Which engine renders it.
    """
    settings, sources = survey.settings, survey.sources
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode()
            digest.update(len(data).to_bytes(8, "big") + data)

    add(engine, settings.timestamp.isoformat())
    if engine == "quarto":
        add(*_program("quarto"))
    for tool in TOOLS:
        add(tool, _version(tool))
    described = dataclasses.asdict(settings) | {"directory": ""}
    add(json.dumps(described, sort_keys=True, default=str))
    for path in sorted(settings.directory.glob("_quarto*.yml")):
        add(path.name, path.read_bytes())
    for chapter in sources.chapters:
        add(chapter.file, chapter.kind, chapter.part_before or "")
        add("\n".join(line.text for line in chapter.lines))
    for key, cell in sources.cells.items():
        add(key, json.dumps(cell.options, sort_keys=True, default=str))
        for output in cell.outputs:
            add(output.kind, output.content, output.width or "")
    add(*_used_facts(survey), *_entries(survey))
    paths = [settings.directory / settings.csl] if settings.csl else []
    paths += [path for _, path in sorted(survey.pictures.items())]
    for path in [*paths, *_own_files()]:
        add(path.name, path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def cited_sources(survey: Survey) -> set[str]:
    """Keys of the sources that a book's chapters and embedded cells cite."""
    return _named(survey, "cite")


def _named(survey: Survey, kind: str) -> set[str]:
    """What the sources point to of one kind, such as ``fact``."""
    return {
        name.removeprefix(f"{kind}:") for _, name in survey.pointers if name.startswith(f"{kind}:")
    }


def _used_facts(survey: Survey) -> Iterable[str]:
    """Of all facts, those that the sources name: a change of another's is no reason to render."""
    names = _named(survey, "fact")
    path = survey.settings.directory / "facts.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if names else {}
    for name in sorted(names):
        yield name
        yield json.dumps(facts.get(name), sort_keys=True)


def _entries(survey: Survey) -> Iterable[str]:
    """The entries of the bibliographies that the sources cite."""
    cited = cited_sources(survey)
    for name in survey.settings.bibliography if cited else ():
        text = (survey.settings.directory / name).read_text(encoding="utf-8")
        entries = re.split(r"^(?=[ \t]*@\w+[ \t]*\{)", text, flags=re.MULTILINE)
        for entry in entries:
            key = BIB_KEY.search(entry)
            if key is None or key.group(1) in cited:
                yield entry.strip()


def _program(name: str) -> tuple[str, ...]:
    path = shutil.which(name)
    return (path, str(os.stat(path).st_mtime_ns)) if path else ()


def _own_files() -> Iterable[Path]:
    yield from sorted(path for path in EXTENSION.rglob("*") if path.is_file())
    yield from sorted(Path(__file__).parent.glob("*.py"))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def is_current(book_dir: Path, output: str, key: str, formats: Iterable[str]) -> bool:
    """Whether the output of an earlier render with this key is there, whole and unchanged.

    A record that is missing, damaged or from another version means no.
    """
    return set(formats) <= set(_still_there(book_dir, output, key)["formats"])


def _still_there(book_dir: Path, output: str, key: str) -> dict:
    """The record of what was made with this key; an empty one if any of it is gone or changed."""
    try:
        record = json.loads(_record(book_dir, output).read_text(encoding="utf-8"))
        files = record["files"]
        folder = book_dir / output.partition("#")[0]
        if record["key"] == key and all(_digest(folder / name) == files[name] for name in files):
            return {"formats": list(record["formats"]), "files": dict(files)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"formats": [], "files": {}}


def remember(
    book_dir: Path, output: str, key: str, formats: Iterable[str], files: Iterable[Path]
) -> None:
    """Record what a render made, so that the next can tell that nothing has changed.

    Parameters
    ----------
    book_dir
        The book's folder; the record goes into its ``.evalkit-cache``.
    output
        Name of the output folder; for one document of several in a folder, ``folder#document``.
    key
        From `book_key`.
    formats
        The formats that were made.
    files
        The files that were made, with their paths.
    """
    folder = book_dir / output.partition("#")[0]
    earlier = _still_there(book_dir, output, key)
    made = {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(files)}
    record = {
        "key": key,
        "formats": sorted({*earlier["formats"], *formats}),
        "files": earlier["files"] | made,
    }
    path = cache_folder(book_dir) / _record(book_dir, output).name
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=1).encode())


def remove_half_made(book_dir: Path, output: str) -> None:
    """Remove what killed renders into an output folder left beside it, and half-written records.

    Only for one who knows that nobody else renders into that folder at the time: a render begins
    with it under the study's lock, so that what is found is nobody's.
    """
    for folder in book_dir.glob(f".{output}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    remove_leftovers(book_dir / FOLDER, of=output)


def cache_folder(book_dir: Path) -> Path:
    """The book's folder for what renders keep, made where it is missing; never in git."""
    folder = book_dir / FOLDER
    folder.mkdir(exist_ok=True)
    replace_text(folder / ".gitignore", "*\n")
    return folder


def _record(book_dir: Path, output: str) -> Path:
    return book_dir / FOLDER / (output.replace("#", "-").replace("/", "-") + ".json")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

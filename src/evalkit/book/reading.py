"""What the embedded engine read of a book's chapters, kept so that only changed ones are read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from evalkit.book.cache import FOLDER, READINGS, cache_folder
from evalkit.book.check import Survey
from evalkit.book.extension import CSL, EXTENSION
from evalkit.files import write_whole
from evalkit.programs import pandoc_version

__all__ = ["LaidOut", "Reading", "keep_readings", "lay_out_readings"]


@dataclass(frozen=True)
class Reading:
    """One chapter as it was read for one format.

    Attributes
    ----------
    key
        A digest of the chapter's text and all else that is always read with it.
    facts
        The facts that were filled in, each with a digest of what it was.
    sources
        A digest of the bibliographies and the citation style, where the chapter lists its own
        references; otherwise None.
    document
        Pandoc's document, as JSON on one line.
    """

    key: str
    facts: dict[str, str]
    sources: str | None
    document: bytes


@dataclass(frozen=True)
class LaidOut:
    """What was known before the engine began.

    Attributes
    ----------
    place
        The file of what is kept of the format.
    kept
        The keys in it.
    keys, standing
        Of each chapter, in the job's order: its key, and its reading, if that stands.
    facts, sources
        The book's facts; a digest of its bibliographies and citation style.
    """

    place: Path
    kept: frozenset[str]
    keys: tuple[str, ...]
    standing: tuple[Reading | None, ...]
    facts: dict
    sources: str


def lay_out_readings(survey: Survey, job: dict, folder: Path) -> LaidOut:
    """Put what is kept of a book's chapters where the engine finds it.

    Each chapter of the job is given a path, ``reading``. Where the chapter has been read before,
    and nothing that it was made of has changed, the reading stands there already; the engine
    writes the others.

    Parameters
    ----------
    survey
        The book.
    job
        As from ``job_for``; its chapters are given their paths.
    folder
        Where the engine works.

    Returns
    -------
    LaidOut
        For `keep_readings`.
    """
    place = survey.settings.directory / FOLDER / READINGS / f"{job['format']}.txt"
    facts, sources = _facts(survey), _sources(survey)
    kept, common = _kept(place), _common_key(job)
    keys = tuple(_chapter_key(common, job, chapter) for chapter in job["chapters"])
    standing = tuple(
        reading if reading and _stands(reading, facts, sources) else None
        for reading in map(kept.get, keys)
    )
    for number, (chapter, reading) in enumerate(zip(job["chapters"], standing, strict=True)):
        path = folder / f"reading-{job['format']}-{number}.json"
        chapter["reading"] = str(path)
        if reading:
            path.write_bytes(reading.document)
    return LaidOut(place, frozenset(kept), keys, standing, facts, sources)


def keep_readings(survey: Survey, job: dict, before: LaidOut, read_now: list[dict]) -> None:
    """Keep what the engine read, with what stood, in place of all that was kept before.

    Parameters
    ----------
    survey, job
        As given to `lay_out_readings`.
    before
        What that returned.
    read_now
        Of each chapter that the engine read: its number in the job (``chapter``, from 1), the
        names of its ``facts``, and whether it lists its own ``sources``.
    """
    if not read_now and before.kept == set(before.keys):
        return
    readings = dict(enumerate(before.standing))
    for noted in read_now:
        number = int(noted["chapter"]) - 1
        readings[number] = Reading(
            key=before.keys[number],
            facts={name: _digest(before.facts.get(name)) for name in sorted(noted["facts"])},
            sources=before.sources if noted["sources"] else None,
            document=Path(job["chapters"][number]["reading"]).read_bytes(),
        )
    cache_folder(survey.settings.directory)
    lines = [_line(reading) for reading in readings.values() if reading]
    write_whole(before.place, b"".join(lines))


def _stands(reading: Reading, facts: dict, sources: str) -> bool:
    return reading.sources in (None, sources) and all(
        digest == _digest(facts.get(name)) for name, digest in reading.facts.items()
    )


# What is kept of a format is one file with a line for each chapter: the digest of the rest of
# the line, what the reading was made of, the document.


def _line(reading: Reading) -> bytes:
    made_of = {"key": reading.key, "facts": reading.facts, "sources": reading.sources}
    rest = json.dumps(made_of).encode() + b"\t" + reading.document
    return hashlib.sha256(rest).hexdigest().encode() + b"\t" + rest + b"\n"


def _kept(path: Path) -> dict[str, Reading]:
    """Readings by their key; a line that is not as it was written is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return {}
    readings = {}
    for line in lines:
        digest, _, rest = line.partition(b"\t")
        if hashlib.sha256(rest).hexdigest().encode() == digest:
            made_of, _, document = rest.partition(b"\t")
            with contextlib.suppress(ValueError, TypeError):  # of another version
                reading = Reading(**json.loads(made_of), document=document)
                readings[reading.key] = reading
    return readings


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _common_key(job: dict) -> str:
    """A digest of what every chapter is read with."""
    filters = {
        path.relative_to(EXTENSION).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(EXTENSION.rglob("*.lua"))
    }
    told = [job["format"], job["words"], job["metadata"]]
    return _digest([pandoc_version(), filters, *told])


def _chapter_key(common: str, job: dict, chapter: dict) -> str:
    embedded = {key: cell for key, cell in job["cells"].items() if key in chapter["text"]}
    return _digest([common, chapter["file"], chapter["text"], embedded])


def _facts(survey: Survey) -> dict:
    path = survey.settings.directory / "facts.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _sources(survey: Survey) -> str:
    settings = survey.settings
    names = [*settings.bibliography, settings.csl or str(EXTENSION / CSL)]
    paths = [settings.directory / name for name in names]
    return _digest([path.read_text(encoding="utf-8") for path in paths if path.is_file()])

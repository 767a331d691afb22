"""A study's settings: ``study.toml`` as one frozen dataclass."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from evalkit.characters import unseen_in
from evalkit.errors import ConfigError
from evalkit.small_counts import SmallestCount

__all__ = ["MEMORY_MB", "TIMEOUT_SECONDS", "Part", "StudySettings", "read_settings"]

TIMEOUT_SECONDS = 600  # for one notebook
SMALLEST_COUNT = SmallestCount(5)
MEMORY_MB = 4000  # for one notebook, beyond what its libraries take
WORDS = 4  # a reason has at least so many
# Tables whose counts of persons may be others', shown as published.
PUBLISHED_TABLES = ("events", "facts", "organisation", "participants", "survey_results", "surveys")
REPORTS = ("plan", "status", "final", "effect")


@dataclass(frozen=True)
class Part:
    """A part of the report with the municipalities that have a chapter in it."""

    title: str
    municipalities: tuple[str, ...]


@dataclass(frozen=True)
class StudySettings:
    """What a study is about and how its report is made.

    ``smallest_count`` is the smallest number of persons shown, with whether nought may be
    (``nought_is_small`` in the file); ``published_tables`` the tables whose counts others have
    published and which are shown as published, ``published_counts`` the reason for it (``tables`` and
    ``reason`` of ``[published_counts]`` in the file), and ``counts_decided`` what else
    it decides of counts, each with its reason; ``period`` the first and last
    year; ``timeout_seconds`` and ``memory_mb`` are the limits of one notebook; ``status_date`` the day a status report tells of; ``tables_from`` the study whose tables
    and sources it reads, where it is another report on the same ones; ``plan_version`` the plan in
    the tables that is judged, where it is not the study's own;
    ``notebooks`` those it runs (01 to 09, if none is named); ``accepted`` names findings of the
    logic-model check that the study accepts, with the reason.
    """

    study: str
    title: str
    period: tuple[int, int]
    evaluator: str
    clients: tuple[str, ...]
    language: str = "nb"
    report: str = "final"
    smallest_count: SmallestCount = SMALLEST_COUNT
    published_tables: tuple[str, ...] = ()
    published_counts: str = ""
    counts_decided: dict[str, str] = field(default_factory=dict)
    synthetic: bool = False
    timeout_seconds: int = TIMEOUT_SECONDS
    memory_mb: int = MEMORY_MB
    status_date: str = ""
    tables_from: str = ""
    plan_version: str = ""
    notebooks: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    accepted: dict[str, str] = field(default_factory=dict)

    @property
    def count_rules(self) -> dict:
        """What the study has decided of counts, as ``withheld_claims`` takes it."""
        return {
            "smallest_count": self.smallest_count,
            "published": self.published_tables,
            "decided": self.counts_decided,
        }

    @property
    def municipality_codes(self) -> list[str]:
        """Codes of the municipalities that have a chapter, in the report's order."""
        return [code for part in self.parts for code in part.municipalities]


TYPES = {
    "title": str,
    "evaluator": str,
    "language": str,
    "report": str,
    "status_date": str,
    "tables_from": str,
    "plan_version": str,
    "smallest_count": int,
    "nought_is_small": bool,
    "published_counts": dict,
    "counts_decided": dict,
    "synthetic": bool,
    "timeout_seconds": int,
    "memory_mb": int,
    "period": list,
    "clients": list,
    "notebooks": list,
    "parts": list,
    "accepted": dict,
}


def read_settings(study_dir: Path) -> StudySettings:
    """Settings of the study in a folder under ``data/raw``.

    Raises
    ------
    ConfigError
        With every problem of the file: unknown or missing settings, wrong types, municipality
        codes that are not four digits in quotes. A file that cannot be read is one, too.
    """
    path = study_dir / "study.toml"
    if not path.is_file():
        others = sorted(p.parent.name for p in study_dir.parent.glob("*/study.toml"))
        known = ", ".join(others) or "none yet"
        raise ConfigError(f"{path} is not there; studies in {study_dir.parent}: {known}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        given = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; see who may read it and its folder"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: line {line} holds a byte that is not UTF-8 "
            f"(0x{error.object[error.start]:02x}); save the file as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f'{path}: {error}; a municipality code is text, in quotes: "0301"'
        ) from error
    if unseen := unseen_in(text):
        raise ConfigError(
            f"{path} has characters that are not seen ({', '.join(unseen)}); write their lines anew"
        )
    problems = [
        f"unknown setting {name!r}; expected {', '.join(TYPES)}"
        for name in given
        if name not in TYPES
    ]
    needed = [f.name for f in fields(StudySettings)[1:5]]
    problems += [f"setting {name!r} is missing" for name in needed if name not in given]
    problems += [
        f"{name} is a {type(given[name]).__name__}; expected a {kind.__name__}"
        for name, kind in TYPES.items()
        if name in given and type(given[name]) is not kind
    ]
    if not problems:
        problems = _contents(given)
    if problems:
        raise ConfigError(f"{path}:\n  " + "\n  ".join(problems))
    parts = tuple(
        Part(part["title"], tuple(part["municipalities"])) for part in given.pop("parts", [])
    )
    period = tuple(given.pop("period"))
    clients = tuple(given.pop("clients"))
    notebooks = tuple(given.pop("notebooks", ()))
    smallest_count = SmallestCount(
        given.pop("smallest_count", 5), nought_is_small=given.pop("nought_is_small", True)
    )
    published = given.pop("published_counts", {"tables": (), "reason": ""})
    return StudySettings(
        published_tables=tuple(published["tables"]),
        published_counts=published["reason"],
        study=study_dir.name,
        smallest_count=smallest_count,
        parts=parts,
        period=period,
        clients=clients,
        notebooks=notebooks,
        **given,
    )


def _published_problems(published: dict | None) -> list[str]:
    if published is None:
        return []
    if set(published) != {"tables", "reason"} or not isinstance(published["tables"], list):
        return ["published_counts holds something else than tables, a list, and reason"]
    problems = [
        f"published_counts names the table {name!r}; expected one of {', '.join(PUBLISHED_TABLES)}"
        for name in published["tables"]
        if name not in PUBLISHED_TABLES
    ]
    if not isinstance(published["reason"], str) or len(published["reason"].split()) < WORDS:
        problems.append(
            f"published_counts has a reason of fewer than {WORDS} words; expected a sentence that the "
            "report prints: why counts that others have published are shown as published"
        )
    return problems


def _contents(given: dict) -> list[str]:
    problems = []
    period = given["period"]
    if len(period) != 2 or not all(isinstance(y, int) for y in period) or period[0] > period[-1]:
        problems.append("period holds something else than first and last year, as [2019, 2023]")
    if given.get("report", "final") not in REPORTS:
        problems.append(f"report is {given['report']!r}; expected {', '.join(REPORTS)}")
    if not re.fullmatch(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?", given.get("status_date", "")):
        problems.append(
            f"status_date is {given['status_date']!r}; expected a day, such as '2021-12-01'"
        )
    if given.get("smallest_count", 5) < 1:
        problems.append("smallest_count is below 1; expected the smallest number of persons shown")
    problems += _published_problems(given.get("published_counts"))
    problems += [
        f"counts_decided has {name!r} without a reason; expected a sentence that says why"
        for name, reason in given.get("counts_decided", {}).items()
        if not isinstance(reason, str) or len(reason.split()) < WORDS
    ]
    problems += [
        f"{name} is {given[name]}; expected {unit} for each notebook, more than 0"
        for name, unit in (("timeout_seconds", "seconds"), ("memory_mb", "megabytes"))
        if given.get(name, 1) < 1
    ]
    for number, part in enumerate(given.get("parts", []), start=1):
        if (
            not isinstance(part, dict)
            or set(part) != {"title", "municipalities"}
            or not isinstance(part["municipalities"], list)
        ):
            problems.append(f"part {number} holds something else than title and municipalities")
            continue
        problems += [
            f"municipality {code!r} in part {number}; expected four digits, kept as text"
            for code in part["municipalities"]
            if not (isinstance(code, str) and re.fullmatch(r"[0-9]{4}", code))
        ]
    return problems

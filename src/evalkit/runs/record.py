"""What a run was made from: the hashes that tell whether its result still stands."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from evalkit.files import says_why, write_whole
from evalkit.runs.jobs import Job, Place, read_source, relative_name

__all__ = [
    "Hashes",
    "JobState",
    "changed_since",
    "default_code_paths",
    "differences_between",
    "environment_versions",
    "fingerprint",
    "read_record",
    "sealed",
    "states_of",
    "unsealed",
    "write_record",
]

RECORD_VERSION = 1
LIBRARIES = (
    *("evalkit", "ipykernel", "ipython", "matplotlib", "matplotlib-inline", "nbclient"),
    *("numpy", "pandas", "pandera", "papermill", "pyarrow", "pypandoc_binary", "scipy", "seaborn"),
    "statsmodels",
)
CANNOT_REACH_NOTEBOOKS = (
    *("cli", "studies", "municipality_reports", "short_report", "new_study", "feedback"),
    *("book", "extension"),
)
REASONS_SHOWN = 3
HASHING_THREADS = 4


@dataclass(frozen=True)
class JobState:
    """Whether a job's result stands, and why not.

    ``state`` is ``"fresh"``, ``"stale"``, ``"failed"`` or ``"never"`` (never run);
    ``reason`` says why in words, and is empty for a fresh result.
    """

    job: Job
    state: Literal["fresh", "stale", "failed", "never"]
    reason: str = ""


class Hashes:
    """Content hashes of files, each file read once.

    ``known`` are hashes that were taken before, when nothing is known of the files since.
    """

    def __init__(self, known: Mapping[Path, str | None] | None = None) -> None:
        self._known: dict[Path, tuple[Stamp | None, str | None]] = {
            path: (None, content) for path, content in (known or {}).items()
        }

    def of(self, path: Path) -> str | None:
        """Hash of a file's bytes; None for a file that is not there or cannot be read."""
        if path not in self._known:
            self._known[path] = _stamped_hash(path)
        return self._known[path][1]

    def of_all(self, paths: Iterable[Path]) -> None:
        """Read many files at once, so that later calls of `of` cost nothing."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self._known]
        with ThreadPoolExecutor(HASHING_THREADS) as pool:
            self._known.update(zip(wanted, pool.map(_stamped_hash, wanted), strict=True))

    def changed(self, path: Path) -> bool:
        """Whether a file's content is another than when it was read first."""
        stamp, known = self._known[path]
        if _stamp(path) == stamp and stamp is not None:
            return False
        now = _stamped_hash(path)
        if now[1] != known:
            return True
        self._known[path] = now
        return False


Stamp = tuple[int, int, int, int]


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _stamped_hash(path: Path) -> tuple[Stamp | None, str | None]:
    return _stamp(path), hash_of_file(path)


def changed_since(hashes: Hashes, paths: Iterable[Path]) -> Path | None:
    """The first of the files whose content is no longer what it was when the run began."""
    return next((path for path in paths if hashes.changed(path)), None)


def hash_of_file(path: Path) -> str | None:
    """Hash of a file's bytes, or None where it is not there or cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, _new_hash).hexdigest()
    except OSError:
        return None


def hash_of_bytes(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _new_hash() -> Any:
    return hashlib.blake2b(digest_size=16)


def hash_of_notebook(path: Path) -> str:
    """Hash of what a notebook says and asks: its cells' sources and tags, and its kernel.

    Outputs and counts, which change when a researcher opens and saves it, do not matter.
    """
    source = read_source(path)
    says = [
        [cell["cell_type"], cell["source"], cell["metadata"].get("tags", [])]
        for cell in source["cells"]
    ]
    asked = [says, source["metadata"]["kernelspec"].get("name")]
    return hash_of_bytes(json.dumps(asked, ensure_ascii=False).encode())


def default_code_paths() -> tuple[Path, ...]:
    """What of evalkit a notebook's result can depend on: its modules and its citation style."""
    package = Path(__file__).resolve().parents[1]
    modules = (
        path
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0].removesuffix(".py") not in CANNOT_REACH_NOTEBOOKS
    )
    return (*modules, package / "extension" / "evalkit.csl")


def environment_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers and figures come from."""
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    return versions


def fingerprint(
    job: Job,
    *,
    name_of: Callable[[Path], str],
    hashes: Hashes,
    notebook_hash: str,
    code: Mapping[str, str | None],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """All that a job's result depends on, as plain values."""
    return {
        "notebook": notebook_hash,
        "parameters": dict(job.parameters),
        "label_suffix": job.label_suffix,
        "inputs": {name_of(path): _content(job, path, hashes) for path in job.inputs},
        "code": dict(code),
        "environment": dict(environment),
    }


def _content(job: Job, path: Path, hashes: Hashes) -> str | None:
    """Hash of an input, or of the rows that the job depends on; None where it cannot be read."""
    content = hashes.of(path)
    return job.rows.get(path, content) if content else None


def sealed(record: Mapping[str, Any]) -> bytes:
    """A record as JSON with a hash of itself, so that damage to it is seen."""
    body = json.dumps(record, ensure_ascii=False, sort_keys=True)
    return json.dumps(
        {"seal": hash_of_bytes(body.encode()), "record": record},
        ensure_ascii=False,
        sort_keys=True,
        indent=1,
    ).encode()


def unsealed(text: str) -> dict[str, Any] | None:
    """The record that `sealed` wrote; None where it is damaged."""
    try:
        read = json.loads(text)
        body = json.dumps(read["record"], ensure_ascii=False, sort_keys=True)
        return read["record"] if read["seal"] == hash_of_bytes(body.encode()) else None
    except (ValueError, KeyError, TypeError):
        return None


def write_record(
    place: Place,
    job: Job,
    made_from: Mapping[str, Any],
    *,
    state: str,
    reason: str = "",
    output_hash: str | None = None,
) -> None:
    """Write the proof of a run, last of all. A record holds no time, so it too is repeatable."""
    record = {
        "version": RECORD_VERSION,
        "notebook_path": relative_name(job.notebook, place.project_dir),
        "output_path": relative_name(job.output, place.project_dir),
        "made_from": dict(made_from),
        "state": state,
        "reason": reason,
        "output": output_hash,
    }
    write_whole(place.record_path(job), sealed(record))


def read_record(place: Place, job: Job) -> tuple[dict[str, Any] | None, str]:
    """A job's record and, where there is none that can be trusted, the reason."""
    try:
        text = place.record_path(job).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, ""
    except (OSError, UnicodeDecodeError) as error:
        why = says_why(error) if isinstance(error, OSError) else "not text"
        return None, f"its record cannot be read: {why}"
    record = unsealed(text)
    if record is None:
        return None, "its record is damaged"
    if record["version"] != RECORD_VERSION:
        return None, "its record is of another version of evalkit"
    if record["output_path"] != relative_name(job.output, place.project_dir):
        return None, f"its record is of {record['output_path']}"
    return record, ""


def _changes(then: Mapping[str, Any], now: Mapping[str, Any], what: str) -> list[str]:
    """Names that differ between two mappings, in words: ``what`` has a place for the name."""
    found = []
    for name in [*now, *(name for name in then if name not in now)]:
        if name not in now:
            found.append(what.format(name) + " is no longer used")
        elif name not in then:
            found.append(what.format(name) + " is new")
        elif now[name] is None:
            found.append(what.format(name) + " is missing or cannot be read")
        elif then[name] != now[name]:
            found.append(what.format(name) + " changed")
    return found


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Why a result made from ``then`` no longer stands, in words; empty where it does."""
    found = []
    if then["notebook"] != now["notebook"]:
        found.append("notebook changed")
    found += _changes(then["parameters"], now["parameters"], "parameter {}")
    if then["label_suffix"] != now["label_suffix"]:
        found.append("label suffix changed")
    found += _changes(then["inputs"], now["inputs"], "{}")
    found += _changes(then["code"], now["code"], "{}")
    versions = _changes(then["environment"], now["environment"], "{}")
    found += [f"version of {change}" for change in versions]
    more = len(found) - REASONS_SHOWN
    shown = found[:REASONS_SHOWN] + ([f"and {more} more"] if more > 0 else [])
    return "; ".join(shown)


def differences_between(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Versions that differ, in words; empty where none does."""
    wrong = [
        f"{name} is {found.get(name, 'missing')}, expected {version}"
        for name, version in expected.items()
        if found.get(name) != version
    ]
    return "; ".join(wrong)


def _code_name(path: Path, root: Path) -> str:
    """A module as messages show it: from the project, or from where the package is installed."""
    packages = Path(__file__).resolve().parents[2]
    if not path.is_relative_to(root) and path.is_relative_to(packages):
        return path.relative_to(packages).as_posix()
    return relative_name(path, root)


def made_from_now(
    jobs: Sequence[Job], place: Place, hashes: Hashes, code_paths: Iterable[Path] | None
) -> dict[Path, dict[str, Any]]:
    """For each job's output, the fingerprint of what a run would be made from now."""
    root = place.project_dir
    paths = default_code_paths() if code_paths is None else [root / path for path in code_paths]
    hashes.of_all([*paths, *(path for job in jobs for path in (job.notebook, *job.inputs))])
    code = {_code_name(path, root): hashes.of(path) for path in paths}
    environment = environment_versions()
    name_of = functools.cache(lambda path: relative_name(path, root))  # jobs share their inputs
    notebooks = {path: hash_of_notebook(path) for path in {job.notebook for job in jobs}}
    return {
        job.output: fingerprint(
            job,
            name_of=name_of,
            hashes=hashes,
            notebook_hash=notebooks[job.notebook],
            code=code,
            environment=environment,
        )
        for job in jobs
    }


def states_of(
    jobs: Sequence[Job], place: Place, hashes: Hashes, made_from: Mapping[Path, Mapping[str, Any]]
) -> list[JobState]:
    """Each job's state, from its record, its fingerprint now and its output file."""
    records = {job.output: read_record(place, job) for job in jobs}
    hashes.of_all(job.output for job in jobs if records[job.output][0])
    return [_state(job, *records[job.output], made_from[job.output], hashes) for job in jobs]


def _state(
    job: Job,
    record: Mapping[str, Any] | None,
    trouble: str,
    now: Mapping[str, Any],
    hashes: Hashes,
) -> JobState:
    if record is None:
        return JobState(job, "stale", trouble) if trouble else JobState(job, "never", "never run")
    changed = differences(record["made_from"], now)
    if changed:
        return JobState(job, "stale", changed)
    if record["state"] == "failed":
        return JobState(job, "failed", record["reason"])
    output = hashes.of(job.output)
    if output is None:
        return JobState(job, "stale", "output is missing")
    if output != record["output"]:
        return JobState(job, "stale", "output changed since the run")
    return JobState(job, "fresh")

"""Other programs that evalkit starts, and how they ended in words."""

from __future__ import annotations

import functools
import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pypandoc

from evalkit.errors import EvalkitError

__all__ = ["ProgramError", "how_it_ended", "pandoc_version", "run_pandoc"]


class ProgramError(EvalkitError):
    """A program that evalkit starts was not found, or something ended it from outside."""


def run_pandoc(
    arguments: Sequence[str | Path],
    *,
    text: str | None = None,
    directory: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run pandoc to its end; what it wrote, whether it succeeded or refused.

    Parameters
    ----------
    arguments
        What follows ``pandoc`` on a command line.
    text
        What it reads from standard input; nothing by default.
    directory
        Where it runs.
    settings
        Environment variables beside those of this process.

    Raises
    ------
    ProgramError
        If no pandoc is found, or a signal ended it, as when memory runs out.
    """
    done = subprocess.run(
        [_pandoc(), *map(str, arguments)],
        input=text or "",
        cwd=directory,
        env={**os.environ, **(settings or {})},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode < 0:
        raise ProgramError(f"pandoc: {how_it_ended(done.returncode)}; run the same command again")
    return done


@functools.cache
def pandoc_version() -> str:
    """The version of the pandoc in use, such as ``3.6.1``.

    Raises
    ------
    ProgramError
        If no pandoc is found, or the one that is there does not say.
    """
    said = run_pandoc(["--version"]).stdout.split()
    if len(said) < 2:
        raise ProgramError(f"{_pandoc()} does not say its version; expected pandoc")
    return said[1]


def how_it_ended(code: int) -> str:
    """How a process ended, in words, from its exit code as `subprocess` has it."""
    if code < 0:
        name = signal.Signals(-code).name
        often = ", as when memory runs out" if name == "SIGKILL" else ""
        return f"its process was ended by the signal {name}{often}"
    return f"its process ended itself with exit code {code}"


@functools.cache
def _pandoc() -> str:
    """Where pandoc is; asked once, since each asking starts every pandoc that is there."""
    log = logging.getLogger("pypandoc")
    log.addFilter(_without_traceback)
    try:
        return pypandoc.get_pandoc_path()
    except OSError as error:
        raise ProgramError(
            "pandoc was not found, or did not answer when asked for its version; "
            "expected the one that the package pypandoc_binary brings. Run the same command "
            "again; if it stays, install evalkit again"
        ) from error
    finally:
        log.removeFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Not what the search for a pandoc logs of one that cannot be used: our error tells it."""
    return record.exc_info is None

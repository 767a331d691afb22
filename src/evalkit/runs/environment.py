"""The environment that notebooks run in: the same on every machine, so results are too."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "MATPLOTLIB_BACKEND",
    "ONE_THREAD",
    "PINNED",
    "lift_memory_limit",
    "limit_memory",
    "run_environment",
]

MATPLOTLIB_BACKEND = "module://matplotlib_inline.backend_inline"

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
PINNED = {
    **ONE_THREAD,  # more threads than cores are slow, and another number changes last digits
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # memory that a table took goes back to the system
    "MALLOC_MMAP_THRESHOLD_": "1000000",  # and that of arrays of a megabyte or more
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "LANG": "C.UTF-8",
    "MPLBACKEND": MATPLOTLIB_BACKEND,
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
UNSET = ("PYTHONSTARTUP", "LANGUAGE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "IPYKERNEL_CELL_NAME")
MATPLOTLIB_SETTINGS = "svg.hashsalt: evalkit\n"  # ids in SVG are random without it


@contextlib.contextmanager
def run_environment() -> Iterator[dict[str, str]]:
    """Environment variables for processes that run notebooks, with the few files they name.

    One thread per process, fixed hash seed, no clock in figures, UTC and the C locale, an
    empty IPython profile and matplotlib's own settings, whatever the user's are.
    """
    with tempfile.TemporaryDirectory(prefix="evalkit-run-", ignore_cleanup_errors=True) as folder:
        settings = Path(folder) / "matplotlibrc"
        settings.write_text(MATPLOTLIB_SETTINGS, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        yield {
            **kept,
            **PINNED,
            "MATPLOTLIBRC": str(settings),
            "IPYTHONDIR": str(Path(folder) / "ipython"),
        }


def limit_memory(memory_mb: int, *, already_mb: int | None = None) -> None:
    """Let this process, and those it starts, take ``memory_mb`` more than it has now.

    Counted is memory of its own that may be written to; beyond the limit Python raises
    MemoryError. Without effect where the system has no such limit (macOS, Windows).
    """
    if sys.platform != "linux":
        return
    import resource

    has = _data_megabytes() if already_mb is None else already_mb
    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    limit = (has + memory_mb) * 2**20
    if highest == resource.RLIM_INFINITY or limit < highest:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, highest))


def lift_memory_limit() -> None:
    """Undo `limit_memory` for this process: what remains to be done is evalkit's own."""
    if sys.platform != "linux":
        return
    import resource

    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (highest, highest))


def _data_megabytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) // 1024
    return 0

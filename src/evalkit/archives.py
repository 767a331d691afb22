"""Zip archives from elsewhere: what their members hold is counted while it is unpacked.

The directory of a zip says how large its members are, and may lie. So sizes are counted as bytes
come out, for all members together, and whoever reads what came out does it in a process of its
own that may take only so much memory and time.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from evalkit.errors import DataError, EvalkitError
from evalkit.programs import how_it_ended

__all__ = ["apart", "unpacked"]

UNPACKED_LIMIT = 200 * 10**6  # bytes of all members that are read together
PIECE = 2**16
READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others unpack without a limit
ENCRYPTED = 0x1
MEMORY_MB = 1500  # of a process that reads one archive
TIME_LIMIT = 120  # seconds


def unpacked(
    path: Path, wanted: Callable[[str], bool], *, limit: int = UNPACKED_LIMIT
) -> dict[str, bytes]:
    """Members of a zip by their whole name, whose parts are separated by ``/``.

    Parameters
    ----------
    path
        The archive.
    wanted
        Says of a member's name whether it is read.
    limit
        How many bytes all wanted members may be together, counted as they come out.

    Raises
    ------
    DataError
        If the file is no zip or is broken, a wanted member stands in it twice, is encrypted or
        packed in an unusual way, or the members are larger than the limit.
    """
    name, found, left = path.name, {}, limit
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                member = entry.filename.replace("\\", "/")
                if entry.is_dir() or not wanted(member):
                    continue
                if member in found:
                    raise DataError(f"{name}: {member} stands in it twice; expected once")
                if entry.flag_bits & ENCRYPTED or entry.compress_type not in READABLE:
                    raise DataError(
                        f"{name}: {member} is encrypted or packed in an unusual way; "
                        "save the file again without a password"
                    )
                found[member] = _counted(archive, entry, left, name, limit)
                left -= len(found[member])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{name}: not a zip file, or broken; export or save it again") from error
    return found


def _counted(archive, entry: zipfile.ZipInfo, left: int, name: str, limit: int) -> bytes:
    pieces, size = [], 0
    with archive.open(entry) as file:
        while piece := file.read(PIECE):
            size += len(piece)
            if size > left:
                raise DataError(
                    f"{name}: larger than {limit // 10**6} MB unpacked; expected text alone"
                )
            pieces.append(piece)
    return b"".join(pieces)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a process of its own, with limits of memory and time.

    Parameters
    ----------
    function
        A function that its module holds by name; the first argument names the file it reads.
    arguments
        What it is called with.

    Returns
    -------
    object
        What it returned.

    Raises
    ------
    DataError
        What the function raised, or that the file takes more memory or time than there is.
    """
    asked = pickle.dumps((function.__module__, function.__qualname__, arguments))
    name = Path(arguments[0]).name
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "evalkit.archives"],
            input=asked,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{name}: takes more than {TIME_LIMIT} seconds to read; expected less in one file"
        ) from error
    if done.returncode or not done.stdout:
        raise DataError(f"{name} could not be read: {how_it_ended(done.returncode)}")
    answer = pickle.loads(done.stdout)
    if isinstance(answer, MemoryError):
        raise DataError(f"{name}: takes more than {MEMORY_MB} MB of memory; expected text alone")
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        _, highest = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MB * 2**20, highest))


def _answer() -> None:
    module, function, arguments = pickle.load(sys.stdin.buffer)
    called = getattr(import_module(module), function)
    _limit_memory()
    try:
        answer = called(*arguments)
    except (EvalkitError, MemoryError, OSError) as error:
        answer = type(error)(*error.args)
    pickle.dump(answer, sys.stdout.buffer)


if __name__ == "__main__":
    _answer()

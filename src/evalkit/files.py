"""Writing files so that a reader, or a crash, never meets half of one; and only where it may."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "flush",
    "leads_elsewhere",
    "naming",
    "remove_leftovers",
    "replace_text",
    "says_why",
    "state_of",
    "what_to_do",
    "write_whole",
    "written_whole",
]

TEMPORARY_ENDING = ".evalkit-tmp"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its own folder, flush it to disk, then rename it.

    The file at ``path`` is the old one or the new one at every moment. The folder is made
    where it is missing. A symbolic link at ``path`` is replaced, never followed.

    Raises
    ------
    OSError
        If the disk is full or the folder may not be written in, with the file's name; the old
        file is then intact.
    """
    with written_whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """As `write_whole`, for content that is written piece by piece."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_ENDING}")
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have the system's refusals within the block name what was being written, if they do not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def flush(paths: Iterable[Path]) -> None:
    """Have files outlive a power cut, before something is put in place of what was there."""
    for path in paths:
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


def replace_text(path: Path, text: str) -> None:
    """As `write_whole`; a file that already holds the text is left alone."""
    content = text.encode()
    if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
        write_whole(path, content)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself outlive a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, *, of: str = "") -> None:
    """Remove temporary files that a killed run left in a folder. Only under the study's lock.

    With ``of``, only those of files whose names begin so.
    """
    for path in folder.glob(f".{of}*{TEMPORARY_ENDING}"):
        with contextlib.suppress(OSError):
            path.unlink()


def state_of(path: Path) -> tuple:
    """What tells that a file, or one of a folder's Parquet files, has been replaced.

    A file that `write_whole` wrote anew is another file to the system, whatever it holds.
    """
    place = os.path.abspath(path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    found = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(file)
            found.append((file.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return place, tuple(found)


def leads_elsewhere(path: Path, root: Path) -> Path | None:
    """The symbolic link on the way from a folder to a path within it; None where there is none."""
    within = path.relative_to(root)
    for depth in range(1, len(within.parts) + 1):
        step = root.joinpath(*within.parts[:depth])
        if step.is_symlink():
            return step
    return None


def says_why(error: OSError) -> str:
    """An operating system's refusal in words."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the disk may only be read",
        errno.EACCES: "no permission",
        errno.EPERM: "no permission",
        errno.ENOENT: "no such file or folder",
        errno.EISDIR: "a folder, not a file",
        errno.ENOTDIR: "a file stands where a folder is expected",
        errno.ELOOP: "a symbolic link, which is not followed",
    }
    return reasons.get(error.errno, error.strerror or str(error))


def what_to_do(error: OSError) -> str:
    """What a user can do about an operating system's refusal; empty where we do not know."""
    remedies = {
        errno.ENOSPC: "make room",
        errno.EDQUOT: "make room",
        errno.EROFS: "make it writable",
        errno.EACCES: "give yourself permission",
        errno.EPERM: "give yourself permission",
        errno.ELOOP: "put a plain file or folder in its place",
        errno.ENOTDIR: "move that file away",
        errno.EISDIR: "move that folder away",
    }
    remedy = remedies.get(error.errno)
    return (
        f"{remedy}, then run the same command again; earlier results are intact" if remedy else ""
    )

"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

__all__ = ["remove_leftovers", "says_why", "write_whole"]

TEMPORARY_ENDING = ".evalkit-tmp"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its own folder, flush it to disk, then rename it.

    The file at ``path`` is the old one or the new one at every moment. The folder is made
    where it is missing.

    Raises
    ------
    OSError
        If the disk is full or the folder may not be written in; the old file is then intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_ENDING}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(path.parent)


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


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that a killed run left in a folder. Only under the study's lock."""
    for path in folder.glob(f".*{TEMPORARY_ENDING}"):
        with contextlib.suppress(OSError):
            path.unlink()


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
    }
    return reasons.get(error.errno, error.strerror or str(error))

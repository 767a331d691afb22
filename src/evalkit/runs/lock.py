"""One run of a study at a time: a lock that the operating system drops when its owner is gone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from evalkit.errors import RunError

__all__ = ["study_lock"]

LOCK_NAME = ".lock"
LOOK_AGAIN_SECONDS = 0.2
_held: set[tuple[Path, int]] = set()  # by folder and thread


@contextlib.contextmanager
def study_lock(
    folder: Path,
    *,
    wait: bool = True,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold a folder's lock for as long as the ``with`` block lasts.

    The lock is the operating system's own on an open file, so it is free again the moment
    its owner ends, however it ends; the file's text only says who holds it. A thread that holds
    it already, because it processes, runs and renders in one go, holds it until its outermost
    block ends.

    Parameters
    ----------
    folder
        Where the lock file lies; made where it is missing.
    wait
        Wait for another owner to finish, or raise at once.
    on_wait
        Told once, in words, whom this run waits for.

    Raises
    ------
    RunError
        If another process holds the lock and ``wait`` is False.
    OSError
        If the lock file cannot be made, or is a symbolic link.
    """
    key = (folder.absolute(), threading.get_ident())
    if key in _held:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        told = False
        while not _try_lock(handle):
            owner = _owner(path)
            if not wait:
                raise RunError(f"another run holds this study: {owner}; wait for it to finish")
            if on_wait is not None and not told:
                on_wait(f"waiting for another run of this study: {owner}")
                told = True
            time.sleep(LOOK_AGAIN_SECONDS)
        _say_who(handle)
        _held.add(key)
        yield
    finally:
        _held.discard(key)
        os.close(handle)


def _try_lock(handle: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            os.lseek(handle, 1 << 30, os.SEEK_SET)  # beyond the text, which stays readable
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_who(handle: int) -> None:
    owner = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    with contextlib.suppress(OSError):  # a full disk must not stop a run that has the lock
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(owner).encode())


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said its name"

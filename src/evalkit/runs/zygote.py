"""A warmed process with everything imported, from which each notebook's process is forked.

Its owner starts it with `Zygote`, and it lives as long as its owner keeps the socket
between them open. It has one thread and never runs a notebook itself. Each notebook gets
a child of its own, in a session of its own, which speaks with the owner over a socket of
its own; when the owner closes that socket, the child is killed with all it has started.

Frames on a socket are a kind (one byte), a length (four bytes) and as many bytes of content.
When a child has ended, the zygote itself writes how, as the last bytes on the child's socket.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.programs import how_it_ended
from evalkit.runs.environment import MATPLOTLIB_BACKEND, ONE_THREAD
from evalkit.runs.execute import (
    Outcome,
    Task,
    execute_task,
    stopped_notebook,
    time_is_up,
)
from evalkit.runs.record import default_code_paths

__all__ = ["HERE", "NoZygote", "Zygote", "can_fork"]

HERE = {"fork": "evalkit-here", "kernel": "evalkit-kernel-here"}  # engines within a child
PRELOADED = (
    *("numpy", "pandas", "pyarrow", "pyarrow.parquet", "scipy.stats", "statsmodels.api"),
    *("statsmodels.formula.api", "matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "seaborn"),
    # what these import only when they are used, and every notebook uses
    *("pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.vendored.version"),
    *("pandas.core.arrays.arrow.extension_types", "pandas.core.reshape.reshape"),
    *("IPython.core.application", "IPython.core.completerlib", "IPython.core.crashhandler"),
    *("IPython.core.oinspect", "encodings.unicode_escape"),
)
SLOW_AND_UNUSED = ("rfc3987_syntax",)  # a second, for checking URIs in JSON schemas
# not with -m or -P: the first has the working folder before all libraries, the second would
# keep it out of the notebooks' path
START = "import sys; del sys.path[0]; from evalkit.runs.zygote import main; main()"
READY, RUN, ADOPT, OUTCOME, EVENT = b"Y", b"R", b"A", b"O", b"E"
HEADER = struct.Struct("!cI")
TRAILER = struct.Struct("!8si")
TRAILER_MARK = b"\xffended\xff\xff"
LARGE_FRAME = 1_000_000  # bytes
START_SECONDS = 180
START_TRIES = 3  # to warm another process in the place of a dead one
RUN_TRIES = 3  # of a task, while each zygote it is begun in dies
ENDED_WHILE_WARMED = b"it ended while it was being warmed"
GRACE_SECONDS = 10
LAST_WORDS_SECONDS = 5


class NoZygote(Exception):  # noqa: N818 - a reason to do otherwise, not an error
    """This machine or these libraries do not allow forking; the message says why."""


def can_fork() -> bool:
    """Whether forking from a warmed process is safe on this system (Linux)."""
    return sys.platform == "linux" and hasattr(os, "fork") and hasattr(os, "memfd_create")


def send_frame(connection: socket.socket, kind: bytes, content: bytes) -> None:
    """Send a frame: a small one at once, a large one without another copy of it in memory."""
    head = HEADER.pack(kind, len(content))
    if len(content) < LARGE_FRAME:
        connection.sendall(head + content)
    else:
        connection.sendall(head)
        connection.sendall(content)


# ---------------------------------------------------------------- the owner's side


class Zygote:
    """Owns a zygote process; starts another where it was killed. Safe to use from many threads."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        mode: str = "fork",
        preload: Sequence[str] | None = None,
    ) -> None:
        if not can_fork():
            raise NoZygote("this system cannot fork a warmed process")
        self.environment = {**environment, **ONE_THREAD}
        self.environment.setdefault("MPLBACKEND", MATPLOTLIB_BACKEND)
        self._mode = mode
        self._preload = json.dumps(None if preload is None else list(preload))
        self._lock = threading.Lock()
        self._stopped = self._warming = False
        self._given_up = ""
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._warm()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno()), self._preload],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=self.environment,
                start_new_session=True,
            )
        self._warming = True
        ours.settimeout(START_SECONDS)
        try:
            kind, content = next(_frames(ours), (b"", ENDED_WHILE_WARMED))
        except TimeoutError:
            kind, content = b"", b"it was not warm in time"
        except OSError:
            kind, content = b"", ENDED_WHILE_WARMED
        finally:
            self._warming = False
        ours.settimeout(None)
        if kind != READY or content:
            ours.close()
            self._process.kill()
            self._process.wait()
            raise NoZygote(content.decode())
        self._control = ours

    def _restart(self, dead: subprocess.Popen) -> None:
        """Put another process in the place of a dead one, unless somebody already has."""
        with self._lock:
            if self._process is not dead or self._stopped:
                return
            self._control.close()
            dead.kill()
            dead.wait()
            self._warm()

    def _warm(self) -> None:
        """Start a process; another one where it dies while it is being warmed, a few times."""
        for left in reversed(range(START_TRIES)):
            try:
                return self._start()
            except NoZygote as reason:
                if self._stopped:
                    return
                if str(reason) != ENDED_WHILE_WARMED.decode():  # it would be so again
                    self._given_up = str(reason)
                elif not left:
                    self._given_up = f"{reason}, {START_TRIES} times"
                if self._given_up:
                    raise NoZygote(self._given_up) from None

    def revive(self) -> None:
        """Start another process where this one is gone.

        Raises
        ------
        NoZygote
            If none gets warm, though it was tried a few times.
        """
        process = self._process
        if self._given_up:
            raise NoZygote(self._given_up)
        if process.poll() is not None:
            self._restart(process)

    @contextlib.contextmanager
    def child(self, request: Mapping[str, Any]) -> Iterator[Child]:
        """A child that does what is asked; killed at the end of the block if it still lives."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                content = json.dumps(request).encode()
                head = HEADER.pack(RUN, len(content))
                socket.send_fds(self._control, [head], [theirs.fileno()])
                self._control.sendall(content)
            yield Child(ours)

    def adopt(self, handed_over: bytes) -> None:
        """Give what one child computed to the zygote, for every child that comes after."""
        with self._lock, contextlib.suppress(OSError):
            send_frame(self._control, ADOPT, handed_over)

    def run(self, task: Task) -> Outcome:
        """Run a task in a child; where the zygote itself was killed, in a child of another.

        Raises
        ------
        NoZygote
            If no other zygote gets warm, or each of a few dies while this task is run.
        """
        for _ in range(RUN_TRIES):
            if self._given_up:
                raise NoZygote(self._given_up)
            process = self._process
            if not self._stopped:
                with contextlib.suppress(OSError):
                    outcome = self._run_once(replace(task, engine=HERE[self._mode]))
                    if outcome is not None:
                        return outcome
            if self._stopped:
                return Outcome(False, "its process died", None, 0.0)
            self._restart(process)
        raise NoZygote(f"the warmed process died {RUN_TRIES} times")

    def _run_once(self, task: Task) -> Outcome | None:
        """How it went; None where the zygote died of something else than this task."""
        begun = time.monotonic()
        deadline = begun + task.timeout_seconds + GRACE_SECONDS
        told: list[bytes] = []
        with self.child({"task": task.as_json().decode()}) as child:
            try:
                for kind, content in child.frames(deadline):
                    if kind == ADOPT:
                        self.adopt(content)
                    elif kind == EVENT:
                        told.append(content)
                    elif kind == OUTCOME:
                        return Outcome.from_json(content)
            except TimeoutError:
                reason = time_is_up(task.timeout_seconds)
            else:
                if child.ended is None:
                    return None
                reason = how_it_ended(child.ended)
        notebook = None if self._stopped else stopped_notebook(task, told, reason)
        return Outcome(False, reason, notebook, time.monotonic() - begun)

    def stop(self) -> None:
        """End the zygote and every child of it."""
        self._stopped = True
        if self._warming:  # who warms it holds the lock
            self._process.kill()
        with self._lock:
            self._control.close()
            try:
                self._process.wait(LAST_WORDS_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Child:
    """The owner's view of one child. ``ended`` is its exit code once it is gone, as `Popen`'s."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ended: int | None = None

    def frames(self, deadline: float | None = None) -> Iterator[tuple[bytes, bytes]]:
        """What the child sends, until it ends; raises TimeoutError at the deadline."""
        received = bytearray()
        while True:
            if deadline is not None:
                self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._connection.recv(1 << 18)
            if not part:
                break
            received += part
            yield from _whole_frames(received)
        if len(received) >= TRAILER.size:
            mark, status = TRAILER.unpack(received[-TRAILER.size :])
            if mark == TRAILER_MARK:
                self.ended = status


def _whole_frames(received: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Take the frames that are there in full off the front."""
    while len(received) >= HEADER.size:
        kind, length = HEADER.unpack_from(received)
        end = HEADER.size + length
        if len(received) < end:
            return
        with memoryview(received) as view:
            content = bytes(view[HEADER.size : end])
        del received[:end]
        yield kind, content


def _frames(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    received = bytearray()
    while part := connection.recv(1 << 16):
        received += part
        yield from _whole_frames(received)


# ---------------------------------------------------------------- the zygote's side


class _Warm:
    """The zygote itself: forks on request, reaps, and kills what nobody waits for."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, socket.socket] = {}
        self._pid = os.getpid()
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        try:
            while True:
                waiting = select.poll()
                waiting.register(self._control, select.POLLIN)
                waiting.register(self._wake_reader, select.POLLIN)
                for connection in self._children.values():
                    waiting.register(connection, select.POLLRDHUP)
                ready = {descriptor for descriptor, _ in waiting.poll()}
                self._reap(ready)
                if self._control.fileno() in ready and not self._obey():
                    return
        finally:
            if os.getpid() == self._pid:
                for pid in self._children:
                    _kill_group(pid)

    def _reap(self, ready: set[int]) -> None:
        if self._wake_reader in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_reader, 4096)
        for pid, connection in list(self._children.items()):
            if connection.fileno() in ready:
                _kill_group(pid)  # nobody waits for it any more
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                _kill_group(pid)  # what it left behind
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):
                    connection.sendall(TRAILER.pack(TRAILER_MARK, code))
                connection.close()
                del self._children[pid]
            elif connection.fileno() in ready:
                os.waitpid(pid, 0)
                connection.close()
                del self._children[pid]

    def _obey(self) -> bool:
        """Do one thing that the owner asks; False when the owner is gone."""
        head, descriptors, _, _ = socket.recv_fds(self._control, HEADER.size, 1)
        if not head:
            return False
        head += self._exactly(HEADER.size - len(head))
        kind, length = HEADER.unpack(head)
        content = self._exactly(length)
        if kind == ADOPT:
            from evalkit.shared import adopt

            with contextlib.suppress(Exception):  # then each notebook computes it itself
                adopt(content)
                del content
                gc.collect()
                gc.freeze()
        elif kind == RUN:
            self._fork(socket.socket(fileno=descriptors[0]), content)
        return True

    def _exactly(self, size: int) -> bytearray:
        parts = bytearray()
        while len(parts) < size:
            part = self._control.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    def _fork(self, connection: socket.socket, request: bytes) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = connection
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpgid(pid, pid)  # so that it can be killed from the first moment
            return
        code = 1
        try:
            self._become_child()
            _do(json.loads(request), connection)
            code = 0
        finally:
            os._exit(code)

    def _become_child(self) -> None:
        from evalkit.runs.linux import end_with_parent

        end_with_parent(self._pid)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._control.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        for other in self._children.values():
            other.close()
        with contextlib.suppress(PermissionError):
            os.setsid()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # a fork copies its state, to every child alike


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _do(request: Mapping[str, Any], connection: socket.socket) -> None:
    """In the child: run what is asked and send what came of it."""
    from evalkit.runs.environment import lift_memory_limit, limit_memory
    from evalkit.shared import sharing

    send = _sender(connection)
    with sharing(lambda handed_over: send(ADOPT, handed_over)):
        if "task" in request:
            task = Task.from_json(request["task"])
            limit_memory(task.memory_mb)
            outcome = execute_task(task, lambda event: send(EVENT, event))
            lift_memory_limit()
            _say_goodbye()
            send(OUTCOME, outcome.as_json())
        else:
            from evalkit.runs.forked import execute_for_owner

            os.environ.clear()
            os.environ.update(request["environment"])
            time.tzset()
            execute_for_owner(request, lambda event: send(EVENT, json.dumps(event).encode()))
            _say_goodbye()


def _sender(connection: socket.socket) -> Callable[[bytes, bytes], None]:
    owner = os.getpid()

    def send(kind: bytes, content: bytes) -> None:
        if os.getpid() == owner:  # not from a process that the notebook forked
            send_frame(connection, kind, content)

    return send


def _say_goodbye() -> None:
    """Let what the notebook registered for its end happen, within a few seconds."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LAST_WORDS_SECONDS)
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    signal.alarm(0)


def _warm_up(preload: Sequence[str]) -> str:
    """Import what notebooks use and draw a first figure; why this is no safe zygote, or nothing."""
    # pandas decides how wide tables are shown when it is imported, by asking for a kernel
    builtins.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    sys.modules.update(dict.fromkeys(SLOW_AND_UNUSED))  # None: an import of it fails
    try:
        for name in preload:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        import nbformat

        import evalkit.runs.forked
        import evalkit.runs.shell
    finally:
        del builtins.get_ipython
        for name in SLOW_AND_UNUSED:
            del sys.modules[name]
    evalkit.runs.forked.register_here()
    nbformat.validate(nbformat.v4.new_notebook())  # builds the validator of all notebooks
    if "matplotlib" in sys.modules:
        _draw_once()
    if threading.active_count() > 1:
        names = ", ".join(t.name for t in threading.enumerate() if t.name != "MainThread")
        return f"a library started threads while it was imported ({names})"
    gc.collect()
    gc.freeze()
    return ""


def _own_modules() -> list[str]:
    """evalkit's modules that a notebook may use; the package loads them one by one, when asked."""
    package = Path(__file__).resolve().parents[1]
    names = []
    for path in default_code_paths():
        parts = path.relative_to(package).with_suffix("").parts
        if parts[0] != "runs" and path.suffix == ".py":
            names.append(".".join(["evalkit", *(part for part in parts if part != "__init__")]))
    return names


def _draw_once() -> None:
    """Load fonts and drawing code; never through pyplot, which belongs to the notebook."""
    import io

    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.bar(["æøå"], [1.5], label="0")
    axes.legend()
    axes.set_title("0")
    figure.savefig(io.BytesIO(), format="svg")


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    try:
        asked = json.loads(sys.argv[2])
        trouble = _warm_up([*PRELOADED, *_own_modules()] if asked is None else asked)
    except Exception as error:  # told to the owner, who then does without
        trouble = f"{type(error).__name__}: {error}"
    send_frame(control, READY, trouble.encode())
    if not trouble:
        with contextlib.suppress(EOFError, ConnectionError):
            _Warm(control).serve()

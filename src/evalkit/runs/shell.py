"""Runs a notebook's cells in this very process, as the IPython kernel would: no kernel, no socket.

The shell, its displays and its tracebacks are ipykernel's own classes, and nbclient's own
bookkeeping of outputs reads the messages they would send over a socket. So a notebook looks
the same as one that papermill ran through a kernel. Left out are widgets (comms), which need one.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import fcntl
import getpass
import io
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

from ipykernel.compiler import XCachingCompiler
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.interactiveshell import _asyncio_runner
from jupyter_client.session import Session
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from traitlets.config import Config

__all__ = ["ShellClient"]

ALARM_AGAIN_SECONDS = 1.0  # a cell that swallows the interruption is interrupted again


class _TimeIsUp(KeyboardInterrupt):
    """Raised in a cell that took too long."""


class _Messages(Session):
    """Hands messages on at once, where a kernel would send them."""

    def __init__(self, handle: Callable[[dict], None]) -> None:
        super().__init__(key=b"")
        self._handle = handle

    def send(self, stream, msg_or_type, content=None, parent=None, ident=None, **_: Any):
        message = (
            msg_or_type
            if isinstance(msg_or_type, dict)
            else self.msg(msg_or_type, content=content, parent=parent)
        )
        self._handle(message)
        return message


class _Stream(io.TextIOBase):
    """Standard output or error of the notebook, and what lands on its file descriptor.

    Text is kept until the next display, flush or end of cell, as in the kernel.
    """

    encoding = "UTF-8"

    def __init__(self, name: str, descriptor: int, session: _Messages) -> None:
        self.name = name
        self._session = session
        self._texts: list[tuple[dict, str]] = []
        self._parent: contextvars.ContextVar[dict] = contextvars.ContextVar("parent")
        self._parent_elsewhere: dict = {}  # for threads, which start without a context
        self._original = os.dup(descriptor)
        self._captured = os.memfd_create(f"evalkit-{name}")
        flags = fcntl.fcntl(self._captured, fcntl.F_GETFL)
        fcntl.fcntl(self._captured, fcntl.F_SETFL, flags | os.O_APPEND)
        self._seen = 0
        os.dup2(self._captured, descriptor)

    def fileno(self) -> int:
        return self._original

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def set_parent(self, parent: dict) -> None:
        self._parent.set(parent["header"])
        self._parent_elsewhere = parent["header"]

    def _parent_now(self) -> dict:
        return self._parent.get(self._parent_elsewhere)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._take_captured()
        self._texts.append((self._parent_now(), text))
        return len(text)

    def _take_captured(self) -> None:
        size = os.fstat(self._captured).st_size
        if size < self._seen:
            self._seen = 0
        if size > self._seen:
            found = os.pread(self._captured, size - self._seen, self._seen)
            self._seen += len(found)
            self._texts.append((self._parent_elsewhere, found.decode(errors="replace")))

    def flush(self) -> None:
        self._take_captured()
        texts, self._texts = self._texts, []
        joined: dict[str, tuple[dict, list[str]]] = {}
        for parent, text in texts:
            joined.setdefault(parent.get("msg_id", ""), (parent, []))[1].append(text)
        for parent, parts in joined.values():
            if text := "".join(parts):
                content = {"name": self.name, "text": text}
                self._session.send(None, "stream", content, parent={"header": parent})


class _NoKernel:
    """What the shell asks its kernel for, answered as by a kernel without a frontend."""

    _allow_stdin = False
    eventloop = None
    raw_input = Kernel.raw_input
    getpass = Kernel.getpass


class _Channel:
    """Where nbclient looks for messages; a kernel that has none left never answers."""

    def __init__(self) -> None:
        self.messages: deque[dict] = deque()
        self.rang = False

    async def get_msg(self, timeout: float | None = None) -> dict:
        if self.messages:
            return self.messages.popleft()
        if self.rang:
            raise Empty
        return await asyncio.get_running_loop().create_future()


class _RunningKernel:
    """A kernel manager as nbclient needs one for a kernel that it did not start."""

    has_kernel = True

    async def interrupt_kernel(self) -> None:
        """Nothing to interrupt: the alarm clock already has."""


class _ShellKernel:
    """A kernel's client whose kernel is a shell in this process."""

    allow_stdin = False

    def __init__(self, timeout_of_cell: Callable[[], float | None]) -> None:
        self.iopub_channel = _Channel()
        self.shell_channel = _Channel()
        self.rang = False
        self._timeout_of_cell = timeout_of_cell
        self._session = _Messages(self._keep)
        self._shell = self._new_shell()

    def _new_shell(self) -> ZMQInteractiveShell:
        sys.stdout = _Stream("stdout", 1, self._session)
        sys.stderr = _Stream("stderr", 2, self._session)
        self._streams = (sys.stdout, sys.stderr)
        _find_modules_beside_notebook()
        config = Config()
        config.HistoryManager.enabled = False
        shell = ZMQInteractiveShell.instance(
            config=config, kernel=_NoKernel(), compiler_class=XCachingCompiler, user_ns={}
        )
        for part in (shell.displayhook, shell.display_pub):
            part.session = self._session
        shell.displayhook.topic = b"execute_result"
        return shell

    def _keep(self, message: dict) -> None:
        if not self.rang:  # the traceback of the interruption is no output
            self.iopub_channel.messages.append(message)

    def _publish(self, kind: str, content: dict, header: dict) -> None:
        self._keep(self._session.msg(kind, content=content, parent={"header": header}))

    def _answer(self, kind: str, content: dict, header: dict) -> None:
        reply = self._session.msg(kind, content=content, parent={"header": header})
        self.shell_channel.messages.append(reply)

    def is_alive(self) -> bool:
        return not self._shell.exit_now

    def kernel_info(self) -> str:
        if not self.is_alive():
            raise DeadKernelError("Kernel died")
        header = self._session.msg_header("kernel_info_request")
        content = {"language_info": dict(IPythonKernel.language_info)}
        self._answer("kernel_info_reply", content, header)
        return header["msg_id"]

    async def execute(self, code: str, store_history: bool = True, **_: Any) -> str:
        """Run a cell to its end, then give nbclient the number its messages carry."""
        header = self._session.msg_header("execute_request")
        if not self.is_alive():
            return header["msg_id"]
        self._shell.set_parent({"header": header})
        for stream in self._streams:
            stream.set_parent({"header": header})
        self._publish("status", {"execution_state": "busy"}, header)
        count = self._shell.execution_count
        self._publish("execute_input", {"code": code, "execution_count": count}, header)
        before = signal.signal(signal.SIGALRM, self._ring)
        try:
            if (timeout := self._timeout_of_cell()) is not None:
                signal.setitimer(signal.ITIMER_REAL, timeout, ALARM_AGAIN_SECONDS)
            content = await self._run(code, store_history)
            for stream in self._streams:
                stream.flush()
        except _TimeIsUp:
            self.rang = True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        if self.rang:
            self.shell_channel.rang = True
        else:
            self._publish("status", {"execution_state": "idle"}, header)
            self._answer("execute_reply", content, header)
        return header["msg_id"]

    def _ring(self, *_: Any) -> None:
        if not self.rang:
            for stream in self._streams:
                stream.flush()
        self.rang = True
        raise _TimeIsUp

    async def _run(self, code: str, store_history: bool) -> dict:
        """As ``IPythonKernel.do_execute``: cells that await in the loop, others beside it."""
        shell = self._shell
        asked = builtins.input, getpass.getpass
        builtins.input, getpass.getpass = shell.kernel.raw_input, shell.kernel.getpass
        failed = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            transformed, failed = code, sys.exc_info()
        options = {"transformed_cell": transformed, "preprocessing_exc_tuple": failed}
        try:
            if shell.loop_runner is _asyncio_runner and shell.should_run_async(code, **options):
                result = None
                try:
                    result = await shell.run_cell_async(
                        code, store_history=store_history, silent=False, **options
                    )
                finally:
                    shell.events.trigger("post_execute")
                    shell.events.trigger("post_run_cell", result)
            else:
                result = shell.run_cell(code, store_history=store_history, silent=False)
        finally:
            builtins.input, getpass.getpass = asked
        shell.payload_manager.clear_payload()
        if result.success and not getattr(shell, "_last_traceback_during_displayhook", False):
            return {"status": "ok", "execution_count": shell.execution_count - 1}
        error = result.error_before_exec or result.error_in_exec
        return {
            "status": "error",
            "execution_count": shell.execution_count - 1,
            "traceback": shell._last_traceback or [],
            "ename": type(error).__name__,
            "evalue": str(error),
        }


def _find_modules_beside_notebook() -> None:
    """Look in the working folder after the standard library, as IPython's kernel does."""
    if "" in sys.path:
        return
    libraries = ("site-packages", "dist-packages")
    places = (i for i, path in enumerate(sys.path) if os.path.basename(path) in libraries)
    sys.path.insert(next(places, 0), "")


class ShellClient(PapermillNotebookClient):
    """Papermill's notebook client with an IPython shell in this process for a kernel.

    Only for a process that ends after it: it takes over standard output and error, the
    signal of the alarm clock and the module ``__main__``.
    """

    def __init__(self, nb_man: Any, **options: Any) -> None:
        super().__init__(nb_man, km=_RunningKernel(), **options)
        self._cell_now: Any = None
        self.kc = _ShellKernel(lambda: self._get_timeout(self._cell_now))

    def execute_cell(self, cell, cell_index, **options: Any):
        """Run one cell with nbclient's own method of this name."""
        self._cell_now = cell
        try:
            return super().execute_cell(cell, cell_index, **options)
        except _TimeIsUp:  # rang while the cell awaited something
            for message in self.kc.iopub_channel.messages:
                self.process_message(message, cell, cell_index)
            raise CellTimeoutError.error_from_timeout_and_cell(
                "Cell execution timed out", self._get_timeout(cell), cell
            ) from None

"""A real IPython kernel, forked from this warmed process instead of started from nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.runs.linux import end_with_parent

__all__ = ["forked_kernel"]


class _Forked:
    """The few methods of a process object that Jupyter's kernel manager uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def forked_kernel(kernel_name: str) -> Iterator[Any]:
    """A Jupyter kernel manager of a kernel that is forked from this process.

    Call it before this process has a thread, an event loop or a ZeroMQ context. Kernel and
    client speak over sockets in a folder only this user may enter, not over the network.
    """
    from jupyter_client.connect import write_connection_file

    with tempfile.TemporaryDirectory(prefix="evalkit-kernel-") as folder:
        file, _ = write_connection_file(
            os.path.join(folder, "kernel.json"), transport="ipc", ip=os.path.join(folder, "s")
        )
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_kernel(file, parent)
        process = _Forked(pid)
        try:
            yield _manager(kernel_name, file, process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _be_kernel(connection_file: str, parent: int) -> None:
    """Turn this process into a kernel; never returns."""
    try:
        os.setpgid(0, 0)  # an interruption is for the kernel, not for who runs it
        end_with_parent(parent)
        from ipykernel.kernelapp import IPKernelApp

        app = IPKernelApp.instance(parent_handle=parent)
        app.initialize(["-f", connection_file, "--HistoryManager.hist_file=:memory:"])
        app.start()
    finally:
        os._exit(1)


def _manager(kernel_name: str, connection_file: str, process: _Forked) -> Any:
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning import LocalProvisioner

    manager = AsyncKernelManager(kernel_name=kernel_name)
    manager.load_connection_file(connection_file)
    provisioner = LocalProvisioner(
        kernel_id=Path(connection_file).parent.name,
        kernel_spec=manager.kernel_spec,
        parent=manager,
    )
    provisioner.process = process
    provisioner.pid = provisioner.pgid = process.pid
    manager.provisioner = provisioner
    return manager

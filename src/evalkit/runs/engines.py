"""Papermill engines: ``evalkit`` and ``evalkit-kernel``, for ``papermill --engine`` and Python.

Both run a notebook in a process forked from a warmed one, which the first notebook
starts and which ends with the process that called papermill. ``evalkit`` runs its cells in an
IPython shell within that process; ``evalkit-kernel`` in a real kernel forked from it, for
widgets. Where neither can be, papermill's own engine runs the notebook, and says so once.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EvalkitEngine", "EvalkitKernelEngine"]


class EvalkitEngine:
    """Runs a notebook in a child forked from a warmed process, without a kernel.

    Papermill loads this class while it is itself being imported, so the engine proper, which
    builds on papermill, is looked up when it is used.
    """

    mode = "fork"

    @classmethod
    def _engine(cls) -> Any:
        from evalkit.runs.forked import ENGINES

        return ENGINES[cls.mode]

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Run a notebook; called by papermill."""
        return cls._engine().execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Name of the kernel a notebook asks for."""
        return cls._engine().nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Language a notebook is in."""
        return cls._engine().nb_language(nb, language)


class EvalkitKernelEngine(EvalkitEngine):
    """Runs a notebook in a real kernel that is forked from a warmed process."""

    mode = "kernel"

"""Work that is the same for every municipality, done once for as long as what it rests on stands."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from evalkit.errors import DataError
from evalkit.files import state_of

__all__ = ["noted", "once", "sharing"]

Result = TypeVar("Result")
Files = dict[Path, tuple]  # what was read, and the state it was in
PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic, Path)


@dataclass(frozen=True)
class _Kept:
    result: object
    files: Files

    def holds(self) -> bool:
        return all(state_of(path) == state for path, state in self.files.items())


_kept: dict[str, _Kept] = {}
_reading: list[Files] = []  # of the computations under way, the innermost last
_share: Callable[[bytes], None] | None = None


def once(compute: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """What a function gives for these arguments, computed the first time only.

    A result is kept for the content of the arguments and of the processed tables that were read
    for it: where one of them has changed, the result is computed anew. By hand, in JupyterLab, it
    is kept as long as the kernel lives. In a run of all municipalities the first notebook that
    computes it hands it over, and every notebook begun after that finds it ready. Treat the
    result as read-only.

    Parameters
    ----------
    compute
        A function of a package, such as ``evalkit.peer_group``. One that a notebook defines is
        refused, for what it uses cannot be seen.
    arguments, named
        What the function is called with: tables, series, arrays, numbers, texts, and collections
        of them.

    Raises
    ------
    DataError
        If the content of ``compute`` or of an argument cannot be told.

    Examples
    --------
    >>> import math
    >>> once(math.comb, 5, 2)
    10
    """
    key = _key(compute, arguments, named)
    kept = _kept.get(key)
    if kept is None or not kept.holds():
        kept = _computed(compute, arguments, named)
        _kept[key] = kept
        if _share is not None:
            # what cannot be sent is simply computed again in every notebook
            with contextlib.suppress(pickle.PicklingError, TypeError, AttributeError):
                _share(pickle.dumps((key, kept), protocol=pickle.HIGHEST_PROTOCOL))
    for files in _reading:
        files.update(kept.files)
    return kept.result


def noted(path: Path) -> None:
    """Tell `once` that what is being computed rests on a file, or on the tables of a folder."""
    if _reading:
        _reading[-1].setdefault(path, state_of(path))


def adopt(handed_over: bytes) -> None:
    """Take over a result that another process of the same run computed."""
    key, kept = pickle.loads(handed_over)
    _kept[key] = kept


@contextlib.contextmanager
def sharing(share: Callable[[bytes], None]) -> Iterator[None]:
    """Hand every result that is computed within the block to ``share``, as bytes for `adopt`."""
    global _share
    _share = share
    try:
        yield
    finally:
        _share = None


def _computed(compute: Callable, arguments: tuple, named: Mapping[str, Any]) -> _Kept:
    files: Files = {}
    _reading.append(files)
    try:
        return _Kept(compute(*arguments, **named), files)
    finally:
        _reading.pop()


def _key(compute: Callable, arguments: tuple, named: Mapping[str, Any]) -> str:
    module, name = getattr(compute, "__module__", None), getattr(compute, "__qualname__", "<>")
    bound = getattr(compute, "__self__", None)
    hidden = bound is not None and not isinstance(bound, ModuleType)
    if module in (None, "__main__") or "<" in name or hidden:
        raise DataError(
            "once: expected a function of a package and what it is called with, such as "
            "once(ek.peer_group, profiles, characteristics=names)"
        )
    digest = hashlib.blake2b(f"{module}.{name}".encode(), digest_size=16)
    for place, value in [*enumerate(arguments, start=1), *sorted(named.items())]:
        try:
            told = _content(value)
        except TypeError as error:
            raise DataError(
                f"once: the content of argument {place} of {name} cannot be told; expected tables, "
                f"numbers, texts or collections of them, not a {type(value).__name__}"
            ) from error
        digest.update(f"{place}:{len(told)}:".encode() + told)
    return digest.hexdigest()


def _content(value: Any) -> bytes:
    """Bytes that are the same for the same content, in any process."""
    if isinstance(value, PLAIN):
        return f"{type(value).__name__} {value!r}".encode()
    if isinstance(value, pd.DataFrame):
        columns = [_content(value.iloc[:, place]) for place in range(value.shape[1])]
        return b"table" + hashlib.blake2b(b"".join([*columns, _content(value.index)])).digest()
    if isinstance(value, pd.Series | pd.Index):
        kinds = f"{value.name!r} {value.dtype!r} {pd.api.types.infer_dtype(value)}".encode()
        rows = pd.util.hash_pandas_object(value).to_numpy()
        return type(value).__name__.encode() + hashlib.blake2b(kinds + rows.tobytes()).digest()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"array {value.dtype} {value.shape}".encode() + value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return type(value).__qualname__.encode() + _content(parts)
    if isinstance(value, Mapping):
        return _content([(key, value[key]) for key in value])
    if isinstance(value, set | frozenset):
        return b"set" + b"".join(sorted(_content(part) for part in value))
    if isinstance(value, list | tuple | range):
        told = [_content(part) for part in value]
        return b"list" + b"".join(f"{len(part)}:".encode() + part for part in told)
    raise TypeError(type(value))

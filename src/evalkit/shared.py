"""Work that is the same for every municipality, done once."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

__all__ = ["once", "sharing"]

Result = TypeVar("Result")

_results: dict[Hashable, object] = {}
_share: Callable[[bytes], None] | None = None


def once(key: Hashable, compute: Callable[[], Result]) -> Result:
    """The result of ``compute``, computed the first time its key is met.

    By hand, in JupyterLab, a result is kept as long as the kernel lives. In a run of all
    municipalities the first notebook that computes it hands it over, and every notebook
    begun after that finds it ready. So what it computes may depend on its key alone: put
    the study, the wave, whatever it varies with, into the key. Treat the result as read-only.

    Parameters
    ----------
    key
        Names the result, such as ``("national-shares", study)``.
    compute
        Called without arguments where the result is not there yet.

    Examples
    --------
    >>> once(("squares", 3), lambda: [n * n for n in range(3)])
    [0, 1, 4]
    """
    if key not in _results:
        result = compute()
        _results[key] = result
        if _share is not None:
            # what cannot be sent is simply computed again in every notebook
            with contextlib.suppress(pickle.PicklingError, TypeError, AttributeError):
                _share(pickle.dumps((key, result), protocol=pickle.HIGHEST_PROTOCOL))
    return _results[key]


def adopt(handed_over: bytes) -> None:
    """Take over a result that another process of the same run computed."""
    key, result = pickle.loads(handed_over)
    _results.setdefault(key, result)


@contextlib.contextmanager
def sharing(share: Callable[[bytes], None]) -> Iterator[None]:
    """Hand every result that is computed within the block to ``share``, as bytes for `adopt`."""
    global _share
    _share = share
    try:
        yield
    finally:
        _share = None

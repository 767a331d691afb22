"""Many tests at once: p-values adjusted over a battery of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from evalkit.accepted import GROUP, SHARE, Rows, accepts
from evalkit.errors import DataError

__all__ = ["adjusted_p_values"]

_METHODS = {"Holm": "holm", "Benjamini-Hochberg": "fdr_bh"}


@accepts(tests=Rows({"p_value": SHARE}, named={"within": GROUP}, keeps_index=True))
def adjusted_p_values(
    tests: pd.DataFrame,
    *,
    method: str = "Holm",
    within: Sequence[str] = (),
    level: float = 0.05,
) -> pd.DataFrame:
    """Test results with p-values adjusted for how many tests the battery has.

    Parameters
    ----------
    tests
        Rows with ``p_value``; a missing one stays missing and is not counted.
    method
        ``"Holm"``: the chance of even one false finding stays under ``level``.
        ``"Benjamini-Hochberg"``: of the findings, at most the share ``level`` is false on
        average.
    within
        Columns whose values part the tests into batteries, blank ones among them; none for
        one battery of all.
    level
        Between 0 and 1.

    Returns
    -------
    DataFrame
        The same rows with ``adjusted_p_value``, ``significant``, ``battery_count`` (tests in
        the battery) and ``adjustment``.

    Raises
    ------
    DataError
        If the method is unknown or a p-value lies outside 0 to 1.

    References
    ----------
    Holm (1979), Scand. J. Stat. 6, 65-70; Benjamini and Hochberg (1995), J. R. Stat. Soc. B
    57, 289-300.
    """
    if method not in _METHODS:
        raise DataError(f"adjustment {method!r}; expected one of: {', '.join(_METHODS)}")
    p_values = tests["p_value"].to_numpy(dtype=float, na_value=np.nan)
    given = ~np.isnan(p_values)
    battery = np.zeros(len(tests), dtype=int)
    if within:
        battery = tests.groupby(list(within), sort=False, dropna=False).ngroup().to_numpy()
    adjusted = np.full(len(tests), np.nan)
    for number in np.unique(battery[given]):
        rows = given & (battery == number)
        adjusted[rows] = multipletests(p_values[rows], method=_METHODS[method])[1]
    size = np.bincount(battery[given], minlength=battery.max(initial=0) + 1)
    return tests.assign(
        adjusted_p_value=adjusted,
        significant=adjusted <= level,
        battery_count=size[battery],
        adjustment=method,
    )

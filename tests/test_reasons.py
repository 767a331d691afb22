import numpy as np
import pandas as pd
import pytest

from evalkit.reasons import EXPLANATIONS, REASONS, checked_reason, withhold


def test_every_reason_is_explained():
    assert set(EXPLANATIONS) == REASONS


def test_an_unknown_reason_is_refused():
    with pytest.raises(ValueError, match="expected one of: base_too_small"):
        checked_reason("secret")


def test_a_withheld_row_keeps_an_earlier_reason():
    results = pd.DataFrame({"value": [1.0, 2.0, 3.0], "reason": [None, "missing", None]})

    held = withhold(results, pd.Series([True, True, False]), "too_few")

    assert held["reason"].tolist() == ["too_few", "missing", None]
    assert np.isnan(held["value"][0])
    assert results["value"].tolist() == [1.0, 2.0, 3.0]

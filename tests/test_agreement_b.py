"""Our statistics against published values (part B); each case names its source."""

import pytest
from agreement_cases_b import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.statistic}: {case.case}")
def test_the_value_agrees_with_the_published_one(case):
    assert case.compute() == pytest.approx(case.published, abs=case.tolerance)


def test_every_case_names_its_source():
    assert len(CASES) >= 25
    assert all(len(case.source) > 10 for case in CASES)

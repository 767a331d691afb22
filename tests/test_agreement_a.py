import pytest
from agreement_cases_a import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.statistic}: {case.case}")
def test_the_value_agrees_with_the_published_one(case):
    assert case.compute() == pytest.approx(case.published, abs=case.tolerance)


def test_every_published_value_names_its_source():
    assert len(CASES) >= 35
    assert all(case.source for case in CASES)

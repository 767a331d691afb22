"""Every statistic beside values that somebody else published; docs/methods.md shows them."""

import pytest
from conftest import PROJECT
from published_designs import CASES as DESIGNS
from published_surveys import CASES as SURVEYS

CASES = [*SURVEYS, *DESIGNS]
METHODS = (PROJECT / "docs" / "methods.md").read_text(encoding="utf-8")


def documented(case):
    """The case's row in the agreement table, without our value and the difference."""
    return f"| {case.statistic} | {case.case} | {case.published:.9g} |", case.source.replace(
        "|", "/"
    )


def agreement_table():
    """The agreement table of docs/methods.md, made from the cases."""
    yield "| statistic | case | published | evalkit | difference | source |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for case in CASES:
        ours = case.compute()
        start, source = documented(case)
        yield f"{start} {ours:.9g} | {abs(ours - case.published):.1e} | {source} |"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.statistic}: {case.case}")
def test_the_value_agrees_with_the_published_one(case):
    assert case.compute() == pytest.approx(case.published, abs=case.tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.statistic}: {case.case}")
def test_the_published_value_stands_in_the_methods_with_its_source(case):
    start, source = documented(case)

    assert len(case.source) > 10
    assert any(line.startswith(start) and source in line for line in METHODS.splitlines())


if __name__ == "__main__":
    print("\n".join(agreement_table()))

"""What protection hides is safe, and not much more than the fewest cells that would be enough."""

import json

import numpy as np
import pandas as pd
import pytest
from fewest_hidden import fewest_hidden, sums_of
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.disclosure import TOTAL, CountTable, Relation, audit, primary_reasons, protect
from evalkit.protected_surveys import protected_answers
from evalkit.small_counts import SmallestCount, is_small

NOUGHT_SHOWN = SmallestCount(5, nought_is_small=False)


def linked(counts, *groupings, of="n"):
    """A table for each way of grouping the same places, with the groups' sums and the total."""
    places = [f"p{number}" for number in range(len(counts))]
    tables = []
    for number, groups in enumerate(groupings):
        names = [f"g{number}{group}" for group in groups]
        sums = pd.Series(counts).groupby(names).sum()
        cells = pd.DataFrame(
            {"place": [*places, *sums.index, TOTAL], "count": [*counts, *sums, sum(counts)]}
        )
        tables.append(
            CountTable(cells, ("place",), of, {"place": dict(zip(places, names, strict=True))})
        )
    return tables


def as_published(tables, plan):
    """The tables as printed: hidden counts away, their reason in place."""
    told = plan.set_index("cell")["reason"]
    shown = []
    for table in tables:
        reason = told.loc[table.names()].to_numpy()
        cells = table.cells.assign(count=table.cells["count"].where(pd.isna(reason)), reason=reason)
        shown.append(CountTable(cells, table.dimensions, table.of, table.parents, table.complete))
    return shown


def hidden_and_needed(tables, *, threshold, width=None, relations=()):
    """Cells that protection hides, and the fewest that would do."""
    plan = protect(tables, threshold=threshold, smallest_width=width, relations=relations)
    _, counts, matrix = sums_of(tables, relations)
    small = [number for number, count in enumerate(counts) if count < threshold]
    room = threshold - 1 if width is None else width
    audited = audit(
        as_published(tables, plan), threshold=threshold, smallest_width=width, relations=relations
    )
    assert audited["safe"].all()
    return int(plan["hidden"].sum()), len(fewest_hidden(counts, matrix, small, width=room))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=9
    ),
    st.sampled_from([3, 4, 5, NOUGHT_SHOWN]),
)
def test_protection_of_linked_tables_never_leaves_what_the_audit_refuses(rows, threshold):
    counts, one, other = (list(column) for column in zip(*rows, strict=True))
    tables = linked(counts, one, other)

    plan = protect(tables, threshold=threshold)
    audited = audit(as_published(tables, plan), threshold=threshold)

    assert plan.loc[is_small(plan["count"], threshold), "hidden"].all()
    assert audited["safe"].all()


def test_two_linked_tables_keep_their_counties_and_their_total(shared_data):
    rows = pd.read_csv(shared_data / "publicbugs" / "linked-tables-all-hidden" / "cells.csv")
    tables = linked(rows["n"].tolist(), rows["county"], rows["group"])

    plan = protect(tables, threshold=4).set_index("cell")["hidden"]

    assert not plan[["n | place=g0c1", "n | place=g0c2", "n"]].any()
    assert hidden_and_needed(tables, threshold=4) == (6, 6)


@pytest.mark.parametrize(
    ("case", "threshold", "width", "hidden", "needed"),
    [(0, 2, 1, 4, 4), (0, 5, 4, 8, 7), (2, 2, 1, 4, 4), (2, 3, 1, 10, 8), (2, 5, 4, 11, 11)],
)
def test_statistics_norways_tables_need_few_cells_more_than_the_fewest(
    shared_data, case, threshold, width, hidden, needed
):
    """Small count frequency tables of the R package GaussSuppression (SSB)."""
    example = json.loads((shared_data / "sdc" / "ssb_small_count_tables.json").read_text())[case]
    cells = pd.DataFrame({"cell": list(example["cells"]), "count": list(example["cells"].values())})
    sums = [
        Relation(
            {f"n | cell={part}": 1.0 for part in one["parts"]} | {f"n | cell={one['total']}": -1.0}
        )
        for one in example["constraints"]
    ]
    table = CountTable(cells, ("cell",), "n")

    found = hidden_and_needed([table], threshold=threshold, width=width, relations=sums)

    assert found == (hidden, needed)


def test_random_linked_tables_hide_at_most_a_tenth_more_than_the_fewest():
    draw = np.random.default_rng(13)
    tables = [
        linked(draw.integers(1, 15, 9).tolist(), draw.integers(0, 3, 9), draw.integers(0, 2, 9))
        for _ in range(12)
    ]

    hidden, needed = np.sum([hidden_and_needed(table, threshold=4) for table in tables], axis=0)

    assert needed <= hidden <= 1.1 * needed


def test_reasons_are_told_where_a_reader_finds_nothing_more_with_them():
    roomy = linked([3, 40, 50, 60], [0, 0, 1, 1])
    tight = linked([2, 5, 50, 60], [0, 0, 1, 1])

    assert set(protect(roomy)["reason"].dropna()) == {"too_few", "can_be_derived"}
    assert set(protect(tight)["reason"].dropna()) == {"protected"}


def staff_answers(seed):
    """Three municipalities with 140 to 180 who answer ten items, seven of them in one service."""
    draw = np.random.default_rng(seed)
    parts = []
    for code in ("1001", "1002", "1003"):
        size = int(draw.integers(140, 181))
        service = [
            *draw.choice(["Skole", "NAV", "Barnehage", "Helse", "PPT"], size - 7),
            *["Team"] * 7,
        ]
        for item in range(10):
            score = draw.choice([1.0, 3.0, 5.0], size, p=[0.3, 0.3, 0.4])
            parts.append(
                pd.DataFrame({"service": service, "score": score}).assign(
                    municipality_code=code, wave=0, item=f"i{item}", respondent_id=range(size)
                )
            )
    return pd.concat(parts, ignore_index=True)


def test_a_service_of_seven_does_not_hide_a_row_of_its_whole_municipality():
    shown = protected_answers(staff_answers(1))

    whole = shown.loc[shown["service"] == TOTAL, "count"]
    assert len(whole) == 3 * 10 * 4
    assert whole.notna().all()


def test_whether_nought_is_small_is_the_studys_choice():
    counts, base = pd.Series([0.0, 20.0, 3.0]), pd.Series([20.0, 20.0, 20.0])

    told = primary_reasons(counts, base)
    shown = primary_reasons(counts, base, threshold=NOUGHT_SHOWN)

    assert told.tolist() == ["too_few", "protected", "too_few"]
    assert shown.tolist() == [None, None, "too_few"]


def test_one_with_nought_shown_may_be_one_to_four_to_the_reader():
    table = linked([3, 40, 0, 60], [0, 0, 1, 1])

    plan = protect(table, threshold=NOUGHT_SHOWN)
    audited = audit(as_published(table, plan), threshold=NOUGHT_SHOWN).set_index("cell")

    assert not plan.set_index("cell").loc["n | place=p2", "hidden"]
    assert audited.loc["n | place=p0", ["lower", "upper"]].tolist() == [1, 4]


def test_sums_from_outside_that_tell_a_small_count_whatever_is_hidden_are_refused():
    table = CountTable(pd.DataFrame({"place": ["a", "b"], "count": [2, 40]}), ("place",), "n")

    with pytest.raises(Exception, match="can be worked out whatever is hidden"):
        protect([table], relations=[Relation({"n | place=a": 1.0}, constant=2.0)])

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.disclosure import (
    TOTAL,
    CountTable,
    Relation,
    audit,
    hidden_series,
    primary_reasons,
    protect,
    protect_shares,
    relations_of,
    require_safe,
    share_table,
)
from evalkit.errors import DataError
from evalkit.uncertainty import share_limits


def table(rows, of="staff", **chosen):
    """A two-way table with its totals, from lists of counts by municipality and service."""
    frame = pd.DataFrame(rows)
    frame.index = [f"{1000 + place}" for place in range(len(frame))]
    frame.columns = [f"service{place}" for place in range(frame.shape[1])]
    frame[TOTAL] = frame.sum(axis=1)
    frame.loc[TOTAL] = frame.sum()
    cells = (
        frame.rename_axis("municipality_code")
        .reset_index()
        .melt("municipality_code", var_name="service", value_name="count")
    )
    return CountTable(cells, ("municipality_code", "service"), of, **chosen)


def published(counts, hidden):
    """The table as printed: hidden counts away, their reason in place."""
    plan = hidden.set_index("cell").loc[counts.names()]
    cells = counts.cells.assign(reason=plan["reason"].to_numpy())
    shown = cells["count"].where(~plan["hidden"].to_numpy())
    return CountTable(
        cells.assign(count=shown), counts.dimensions, counts.of, counts.parents, counts.complete
    )


def cell(municipality=None, service=None, of="staff"):
    name = of
    name += f" | municipality_code={municipality}" if municipality else ""
    return name + (f" | service={service}" if service else "")


def only(counts, *cells):
    """A plan that hides just these cells."""
    names = counts.names()
    hidden = names.isin(cells)
    return pd.DataFrame(
        {"cell": names, "hidden": hidden, "reason": np.where(hidden, "too_few", None)}
    )


def test_nothing_is_hidden_when_all_counts_are_large():
    assert not protect([table([[20, 30], [40, 50]])])["hidden"].any()


def test_a_small_count_takes_three_others_with_it_in_a_two_way_table():
    plan = protect([table([[2, 30, 40], [20, 50, 60], [25, 70, 80]])]).set_index("cell")

    assert plan["hidden"].sum() == 4
    assert plan.loc[cell("1000", "service0"), "reason"] == "too_few"
    assert plan.loc[cell("1000", "service1"), "reason"] == "can_be_derived"
    assert not plan.loc["staff", "hidden"]


def test_nought_is_too_few_as_well():
    plan = protect([table([[0, 30], [20, 50]])]).set_index("cell")

    assert plan.loc[cell("1000", "service0"), "reason"] == "too_few"


def test_the_same_count_in_two_tables_is_hidden_in_both():
    two_way = table([[2, 30, 40], [20, 50, 60], [25, 70, 80]])
    margin = two_way.cells.loc[two_way.cells["service"] == TOTAL, ["municipality_code", "count"]]
    one_way = CountTable(margin, ("municipality_code",), "staff")

    plan = protect([two_way, one_way])

    assert len(plan) == len(two_way.cells)
    assert len(plan) == plan["cell"].nunique()


def test_tables_that_disagree_on_a_cell_are_refused():
    first, second = table([[20, 30]]), table([[20, 31]])

    with pytest.raises(DataError, match="different counts for the cell"):
        protect([first, second])


def test_counts_that_do_not_add_up_are_refused():
    wrong = table([[20, 30]])
    cells = wrong.cells.assign(count=wrong.cells["count"].replace(50, 51))

    with pytest.raises(DataError, match="do not add up"):
        protect([CountTable(cells, wrong.dimensions, "staff")])


def test_a_total_with_persons_in_no_part_is_only_an_upper_bound():
    cells = pd.DataFrame({"service": ["a", "b", TOTAL], "count": [2, 30, 40]})
    counts = CountTable(cells, ("service",), "staff", complete=False)

    plan = protect([counts]).set_index("cell")

    assert plan["hidden"].tolist() == [True, False, False]


def test_geography_is_covered_through_its_counties():
    cells = pd.DataFrame(
        {
            "area": ["1001", "1002", "2001", "2002", "county1", "county2", TOTAL],
            "count": [3, 40, 50, 60, 43, 110, 153],
        }
    )
    parents = {"area": {"1001": "county1", "1002": "county1"}}
    parents["area"] |= {"2001": "county2", "2002": "county2"}

    plan = protect([CountTable(cells, ("area",), "users", parents)]).set_index("cell")

    assert plan.loc["users | area=1002", "reason"] == "can_be_derived"
    assert not plan.loc[["users | area=county1", "users | area=2001"], "hidden"].any()


def test_a_wave_is_covered_through_the_change_that_is_shown():
    cells = pd.DataFrame({"wave": ["0", "1", "change"], "count": [3, 20, 17]})
    counts = CountTable(cells, ("wave",), "agreed")
    change = Relation({f"agreed | wave={w}": s for w, s in (("0", 1), ("change", 1), ("1", -1))})

    plan = protect([counts], relations=[change])

    assert plan["hidden"].sum() == 2


def test_primary_hides_for_count_complement_and_base():
    reasons = primary_reasons(pd.Series([2, 8, 5, 2]), pd.Series([20, 10, 10, 4]))

    assert reasons.tolist() == ["too_few", "protected", None, "base_too_small"]


def test_a_series_with_mostly_weak_years_is_hidden_whole():
    cells = pd.DataFrame(
        {"indicator": ["a"] * 4 + ["b"] * 4, "count": [1, 2, 3, 40, 1, 20, 30, 40]}
    )

    hidden = hidden_series(cells, series=["indicator"])

    assert hidden.tolist() == [True] * 4 + [False] * 4


@pytest.mark.parametrize("case", range(4))
def test_the_audit_finds_the_intervals_of_statistics_norways_tables(shared_data, case):
    """Small count frequency tables of the R package GaussSuppression (SSB)."""
    example = json.loads((shared_data / "sdc" / "ssb_small_count_tables.json").read_text())[case]
    hidden = {*example["primary"], *example["secondary"]}
    cells = pd.DataFrame({"cell": list(example["cells"]), "count": list(example["cells"].values())})
    counts = CountTable(
        cells.assign(count=cells["count"].where(~cells["cell"].isin(hidden))), ("cell",), "people"
    )
    sums = [
        Relation(
            {f"people | cell={part}": 1.0 for part in sum_["parts"]}
            | {f"people | cell={sum_['total']}": -1.0}
        )
        for sum_ in example["constraints"]
    ]

    result = audit([counts], smallest_width=1, relations=sums)

    found = {row.cell.split("=")[1]: [row.lower, row.upper] for row in result.itertuples()}
    exact = result.loc[~result["safe"], "cell"].str.split("=").str[1]
    assert found == example["lp_interval"]
    assert sorted(exact) == sorted(example["exactly_disclosed"])


def test_protect_hides_the_cells_that_statistics_norway_hid(shared_data):
    example = json.loads((shared_data / "sdc" / "ssb_small_count_tables.json").read_text())[0]
    cells = pd.DataFrame(
        [(*name.split("|"), count) for name, count in example["cells"].items()],
        columns=["age", "country", "count"],
    ).replace("Total", TOTAL)

    plan = protect([CountTable(cells, ("age", "country"), "n")], threshold=2, smallest_width=1)

    assert plan["hidden"].sum() == len(example["primary"]) + len(example["secondary"])


SMALL = table([[2, 30, 40], [20, 50, 60], [25, 70, 80]])


def test_the_audit_fails_when_the_secondary_hiding_is_forgotten():
    result = audit([published(SMALL, only(SMALL, cell("1000", "service0")))])

    assert result[["lower", "upper"]].to_numpy().tolist() == [[2, 2]]
    with pytest.raises(DataError, match=r"between 2 and 2; expected at least 4 apart"):
        require_safe(result)


def test_the_audit_fails_when_a_second_table_gives_the_count_away():
    plan = protect([SMALL]).set_index("cell")
    beside = plan.index[plan["reason"].eq("can_be_derived") & plan.index.str.contains("=1000")]
    rows = SMALL.cells.loc[SMALL.names().isin(beside)]

    result = audit([published(SMALL, plan.reset_index()), replace(SMALL, cells=rows)])

    assert len(beside)
    assert not result["safe"].all()


def test_the_audit_fails_when_a_share_and_its_base_are_left():
    cells = pd.DataFrame(
        {"service": ["a", "b", TOTAL], "count": [np.nan, np.nan, 50], "value": [0.04, None, None]}
    ).assign(base=[50, None, None])

    result = audit([CountTable(cells.astype({"value": float, "base": float}), ("service",), "n")])

    assert not result["safe"].all()


def test_the_audit_fails_when_two_small_counts_add_up_to_almost_nothing():
    pair = table([[1, 1, 60], [30, 40, 70]])
    hidden = [cell("1000", "service0"), cell("1000", "service1")]
    hidden += [cell("1001", "service0"), cell("1001", "service1")]

    result = audit([published(pair, only(pair, *hidden[:2]))])

    assert not result["safe"].any()


def test_contradicting_tables_are_refused_by_the_audit():
    cells = pd.DataFrame({"service": ["a", "b", "c", TOTAL], "count": [np.nan, np.nan, 60, 50]})

    with pytest.raises(DataError, match="contradict"):
        audit([CountTable(cells, ("service",), "n")])


def test_the_audit_passes_what_protect_hid():
    require_safe(audit([published(SMALL, protect([SMALL]))]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 25), min_size=3, max_size=3), min_size=2, max_size=4))
def test_no_table_survives_protection_with_a_count_that_can_be_found(rows):
    counts = table([*rows, [60, 70, 80]])

    plan = protect([counts])
    result = audit([published(counts, plan)])

    small = plan["count"] < 5
    assert plan.loc[small, "hidden"].all()
    assert plan["reason"].notna().equals(plan["hidden"])
    assert result["safe"].all()


def test_all_municipalities_by_ten_groups_are_protected_and_audited():
    draw = np.random.default_rng(3)
    counts = table(draw.poisson(draw.gamma(1.0, 20, size=(357, 10))))

    plan = protect([counts])
    result = audit([published(counts, plan)])

    small = plan["count"] < 5
    assert plan.loc[small, "hidden"].all()
    assert not plan.loc[plan["cell"].eq("staff"), "hidden"].any()
    assert plan["hidden"].mean() < 0.5
    assert result["safe"].all()


def test_a_table_by_three_dimensions_is_protected_for_a_reader_who_knows_counts_are_whole():
    draw = np.random.default_rng(8)
    cube = pd.DataFrame(
        [(a, b, c, draw.poisson(8)) for a in "pqr" for b in "stu" for c in "vwx"],
        columns=["place", "service", "answer", "count"],
    )
    for name in ("place", "service", "answer"):
        rest = [other for other in ("place", "service", "answer") if other != name]
        sums = cube.groupby(rest, as_index=False)["count"].sum().assign(**{name: TOTAL})
        cube = pd.concat([cube, sums], ignore_index=True)
    counts = CountTable(cube, ("place", "service", "answer"), "answers")

    plan = protect([counts])

    assert plan.loc[plan["count"] < 5, "hidden"].all()
    assert audit([published(counts, plan)])["safe"].all()
    assert audit([published(counts, plan)], whole_numbers=False)["safe"].all()


def test_counts_that_nothing_holds_back_have_no_upper_end():
    cells = pd.DataFrame({"service": ["a", "b", "c", TOTAL], "count": [np.nan, np.nan, 7, np.nan]})

    result = audit([CountTable(cells, ("service",), "n")]).set_index("cell")

    assert result.loc["n | service=a", ["lower", "upper"]].tolist() == [0, np.inf]
    assert result.loc["n", ["lower", "upper"]].tolist() == [7, np.inf]


def shares(counts, bases):
    """Results by service with a total."""
    frame = pd.DataFrame(
        {
            "service": [f"s{place}" for place in range(len(counts))] + [TOTAL],
            "count": [*counts, sum(counts)],
            "base": [*bases, sum(bases)],
        }
    )
    return share_limits(frame.assign(item="plan"), confidence_levels=(0.95, 0.998))


def test_a_hidden_share_keeps_its_base_and_says_why():
    result = protect_shares(shares([2, 20, 30], [20, 40, 60]), dimensions=["service"], of=["item"])

    row = result.loc[result["service"] == "s0"].iloc[0]
    assert row["reason"] == "too_few"
    assert row[["count", "value", "lower", "upper"]].isna().all()
    assert row["base"] == 20


def test_a_share_is_hidden_at_every_level_alike():
    result = protect_shares(shares([2, 20, 30], [20, 40, 60]), dimensions=["service"], of=["item"])

    assert result.groupby("service")["reason"].nunique(dropna=False).eq(1).all()


def test_one_hidden_share_takes_another_so_that_the_total_may_stand():
    result = protect_shares(
        shares([2, 20, 30], [20, 40, 60]), dimensions=["service"], of=["item"]
    ).drop_duplicates("service")

    assert result.set_index("service")["reason"].notna().sum() == 2
    assert result.loc[result["service"] == TOTAL, "value"].notna().all()


def test_a_service_of_four_hides_its_base_too():
    result = protect_shares(
        shares([2, 20, 30], [4, 40, 60]), dimensions=["service"], of=["item"]
    ).set_index("service")

    assert result.loc["s0", "reason"].eq("base_too_small").all()
    assert result.loc["s0", "base"].isna().all()


def test_all_agreeing_is_hidden_because_nobody_disagreed():
    result = protect_shares(shares([20, 20], [20, 40]), dimensions=["service"], of=["item"])

    assert result.loc[result["service"] == "s0", "reason"].eq("protected").all()


def test_protected_shares_pass_the_audit():
    result = protect_shares(
        shares([2, 20, 30, 12], [20, 40, 60, 25]), dimensions=["service"], of=["item"]
    )

    require_safe(audit([share_table(result, dimensions=["service"], of="plan")]))


def test_a_sum_is_found_along_each_dimension():
    assert len(relations_of(SMALL)) == 4 + 4


def test_a_reader_who_knows_that_a_count_is_hidden_for_anothers_sake_only_learns_too_much():
    """1 + 5 = 6: who is told that the 5 is no small count has 0 or 1 left for the other."""
    cells = pd.DataFrame(
        {
            "service": ["A", "B", "C", TOTAL],
            "count": [np.nan, np.nan, 60.0, 66.0],
            "reason": ["too_few", "can_be_derived", None, None],
        }
    )

    audited = audit([CountTable(cells, ["service"], "answers")])

    assert audited[["lower", "upper"]].to_numpy().tolist() == [[0, 1], [5, 6]]
    assert audited["safe"].tolist() == [False, True]


def test_what_is_hidden_for_anothers_sake_makes_room_although_its_reason_is_read():
    cells = pd.DataFrame({"service": ["A", "B", "C", TOTAL], "count": [1.0, 5.0, 60.0, 66.0]})
    table = CountTable(cells, ["service"], "answers")

    decided = protect([table]).set_index("cell")
    reason = decided["reason"].reindex(table.names()).to_numpy()
    shown = cells.assign(count=cells["count"].where(pd.isna(reason)), reason=reason)

    require_safe(audit([CountTable(shown, ["service"], "answers")]))


def test_counts_that_no_sum_joins_are_hidden_as_if_each_were_a_table_of_its_own():
    draws = np.random.default_rng(7)
    base = draws.integers(2, 40, 60)
    alone = pd.DataFrame(
        {
            "municipality_code": [f"{number:04d}" for number in range(60)],
            "count": (base * draws.random(60)).astype(int).astype(float),
            "base": base.astype(float),
            "value": 0.5,
            "lower": 0.1,
            "upper": 0.9,
            "reason": None,
        }
    )
    asked = {"dimensions": ("municipality_code",), "of": "users", "threshold": 5}

    together = protect_shares(alone, **asked)

    one_by_one = pd.concat([protect_shares(alone.loc[[row]], **asked) for row in alone.index])
    pd.testing.assert_frame_equal(together, one_by_one)
    assert set(together["reason"].dropna()) == {"too_few", "base_too_small", "protected"}

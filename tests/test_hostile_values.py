"""Every public statistic, given what a table may hold: right, or a refusal that names row and cure."""

import inspect
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from public_statistics import CASES, HOMES

import evalkit as ek
from evalkit.accepted import Kind, Rows
from evalkit.errors import DataError

NUMBERS = [np.inf, -np.inf, np.nan, None, -1.0, 0.0, 0.5, 3.5, 99.0, 1e9, 1e300, -1e300]
TEXTS = ["4", "mange", "", "<NA>", pd.Timestamp("2020-01-01"), 3 + 1j, True, (1, 2)]
FRAMES = [
    (case, name)
    for case in CASES
    for name, one in case.given.items()
    if isinstance(one, pd.DataFrame)
]


def named(pair):
    return f"{pair[0].name}-{pair[1]}" if isinstance(pair, tuple) else pair.name


@cache
def result_of(place):
    return CASES[place]()


def borders(case):
    return getattr(ek, case.name).accepts


def outcome(case, **given):
    """The result, or None where it was refused; anything else that is raised is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return case(**given)
        except DataError:
            return None


def without_reason(result):
    """Rows whose value or limits are missing, and which do not say why."""
    if not isinstance(result, pd.DataFrame) or not {"reason", "value", "method"} <= set(result):
        return pd.DataFrame()
    shown = [name for name in ("value", "lower", "upper") if name in result]
    numbers = result[shown].astype(float)
    bare = numbers.isna().any(axis=1) | np.isinf(numbers).any(axis=1)
    given = result["reason"].notna() | (result["method"] == "reference year")
    return result.loc[bare & ~given]


def test_every_public_statistic_states_what_it_accepts_and_is_tried_here():
    tried = {case.name for case in CASES}
    statistics = {
        name
        for name, home in ek.HOMES.items()
        if home in HOMES and inspect.isfunction(getattr(ek, name))
    }

    assert statistics == tried
    assert [name for name in statistics if not hasattr(getattr(ek, name), "accepts")] == []


def test_every_public_function_with_confidence_levels_is_tried_here():
    taking = {
        name
        for name in ek.HOMES
        if inspect.isfunction(getattr(ek, name))
        and "confidence_levels" in inspect.signature(getattr(ek, name)).parameters
    }

    assert taking - {case.name for case in CASES} <= {
        "protected_survey",
        "theme_agreement",
        "with_refused",
    }


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_example_has_a_result(case):
    assert without_reason(case()).empty


DISGUISES = {
    "nullable": lambda t: t.convert_dtypes(),
    "Arrow": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda t: t.astype(object),
    "categories": lambda t: t.assign(
        **{
            name: pd.Categorical(
                column, categories=["zz", *sorted(column.dropna().unique(), reverse=True), "aa"]
            )
            for name, column in t.items()
            if pd.api.types.is_string_dtype(column) and column.notna().any()
        }
    ),
    "labels": lambda t: t.set_axis([f"row {n}" for n in range(len(t))][::-1]),
    "one label": lambda t: t.set_axis([7] * len(t)),
    "two levels": lambda t: t.set_axis(
        pd.MultiIndex.from_arrays([["a"] * len(t), list(range(len(t)))])
    ),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("case", CASES, ids=named)
def test_what_holds_the_values_changes_no_result(case, disguise):
    given = {
        name: DISGUISES[disguise](one) if isinstance(one, pd.DataFrame) else one
        for name, one in case.given.items()
    }
    plain, other = result_of(CASES.index(case)), case(**given)

    if isinstance(plain, pd.DataFrame | pd.Series):
        compare = getattr(pd.testing, f"assert_{'frame' if plain.ndim == 2 else 'series'}_equal")
        plain, other = (
            one.reset_index(drop=True).astype(object).where(one.notna().to_numpy(), None)
            for one in (plain, other)
        )
        compare(plain, other, check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("case", [c for c in CASES if "confidence_levels" in c.chosen], ids=named)
def test_one_level_by_itself_is_one_level(case):
    pd.testing.assert_frame_equal(case(confidence_levels=0.95), case(confidence_levels=[0.95]))


@pytest.mark.parametrize("levels", [(), 95, (0.95, 0.95), "0.95", np.nan, None, (0, 1), ("a",)])
@pytest.mark.parametrize("case", [c for c in CASES if "confidence_levels" in c.chosen], ids=named)
def test_levels_that_are_none_are_refused_with_the_cure(case, levels):
    with pytest.raises(DataError, match=r"confidence_levels: .*such as \(0.95,\)"):
        case(confidence_levels=levels)


@pytest.mark.parametrize("pair", FRAMES, ids=named)
def test_a_table_that_is_no_table_or_lacks_its_columns_is_refused(pair):
    case, name = pair
    border = borders(case)[name]
    for wrong in ([1, 2], "table", {"score": [1]}, case.given[name].to_numpy()):
        with pytest.raises(DataError, match=f"{name}: a .*; expected a table"):
            case(**{name: wrong})
    for column in border.columns:
        with pytest.raises(DataError, match=f"{name}: no column {column}; the table holds: "):
            case(**{name: case.given[name].drop(columns=column)})
    twice = pd.concat([case.given[name], case.given[name].iloc[:, :1]], axis=1)
    with pytest.raises(DataError, match=f"{name}: column .* more than once"):
        case(**{name: twice})


@pytest.mark.parametrize("pair", FRAMES, ids=named)
def test_rows_that_stand_twice_are_named(pair):
    case, name = pair
    table = case.given[name]
    if not borders(case)[name].once:
        pytest.skip("its rows may be alike")
    last = min(1, len(table) - 1)
    again = pd.concat([table, table.iloc[[last]]])
    rows = f"rows {last + 2}, {len(again) + 1}"

    with pytest.raises(DataError, match=f"{name}: {rows}: the same .* once"):
        case(**{name: again})


@pytest.mark.parametrize("pair", FRAMES, ids=named)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows_give_a_reason_or_a_refusal(pair, count):
    case, name = pair
    result = outcome(case, **{name: case.given[name].iloc[:count]})

    assert without_reason(result).empty


@pytest.mark.parametrize(
    ("case", "parameter"),
    [
        (case, parameter)
        for case in CASES
        for border in borders(case).values()
        if isinstance(border, Rows)
        for parameter in border.among
    ],
    ids=lambda one: getattr(one, "name", one),
)
@pytest.mark.parametrize("wave", [7, "2", None])
def test_a_wave_that_does_not_exist_is_refused_by_name(case, parameter, wave):
    with pytest.raises(DataError, match=r"no (wave|item) .*; the table holds: "):
        case(**{parameter: wave})


@pytest.mark.parametrize("case", [c for c in CASES if "starts" in c.given], ids=named)
def test_a_start_written_as_nought_is_refused_with_the_cure(case):
    starts = case.given["starts"].fillna(0)

    with pytest.raises(
        DataError, match=r"first_treated_year: 0 in rows .*blank for a municipality"
    ):
        case(starts=starts)


@pytest.mark.parametrize("pair", FRAMES, ids=named)
@pytest.mark.parametrize("value", [np.inf, -np.inf, "4"])
def test_every_column_of_numbers_refuses_what_is_no_number_by_row(pair, value):
    case, name = pair
    border, table = borders(case)[name], case.given[name]
    kinds = {**dict(border.maybe), **dict(border.columns)}
    for column in [c for c, kind in kinds.items() if kind.number and c in table]:
        if isinstance(value, float) and kinds[column].endless:
            continue
        wrong = table.astype({column: object})
        wrong.iloc[min(1, len(wrong) - 1), wrong.columns.get_loc(column)] = value
        with pytest.raises(DataError, match=f"{name}: {column}: .* in row [23]; expected"):
            case(**{name: wrong})


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("pair", FRAMES, ids=named)
@given(data=st.data())
def test_hostile_cells_give_a_result_with_reasons_or_a_refusal(pair, data):
    case, name = pair
    table = case.given[name].astype(object)
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.integers(0, len(table) - 1))
        column = data.draw(st.integers(0, table.shape[1] - 1))
        table.iat[row, column] = data.draw(st.sampled_from(NUMBERS + TEXTS))

    assert without_reason(outcome(case, **{name: table})).empty


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize(
    "case", [c for c in CASES if any(isinstance(b, Kind) for b in borders(c).values())], ids=named
)
@given(data=st.data())
def test_hostile_numbers_give_a_result_or_a_refusal(case, data):
    kinds = [name for name, border in borders(case).items() if isinstance(border, Kind)]
    name = data.draw(st.sampled_from(kinds))
    values = data.draw(st.lists(st.sampled_from(NUMBERS + TEXTS[:3]), min_size=1, max_size=3))
    if not data.draw(st.booleans()):
        values = values[0]

    outcome(case, **{name: values})


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_callers_table_is_left_as_it_was(case):
    before = {name: one.copy() for name, one in case.given.items() if hasattr(one, "copy")}
    case()

    for name, one in before.items():
        assert one.equals(case.given[name])

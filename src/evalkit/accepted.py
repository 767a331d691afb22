"""What a public function accepts, stated beside it and held to in one place.

``@accepts(answers=Rows(...), count=COUNT)`` looks at what a function is called with before the
function does. Tables come out plain: numbered from nought, text as text, numbers as numbers
whether they were nullable, Arrow's or a categorical's, so the function meets one form only. What
does not fit is refused with every breach at once, by argument, column and row; numbers may be
quoted, texts never. Parameters that many functions share (``PARAMETERS``) are held to here too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from evalkit.errors import DataError
from evalkit.groups import repeated_rows, rows_said

__all__ = [
    "ANSWER",
    "ANSWERS",
    "CODE",
    "CORRELATION",
    "COUNT",
    "COUNTS",
    "CROSSWALK",
    "ERROR",
    "GROUP",
    "INSIDE",
    "KEY",
    "NUMBER",
    "ORDERED",
    "PERCENTAGE",
    "PERSONS",
    "POSITIVE",
    "SCALE",
    "SCORE",
    "SHARE",
    "START",
    "TARGETS",
    "TRUE_OR_FALSE",
    "WEIGHT",
    "WHOLE",
    "WHOLE_COUNT",
    "YEAR",
    "Each",
    "Kind",
    "Rows",
    "accepts",
    "plain",
]

Function = TypeVar("Function", bound=Callable)
ANSWER = ("municipality_code", "wave", "respondent_id", "item")  # what tells answers apart
SCALE = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Kind:
    """What a column, a series or a number holds.

    Attributes
    ----------
    expected
        In words, the second half of every refusal.
    number
        False for codes and other keys, which may be texts or numbers.
    least, most
        The range of a number; with ``above``, ``least`` itself is outside it.
    whole
        Whether parts are refused.
    blank
        Whether it may be missing.
    endless
        Whether an infinite number may stand there.
    text
        Whether numbers are refused: codes that lose their zeros as numbers.
    scale
        The parameter that lists the steps a score may have.
    alone
        Whether it is one number, not a column of them.
    ordered
        Whether an ordered categorical keeps its order, which says what its steps are.
    labelled
        Whether it is a series whose labels, each once, say what the numbers belong to.
    """

    expected: str
    number: bool = True
    least: float = -np.inf
    most: float = np.inf
    above: bool = False
    whole: bool = False
    blank: bool = True
    endless: bool = False
    text: bool = False
    scale: str = ""
    alone: bool = False
    ordered: bool = False
    labelled: bool = False

    def checked(self, values: pd.Series, given: Mapping[str, Any], found: list[str]) -> pd.Series:
        """The values in plain form; what is wrong with them is added to ``found``."""
        categories = isinstance(values.dtype, pd.CategoricalDtype)
        if self.ordered and categories and values.cat.ordered:
            return values
        values = plain(values)
        if not self.number:
            return self._checked_key(values, found)
        numbers = _as_numbers(values, found, self.expected)
        if numbers is None:
            return values
        expected, cells = self.expected, numbers.to_numpy(dtype=float)
        blank = np.isnan(cells)
        with np.errstate(invalid="ignore"):
            wrong = np.isinf(cells) & (not self.endless)
            wrong |= (cells < self.least) | ((cells > self.most) & ~np.isinf(cells))
            if self.above:
                wrong |= cells == self.least
            if self.whole:
                wrong |= np.isfinite(cells) & (cells != np.floor(cells))
        if self.scale:
            steps = given.get(self.scale, SCALE)
            wrong |= ~blank & ~np.isin(cells, np.asarray(steps, dtype=float))
            expected = f"one of the steps {', '.join(f'{step:g}' for step in steps)}"
        for value in pd.unique(cells[wrong])[:SHOWN]:
            found.append(f"{value:.6g} in {rows_said(np.flatnonzero(cells == value))}; {expected}")
        if blank.any() and not self.blank:
            found.append(f"blank in {rows_said(np.flatnonzero(blank))}; {expected}")
        return (
            numbers.astype("int64")
            if self.whole and not blank.any() and not wrong.any()
            else numbers
        )

    def _checked_key(self, values: pd.Series, found: list[str]) -> pd.Series:
        blank = values.isna().to_numpy()
        if blank.any() and not self.blank:
            found.append(f"blank in {rows_said(np.flatnonzero(blank))}; {self.expected}")
        if values.dtype == object:
            values = values.infer_objects()
        if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
            is_text = values.map(lambda cell: isinstance(cell, str)).to_numpy()
            is_number = values.map(_is_number).to_numpy()
            mixed = ~blank & ~(is_text if is_text.sum() > is_number.sum() else is_number)
            if mixed.any():
                where = rows_said(np.flatnonzero(mixed))
                found.append(f"another kind of value in {where}; all texts, or all numbers")
        elif values.dtype.kind in "fc" and (
            values.dtype.kind == "c" or not np.isfinite(values[~blank]).all()
        ):
            endless = ~blank & ((values.dtype.kind == "c") | ~np.isfinite(values).to_numpy())
            found.append(f"no number in {rows_said(np.flatnonzero(endless))}; {self.expected}")
        if self.text and not blank.all() and pd.api.types.is_numeric_dtype(values.dtype):
            found.append(f"a number in {rows_said(np.flatnonzero(~blank))}; {self.expected}")
        return values

    def given(self, value: Any, name: str, given: Mapping[str, Any], found: list[str]) -> Any:
        """A number, list, array or series of this kind, in plain form."""
        if value is None:
            found.append(f"{name} is missing; expected {self.expected}")
            return value
        alone = isinstance(value, Mapping) or np.ndim(value) == 0
        fits = alone if self.alone else alone or np.ndim(value) == 1
        if self.labelled and not (isinstance(value, pd.Series) and value.index.is_unique):
            fits = False
        if not fits or isinstance(value, Mapping):
            found.append(f"{name}: a {type(value).__name__}; expected {self.expected}")
            return value
        wrong: list[str] = []
        if alone and isinstance(value, np.ndarray):
            value = value.item()
        series = value if isinstance(value, pd.Series) else pd.Series([value] if alone else value)
        checked = self.checked(series, given, wrong)
        for breach in wrong:
            what, _, expected = breach.partition("; ")
            where = what.split(" in row")[0] if alone else what
            found.append(f"{name}: {where}; expected {expected}")
        if isinstance(value, pd.Series):
            return checked
        return value if alone and not pd.isna(value) else np.nan if alone else checked.to_numpy()


SHOWN = 8
MOST_COUNTED = 1e12  # more than there are persons, or events, anywhere
GROUP = Kind("a value", number=False)
KEY = Kind("a value in each row", number=False, blank=False)
ORDERED = replace(GROUP, expected="numbers, or an ordered categorical", ordered=True)
CODE = Kind("a municipality's code as text, such as '0301'", number=False, blank=False, text=True)
NUMBER = Kind("a number of at most fifteen digits, or blank", least=-1e15, most=1e15)
COUNT = Kind("a number of 0 or more, or blank", least=0, most=MOST_COUNTED)
WHOLE_COUNT = replace(COUNT, expected="a whole number of 0 or more, or blank", whole=True)
WEIGHT = replace(COUNT, expected="a number of 0 or more", blank=False)
ERROR = Kind("a number above 0, from 1e-15 to 1e15, or blank", least=1e-15, most=1e15, endless=True)
PERCENTAGE = Kind("a percentage from 0 to 100, or blank", least=0, most=100)
POSITIVE = Kind("a number above 0, or blank", least=0, above=True)
SHARE = Kind("a share from 0 to 1, or blank", least=0, most=1)
CORRELATION = Kind("a correlation from -1 to 1, or blank", least=-1, most=1)
WHOLE = Kind("a whole number", whole=True, blank=False)
YEAR = Kind("a year such as 2020", least=1500, most=2500, whole=True, blank=False)
START = Kind(
    "a year such as 2020, or blank for a municipality that has not begun",
    least=1500,
    most=2500,
    whole=True,
)
PERSONS = replace(COUNT, expected="a series of persons by group, each group once", labelled=True)
SCORE = Kind("a step of the scale, or blank", scale="scores")
TRUE_OR_FALSE = Kind("true or false, or blank", least=0, most=1, whole=True)
INSIDE = Kind(
    "between 0 and 1", least=0, above=True, most=np.nextafter(1, 0), blank=False, alone=True
)
LEVELS = "shares between 0 and 1, each once, such as (0.95,)"

ANSWERS = {"municipality_code": CODE, "item": KEY, "wave": KEY, "respondent_id": GROUP}
COUNTS = {"numerator": COUNT, "denominator": COUNT, "municipality_count": COUNT}

# what a parameter of this name holds, whatever function it belongs to
PARAMETERS: dict[str, Kind] = {
    "agrees_from": Kind("a step of the scale", blank=False),
    "confidence_level": INSIDE,
    "design_effect": replace(POSITIVE, expected="a number above 0", blank=False),
    "excerpt_count": Kind("a whole number, 0 or more", least=0, whole=True, blank=False),
    "fewest_clusters": Kind("2 or more", least=2, whole=True, blank=False),
    "fewest_respondents": Kind("3 or more", least=3, whole=True, blank=False),
    "interrupted_at": WHOLE,
    "level": INSIDE,
    "margin": INSIDE,
    "minimum_donors": Kind("1 or more", least=1, whole=True, blank=False),
    "minimum_others": Kind("a whole number, 0 or more", least=0, whole=True, blank=False),
    "minimum_peers": Kind("1 or more", least=1, whole=True, blank=False),
    "minimum_periods": Kind("3 or more", least=3, whole=True, blank=False),
    "minimum_pre_periods": Kind("2 or more", least=2, whole=True, blank=False),
    "peer_count": Kind("1 or more", least=1, whole=True, blank=False),
    "per": replace(POSITIVE, expected="a number above 0", blank=False),
    "power": INSIDE,
    "replicate_count": Kind("a whole number, 2 or more", least=2, whole=True, blank=False),
    "seed": Kind("a whole number, 0 or more", least=0, whole=True, blank=False),
    "smallest_base": Kind("a whole number, 0 or more", least=0, whole=True, blank=False),
    "smallest_cluster_count": Kind("2 or more", least=2, whole=True, blank=False),
    "treated_from": replace(YEAR, expected="the first year with the measure, such as 2020"),
}
COLUMNS = ("by", "characteristics", "covariates", "moderators", "strata", "within")
LISTS = (*COLUMNS, "comparison", "donors", "municipality_codes", "treated")


@dataclass(frozen=True)
class Rows:
    """What a table holds.

    Attributes
    ----------
    columns
        Columns that it must have, with what they hold.
    maybe
        Columns that it may have.
    named
        Parameters that name a column or several, with what these columns hold.
    once
        Columns that tell the rows apart, of which those it has are used; none of it where the
        table lacks ``identity``.
    identity
        The column without which nothing can be told of rows that stand twice, and whose blank
        rows are passed over.
    among
        Parameters that name a value, and the column in which it must stand: a wave, an item. A
        column that a parameter names is written ``@parameter``.
    some
        Whether a table without rows is refused.
    keeps_index
        Whether what the function gives has the table's own index.
    """

    columns: Mapping[str, Kind] = field(default_factory=dict)
    maybe: Mapping[str, Kind] = field(default_factory=dict)
    named: Mapping[str, Kind] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    identity: str = ""
    among: Mapping[str, str] = field(default_factory=dict)
    every: Kind | None = None
    keeps_index: bool = False
    some: bool = False

    def given(self, table: Any, name: str, given: Mapping[str, Any], found: list[str]) -> Any:
        """The table in plain form; what is wrong with it is added to ``found``."""
        if not isinstance(table, pd.DataFrame):
            found.append(f"{name}: a {type(table).__name__}; expected a table (DataFrame)")
            return table
        if self.some and table.empty:
            found.append(f"{name}: no rows; expected some")
        kinds = self._kinds(table, given)
        twice = sorted({str(column) for column in table.columns[table.columns.duplicated()]})
        absent = [column for column in kinds if column not in table.columns]
        if absent or twice:
            held = ", ".join(map(str, table.columns))
            if absent:
                found.append(f"{name}: no column {', '.join(absent)}; the table holds: {held}")
            if twice:
                found.append(f"{name}: column {', '.join(twice)} more than once; expected once")
            return table
        checked = {}
        for column, kind in kinds.items():
            wrong: list[str] = []
            checked[column] = kind.checked(table[column].reset_index(drop=True), given, wrong)
            for breach in wrong:
                what, _, expected = breach.partition("; ")
                found.append(f"{name}: {column}: {what}; expected {expected}")
        table = table.reset_index(drop=True)
        for column, values in checked.items():
            table[column] = values
        self._look_for_repeated(table, name, found)
        self._look_for_values(table, name, given, found)
        return table

    def _kinds(self, table: pd.DataFrame, given: Mapping[str, Any]) -> dict[str, Kind]:
        kinds = {column: kind for column, kind in self.maybe.items() if column in table}
        if self.every is not None:
            kinds |= dict.fromkeys(table.columns, self.every)
        for parameter, kind in self.named.items():
            names = given[parameter]
            for column in [names] if isinstance(names, str) else names or ():
                kinds.setdefault(column, kind)
        return kinds | dict(self.columns)

    def _look_for_repeated(self, table: pd.DataFrame, name: str, found: list[str]) -> None:
        if not self.once or (self.identity and self.identity not in table):
            return
        keys = [column for column in self.once if column in table]
        among = table[self.identity].notna() if self.identity else None
        if self.once == ANSWER and "wave" not in table and "survey_id" in table:
            keys.append("survey_id")
        if keys and (told := repeated_rows(table, keys, among=among)):
            found.append(f"{name}: {told}")

    def _look_for_values(
        self, table: pd.DataFrame, name: str, given: Mapping[str, Any], found: list[str]
    ) -> None:
        if table.empty:
            return
        for parameter, column in self.among.items():
            column = given[column[1:]] if column.startswith("@") else column
            held = set(table[column].unique()) if column in table else set()
            crosswalk = given.get("crosswalk")
            if isinstance(crosswalk, pd.DataFrame) and column in crosswalk:
                held |= set(crosswalk[column].dropna().unique())
            if held and given[parameter] not in held:
                known = ", ".join(sorted(f"{value}" for value in held if pd.notna(value))[:20])
                found.append(f"{name}: no {column} {given[parameter]!r}; the table holds: {known}")


CROSSWALK = Rows(
    {"municipality_code": CODE, "wave": KEY, "item": KEY, "status": KEY},
    {"variant": GROUP},
    once=("municipality_code", "wave", "item"),
)
TARGETS = Rows(
    {
        "municipality_code": CODE,
        "indicator_id": KEY,
        "direction": GROUP,
        "target_value": NUMBER,
        "target_year": replace(YEAR, blank=True),
    },
    once=("municipality_code", "indicator_id"),
)


@dataclass(frozen=True)
class Each:
    """A mapping whose every value is of one kind."""

    kind: Kind

    def given(self, values: Any, name: str, given: Mapping[str, Any], found: list[str]) -> Any:
        """The mapping with its values in plain form; what is wrong is added to ``found``."""
        if not isinstance(values, Mapping) or not values:
            found.append(
                f"{name}: a {type(values).__name__}; expected {self.kind.expected} by column"
            )
            return values
        return {
            key: self.kind.given(value, f"{name}, {key}", given, found)
            for key, value in values.items()
        }


def accepts(**borders: Rows | Kind | Each) -> Callable[[Function], Function]:
    """Hold a function's arguments to what is stated of them, before the function sees them.

    Parameters
    ----------
    borders
        By argument, what it holds. An argument that may be ``None`` and is, is let through.
        ``confidence_levels`` may be one level by itself; it comes out as a tuple. A column that is
        named alone where several may be comes out as a tuple too.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        names = signature.parameters
        may_be_none = {name for name, one in names.items() if one.default is None}
        known = {
            name: replace(PARAMETERS[name], alone=True) for name in names if name in PARAMETERS
        }
        stated = {**known, **borders}
        own_index = next(
            (name for name, one in borders.items() if isinstance(one, Rows) and one.keeps_index),
            None,
        )

        @functools.wraps(function)
        def bordered(*args: Any, **kwargs: Any) -> Any:
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            given, found = call.arguments, []
            index = getattr(given.get(own_index), "index", None)
            _look_at_lists(given, found)
            if not isinstance(stated.get("scores"), Rows):
                _look_at_scale(given, found)
            if not found:
                for name, border in stated.items():
                    if given[name] is not None or name not in may_be_none:
                        given[name] = border.given(given[name], name, given, found)
                _look_at_lengths(given, borders, found)
            if found:
                raise DataError("\n".join(found))
            result = function(*call.args, **call.kwargs)
            return result if index is None else result.set_axis(index)

        bordered.accepts = borders
        return bordered

    return decorate


def plain(values: pd.Series) -> pd.Series:
    """A column in the form that a table read from a file has, whatever type holds it."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return plain(values.astype(dtype.categories.dtype))
    if isinstance(dtype, np.dtype):
        return values
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        if not values.isna().any():
            kind = "bool" if pd.api.types.is_bool_dtype(dtype) else None
            kind = kind or ("int64" if pd.api.types.is_integer_dtype(dtype) else "float64")
            return values.astype(kind)
        return pd.Series(
            values.to_numpy(dtype=float, na_value=np.nan), values.index, name=values.name
        )
    if pd.api.types.is_string_dtype(dtype):
        return values.astype("str")
    return values.astype(object)


def _as_numbers(values: pd.Series, found: list[str], expected: str) -> pd.Series | None:
    """The column as floats; None, and its rows told, where texts stand in it."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(
        values.dtype
    ):
        return values.astype(float) if values.dtype.kind not in "iu" else values
    if values.dtype == object:
        wrong = ~(values.map(_is_number).astype(bool) | values.isna()).to_numpy()
    else:
        wrong = values.notna().to_numpy()
    if wrong.any():
        found.append(f"no number in {rows_said(np.flatnonzero(wrong))}; {expected}")
        return None
    return values.astype(object).where(values.notna(), np.nan).astype(float)


def _look_at_lists(given: dict[str, Any], found: list[str]) -> None:
    """Levels as a tuple, and names of columns and codes too, where one was given alone."""
    if "confidence_levels" in given:
        levels = given["confidence_levels"]
        levels = (levels,) if np.ndim(levels) == 0 and not _is_many(levels) else tuple(levels)
        fits = all(isinstance(level, float | int | np.number) and 0 < level < 1 for level in levels)
        if not levels or not fits or len(set(levels)) < len(levels):
            said = ", ".join(f"{level!r}" for level in levels) or "none"
            found.append(f"confidence_levels: {said}; expected {LEVELS}")
        given["confidence_levels"] = levels
    for name in LISTS:
        if name in given and given[name] is not None:
            names = given[name]
            names = (names,) if isinstance(names, str) or not _is_many(names) else tuple(names)
            repeated = sorted({str(one) for one in names if names.count(one) > 1})
            if repeated and name in COLUMNS:
                found.append(f"{name}: {', '.join(repeated)} more than once; expected once")
            given[name] = names


def _is_number(cell: Any) -> bool:
    return isinstance(cell, float | int | np.integer | np.floating | np.bool_)


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _look_at_scale(given: Mapping[str, Any], found: list[str]) -> None:
    """Steps of a scale in their order, and where on it agreement begins."""
    if "scores" not in given:
        return
    steps = given["scores"]
    fits = _is_many(steps) and all(isinstance(one, float | int | np.number) for one in steps)
    steps = np.asarray(steps, dtype=float) if fits else np.zeros(0)
    if len(steps) < 2 or not np.isfinite(steps).all() or not (np.diff(steps) > 0).all():
        found.append("scores: expected the steps of the scale as numbers, lowest first")
    elif "agrees_from" in given and given["agrees_from"] not in steps[1:]:
        said = ", ".join(f"{step:g}" for step in steps[1:])
        found.append(f"agrees_from: {given['agrees_from']!r}; expected one of the steps {said}")


def _look_at_lengths(given: Mapping[str, Any], borders: Mapping, found: list[str]) -> None:
    """Numbers that belong together, row by row."""
    lengths = {
        name: len(given[name])
        for name, border in borders.items()
        if isinstance(border, Kind) and given[name] is not None and np.ndim(given[name]) == 1
    }
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        found.append(f"unlike numbers of values: {said}; expected as many of each")

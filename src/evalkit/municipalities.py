"""Municipalities of a study: found by code, and named in other tables."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evalkit.errors import DataError

__all__ = [
    "Municipality",
    "find_municipality",
    "municipality_claims",
    "named_after",
    "named_rows",
    "owners_of",
]


@dataclass(frozen=True)
class Municipality:
    """One municipality as tables and figures name it."""

    code: str
    slug: str
    name: str
    region_id: str


def find_municipality(municipalities: pd.DataFrame, municipality_code: str) -> Municipality:
    """The municipality with a code.

    Parameters
    ----------
    municipalities
        Rows of ``MunicipalitiesTable``.
    municipality_code
        Four digits, as text.

    Raises
    ------
    DataError
        If the code is not text, or no municipality of the study has it.
    """
    if not isinstance(municipality_code, str):
        raise DataError(
            f"municipality code {municipality_code!r} is a number; expected four digits as text, "
            "such as '0301'"
        )
    found = municipalities.loc[municipalities["municipality_code"] == municipality_code]
    if found.empty:
        known = ", ".join(sorted(municipalities["municipality_code"]))
        raise DataError(f"no municipality {municipality_code!r} in the study; it holds: {known}")
    row = found.iloc[0]
    return Municipality(row["municipality_code"], row["slug"], row["name"], row["region_id"])


def municipality_claims(claims: pd.DataFrame, municipality: Municipality) -> pd.DataFrame:
    """The claims about one municipality: about itself, or about what is named after it.

    Parameters
    ----------
    claims
        Claims of the study.
    municipality
        As from ``find_municipality``; its slug begins the names of all that belongs to it.
    """
    return claims.loc[named_after(claims["subject"], municipality.slug)].reset_index(drop=True)


def named_after(subjects: pd.Series, slug: str) -> pd.Series:
    """Which subjects of claims are a municipality's own, by its slug."""
    return (subjects == slug) | subjects.str.startswith(f"{slug}-")


def owners_of(subjects: pd.Series, municipalities: pd.DataFrame) -> pd.Series:
    """Code of the municipality that each subject of claims is named after; missing for none.

    Parameters
    ----------
    subjects
        Subjects, such as ``"horten"`` or ``"horten-learning-workshop-3"``.
    municipalities
        Rows of ``MunicipalitiesTable``. Where one slug begins another, the longer one counts.
    """
    codes = municipalities.set_index("slug")["municipality_code"].to_dict()

    def owner(subject: str) -> str | None:
        parts = subject.split("-")
        names = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((codes[name] for name in names if name in codes), None)

    different = subjects.unique()
    found = dict(zip(different, map(owner, different), strict=True))
    return subjects.map(found).astype(object).where(lambda owners: owners.notna(), None)


def named_rows(table: pd.DataFrame, municipalities: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table with ``municipality_name``, in the order of the municipalities.

    Rows without a municipality come last, with a missing name; within a municipality the order
    is kept.
    """
    names = municipalities.set_index("municipality_code")["name"]
    place = {code: number for number, code in enumerate(names.index)}
    named = table.assign(municipality_name=table["municipality_code"].map(names))
    order = named["municipality_code"].map(place).fillna(len(place))
    return named.iloc[order.argsort(kind="stable")].reset_index(drop=True)

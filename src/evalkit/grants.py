"""Grants given to the municipalities: in all, per year, per inhabitant."""

from __future__ import annotations

import pandas as pd

from evalkit.errors import DataError

__all__ = ["grant_summary", "population"]


def population(claims: pd.DataFrame, municipalities: pd.DataFrame) -> pd.DataFrame:
    """Inhabitants of each municipality, as the study claims them.

    Parameters
    ----------
    claims
        Claims of the study; those chosen of the quantity ``population`` of a municipality's
        slug are used, the latest if there are several.
    municipalities
        Rows of ``MunicipalitiesTable``.

    Returns
    -------
    DataFrame
        One row per municipality with a claim: ``municipality_code``, ``population`` (persons),
        ``population_as_of``, ``population_source``, ``population_locator``.
    """
    used = claims.loc[(claims["quantity"] == "population") & claims["chosen"].astype(bool)]
    latest = used.sort_values("as_of", kind="stable").drop_duplicates("subject", keep="last")
    codes = municipalities.set_index("slug")["municipality_code"]
    return (
        pd.DataFrame(
            {
                "municipality_code": latest["subject"].map(codes),
                "population": pd.to_numeric(latest["value"]),
                "population_as_of": latest["as_of"],
                "population_source": latest["source"],
                "population_locator": latest["locator"],
            }
        )
        .dropna(subset="municipality_code")
        .reset_index(drop=True)
    )


def one_amount(grants: pd.DataFrame, *, span: str) -> pd.DataFrame:
    """The row of each municipality with one span, all schemes together."""
    rows = grants.loc[
        (grants["kind"] == "granted")
        & (grants["span"] == span)
        & grants["scheme_id"].isna()
        & grants["municipality_code"].notna()
    ]
    repeated = rows.loc[rows["municipality_code"].duplicated(), "municipality_code"].unique()
    if len(repeated):
        raise DataError(
            f"grants: more than one amount granted {span} to {', '.join(sorted(repeated))}; "
            "expected one"
        )
    return rows


def scheme_totals(by_scheme: pd.DataFrame) -> pd.Series:
    """What the schemes gave each municipality: each scheme's totals, or else its single years."""
    keys = ["municipality_code", "scheme_id"]
    amounts = [
        by_scheme.loc[by_scheme["span"] == span].groupby(keys)["amount_nok"].sum(min_count=1)
        for span in ("total", "year")
    ]
    told = amounts[0].combine_first(amounts[1])
    return told.groupby("municipality_code").sum(min_count=1)


def grant_summary(
    grants: pd.DataFrame, *, claims: pd.DataFrame, municipalities: pd.DataFrame
) -> pd.DataFrame:
    """What each municipality was granted, beside the others and per inhabitant.

    The total is the published one; without one, it is the sum of the amounts of single years, and
    without those, of what the schemes gave (each scheme's total, or its years). An amount per year
    that is told by scheme only is summed over the schemes.
    The amount per inhabitant is the total by the inhabitants at one time: it holds for the whole
    period, not for a year.

    Parameters
    ----------
    grants
        Rows of ``GrantsTable``; those granted to a municipality count.
    claims
        Claims of the study, for the inhabitants.
    municipalities
        Rows of ``MunicipalitiesTable``.

    Returns
    -------
    DataFrame
        One row per municipality with a grant, in the order of ``municipalities``:
        ``municipality_code``, ``municipality_name``, ``total_nok``, ``total_qualifier``,
        ``total_method`` (``published``, ``sum of years`` or ``sum of schemes``), ``per_year_nok``,
        ``per_year_qualifier``, ``population`` (persons), ``population_as_of``,
        ``nok_per_inhabitant``, ``source``, ``locator``, ``population_source``,
        ``population_locator``. Kroner are those of the time.

    Raises
    ------
    DataError
        If a municipality has more than one total or more than one amount per year.
    """
    total = one_amount(grants, span="total").set_index("municipality_code")
    per_year = one_amount(grants, span="per_year").set_index("municipality_code")
    granted = grants.loc[(grants["kind"] == "granted") & grants["municipality_code"].notna()]
    years = granted.loc[(granted["span"] == "year") & granted["scheme_id"].isna()]
    summed = years.groupby("municipality_code")["amount_nok"].sum(min_count=1)
    by_scheme = granted.loc[granted["scheme_id"].notna()]
    schemes = scheme_totals(by_scheme)
    yearly = by_scheme.loc[by_scheme["span"] == "per_year"]
    yearly = yearly.groupby("municipality_code")["amount_nok"].sum(min_count=1)

    rows = municipalities[["municipality_code", "name"]].rename(
        columns={"name": "municipality_name"}
    )
    codes = rows["municipality_code"]
    published = codes.map(total["amount_nok"])
    first_source = pd.concat(
        [one_amount(grants, span="total"), per_year.reset_index(), years, by_scheme]
    )
    first_source = first_source.drop_duplicates("municipality_code").set_index("municipality_code")
    rows = rows.assign(
        total_nok=published.fillna(codes.map(summed)).fillna(codes.map(schemes)),
        total_qualifier=codes.map(total["qualifier"]),
        total_method=codes.map(summed)
        .notna()
        .map({True: "sum of years", False: "sum of schemes"})
        .mask(published.notna(), "published"),
        per_year_nok=codes.map(per_year["amount_nok"]).fillna(codes.map(yearly)),
        per_year_qualifier=codes.map(per_year["qualifier"]),
        source=codes.map(first_source["source"]),
        locator=codes.map(first_source["locator"]),
    )
    rows["total_method"] = rows["total_method"].where(rows["total_nok"].notna())
    given = rows.loc[rows[["total_nok", "per_year_nok"]].notna().any(axis=1)]
    given = given.merge(
        population(claims, municipalities),
        on="municipality_code",
        how="left",
        validate="one_to_one",
    )
    return given.assign(nok_per_inhabitant=given["total_nok"] / given["population"])[
        [
            "municipality_code",
            "municipality_name",
            "total_nok",
            "total_qualifier",
            "total_method",
            "per_year_nok",
            "per_year_qualifier",
            "population",
            "population_as_of",
            "nok_per_inhabitant",
            "source",
            "locator",
            "population_source",
            "population_locator",
        ]
    ].reset_index(drop=True)

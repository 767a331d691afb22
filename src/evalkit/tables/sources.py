"""Tables about the sources: what was read where, what disagrees, the original's tables."""

from __future__ import annotations

import pandas as pd

from evalkit.display import ReportTable
from evalkit.facts import small_counts
from evalkit.norwegian import date_text, number_text
from evalkit.references import source_line
from evalkit.tables.context import claim_text
from evalkit.tables.layout import Column, present, report_table, sentence, text_of
from evalkit.tables.surveys import fewer_than

__all__ = ["claims_table", "conflicts_table", "original_tables_table", "source_sections"]


def source_sections(claims: pd.DataFrame, *, sources: pd.DataFrame) -> ReportTable:
    """The sources that claims were read from, one fenced div each.

    Parameters
    ----------
    claims
        Claims of the study.
    sources
        ``key`` and ``reference`` (Markdown) of each source.

    Returns
    -------
    ReportTable
        Markdown with a div ``#kilde-<key>`` per source, to link to.
    """
    parts = []
    for source in sources.itertuples():
        read = claims.loc[claims["source"] == source.key]
        if read.empty:
            continue
        count = "Én opplysning" if len(read) == 1 else f"{number_text(len(read))} opplysninger"
        what = f"{count} er lest herfra."
        parts.append(f"::: {{#kilde-{source.key}}}\n{source.reference}\n\n{what}\n:::")
    return ReportTable("\n\n".join(parts) or "Ingen kilder er registrert.")


def claim_name(claim) -> str:
    """What a claim is about, for readers; its key where the study gives it no label."""
    return (
        text_of(claim.label) if present(claim.label) else f"`{claim.subject}.` `{claim.quantity}`"
    )


def place_text(claim, *, main: str | None = None) -> str:
    """Where a claim was read: a link to the source, unless it is the main one, and the place."""
    place = text_of(claim.locator)
    return place if claim.source == main else f"@{claim.source}, {place}"


def with_place(claim, *, main: str | None) -> str:
    """A claim's value and where it was read: ``586 (s. 39)``."""
    return f"{claim.shown} ({place_text(claim, main=main)})"


def shown_values(claims: pd.DataFrame, smallest_count: int) -> pd.Series:
    """Values as a reader sees them; counts of too few participants or answers are hidden."""
    texts = [claim_text(claim.value, claim.unit, claim.qualifier) for claim in claims.itertuples()]
    few = small_counts(claims, smallest_count)
    return pd.Series(texts, index=claims.index, dtype=object).mask(few, fewer_than(smallest_count))


def claims_table(claims: pd.DataFrame, *, smallest_count: int = 5) -> ReportTable:
    """Every claim of the study: what, value, source, place.

    Parameters
    ----------
    claims
        Claims of the study.
    smallest_count
        Smaller counts of participants and answers are hidden.
    """
    rows = [
        (
            claim_name(claim),
            claim.shown
            + (f" ({date_text(claim.as_of)})" if present(claim.as_of) else "")
            + ("" if claim.chosen else " – ikke brukt"),
            f"@{claim.source}",
            text_of(claim.locator),
        )
        for claim in claims.assign(shown=shown_values(claims, smallest_count)).itertuples()
    ]
    return report_table(
        [Column("Opplysning", 42), Column("Verdi", 26), Column("Kilde", 14), Column("Sted", 18)],
        rows,
        empty="Ingen opplysninger er registrert.",
        caption="Alle opplysninger med kilde",
    )


def conflicts_table(claims: pd.DataFrame, *, smallest_count: int = 5) -> ReportTable:
    """Claims that disagree, a row for each quantity: what is used, what is not, and why.

    The source that most of them stand in is named once, under the table; in the cells, only
    other sources are.

    Parameters
    ----------
    claims
        Claims of the study; those in conflict are shown.
    smallest_count
        Smaller counts of participants and answers are hidden.
    """
    told = claims.assign(shown=shown_values(claims, smallest_count))
    disputed = told.loc[told["conflict"].astype(bool)]
    main = disputed["source"].mode().iloc[0] if len(disputed) else None
    rows = []
    for _, group in disputed.groupby("key", sort=False):
        chosen = group["chosen"].astype(bool)
        used, unused = (
            "; ".join(with_place(claim, main=main) for claim in part.itertuples())
            for part in (group.loc[chosen], group.loc[~chosen])
        )
        reasons = [
            f"{'✓' if claim.chosen else '✗'}\u00a0{sentence(text_of(claim.reason)).rstrip('.')}."
            for claim in group.sort_values("chosen", ascending=False, kind="stable").itertuples()
            if present(claim.reason)
        ]
        rows.append(
            (claim_name(next(group.itertuples())), used, unused, " ".join(dict.fromkeys(reasons)))
        )
    return report_table(
        [
            Column("Opplysning", 25),
            Column("Brukt", 22),
            Column("Ikke brukt", 22),
            Column("Hvorfor", 31),
        ],
        rows,
        empty="Ingen opplysninger er i strid med hverandre.",
        caption="Opplysninger som ikke stemmer overens, og hva som er valgt",
        note="✓ grunnen til at verdien er brukt, ✗ grunnen til at den ikke er det.",
        source=f"Kilde, der ingen annen er nevnt: @{main}." if main else None,
    )


def original_tables_table(original_tables: pd.DataFrame) -> ReportTable:
    """The original report's tables and what answers to each in this one."""
    own = original_tables.sort_values("number", kind="stable")
    rows = [
        (
            number_text(row.number),
            text_of(row.listed_number),
            text_of(row.title),
            f"@{row.label}" if present(row.label) else "",
            text_of(row.locator),
        )
        for row in own.itertuples()
    ]
    return report_table(
        [
            Column("Nr.", 8, "r"),
            Column("I oversikten", 16),
            Column("Tittel", 42),
            Column("Hos oss", 18),
            Column("Sted", 16),
        ],
        rows,
        empty="Ingen tabeller er registrert.",
        caption="Tabellene i den opprinnelige rapporten og hva som svarer til dem her",
        source=source_line(own),
    )

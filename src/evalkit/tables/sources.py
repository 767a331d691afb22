"""Tables about the sources: what was read where, what disagrees, the original's tables."""

from __future__ import annotations

import pandas as pd

from evalkit.conflict_weights import weighed_conflicts
from evalkit.display import ReportTable
from evalkit.facts import shown_claims
from evalkit.markdown import Markdown, bold, bullets, cited, escaped, paragraph
from evalkit.municipalities import named_after
from evalkit.norwegian import date_text, number_text
from evalkit.references import source_line
from evalkit.tables.context import claim_text
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "claims_list",
    "claims_table",
    "conflicts_table",
    "original_tables_table",
    "source_sections",
]


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
        opening = Markdown(f"::: {{#kilde-{source.key}}}\n")
        reference, end = Markdown(source.reference), Markdown("\n:::")
        parts.append(Markdown.of(opening, reference, Markdown("\n\n"), what, end))
    if not parts:
        return ReportTable("Ingen kilder er registrert.")
    return ReportTable(Markdown("\n\n".join(parts)))


def claim_name(claim) -> str:
    """What a claim is about, for readers; its key where the study gives it no label."""
    if present(claim.label):
        return text_of(claim.label)
    return Markdown(f"`{claim.subject}.` `{claim.quantity}`")


def place_text(claim, *, main: str | None = None) -> Markdown:
    """Where a claim was read: a link to the source, unless it is the main one, and the place."""
    place = text_of(claim.locator)
    return escaped(place) if claim.source == main else Markdown.of(cited(claim.source), ", ", place)


def with_shown(claims: pd.DataFrame, smallest_count: int) -> pd.DataFrame:
    """The claims with ``shown``, values as a reader sees them; why, only of those not hidden."""
    told = shown_claims(claims, smallest_count)
    texts = [
        claim.hidden
        if isinstance(claim.hidden, str)
        else claim_text(claim.value, claim.unit, claim.qualifier)
        for claim in told.itertuples()
    ]
    return told.assign(shown=pd.Series(texts, index=told.index, dtype=object))


def claims_table(claims: pd.DataFrame, *, smallest_count: int = 5) -> ReportTable:
    """Every claim of the study: what, value, source, place.

    Parameters
    ----------
    claims
        Claims of the study.
    smallest_count
        Smaller counts of participants and answers are hidden, as is what the claims say is withheld.
    """
    rows = [
        (
            claim_name(claim),
            claim.shown
            + (f" ({date_text(claim.as_of)})" if present(claim.as_of) else "")
            + ("" if claim.chosen else " – ikke brukt"),
            cited(claim.source),
            text_of(claim.locator),
        )
        for claim in with_shown(claims, smallest_count).itertuples()
    ]
    return report_table(
        [Column("Opplysning", 42), Column("Verdi", 26), Column("Kilde", 14), Column("Sted", 18)],
        rows,
        empty="Ingen opplysninger er registrert.",
        caption="Alle opplysninger med kilde",
    )


def claims_list(
    claims: pd.DataFrame, *, municipalities: pd.DataFrame, smallest_count: int = 5
) -> ReportTable:
    """Every claim of the study as a line, by municipality, for two columns of small type.

    The source that most of them stand in is left out of the lines; whoever places the list says
    which it is.

    Parameters
    ----------
    claims
        Claims of the study.
    municipalities
        Rows of ``MunicipalitiesTable``.
    smallest_count
        Smaller counts of participants and answers are hidden, as is what the claims say is withheld.
    """
    told = with_shown(claims, smallest_count)
    main = told["source"].mode().iloc[0] if len(told) else None
    rest = pd.Series(True, index=told.index)
    parts = []
    for row in municipalities.itertuples():
        about = rest & named_after(told["subject"], row.slug)
        rest &= ~about
        parts += claim_lines(told.loc[about], main=main, name=row.name)
    parts = claim_lines(told.loc[rest], main=main, name="Programmet") + parts
    if not parts:
        return ReportTable("Ingen opplysninger er registrert.")
    return ReportTable(Markdown("\n\n".join(["::: {.compact-list}", *parts, ":::"])))


def claim_lines(claims: pd.DataFrame, *, main: str, name: str) -> list[Markdown]:
    """Headings, and a paragraph for each quantity: ``Innbyggere: 27 600 (2022) – s. 39``."""
    lines = []
    for source, read in claims.groupby("source", sort=False):
        origin = () if source == main else (" (", cited(source), ")")
        lines.append(Markdown.of(bold(text_of(name)), *origin))
        for _, group in read.groupby(read.apply(claim_name, axis=1), sort=False):
            label = claim_name(next(group.itertuples()))
            own = label.removeprefix(f"{name}: ").removeprefix(f"{name} ").removesuffix(": tid")
            heading = label if isinstance(label, Markdown) else paragraph(sentence(own))
            values = [
                claim.shown
                + (f" ({date_text(claim.as_of)})" if present(claim.as_of) else "")
                + ("" if claim.chosen else " (ikke brukt)")
                for claim in group.itertuples()
            ]
            places = group["locator"].map(text_of)
            if places.nunique() == 1:
                told = f"{', '.join(values)}\u00a0– {places.iloc[0]}"
            else:
                told = "; ".join(
                    f"{value}\u00a0– {place}" for value, place in zip(values, places, strict=True)
                )
            lines.append(Markdown.of(heading, ": ", told))
    return lines


def conflicts_table(claims: pd.DataFrame, *, smallest_count: int = 5) -> ReportTable:
    """Claims that disagree, a row for each quantity: what is used, what is not, and why.

    What may change a conclusion comes first, as `weighed_conflicts` says; names and spellings
    share the last row. The source that most of them stand in is named once, under the table; in the cells, only
    other sources are.

    Parameters
    ----------
    claims
        Claims of the study; those in conflict are shown.
    smallest_count
        Smaller counts of participants and answers are hidden, as is what the claims say is withheld.
    """
    told = with_shown(claims, smallest_count)
    disputed = weighed_conflicts(told.loc[told["conflict"].astype(bool)])
    main = disputed["source"].mode().iloc[0] if len(disputed) else None
    spelt = disputed["weight"] == "spelling"
    rows = []
    for _, group in disputed.loc[~spelt].groupby("key", sort=False):
        chosen = group["chosen"].astype(bool)
        used, unused = (
            with_reasons(part, main=main) for part in (group.loc[chosen], group.loc[~chosen])
        )
        rows.append((claim_name(next(group.itertuples())), used, unused))
    if spelt.any():
        rows.append(_spellings_row(disputed.loc[spelt], main=main))
    return report_table(
        [
            Column("Opplysning", 22),
            Column("Brukt, og hvorfor", 35),
            Column("Ikke brukt, og hvorfor", 43),
        ],
        rows,
        empty="Ingen opplysninger er i strid med hverandre.",
        caption="Opplysninger som ikke stemmer overens, og hva som er valgt",
        source=Markdown.of("Kilde, der ingen annen er nevnt: ", cited(main), ".") if main else None,
    )


def _spellings_row(disputed: pd.DataFrame, *, main: str | None) -> tuple:
    """All names, wordings and spellings that disagree, in one row."""
    texts = []
    for _, group in disputed.groupby("key", sort=False):
        chosen = group["chosen"].astype(bool)
        used, unused = (
            [
                Markdown.of(bold(claim.shown), " (", place_text(claim, main=main), ")")
                for claim in part.itertuples()
            ]
            for part in (group.loc[chosen], group.loc[~chosen])
        )
        parts = [": ", *_listed(used)] + ([", ikke ", *_listed(unused)] if unused else [])
        texts.append(Markdown.of(claim_name(next(group.itertuples())), *parts, "."))
    heading = f"Skrivemåter, navn og henvisninger ({number_text(len(texts))})"
    return heading, "Samlet her, for de endrer ikke innholdet.", bullets(texts)


def _listed(texts: list[Markdown]) -> list[Markdown | str]:
    return [part for text in texts for part in (", ", text)][1:]


def with_reasons(claims: pd.DataFrame, *, main: str | None) -> Markdown | tuple[Markdown, ...]:
    """The value of each claim, where it was read, and why it is used or not."""
    texts = [
        Markdown.of(
            *(bold(claim.shown), " (", place_text(claim, main=main), ")."),
            f" {sentence(text_of(claim.reason)).rstrip('.')}." if present(claim.reason) else "",
        )
        for claim in claims.itertuples()
    ]
    return bullets(texts) if len(texts) > 1 else Markdown.of(*texts)


def original_tables_table(original_tables: pd.DataFrame) -> ReportTable:
    """The original report's tables and what answers to each in this one."""
    own = original_tables.sort_values("number", kind="stable")
    rows = [
        (
            number_text(row.number),
            text_of(row.listed_number),
            text_of(row.title),
            number_text(row.row_count),
            number_text(row.cell_count),
            cited(row.label) if present(row.label) else "",
            text_of(row.locator),
        )
        for row in own.itertuples()
    ]
    return report_table(
        [
            Column("Nr.", 8, "r"),
            Column("I oversikten", 12),
            Column("Tittel", 34),
            Column("Rader", 8, "r"),
            Column("Celler", 8, "r"),
            Column("Hos oss", 18),
            Column("Sted", 12),
        ],
        rows,
        empty="Ingen tabeller er registrert.",
        caption="Tabellene i den opprinnelige rapporten og hva som svarer til dem her",
        source=source_line(own),
    )

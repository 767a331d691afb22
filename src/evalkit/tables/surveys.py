"""Tables about surveys as they were published."""

from __future__ import annotations

from itertools import compress

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.municipalities import Municipality
from evalkit.norwegian import (
    date_span_text,
    interval_text,
    joined_text,
    number_text,
    percent_text,
)
from evalkit.references import source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "HURDLES",
    "comparability_table",
    "fewer_than",
    "response_text",
    "survey_results_table",
    "surveys_table",
]

HURDLES = {
    "not_repeated": "undersøkelsen er ikke gjentatt",
    "different_kind": "ulike slags undersøkelser",
    "different_population": "ulike grupper er spurt",
    "different_mode": "ulik gjennomføring",
    "different_provider": "ulike utførere",
    "no_shared_items": "ingen felles spørsmål blant de publiserte resultatene",
    "no_published_items": "tallene for hvert spørsmål er ikke publisert",
}


def fewer_than(smallest_count: int) -> str:
    """What stands in the place of a count too small to show."""
    return f"færre enn {smallest_count}"


def response_text(row) -> str:
    """A response rate with its interval: ``69 % (65–73 %)``."""
    if not present(row.response_rate):
        return ""
    rate = (
        percent_text(row.response_rate_percent)
        if present(row.response_rate_percent)
        else percent_text(100 * row.response_rate, decimals=0)
    )
    interval = interval_text(100 * row.lower_share, 100 * row.upper_share)
    together = interval.replace("–", "–\u2060")  # no new line after the dash
    return f"{rate}\u00a0({together})" if interval else rate


def surveys_table(response: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """Design and response of a municipality's surveys.

    Parameters
    ----------
    response
        As from ``survey_response``.
    municipality
        The municipality.
    """
    own = response.loc[response["municipality_code"] == municipality.code]
    rows = [
        (
            text_of(row.title),
            date_span_text(row.start, row.end),
            survey_design(row),
            sentence(text_of(row.topics)),
            answers_text(row),
        )
        for row in own.itertuples()
    ]
    has_interval = bool(own["lower_share"].notna().any())
    return report_table(
        [
            Column("Undersøkelse", 18),
            Column("Når", 12),
            Column("Hvem og hvordan", 24),
            Column("Tema", 20),
            Column("Svar og svarprosent", 26),
        ],
        rows,
        empty=f"Ingen undersøkelser er registrert for {municipality.name}.",
        caption=f"Undersøkelser i {municipality.name}: opplegg og svarprosent",
        note="I parentes: 95 prosent konfidensintervall (Wilson)." if has_interval else None,
        source=source_line(own),
    )


def survey_design(row) -> str:
    """Kind, population, mode and provider of a survey, as one text."""
    mode = words.MODES[row.mode] if present(row.mode) else ""
    kind = words.SURVEY_KINDS[row.kind]
    population = text_of(row.population)
    parts = [
        sentence(kind + (f" ({mode})" if mode and mode not in kind else "")),
        "" if kind.endswith(f" {population.lower()}") else sentence(population),
        f"Utført av {text_of(row.provider)}" if present(row.provider) else "",
    ]
    return " ".join(part.rstrip(".") + "." for part in parts if part)


def answers_text(row) -> str:
    """Answers, invitations and response rate: ``81 av 263: 31 % (26–37 %)``."""
    return ": ".join(part for part in (people_text(row), response_text(row)) if part)


def people_text(row) -> str:
    """Answers and invitations of a survey."""
    answered = number_text(row.answered_count, decimals=0)
    invited = number_text(row.invited_count, decimals=0)
    if present(row.withheld):
        return (
            f"{words.WITHHELD[row.withheld]} (av\u00a0{invited})"
            if invited
            else words.WITHHELD[row.withheld]
        )
    if answered and invited:
        return f"{answered}\u00a0av\u00a0{invited}"
    if invited:
        return f"{invited}\u00a0spurt"
    return f"{answered}\u00a0svar" if answered else ""


def survey_results_table(
    results: pd.DataFrame, municipality: Municipality, *, smallest_count: int = 5
) -> ReportTable:
    """Published results of a municipality's surveys.

    Parameters
    ----------
    results
        As from ``published_results``.
    municipality
        The municipality.
    smallest_count
        A result given by fewer persons than this, or with a smaller base, is hidden.
    """
    own = results.loc[results["municipality_code"] == municipality.code]
    several = own["survey_id"].nunique() > 1
    has_interval, has_base = own["lower_share"].notna().any(), own["base_count"].notna().any()
    shown = [several, True, True, has_interval, has_base]
    columns = [
        Column("Undersøkelse", 20),
        Column("Spørsmål og svar", 36),
        Column("Resultat", 34),
        Column("95 % intervall", 16, "r"),
        Column("Antall svar", 12, "r"),
    ]
    rows = [
        list(compress(cells, shown))
        for cells in (
            (text_of(row.survey_title), result_name(row), *result_texts(row, smallest_count))
            for row in own.itertuples()
        )
    ]
    return report_table(
        list(compress(columns, shown)),
        rows,
        empty=f"Ingen resultater er publisert for {municipality.name}.",
        caption=f"Publiserte resultater av undersøkelsene i {municipality.name}",
        source=source_line(own),
        grouped=several,
    )


def result_name(row) -> str:
    """The question, the answer counted and the group."""
    answer = f": {text_of(row.answer)}" if present(row.answer) else ""
    group = f" ({text_of(row.group)})" if present(row.group) else ""
    return sentence(text_of(row.item)) + answer + group


def result_texts(row, smallest_count: int) -> tuple[str, str, str]:
    """Value, interval and base of a published result, hidden where persons are too few."""
    base = number_text(row.base_count, decimals=0)
    if present(row.base_withheld):
        base = _in_place_of(row.base_withheld, smallest_count)
    if present(row.withheld):
        why = _in_place_of(row.withheld, smallest_count)
        return why if why == words.WITHHELD[row.withheld] else f"skjult ({why})", "", base
    if present(row.share_percent):
        value = percent_text(row.share_percent)
    elif present(row.share):
        value = percent_text(100 * row.share, decimals=0)
    elif present(row.count):
        value = f"{number_text(row.count)} personer"
    else:
        value = ""
    if present(row.text):
        value = f"{value}. {text_of(row.text)}" if value else text_of(row.text)
    interval = interval_text(100 * row.lower_share, 100 * row.upper_share)
    return value, interval, base


def _in_place_of(reason: str, smallest_count: int) -> str:
    """What stands in the place of a count: that it is small, where it is, or why it is hidden."""
    small = reason in ("too_few", "base_too_small")
    return fewer_than(smallest_count) if small else words.WITHHELD[reason]


def comparability_table(pairs: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """What a municipality's surveys can be compared with, and why not.

    Parameters
    ----------
    pairs
        As from ``survey_comparability``.
    municipality
        The municipality.
    """
    is_own = (pairs["municipality_code"] == municipality.code) | (
        pairs["other_municipality_code"] == municipality.code
    )
    own = pairs.loc[is_own]
    rows = []
    for row in own.itertuples():
        first = row.municipality_code == municipality.code
        title = row.title if first else row.other_title
        other = row.other_municipality_name if first else row.municipality_name
        if row.comparison == "over_time":
            against = text_of(row.other_title) if present(row.other_title) else "en senere måling"
        else:
            other_title = row.other_title if first else row.title
            against = f"{text_of(other)}: {text_of(other_title)}"
        rows.append((text_of(title), against, *verdict_text(row)))
    return report_table(
        [
            Column("Undersøkelse", 26),
            Column("Sammenlignet med", 26),
            Column("Kan sammenlignes", 14),
            Column("Hvorfor", 34),
        ],
        rows,
        empty=f"Ingen undersøkelser i {municipality.name} å sammenligne.",
        caption=f"Hva undersøkelsene i {municipality.name} kan sammenlignes med",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def verdict_text(row) -> tuple[str, str]:
    """Whether a pair may be compared, and why."""
    reasons = [HURDLES[code] for code in row.reasons.split("; ") if code]
    if row.comparable:
        count = "ett felles spørsmål" if row.shared_item_count == 1 else None
        count = count or f"{number_text(row.shared_item_count)} felles spørsmål"
        return "ja", sentence(joined_text([count, *reasons]))
    return "nei", sentence(joined_text(reasons))

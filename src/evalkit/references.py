"""Source lines: what a table or figure rests on, short enough to read."""

from __future__ import annotations

import re

import pandas as pd

from evalkit.markdown import Markdown, cited
from evalkit.norwegian import joined_text

__all__ = ["noted", "places_text", "source_line"]

PLACES = {
    "kap.": r"(?i:kap(?:\.|ittel)\s*)",
    "tabell": r"(?i:tabell(?:ene)?\s*)",
    "figur": r"(?i:figur(?:ene)?\s*)",
    "s.": r"(?<![A-Za-zÆØÅæøå])s\.\s*",
}
REMARK = (
    r"(?:\s*\((?![^)]*(?:\bkap|\b[Tt]abell|\b[Ff]igur|\bs\.\s))[^)]*\))?"  # on a numbered place
)
NUMBERS = r"\d[\d.]*(?:\s*[–-]\s*\d[\d.]*)?(?:(?:, | og )\d[\d.]*(?:\s*[–-]\s*\d[\d.]*)?)*"
PASSED_OVER = re.compile(r"(note|fotnote|avsnitt|linje)\s*\d*$|(etter|regnet av)\b")
BETWEEN = re.compile(r"(?:[,;]| og )(?![^(]*\))")  # between places, not within brackets
EMPTY = re.compile(r"\([\s,]*\)|[\s,]+(?=\))")  # what numbers taken out leave in brackets
LISTED = 4  # more places than this are summed up


def places_text(locators: pd.Series) -> str:
    """Places in one source, gathered: ``kap. 6.1 og 6.3, tabell 10–14, s. 39–58``.

    Pages and tables that follow on each other become one range; a range never spans a page or table
    that no locator names. A number keeps the zeros that it begins with. More than four sections are
    named by their chapter. What is neither section, table, figure nor page stands as it is.
    """
    numbers: dict[str, list[str]] = {kind: [] for kind in PLACES}
    others: list[str] = []
    for locator in locators.dropna().drop_duplicates():
        rest = str(locator)
        for kind, mark in PLACES.items():
            for found in re.finditer(mark + f"({NUMBERS})", rest):
                numbers[kind] += re.split(r", | og ", found.group(1).rstrip(".,"))
            rest = re.sub(mark + NUMBERS + REMARK, "", rest)
        for part in BETWEEN.split(EMPTY.sub("", rest)):
            word = part.strip(" .")
            if word.startswith("(") or word.count("(") != word.count(")"):
                word = word.strip(" .()")
            if word and not PASSED_OVER.match(word):
                others.append(word)
    parts = list(dict.fromkeys(others))[:LISTED]
    for kind, found in numbers.items():
        if found:
            texts = chapters(found) if kind == "kap." else ranges(found)
            parts.append(f"{kind} " + joined_text(texts))
    return ", ".join(parts)


def chapters(numbers: list[str]) -> list[str]:
    """Sections in order; their chapters, where the sections are many."""
    distinct = list(dict.fromkeys(number.rstrip(".") for number in numbers))
    if len(distinct) > LISTED:
        return ranges([re.sub(r"\.[\d.]+", "", number) for number in distinct])
    return sorted(distinct, key=lambda n: [int(part) for part in re.findall(r"\d+", n)])


def ranges(numbers: list[str]) -> list[str]:
    """Numbers and ranges in order, neighbours merged: 3, 4–5, 5 and 9 become 3–5 and 9.

    A number that begins with a zero (Statistics Norway's table 05065) is a name: it stays as it is
    and is no part of a range.
    """
    named = [number for number in dict.fromkeys(numbers) if number.startswith("0")]
    spans = []
    for number in numbers:
        if number not in named:
            limits = [int(part) for part in re.findall(r"\d+", number)]
            spans.append((limits[0], limits[-1]))
    merged: list[list[int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return [*named, *(str(a) if a == b else f"{a}–{b}" for a, b in merged)]


def source_line(*frames: pd.DataFrame) -> Markdown | None:
    """The line under a table or figure: ``Kilde: @nf2024, tabell 9, s. 45.``

    Parameters
    ----------
    frames
        Tables with ``source`` and ``locator``; also ``other_``, ``value_`` and ``population_``
        before these names. Rows without a source are passed over.

    Returns
    -------
    Markdown or None
        With citation keys; ``None`` if no row names a source.
    """
    pairs = [
        frame[[column, column.removesuffix("source") + "locator"]].set_axis(
            ["source", "locator"], axis=1
        )
        for frame in frames
        for column in frame.columns
        if column == "source" or column in ("other_source", "value_source", "population_source")
    ]
    pairs = [pair.astype(object).dropna(subset="source") for pair in pairs]
    pairs = [pair for pair in pairs if len(pair)]
    if not pairs:
        return None
    every = pd.concat(pairs)
    named = []
    for source, group in every.groupby("source", sort=False):
        places = places_text(group["locator"])
        named.append(Markdown.of(cited(source), f", {places}" if places else ""))
    listed = Markdown("; ".join(named))
    return Markdown.of("Kilde: " if len(named) == 1 else "Kilder: ", listed, ".")


def noted(note: str | None, source: Markdown | None) -> str | None:
    """A note of text, and the source line after it; either may be missing."""
    return Markdown.of(note, " ", source) if note and source else note or source

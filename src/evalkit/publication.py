"""Everything that a study shows of its counts, put together and attacked as a reader could.

Each result is protected where it is made. A reader has all of them: every municipality, wave and
service, the areas that hold them all, and the changes from which counts can be worked out. Here
they become tables that meet in their cells, for one audit of the whole study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from evalkit.coding import theme_matrix
from evalkit.disclosure import THRESHOLD, TOTAL, CountTable, Relation, audit, protect_shares
from evalkit.groups import in_blocks
from evalkit.indicators import yearly_values
from evalkit.linkage import survey_linkage
from evalkit.municipality_changes import present_day_values
from evalkit.preparation import (
    answers_by_wave,
    coded_units,
    counts_behind,
    county_codes,
    county_of,
    crosswalk_by_wave,
    in_both_waves,
    indicator_noise,
    indicator_totals,
    pairs_behind,
    protected_changes,
    protected_indicators,
    protected_side_by_side,
)
from evalkit.protected_surveys import (
    EVERY,
    MUNICIPALITIES_AT_ONCE,
    no_fewer_than_answers,
    protected_survey,
    published_counts,
    respondents_by_service,
    response_counts,
)
from evalkit.reasons import HIDING
from evalkit.small_counts import is_small, least_small
from evalkit.survey import share_change

__all__ = [
    "Publication",
    "audit_publication",
    "hidden_summary",
    "publication_tables",
    "study_publication",
    "survey_publication",
]

Waves = tuple[int, int]
STAFF = "staff_survey"
YEARLY = ["indicator_id", "year"]
ASKED = ["municipality_code", "item"]


@dataclass(frozen=True)
class Publication:
    """The results of a study as they are shown: what is hidden is missing.

    Attributes
    ----------
    answers
        Answers as from ``protected_survey``, of all municipalities and waves.
    responses
        Response rates as from ``protected_survey``.
    side_by_side
        By wave, as from ``protected_side_by_side``.
    changes
        By the waves before and after, as from ``protected_changes``, with ``linkage``.
    themes
        As from ``theme_matrix``, protected.
    values
        As from ``protected_indicators``, without those that have nothing to find out: years of an
        indicator in which no count is hidden or small, and, where no area sums the
        municipalities, counts beside the hidden ones and what is hidden alike.
    other_values
        How many values there are besides, by ``reason``; an empty one for those that are shown.
    totals
        As from ``protected_indicators``: counts of counties and of the area that holds all.
    others
        By kind of survey other than the staff survey, what is shown of it: answers, response
        rates, comparisons and changes.
    noise
        How far the counts of indicators may be from the true ones, as from ``indicator_noise``.
    """

    answers: pd.DataFrame | None = None
    responses: pd.DataFrame | None = None
    side_by_side: Mapping[int, pd.DataFrame] = field(default_factory=dict)
    changes: Mapping[Waves, pd.DataFrame] = field(default_factory=dict)
    themes: pd.DataFrame | None = None
    values: pd.DataFrame | None = None
    totals: pd.DataFrame | None = None
    other_values: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, Publication] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)


def survey_publication(
    *,
    answers: Iterable[pd.DataFrame],
    surveys: pd.DataFrame,
    services: pd.DataFrame,
    crosswalk: pd.DataFrame,
    threshold: int = THRESHOLD,
) -> Publication:
    """All that a study may show of its surveys, protected.

    Parameters
    ----------
    answers
        The study's answers in one or more parts, each with all answers of its municipalities,
        as from ``processed_parts``: so they need not all be in memory at once.
    surveys, services, crosswalk
        The study's tables; ``services`` is ``survey_services``. What it does not have is empty.
    threshold
        Smallest count that may be shown.

    Returns
    -------
    Publication
        Every wave side by side; from the first wave to every other the change, of each municipality
        as ``surveys`` declares its ``linkage``: no report shows more than this.
        So of the staff surveys and, in ``others``, of every other kind of survey with answers.
    """
    kinds = [STAFF, *sorted(set(surveys["kind"]) - {STAFF})]
    invited = {kind: respondents_by_service(surveys, services, kind=kind) for kind in kinds}
    asked = {kind: crosswalk_by_wave(crosswalk, surveys, kind=kind) for kind in kinds}
    protected: dict[str, list[Publication]] = {kind: [] for kind in kinds}
    for part in answers:
        codes = part["municipality_code"].unique()
        for kind in kinds:
            given = answers_by_wave(part, surveys, kind=kind)
            if len(given) or kind == STAFF:
                own = invited[kind].loc[invited[kind]["municipality_code"].isin(codes)]
                protected[kind].append(
                    _protected_part(given, own, asked[kind], surveys, kind, threshold)
                )
    shown = {kind: _together(parts, asked[kind]) for kind, parts in protected.items() if parts}
    return replace(shown.pop(STAFF), others=shown)


def _protected_part(
    given: pd.DataFrame,
    invited: pd.DataFrame,
    asked: pd.DataFrame,
    surveys: pd.DataFrame,
    kind: str,
    threshold: int,
) -> Publication:
    """What is shown of some municipalities' surveys of a kind."""
    shown, rates = protected_survey(given, invited, threshold=threshold)
    waves = sorted(asked["wave"].unique())
    changes = {}
    for after in waves[1:]:
        pair = (waves[0], after)
        declared = survey_linkage(surveys, before=pair[0], after=after, kind=kind)
        changes[pair] = _changes(given, shown, asked, declared, pair, threshold)
    return Publication(answers=shown, responses=rates, changes=changes)


def _together(parts: Sequence[Publication], asked: pd.DataFrame) -> Publication:
    """All municipalities' surveys of a kind, every wave side by side."""
    every = pd.concat([part.answers for part in parts], ignore_index=True)
    return Publication(
        answers=every,
        responses=pd.concat([part.responses for part in parts], ignore_index=True),
        side_by_side={
            wave: protected_side_by_side(every, crosswalk=asked, wave=wave)
            for wave in sorted(asked["wave"].unique())
        },
        changes={
            pair: pd.concat([part.changes[pair] for part in parts], ignore_index=True)
            for pair in parts[0].changes
        },
    )


def _changes(
    given: pd.DataFrame,
    protected: pd.DataFrame,
    asked: pd.DataFrame,
    declared: pd.DataFrame,
    pair: Waves,
    threshold: int,
) -> pd.DataFrame:
    before, after = pair
    own = asked.loc[asked["municipality_code"].isin(given["municipality_code"].unique())]
    given = in_both_waves(given, before=before, after=after)
    return protected_changes(
        share_change(given, linkage=declared, before=before, after=after, crosswalk=own),
        protected,
        before=before,
        after=after,
        threshold=threshold,
    )


def study_publication(
    survey: Publication,
    *,
    codings: pd.DataFrame,
    observations: pd.DataFrame | Iterable[pd.DataFrame],
    mergers: pd.DataFrame,
    areas: pd.DataFrame,
    threshold: int = THRESHOLD,
    noise: pd.DataFrame | None = None,
) -> Publication:
    """All that a study may show of its surveys, codings and indicators, protected.

    Parameters
    ----------
    survey
        As from ``survey_publication``.
    codings, observations
        The study's tables; what it does not have is empty. Observations may come some
        indicators at a time, as from ``observation_parts``.
    mergers
        Changes of municipalities: values are shown for those of today.
    areas
        Rows of ``AreasTable``: the areas among the observations that sum municipalities, such as
        counties and the area that holds all; empty where there is none.
    threshold
        Smallest count that may be shown.
    noise
        Rows of ``NoiseTable``, if the study has any.
    """
    units = coded_units(codings)
    documents = units[["document", "municipality_code"]].drop_duplicates()
    values, totals, others = [], [], Counter()
    widths: dict[str, float] = {}
    for part in [observations] if isinstance(observations, pd.DataFrame) else observations:
        of_today = present_day_values(yearly_values(part), mergers, splits="refuse")
        existing = of_today.loc[of_today["basis"] != "refused"]  # before a split: no count
        of_part = indicator_noise(part, noise)
        widths |= of_part
        shown, sums = protected_indicators(
            existing,
            totals=indicator_totals(part, areas=areas),
            threshold=threshold,
            noise=of_part,
        )
        telling = _telling(shown, sums, threshold)
        values.append(shown.loc[telling])
        totals.append(sums)
        others.update(shown.loc[~telling, "reason"].fillna(""))
    return replace(
        survey,
        themes=None
        if units.empty
        else protect_shares(
            theme_matrix(units.drop(columns="municipality_code"), documents).assign(
                lower=None, upper=None
            ),
            dimensions=("municipality_code",),
            of=("code",),
            threshold=threshold,
        ),
        values=pd.concat(values, ignore_index=True),
        totals=pd.concat(totals, ignore_index=True),
        other_values=others,
        noise=widths,
    )


def publication_tables(
    published: Publication, *, threshold: int = THRESHOLD
) -> tuple[list[CountTable], list[Relation]]:
    """What is shown, as tables of counts, and the sums between them.

    Parameters
    ----------
    published
        The results; those of ``others`` are tables of their own, which no sum joins to these.
    threshold
        Smallest count that may be shown. Of indicators, only years with a hidden or smaller count
        are taken along: the others have nothing to find out.

    Returns
    -------
    tuple of list
        Tables, and the sums that no single table holds. A share stands as the count it gives
        away, a change as the counts before and after. Of those who could be followed, the rest of
        the wave's answers are a group too, found by subtraction.
    """
    tables: list[CountTable] = []
    relations: list[Relation] = []
    if published.answers is not None:
        tables.append(published_counts(published.answers))
    if published.responses is not None:
        responses = response_counts(published.responses)
        relations += no_fewer_than_answers(responses, published.answers)
        tables += responses
    for wave, shares in published.side_by_side.items():
        tables.append(_agreements(shares.assign(wave=wave)))
    for waves, changes in published.changes.items():
        known = changes["value"].notna()
        linked = changes["linkage"] == "linked"
        sides = [
            changes[ASKED].assign(wave=wave, linked=linked, **own.where(known))
            for wave, own in zip(waves, counts_behind(changes), strict=True)
        ]
        tables += [_agreements(side.loc[~linked]) for side in sides]
        if not linked.any():
            continue
        group = f"followed_{waves[0]}_{waves[1]}"
        followed = [_followed(side.loc[linked], tables, group) for side in sides]
        relations += _same_persons(followed, group)
        tables.append(_pairs(changes.loc[linked & known], waves))
        tables += followed
    if published.themes is not None:
        tables += _theme_tables(published.themes)
    if published.values is not None and len(published.values):
        tables += _indicator_tables(published.values, published.totals, threshold, published.noise)
    return tables, relations


def audit_publication(published: Publication, *, threshold: int = THRESHOLD) -> pd.DataFrame:
    """What a reader can work out about the hidden counts from all that a study shows.

    Parameters
    ----------
    published
        The results.
    threshold
        Smallest count that may be shown.

    Returns
    -------
    DataFrame
        As from ``audit``, for ``require_safe``: one row per hidden count, and one, unsafe, per
        count under the threshold that is shown. A cell of another survey than the staff survey
        begins with its kind.
    """
    found = [
        rows.assign(cell=kind + ": " + rows["cell"].astype(str))
        for kind, other in published.others.items()
        for rows in [audit_publication(other, threshold=threshold)]
    ]
    for part in _apart(published):
        tables, relations = publication_tables(part, threshold=threshold)
        found.append(audit(tables, threshold=threshold, relations=relations))
        found.append(_shown_small(tables, threshold))
    return pd.concat(found, ignore_index=True)


def _apart(published: Publication) -> Iterator[Publication]:
    """Parts that no sum connects: answers are never summed over municipalities."""
    yield replace(published, answers=None, responses=None, side_by_side={}, changes={}, others={})
    if published.answers is None:
        return
    for block in in_blocks(published.answers, "municipality_code", size=MUNICIPALITIES_AT_ONCE):
        codes = block["municipality_code"].unique()

        def own(results: Mapping, codes: np.ndarray = codes) -> dict:
            return {
                key: rows.loc[rows["municipality_code"].isin(codes)]
                for key, rows in results.items()
            }

        responses = published.responses
        if responses is not None:
            responses = responses.loc[responses["municipality_code"].isin(codes)]
        yield Publication(
            answers=block,
            responses=responses,
            side_by_side=own(published.side_by_side),
            changes=own(published.changes),
        )


def hidden_summary(published: Publication, audited: pd.DataFrame) -> pd.DataFrame:
    """How many results are hidden in each kind of result, and how well.

    Parameters
    ----------
    published
        The results.
    audited
        From ``audit_publication``.

    Returns
    -------
    DataFrame
        One row per ``kind`` (``responses``, ``answers``, ``changes``, ``themes`` or ``values``; of
        surveys of others than staff ``other_responses`` and ``other_answers``) and ``reason`` of hiding: ``hidden_count``; with ``shown_count`` of the kind and, of all kinds together,
        ``audited_count`` and ``fewest_values``: how many values even the least well hidden
        count may have (missing where nothing is hidden).
    """
    blocks = {
        "responses": [published.responses],
        "answers": [published.answers],
        "other_responses": [other.responses for other in published.others.values()],
        "other_answers": [other.answers for other in published.others.values()],
        "changes": [
            changes
            for one in (published, *published.others.values())
            for changes in one.changes.values()
        ],
        "themes": [published.themes],
        "values": [published.values, published.totals],
    }
    elsewhere = {"values": published.other_values}
    rows = []
    for kind, results in blocks.items():
        given = [result for result in results if result is not None]
        if not given:
            continue
        reasons = pd.concat([result["reason"] for result in given], ignore_index=True)
        counts = Counter(reasons.fillna("")) + Counter(elsewhere.get(kind, {}))
        rows += [(kind, reason, counts[reason], counts[""]) for reason in HIDING]
    summary = pd.DataFrame(rows, columns=["kind", "reason", "hidden_count", "shown_count"])
    widths = audited.loc[audited["needed_width"] > 0, "width"].replace(float("inf"), float("nan"))
    return summary.assign(audited_count=len(audited), fewest_values=widths.min() + 1)


def _agreements(shares: pd.DataFrame) -> CountTable:
    """Those who agree, and all: cells of the table of answers."""
    rows = shares.drop_duplicates(EVERY)
    cells = pd.concat(
        [
            rows[EVERY].assign(answer_class=answer, count=rows[column].astype(float))
            for answer, column in (("agree", "count"), (TOTAL, "base"))
        ]
    )
    return CountTable(cells.dropna(), [*EVERY, "answer_class"], "answers", complete=False)


def _followed(side: pd.DataFrame, tables: Sequence[CountTable], group: str) -> CountTable:
    """Those who could be followed and the rest of their wave, by whether they agree."""
    rows = side.drop_duplicates(EVERY)
    known = pd.concat([table.counts() for table in tables]).groupby(level=0).max()
    cells = rows[EVERY].merge(pd.DataFrame({"answer_class": ["agree", TOTAL]}), how="cross")
    names = CountTable(cells, [*EVERY, "answer_class"], "answers").names()
    every = known.reindex(names).to_numpy()
    yes = rows[["count", "base"]].to_numpy(dtype=float).ravel()
    cells = pd.concat(
        [
            cells.assign(**{group: part, "count": counts})
            for part, counts in (("yes", yes), ("no", every - yes), (TOTAL, every))
        ]
    )
    keys = [*EVERY, group]
    wide = cells.pivot(index=keys, columns="answer_class", values="count")
    others = (wide[TOTAL] - wide["agree"]).rename("count").reset_index()
    cells = pd.concat([cells, others.assign(answer_class="not_agree")], ignore_index=True)
    everybody = cells.loc[
        (cells["answer_class"] == TOTAL) & (cells[group] == "no") & (cells["count"] == 0), EVERY
    ]
    nobody = pd.MultiIndex.from_frame(cells[EVERY]).isin(pd.MultiIndex.from_frame(everybody))
    cells = cells.loc[~(nobody & (cells[group] == "no"))].reset_index(drop=True)
    return CountTable(cells, [*EVERY, "answer_class", group], "answers")


def _pairs(changes: pd.DataFrame, waves: Waves) -> CountTable:
    """Those who could be followed, by whether they agreed before and after."""
    wide = changes[ASKED].assign(**pairs_behind(changes)).drop_duplicates(ASKED)
    long = wide.melt(ASKED, var_name="pair", value_name="count").dropna()
    return CountTable(long, [*ASKED, "pair"], f"pairs of waves {waves[0]} and {waves[1]}")


def _same_persons(followed: Sequence[CountTable], group: str) -> list[Relation]:
    """Those who could be followed are as many in both waves."""
    pairs = []
    for table in followed:
        rows = table.cells.loc[
            (table.cells["answer_class"] == TOTAL) & (table.cells[group] == "yes"), ASKED
        ]
        pairs.append(rows.assign(cell=table.names()[rows.index]).set_index(ASKED)["cell"])
    return [
        Relation({first: 1.0, second: -1.0})
        for first, second in zip(pairs[0], pairs[1].loc[pairs[0].index], strict=True)
    ]


def _theme_tables(matrix: pd.DataFrame) -> Iterator[CountTable]:
    """Documents with and without each theme; all themes of a place have the same base."""
    for code, rows in matrix.groupby("code", sort=True):
        yield _shares_of(rows, f"theme_{code}", of="documents")


def _telling(values: pd.DataFrame, sums: pd.DataFrame, threshold: int) -> pd.Series:
    """Whether a reader may find out something of a hidden or small count from a value.

    With an area that sums the municipalities, all values of the year may tell; else the value
    alone, and of those that are alike, one is enough.
    """
    count, base = values["numerator"], values["denominator"]
    hidden = count.isna() & values["reason"].notna()
    own = hidden | is_small(count, threshold) | is_small(base - count, threshold)
    year = values.groupby(YEARLY, sort=False).ngroup()
    of_year = values.loc[~year.duplicated(), YEARLY].reset_index(drop=True)
    summed = pd.MultiIndex.from_frame(of_year).isin(pd.MultiIndex.from_frame(sums[YEARLY]))
    together = pd.Series(summed[year.to_numpy()], index=values.index)
    alike = values.loc[own, ["numerator", "denominator", "reason"]].duplicated()
    alike = alike.reindex(values.index, fill_value=False)
    return own.groupby(year).transform("any").where(together, own & ~alike)


def _indicator_tables(
    values: pd.DataFrame,
    totals: pd.DataFrame | None,
    threshold: int,
    noise: Mapping[str, float],
) -> Iterator[CountTable]:
    """Counts and bases of an indicator in a year, with the county and the area that holds all."""
    columns = {"numerator": "count", "denominator": "base"}
    counted = values.loc[values["numerator"].notna() | values["reason"].notna()]
    every = counted.rename(columns=columns)[
        [*YEARLY, "municipality_code", *columns.values(), "reason"]
    ]
    if totals is not None and len(totals):
        sums = totals.rename(columns=columns).assign(
            municipality_code=county_codes(totals).fillna(TOTAL), reason=totals.get("reason")
        )
        told = sums["count"].notna() | sums["reason"].notna()  # others have never had a count
        every = pd.concat([every, sums.loc[told, every.columns]])
    parents = county_of(values["municipality_code"])
    touched = every["count"].isna().groupby([every[key] for key in YEARLY]).transform("any")
    small = is_small(every["count"], threshold)
    small |= is_small(every["base"] - every["count"], threshold)
    for (indicator, year), rows in every.loc[touched | small].groupby(YEARLY, sort=True):
        yield _shares_of(
            rows,
            "answer",
            of=f"{indicator} {year}",
            parents=parents,
            noise=noise.get(indicator, 0.0),
        )


def _shares_of(
    rows: pd.DataFrame,
    name: str,
    *,
    of: str,
    parents: Mapping[str, str] | None = None,
    noise: float = 0.0,
) -> CountTable:
    """Those who did, those who did not and all, by municipality."""
    cells = pd.concat(
        [
            rows[["municipality_code"]].assign(
                **{name: part, "count": counts.astype(float), "noise": width},
                reason=rows["reason"].where(
                    rows["reason"].isin(["base_too_small", "can_be_derived"])
                ),
            )
            for part, counts, width in (
                ("yes", rows["count"], noise),
                ("no", rows["base"] - rows["count"], 2 * noise),
                (TOTAL, rows["base"], noise),
            )
        ],
        ignore_index=True,
    )
    place = "municipality_code"
    return CountTable(cells, (place, name), of, parents={place: parents or {}}, exact=(name,))


def _shown_small(tables: list[CountTable], threshold: int) -> pd.DataFrame:
    """Counts under the threshold that are shown, as rows of an audit that failed."""
    counts = pd.concat([table.counts() for table in tables]) if tables else pd.Series(dtype=float)
    small = counts.loc[is_small(counts, threshold)].groupby(level=0).min()
    return pd.DataFrame(
        {
            "cell": small.index,
            "lower": small.to_numpy(),
            "upper": small.to_numpy(),
            "width": 0.0,
            "needed_width": float(threshold - 1 - least_small(threshold)),
            "safe": False,
        }
    )

"""A returned Word draft: comments and changes, each with its place, without the name of who made it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evalkit.archives import apart
from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import DataError
from evalkit.municipalities import Municipality
from evalkit.word_drafts import Passage, WordDraft, WordEntry, joined, read_word_draft

__all__ = ["ReturnedDraft", "new_validations", "read_feedback"]

SAID = ["kind", "section", "row", "passage", "before", "text"]
COLUMNS = [*SAID, "author", "made", "belongs_to"]


@dataclass(frozen=True)
class ReturnedDraft:
    """What a returned file holds: its title and subtitle, and one row per comment or change.

    ``entries`` has, in the order of the document, ``kind`` (a word of ``FEEDBACK_KINDS``),
    ``section`` (its heading), ``row`` (table and row, or blank), ``passage`` (the paragraph or
    cell as it was sent), ``before`` (the words commented on or taken out), ``text`` (the
    comment, or the words put in), ``author`` (a number within the file, never a name), ``made``
    (the day) and ``belongs_to`` (the row, counted from 1, of the comment that a reply answers, or
    of the place that moved words were taken from). ``unread`` says, a line each, what the file
    holds that no row tells.
    """

    title: str
    subtitle: str
    entries: pd.DataFrame
    unread: tuple[str, ...] = ()


def read_feedback(path: str | Path, *, sent: str | Path | None = None) -> ReturnedDraft:
    """Comments and changes of a Word file, by section and table row.

    Parameters
    ----------
    path
        A ``.docx`` file.
    sent
        The draft as it was sent. What differs from it beside the tracked changes becomes a row of
        its own kind, ``untracked``, with the passage as it was sent; such a change has no author
        and no day.

    Raises
    ------
    DataError
        If a file is missing, is not a Word document, or is larger than a report.
    """
    returned = _draft(path)
    entries = list(returned.entries)
    if sent is not None:
        entries += _untracked(_draft(sent).passages, returned.passages)
    number = {id(entry): place for place, entry in enumerate(entries, start=1)}
    rows = [_cells(entry, number) for entry in entries]
    return ReturnedDraft(
        title=returned.title,
        subtitle=returned.subtitle,
        entries=pd.DataFrame(rows, columns=COLUMNS, dtype="str"),
        unread=tuple(returned.unread),
    )


def _draft(path: str | Path) -> WordDraft:
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not there; expected a Word file")
    return apart(read_word_draft, path)


def _cells(entry: WordEntry, number: dict[int, int]) -> tuple[str | None, ...]:
    other = number.get(id(entry.belongs_to)) if entry.belongs_to else None
    texts = (entry.passage.text, joined(entry.before), joined(entry.text))
    cells = (entry.kind, entry.section, entry.row, *texts, entry.author, entry.made, other)
    return tuple(str(cell) if cell else None for cell in cells)


def _untracked(sent: list[Passage], returned: list[Passage]) -> Iterator[WordEntry]:
    """What differs between the passages of two drafts, both as they were sent."""
    texts = [passage.text for passage in sent], [passage.text for passage in returned]
    for tag, first, last, begun, ended in difflib.SequenceMatcher(
        None, *texts, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            continue
        pairs = min(last - first, ended - begun)
        for old, new in zip(sent[first : first + pairs], returned[begun:], strict=False):
            before, text = _words_that_differ(old.text, new.text)
            yield _difference(old, before, text)
        for old in sent[first + pairs : last]:
            yield _difference(old, old.text, "")
        for new in returned[begun + pairs : ended]:
            yield _difference(Passage(new.section, new.row), "", new.text)


def _difference(passage: Passage, before: str, text: str) -> WordEntry:
    return WordEntry(
        "untracked", passage.section, passage.row, passage, before=[before], text=[text]
    )


def _words_that_differ(old: str, new: str) -> tuple[str, str]:
    """The words of each between those that both begin and end with."""
    left, right = old.split(), new.split()
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    tail = 0
    while tail < min(len(left), len(right)) - same and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    return " ".join(left[same : len(left) - tail]), " ".join(right[same : len(right) - tail])


def new_validations(
    entries: pd.DataFrame,
    *,
    logged: pd.DataFrame,
    municipality: Municipality,
    received: str,
    round_number: int | None = None,
) -> pd.DataFrame:
    """The comments and changes that a study has not logged yet, as rows of ``ValidationsTable``.

    What the municipality has said before, word for word in the same place, is passed over: the
    same file read twice adds nothing.

    Parameters
    ----------
    entries
        From `read_feedback`.
    logged
        Rows of ``ValidationsTable`` that the study holds.
    municipality
        The municipality that returned the draft.
    received
        The day the file came, such as ``2026-11-22``.
    round_number
        The round; by default the one after the municipality's last.

    Returns
    -------
    DataFrame
        Rows to append, ``answer`` blank; ``source`` is the key of the round's own source.

    Raises
    ------
    DataError
        If the round is not 1 or later.
    """
    own = logged.loc[logged["municipality_code"] == municipality.code]
    if round_number is None:
        round_number = 1 if own.empty else int(own["round"].max()) + 1
    if round_number < 1:
        raise DataError(f"round {round_number}; expected 1 or later")
    said = entries[SAID].astype(object).fillna("").reset_index(drop=True)
    occurrence = said.groupby(SAID).cumcount()
    ids = [
        f"{municipality.slug}-{_digest([*entry, str(time)])}"
        for entry, time in zip(said.itertuples(index=False), occurrence, strict=True)
    ]
    rows = [
        {
            "validation_id": own,
            "municipality_code": municipality.code,
            "round": round_number,
            "received": received,
            **entry,
            "belongs_to": ids[int(entry["belongs_to"]) - 1] if entry["belongs_to"] else None,
            "answer": None,
            "source": f"{municipality.slug}{received[:4]}-validering-{round_number}",
            "locator": f"nr. {number}",
        }
        for number, (own, entry) in enumerate(zip(ids, _records(entries), strict=True), start=1)
    ]
    table = pd.DataFrame(rows, columns=list(columns_of(CONTRACTS["validations"])))
    return table.loc[~table["validation_id"].isin(logged["validation_id"])].reset_index(drop=True)


def _records(entries: pd.DataFrame) -> list[dict[str, str | None]]:
    known = entries.reindex(columns=COLUMNS).astype(object)
    return known.where(known.notna(), None).to_dict("records")


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()

"""A returned Word draft: comments and tracked changes, each with its place, without who made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import DataError
from evalkit.municipalities import Municipality
from evalkit.programs import run_pandoc

__all__ = ["ReturnedDraft", "new_validations", "read_feedback"]

COLUMNS = ["kind", "section", "row", "passage", "before", "text"]
KINDS = ("insertion", "deletion")
HOLDS_INLINES = {"Span", "Link", "Image", "Cite", "Quoted"}


@dataclass(frozen=True)
class ReturnedDraft:
    """What a returned file holds: its title and subtitle, and one row per comment or change.

    ``entries`` has, in the order of the document, ``kind`` (comment, insertion, deletion),
    ``section`` (its heading), ``row`` (table and row, or blank), ``passage`` (the paragraph or
    cell as it was sent), ``before`` (the words commented on or taken out) and ``text`` (the
    comment, or the words put in).
    """

    title: str
    subtitle: str
    entries: pd.DataFrame


def read_feedback(path: str | Path) -> ReturnedDraft:
    """Comments and tracked changes of a Word file, by section and table row.

    Names of those who wrote them are not read.

    Parameters
    ----------
    path
        A ``.docx`` file.

    Raises
    ------
    DataError
        If the file is missing or is not a Word document.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not there; expected a returned Word file")
    done = run_pandoc(["--from=docx", "--to=json", "--track-changes=all", "--sandbox", path])
    if done.returncode:
        raise DataError(f"{path} cannot be read as a Word document (.docx)")
    document = json.loads(done.stdout)
    reader = _Reader()
    reader.blocks(document["blocks"])
    return ReturnedDraft(
        title=_meta_text(document["meta"].get("title")),
        subtitle=_meta_text(document["meta"].get("subtitle")),
        entries=pd.DataFrame(
            [entry.cells() for entry in reader.entries if entry.says_something()],
            columns=COLUMNS,
            dtype="str",
        ),
    )


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
    numbered = entries.astype(object).fillna("").reset_index(drop=True)
    occurrence = numbered.groupby(COLUMNS).cumcount()
    rows = [
        {
            "validation_id": f"{municipality.slug}-{_digest([*entry, str(time)])}",
            "municipality_code": municipality.code,
            "round": round_number,
            "received": received,
            **{name: text or None for name, text in zip(COLUMNS, entry, strict=True)},
            "answer": None,
            "source": f"{municipality.slug}{received[:4]}-validering-{round_number}",
            "locator": f"nr. {number}",
        }
        for number, (entry, time) in enumerate(
            zip(numbered[COLUMNS].itertuples(index=False), occurrence, strict=True), start=1
        )
    ]
    table = pd.DataFrame(rows, columns=list(columns_of(CONTRACTS["validations"])))
    return table.loc[~table["validation_id"].isin(logged["validation_id"])].reset_index(drop=True)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


@dataclass
class _Entry:
    kind: str
    section: str
    row: str
    passage: list[str]
    before: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def says_something(self) -> bool:
        return bool(_joined(self.before) or _joined(self.text))

    def cells(self) -> tuple[str | None, ...]:
        texts = (self.passage, self.before, self.text)
        shown = (self.section, self.row, *map(_joined, texts))
        return (self.kind, *(text or None for text in shown))


class _Reader:
    """Walks a document once; knows the heading and table row that it is in."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.section = ""
        self.row = ""
        self.caption = ""
        self.passage: list[str] = []
        self.notes: list[list[dict]] = []
        self.commented: dict[str, _Entry] = {}
        self.change: _Entry | None = None

    def blocks(self, blocks: Iterable[dict]) -> None:
        for block in blocks:
            self._block(block["t"], block.get("c"))

    def _block(self, kind: str, content) -> None:
        if kind == "Header":
            self.section = _joined(_as_sent(content[2]))
            self._passage(content[2])
        elif kind in ("Para", "Plain"):
            self._passage(content)
        elif kind == "LineBlock":
            for line in content:
                self._passage(line)
        elif kind == "Table":
            self._table(content)
        elif kind == "BlockQuote":
            self.blocks(content)
        elif kind == "Div":
            self.blocks(content[1])
        elif kind == "Figure":
            self.blocks(content[2])
            self.blocks(content[1][1])
        elif kind in ("BulletList", "OrderedList"):
            for item in content[1] if kind == "OrderedList" else content:
                self.blocks(item)
        elif kind == "DefinitionList":
            for term, definitions in content:
                self._passage(term)
                for definition in definitions:
                    self.blocks(definition)

    def _table(self, content) -> None:
        _, caption, _, head, bodies, foot = content
        self.blocks(caption[1])
        name = self.caption.partition(":")[0] if self.caption.startswith("Tabell") else "Tabell"
        outer = self.row
        for row in head[1]:
            self._row(row, f"{name}, overskriften")
        rows = [row for body in bodies for row in (*body[2], *body[3])] + foot[1]
        for number, row in enumerate(rows, start=1):
            self._row(row, f"{name}, rad {number}")
        self.row = outer

    def _row(self, row, name: str) -> None:
        cells = [cell[4] for cell in row[1]]
        first = _joined(_as_sent(cells[0])) if cells else ""
        self.row = f"{name}: {first}" if first else name
        for blocks in cells:
            self.blocks(blocks)

    def _passage(self, inlines: list[dict]) -> None:
        self.passage, self.change = [], None
        self._inlines(inlines, "")
        self.caption = _joined(self.passage) or self.caption
        notes, self.notes = self.notes, []
        for blocks in notes:
            outer, self.row = self.row, ", ".join(part for part in (self.row, "fotnote") if part)
            self.blocks(blocks)
            self.row = outer

    def _inlines(self, inlines: Iterable[dict], change: str) -> None:
        for inline in inlines:
            kind, content = inline["t"], inline.get("c")
            if kind == "Span":
                self._span(content[0], content[1], change)
            elif kind == "Note":
                self.notes.append(content)
            elif kind in HOLDS_INLINES:
                self._inlines(content[1], change)
            elif isinstance(content, list) and kind not in ("Code", "Math", "RawInline"):
                self._inlines(content, change)
            else:
                self._say(_text_of(kind, content), change)

    def _span(self, attributes, inlines: list[dict], change: str) -> None:
        _, classes, pairs = attributes
        number = dict(pairs).get("id", "")
        made = next((kind for kind in KINDS if kind in classes), None)
        if "comment-start" in classes:
            entry = self._entry("comment")
            entry.text += _as_sent(inlines)
            self.commented[number] = entry
        elif "comment-end" in classes:
            self.commented.pop(number, None)
        elif made:
            if self.change is None or self.change.kind != made:
                self.change = self._entry(made)
            self._inlines(inlines, made)
        else:
            self._inlines(inlines, change)

    def _entry(self, kind: str) -> _Entry:
        entry = _Entry(kind, self.section, self.row, self.passage)
        self.entries.append(entry)
        return entry

    def _say(self, text: str, change: str) -> None:
        for entry in self.commented.values():
            entry.before.append(text)
        if change != "insertion":
            self.passage.append(text)
        if change and self.change:
            (self.change.text if change == "insertion" else self.change.before).append(text)
        elif text:
            self.change = None


def _text_of(kind: str, content) -> str:
    if kind == "Str":
        return content
    if kind in ("Space", "SoftBreak", "LineBreak"):
        return " "
    return content[1] if kind in ("Code", "Math") else ""


def _as_sent(nodes: Iterable) -> list[str]:
    """Words of blocks or inlines, without what was put in and without comments."""
    words: list[str] = []
    for node in nodes:
        kind, content = node["t"], node.get("c")
        if kind == "Span" and {"insertion", "comment-start"} & set(content[0][1]):
            continue
        if kind == "Note" or kind == "Table":
            continue
        if kind in HOLDS_INLINES or kind in ("Div", "OrderedList", "Header"):
            content = content[2] if kind == "Header" else content[1]
        if isinstance(content, list) and kind not in ("Code", "Math", "RawInline", "RawBlock"):
            words += _as_sent(_nodes(content))
            words += [" "] if kind in ("Para", "Plain", "Header") else []
        else:
            words.append(_text_of(kind, content))
    return words


def _nodes(content) -> Iterable[dict]:
    """The nodes of a content, lists of lists laid flat."""
    for part in content:
        if isinstance(part, dict) and "t" in part:
            yield part
        elif isinstance(part, list):
            yield from _nodes(part)


def _meta_text(value: dict | None) -> str:
    return _joined(_as_sent(_nodes([value["c"]]))) if value and "c" in value else ""


def _joined(words: Iterable[str]) -> str:
    """Words with single, plain spaces."""
    return " ".join("".join(words).split())

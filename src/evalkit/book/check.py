"""What must hold in a book before any engine renders it; every breach is told at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalkit.book.config import BookSettings, read_settings
from evalkit.book.extension import STYLES
from evalkit.book.notebooks import Cell
from evalkit.book.source import (
    ATTRIBUTES,
    Breach,
    ChapterSource,
    Line,
    Sources,
    attributes,
    masked,
    read_sources,
)
from evalkit.errors import BookError
from evalkit.facts import PUBLISHED_COUNTS

__all__ = ["Survey", "check_book", "survey_book"]

KINDS = {"fig": "figure", "tbl": "table", "sec": "section", "eq": "equation"}
OTHER_KINDS = ("lst", "thm", "lem", "cor", "prp", "cnj", "def", "exm", "exr", "sol", "rem", "alg")
FORMS = ("billions", "digits", "ei", "ett", "én", "millions", "plain")  # as in facts.lua

HEADING = re.compile(rf"^(#{{1,6}})\s+(.*?)\s*({ATTRIBUTES})?\s*#*\s*$")
DIV = re.compile(rf"^\s*(:{{3,}})\s*(?:({ATTRIBUTES})|([\w.-]+))?\s*:*\s*$")
BRACKETED = re.compile(ATTRIBUTES)
CITATION = re.compile(r"(?<![\w@.+/])-?@(?:\{([^}\s]+)\}|(\w(?:[\w:.#$%&+?<>~/-]*\w)?))")
IMAGE = re.compile(
    r"!\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(\s*([^)\s]+)(?:\s+\"[^\"]*\")?\s*\)(" + ATTRIBUTES + r")?"
)
LINK = re.compile(r"(?<!!)\]\(\s*([^)\s#]*)(#[^)\s]*)?\s*\)")
CAPTION = re.compile(rf"^\s*:\s+\S.*?({ATTRIBUTES})\s*$")
TABLE_CAPTION = re.compile(r"^\s*:\s+\S")
TABLE_LINE = re.compile(r"^\s*(?:\||\+[-=:+]+|-{3,})")
ENDS_A_BLOCK = re.compile(r"^\s*(?:#{1,6}\s|:{3,}|`{3,}|~{3,}|---|\.\.\.|<!--|.*-->\s*$)")
MONTHS = "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember"
DATE_AS_LIST = re.compile(rf"^\s{{0,3}}\d{{1,2}}\.\s+(?:{MONTHS})\b")
CODE_CELL = re.compile(r"^\s*(?:`{3,}|~{3,})\s*\{(python|r|julia|ojs|mermaid|dot)\b")
UNKNOWN_CLASS = re.compile(r"^(?:panel-|columns?$|column-|aside$)")
UNKNOWN_ATTRIBUTES = (
    *("when-profile", "unless-profile", "when-meta", "unless-meta"),
    *("layout", "layout-nrow"),
)
FACT = re.compile(r"\bfact=(?:\"([^\"]*)\"|'([^']*)')")
BIB_KEY = re.compile(r"@\w+\s*\{\s*([^,\s]+)\s*,")
SOURCE_LINE = re.compile(r"\]\{[^}]*\.kilde\b")


@dataclass(frozen=True)
class Place:
    """Where a label stands, and what it names."""

    file: str
    line: int | None
    chapter: str
    kind: str
    numbered: bool
    caption: str = ""
    part: bool = False


@dataclass(frozen=True)
class _Div:
    """A ``:::`` block that is open while its chapter is read."""

    text: str
    classes: tuple[str, ...] = ()
    identifier: str = ""


@dataclass
class Survey:
    """A book's labels in reading order, what points to them, and what is wrong."""

    settings: BookSettings
    sources: Sources
    labels: dict[str, Place] = field(default_factory=dict)
    pointers: list[tuple[Line, str]] = field(default_factory=list)
    pictures: dict[str, Path] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)


def check_book(book_dir: Path) -> None:
    """Check a book's sources and the cells it embeds, whatever engine will render it.

    Parameters
    ----------
    book_dir
        The book's folder, with ``_quarto.yml``, its notebooks already executed.

    Raises
    ------
    BookError
        With every breach, one a line, as ``file:line: what is wrong``: chapters, includes,
        pictures, notebooks or cells that are not there; references, citations, facts and links
        to nothing; labels given twice; pictures without alt text; tables and figures where
        Quarto cannot number them; jumps between heading levels; shortcodes that are not known;
        outputs that fetch scripts from elsewhere.
    """
    survey = survey_book(read_settings(Path(book_dir)))
    raise_breaches(survey.settings.directory, survey.breaches)


def raise_breaches(book_dir: Path, breaches: list[Breach]) -> None:
    """Raise one BookError for all breaches, in the order of their places; nothing without."""
    if not breaches:
        return
    unique = sorted(set(breaches), key=lambda one: (one.file, one.line or 0, one.message))
    listed = "\n".join(f"  {breach}" for breach in unique)
    raise BookError(f"{book_dir} does not fit together:\n{listed}")


def survey_book(settings: BookSettings) -> Survey:
    """Labels, references and breaches of a book; raises nothing about its chapters."""
    survey = Survey(settings, read_sources(settings.directory, settings.chapters))
    survey.breaches += survey.sources.breaches
    _check_settings(survey)
    for chapter in survey.sources.chapters:
        _Chapter(survey, chapter).read()
    _check_notebooks(survey)
    _check_pointers(survey)
    _check_bibliography(survey)
    _check_facts(survey)
    return survey


class _Chapter:
    """Reads one chapter's lines once, and notes what it finds in the survey."""

    def __init__(self, survey: Survey, chapter: ChapterSource) -> None:
        self.survey = survey
        self.chapter = chapter
        self.numbered = chapter.kind != "part"
        self.level = 0
        self.titled = False
        self.divs: list[_Div] = []
        self.texts: list[str] = []

    def breach(self, line: Line, message: str) -> None:
        self.survey.breaches.append(Breach(line.file, line.number, message))

    def read(self) -> None:
        texts = masked(self.chapter.lines)
        pairs = list(zip(self.chapter.lines, texts, strict=True))
        self._front_matter(pairs)
        for line, text in pairs:
            if CODE_CELL.match(line.text):
                self.breach(line, "a code cell in the text; computed results are embedded instead")
            self._line(line, text)
            self.texts.append(text if text.strip() else line.text)
        self._pictures(texts)
        for div in self.divs:
            self.breach(pairs[-1][0], f"a ::: block {div.text} is not closed")
        if not self.titled:
            first = pairs[0][0] if pairs else Line("", self.chapter.file, 1)
            self.breach(first, "no title; the first heading should be `# ...`")

    def _front_matter(self, pairs: list[tuple[Line, str]]) -> None:
        if pairs and pairs[0][1].strip() == "---":
            for number, (_, text) in enumerate(pairs[1:], start=1):
                if text.startswith("title:"):
                    self.titled, self.level = True, 1
                if text.strip() in ("---", "..."):
                    del pairs[: number + 1]
                    return

    def _line(self, line: Line, text: str) -> None:
        heading = HEADING.match(text)
        if line.cell:
            self._cell(line)
        elif heading:
            self._heading(line, heading)
        elif (div := DIV.match(text)) is not None:
            self._div(line, div)
        else:
            for found in BRACKETED.finditer(text):
                self._label(line, found.group(0), text)
            self._table_caption(line, text)
            if DATE_AS_LIST.match(text) and not (self.texts and self.texts[-1].strip()):
                self.breach(line, "a date that opens a paragraph becomes a list; write 20\\. mai")
        self._pointers(line, text)

    def _table_caption(self, line: Line, text: str) -> None:
        before = next((one for one in reversed(self.texts) if one.strip()), "")
        if TABLE_CAPTION.match(text) and TABLE_LINE.match(before) and not CAPTION.match(text):
            self.breach(line, "a table caption without a label; expected {#tbl-...} at its end")

    def _heading(self, line: Line, found: re.Match) -> None:
        if any(name.startswith("callout-") for div in self.divs for name in div.classes):
            return
        before = self.texts[-1] if self.texts else ""
        if before.strip() and not ENDS_A_BLOCK.match(before):
            self.breach(line, "a heading right after text; an empty line is needed between them")
        identifier, classes, _ = attributes(found.group(3) or "{}")
        level = len(found.group(1))
        if level == 1 and self.chapter.kind == "document":
            self.numbered = "unnumbered" not in classes
        elif level == 1 and not self.titled:
            self.titled = True
            if "unnumbered" in classes:
                self.numbered = False
        elif level == 1:
            self.breach(line, "a second title `#` in one chapter; sections begin at `##`")
        if level > self.level + 1 and self.titled and level > 1:
            self.breach(
                line, f"heading level {level} after level {self.level}; a level is left out"
            )
        self.level = level
        if identifier:
            numbered = self.numbered and "unnumbered" not in classes
            self._claim(line, identifier, "sec", numbered, re.sub(ATTRIBUTES, "", found.group(2)))

    def _div(self, line: Line, found: re.Match) -> None:
        if found.group(2) is None and found.group(3) is None:
            if self.divs:
                self._close(self.divs.pop())
            else:
                self.breach(line, "::: closes a block that was not opened")
            return
        text = found.group(2) or "{." + found.group(3) + "}"
        identifier, classes, pairs = attributes(text)
        if identifier:
            self._claim(line, identifier, _kind(identifier), self.numbered, "")
        self.divs.append(_Div(text, tuple(classes), identifier))
        if any(UNKNOWN_CLASS.match(name) for name in classes):
            self.breach(line, f"{text}: panels, columns and margins are not known to both engines")
        for name in UNKNOWN_ATTRIBUTES:
            if name in pairs:
                self.breach(line, f"{text}: {name} is not known to both engines")

    def _close(self, div: _Div) -> None:
        """A labelled block's caption is its last paragraph."""
        place = self.survey.labels.get(div.identifier)
        if place and place.kind in ("fig", "tbl") and not place.caption:
            self.survey.labels[div.identifier] = replace(place, caption=self._last_paragraph())

    def _last_paragraph(self) -> str:
        lines: list[str] = []
        for text in reversed(self.texts):
            if text.strip():
                lines.insert(0, text.strip())
            elif lines:
                break
        return " ".join(lines)

    def _label(self, line: Line, text: str, whole: str) -> None:
        identifier, _, pairs = attributes(text)
        if identifier:
            caption = self._written_caption(whole, text) if identifier.startswith("tbl-") else ""
            self._claim(line, identifier, _kind(identifier), self.numbered, caption)
        if pairs.get("form") and "fact" in pairs and pairs["form"] not in FORMS:
            self.breach(line, f"fact form {pairs['form']!r}; known: {', '.join(FORMS)}")

    def _written_caption(self, whole: str, label: str) -> str:
        lines = [whole.replace(label, "")]
        for text in reversed(self.texts):
            if TABLE_CAPTION.match(lines[0]) or not text.strip():
                break
            lines.insert(0, text)
        return " ".join(line.strip() for line in lines).removeprefix(":").strip()

    def _claim(self, line: Line, identifier: str, kind: str, numbered: bool, caption: str) -> None:
        earlier = self.survey.labels.get(identifier)
        if earlier:
            self.breach(
                line, f"label {identifier} is given twice; first in {earlier.file}:{earlier.line}"
            )
            return
        if kind in ("fig", "tbl") and not self.numbered:
            self.breach(
                line,
                f"{KINDS[kind]} {identifier} in a chapter without number, where Quarto "
                "cannot number it",
            )
        prefix = identifier.split("-")[0]
        if prefix in OTHER_KINDS and "-" in identifier:
            self.breach(line, f"label {identifier}: known kinds are {', '.join(KINDS)}")
        self.survey.labels[identifier] = Place(
            line.file, line.number, self.chapter.file, kind, numbered, caption,
            part=any(_kind(div.identifier) in ("fig", "tbl") for div in self.divs),
        )  # fmt: skip

    def _pointers(self, line: Line, text: str) -> None:
        for span in BRACKETED.finditer(text):
            for found in FACT.finditer(span.group(0)):
                self.survey.pointers.append((line, "fact:" + (found.group(1) or found.group(2))))
        plain = BRACKETED.sub(_blank, text)
        for found in CITATION.finditer(plain):
            key = found.group(1) or found.group(2)
            prefix = key.split("-")[0].lower()
            crossref = "-" in key and (prefix in KINDS or prefix in OTHER_KINDS)
            self.survey.pointers.append((line, ("ref:" if crossref else "cite:") + key))
        for found in LINK.finditer(plain):
            self._link(line, found.group(1), found.group(2) or "")

    def _link(self, line: Line, target: str, anchor: str) -> None:
        if target.endswith(".qmd") or (not target and anchor):
            path = (Path(self.chapter.file).parent / target).as_posix() if target else ""
            files = {chapter.file for chapter in self.survey.sources.chapters}
            if path and path not in files:
                self.breach(line, f"link to {target}, which is no chapter of the book")
                return
            if anchor:
                self.survey.pointers.append((line, f"link:{path}{anchor}"))

    def _pictures(self, texts: list[str]) -> None:
        text = "\n".join(texts)
        for found in IMAGE.finditer(text):
            line = self.chapter.lines[text.count("\n", 0, found.start())]
            source = found.group(2)
            identifier, _, pairs = attributes(found.group(3) or "{}")
            if not (pairs.get("fig-alt") or "").strip():
                self.breach(line, f'picture {source} has no alt text; expected {{fig-alt="..."}}')
            if re.match(r"^(https?:|data:|//)", source):
                self.breach(
                    line, f"picture {source} is fetched from elsewhere; keep it in the book"
                )
                continue
            path = self.survey.settings.directory / Path(self.chapter.file).parent / source
            if not path.resolve().is_relative_to(self.survey.settings.directory.resolve()):
                self.breach(line, f"picture {source} lies outside the book's folder")
            elif not path.is_file():
                self.breach(line, f"picture {source} is not there")
            else:
                self.survey.pictures[source] = path
            if identifier.startswith("fig-") and identifier in self.survey.labels:
                place = self.survey.labels[identifier]
                self.survey.labels[identifier] = replace(place, caption=found.group(1))
            elif found.group(1).strip():
                self.breach(line, f"picture {source} has a caption but no label {{#fig-...}}")

    def _cell(self, line: Line) -> None:
        self.divs.append(_Div(line.cell))
        cell = self.survey.sources.cells[line.cell]
        for message in _cell_breaches(cell):
            self.breach(line, f"{line.cell}: {message}")
        kind = _kind(cell.label)
        caption = str(cell.options.get(f"{kind}-cap") or "")
        if kind in ("fig", "tbl"):
            self._claim(line, cell.label, kind, self.numbered, caption)
        for text in _cell_texts(cell):
            inner = [Line(part, f"{line.file}", line.number) for part in text.splitlines()]
            for part, shown in zip(inner, masked(inner), strict=True):
                for found in BRACKETED.finditer(shown):
                    self._label(part, found.group(0), shown)
                self._pointers(part, shown)


def _blank(found: re.Match) -> str:
    return " " * len(found.group(0))


def _kind(identifier: str) -> str:
    prefix = identifier.split("-")[0]
    return prefix if prefix in KINDS and "-" in identifier else "other"


def _cell_texts(cell: Cell) -> list[str]:
    options = [str(cell.options.get(name) or "") for name in ("tbl-cap", "fig-cap", "kilde")]
    return options + [output.content for output in cell.outputs if output.kind == "markdown"]


def _cell_breaches(cell: Cell) -> list[str]:
    found = []
    if not cell.outputs:
        found.append("shows nothing; run the notebook, and end the cell with what it shows")
    if any(output.kind == "error" for output in cell.outputs):
        found.append("stopped with an error when it was run")
    if cell.options.get("include") is False:
        found.append("has `include: false`, so nothing of it is shown")
    kind = _kind(cell.label)
    if kind in ("fig", "tbl"):
        if not cell.options.get(f"{kind}-cap"):
            found.append(f"has no #| {kind}-cap:")
        if len(cell.outputs) > 1:
            found.append(f"shows {len(cell.outputs)} outputs; a {KINDS[kind]} is one")
    pictures = [output for output in cell.outputs if output.kind in ("svg", "png", "jpg")]
    if pictures and not str(cell.options.get("fig-alt") or "").strip():
        found.append("has no #| fig-alt:")
    if kind == "tbl" and pictures:
        found.append("is labelled as a table but shows a picture")
    written = [output.content for output in cell.outputs if output.kind == "markdown"]
    sources = sum(len(SOURCE_LINE.findall(text)) for text in written)
    if cell.options.get("kilde") and sources:
        found.append("names its source twice: in #| kilde: and in its output")
    return found


def _check_settings(survey: Survey) -> None:
    settings = survey.settings
    messages = []
    if not settings.chapters:
        messages.append("the book lists no chapters")
    if not settings.title:
        messages.append("the book has no title")
    if "evalkit" not in settings.filters:
        messages.append("`filters:` lacks evalkit, which fills in the facts")
    style = settings.csl
    if style and style not in STYLES and not (settings.directory / style).is_file():
        messages.append(f"citation style {style} is not there")
    survey.breaches += [Breach("_quarto.yml", None, message) for message in messages]


def _check_notebooks(survey: Survey) -> None:
    for name, cells in survey.sources.notebooks.items():
        for number, cell in enumerate(cells, start=1):
            if cell.option_error:
                message = f"cell {number} has #| options that are not YAML ({cell.option_error})"
                survey.breaches.append(Breach(name, None, message))
        kinds = sorted({kind for cell in cells for kind in cell.fetching})
        if kinds:
            survey.breaches.append(
                Breach(
                    name, None,
                    f"holds {', '.join(kinds)}, which makes the page fetch scripts from "
                    "elsewhere; show Markdown and SVG",
                )
            )  # fmt: skip


def _check_pointers(survey: Survey) -> None:
    for line, pointer in survey.pointers:
        kind, _, name = pointer.partition(":")
        message = None
        if kind == "ref":
            message = _reference_breach(survey, name)
        elif kind == "link":
            message = _anchor_breach(survey, name, line)
        if message:
            survey.breaches.append(Breach(line.file, line.number, message))


def _reference_breach(survey: Survey, name: str) -> str | None:
    identifier = name[0].lower() + name[1:]
    if identifier.split("-")[0] in OTHER_KINDS:
        return f"@{name}: known kinds of reference are {', '.join(KINDS)}"
    place = survey.labels.get(identifier)
    if place is None:
        return f"@{name} points to nothing"
    if not place.numbered:
        return f"@{name} points to {place.file}, which has no number; write a link instead"
    return None


def _anchor_breach(survey: Survey, name: str, line: Line) -> str | None:
    file, _, anchor = name.partition("#")
    place = survey.labels.get(anchor)
    if place is None:
        headings = _automatic_anchors(survey)
        known = headings.get(file) if file else set().union(*headings.values())
        return None if anchor in (known or set()) else f"link to #{anchor}, which is not there"
    if file and place.chapter != file:
        return f"link to {file}#{anchor}, which stands in {place.chapter}"
    return None


def _automatic_anchors(survey: Survey) -> dict[str, set[str]]:
    anchors: dict[str, set[str]] = {}
    for chapter in survey.sources.chapters:
        found = anchors.setdefault(chapter.file, set())
        for line in chapter.lines:
            heading = HEADING.match(line.text)
            if heading and not attributes(heading.group(3) or "{}")[0]:
                words = re.sub(r"[^\w\s.-]", "", heading.group(2).lower())
                found.add(re.sub(r"\s+", "-", words.strip()).lstrip("0123456789.-_"))
    return anchors


def _check_bibliography(survey: Survey) -> None:
    keys: set[str] = set()
    for name in survey.settings.bibliography:
        path = survey.settings.directory / name
        if not path.is_file():
            survey.breaches.append(Breach("_quarto.yml", None, f"bibliography {name} is not there"))
            continue
        keys |= set(BIB_KEY.findall(path.read_text(encoding="utf-8")))
    cited = [(line, name[5:]) for line, name in survey.pointers if name.startswith("cite:")]
    for line, key in cited:
        if key not in keys:
            survey.breaches.append(
                Breach(line.file, line.number, f"citation @{key} is in no bibliography")
            )
    if cited and "refs" not in survey.labels:
        message = "sources are cited, but no chapter has a place for the references, ::: {#refs}"
        survey.breaches.append(Breach("_quarto.yml", None, message))


def _check_facts(survey: Survey) -> None:
    used = [(line, name[5:]) for line, name in survey.pointers if name.startswith("fact:")]
    path = survey.settings.directory / "facts.json"
    facts: dict = {}
    if path.is_file():
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            survey.breaches.append(Breach("facts.json", None, f"is not JSON: {error}"))
            return
    elif used:
        survey.breaches.append(Breach("facts.json", None, "is not there; run the notebooks first"))
        return
    if PUBLISHED_COUNTS in facts and PUBLISHED_COUNTS not in {name for _, name in used}:
        message = (
            "study.toml shows published counts as published, and no chapter says so; expected "
            f'[]{{fact="{PUBLISHED_COUNTS}"}} where the report tells of method or privacy'
        )
        survey.breaches.append(Breach("_quarto.yml", None, message))
    page = survey.settings.facts_page
    for line, name in used:
        fact = facts.get(name)
        message = None
        if fact is None:
            message = f"fact {name} is not in facts.json"
        elif page and fact.get("source") and f"kilde-{fact['source']}" not in survey.labels:
            message = f"fact {name} has source {fact['source']}, which {page} does not list"
        if message:
            survey.breaches.append(Breach(line.file, line.number, message))

"""Chapters as the engines read them: includes taken in, embedded cells found, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.book.notebooks import Cell, read_notebook
from evalkit.errors import BookError

__all__ = ["Breach", "ChapterSource", "Line", "Sources", "attributes", "masked", "read_sources"]

SHORTCODE = re.compile(r"\{\{<\s*(\S+)\s*(.*?)\s*>\}\}")
FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
ATTRIBUTES = r"\{(?:[^{}\"]|\"[^\"]*\")*\}"


@dataclass(frozen=True)
class Line:
    """One line of a chapter, and where it was written."""

    text: str
    file: str
    number: int
    cell: str | None = None


@dataclass(frozen=True)
class Breach:
    """Something in a book's sources that does not fit: where, and what."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        """The place, then what is wrong there."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


@dataclass
class ChapterSource:
    """A chapter after its includes; embedded cells are lines that hold a cell's key."""

    file: str
    kind: str
    part_before: str | None
    lines: list[Line]


@dataclass
class Sources:
    """Everything a book's text consists of, and what was wrong already while reading it."""

    chapters: list[ChapterSource] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)
    notebooks: dict[str, tuple[Cell, ...]] = field(default_factory=dict)
    embedded: dict[str, list[str]] = field(default_factory=dict)  # labels, by notebook
    breaches: list[Breach] = field(default_factory=list)


def read_sources(book_dir: Path, chapters: tuple) -> Sources:
    """Read chapters with what they include and embed; what is missing is noted, not raised."""
    sources = Sources()
    reader = _Reader(Path(book_dir), sources)
    for chapter in chapters:
        path = Path(book_dir) / chapter.file
        if not path.is_file():
            sources.breaches.append(
                Breach("_quarto.yml", None, f"chapter {chapter.file} is listed but is not there")
            )
            continue
        lines = reader.lines(chapter.file, path.parent, ())
        sources.chapters.append(
            ChapterSource(chapter.file, chapter.kind, chapter.part_before, lines)
        )
    return sources


class _Reader:
    """Takes in includes and embeds; paths count from the chapter's own folder, as in Quarto."""

    def __init__(self, book_dir: Path, sources: Sources) -> None:
        self.book_dir = book_dir
        self.sources = sources

    def lines(self, file: str, folder: Path, within: tuple[str, ...]) -> list[Line]:
        text = (self.book_dir / file).read_text(encoding="utf-8")
        result: list[Line] = []
        fence = None
        for number, line in enumerate(text.splitlines(), start=1):
            fence = _after_fence(line, fence)
            found = None if fence else SHORTCODE.search(line)
            self._outside(line, Line(line, file, number), folder)
            if not found or "{{{<" in line:
                result.append(Line(line, file, number))
                continue
            result += self._shortcode(line, found, Line(line, file, number), folder, within)
        return result

    def _breach(self, at: Line, message: str) -> None:
        self.sources.breaches.append(Breach(at.file, at.number, message))

    def _outside(self, line: str, at: Line, folder: Path) -> None:
        """Note includes from outside the book, in code too, where Quarto takes them in as well."""
        for name, argument in SHORTCODE.findall(line):
            if name == "include" and not self._in_book(folder / argument):
                self._breach(at, f"included file {argument} lies outside the book's folder")

    def _in_book(self, path: Path) -> bool:
        """Whether a path leads to within the book, symbolic links followed."""
        return path.resolve().is_relative_to(self.book_dir.resolve())

    def _shortcode(
        self, line: str, found: re.Match, at: Line, folder: Path, within: tuple[str, ...]
    ) -> list[Line]:
        name, argument = found.group(1), found.group(2)
        if name not in ("include", "embed", "pagebreak"):
            self._breach(at, f"unknown shortcode {name!r}; known: include, embed, pagebreak")
            return []
        if line.strip() != found.group(0):
            self._breach(at, f"{found.group(0)} must stand alone on its line")
            return []
        indent = line[: len(line) - len(line.lstrip())]
        if name == "pagebreak":
            block = ["```{=typst}", "#pagebreak(weak: true)", "```"]
            return [Line(indent + text, at.file, at.number) for text in ["", *block, ""]]
        if name == "include":
            return self._include(argument, at, folder, within)
        return self._embed(argument, at, folder, indent)

    def _include(
        self, argument: str, at: Line, folder: Path, within: tuple[str, ...]
    ) -> list[Line]:
        path = folder / argument
        if not self._in_book(path):
            return []
        if not path.is_file():
            self._breach(at, f"included file {argument} is not there")
            return []
        name = _relative(path, self.book_dir)
        if name in within:
            self._breach(at, f"{argument} includes itself")
            return []
        return self.lines(name, folder, (*within, name))

    def _embed(self, argument: str, at: Line, folder: Path, indent: str) -> list[Line]:
        file, _, label = argument.partition("#")
        path = folder / file
        if " " in argument or not label or "," in label:
            self._breach(at, f"embed {argument!r}; expected one cell, notebook.ipynb#label")
            return []
        if file.startswith("/") or Path(file).name.startswith("_"):
            self._breach(at, f"embed {file}: Quarto takes no leading '/' or '_' in the path")
            return []
        name = _relative(path, self.book_dir)
        self.sources.embedded.setdefault(name, []).append(label)
        if name not in self.sources.notebooks:
            try:
                self.sources.notebooks[name] = read_notebook(path)
            except BookError as error:
                self.sources.notebooks[name] = ()
                self._breach(at, str(error).replace(str(path), name))
                return []
        cells = self.sources.notebooks[name]
        cell = next((cell for cell in cells if cell.label == label), None)
        if cell is None:
            if cells and not any(one.option_error for one in cells):
                known = ", ".join(sorted(cell.label for cell in cells if cell.label))
                self._breach(at, f"{name} has no cell labelled {label}; it has: {known}")
            return []
        key = f"{name}#{label}"
        self.sources.cells[key] = cell
        return [
            Line("", at.file, at.number),
            Line(indent + f'::: {{.evalkit-cell cell="{key}"}}', at.file, at.number, key),
            Line(indent + ":::", at.file, at.number),
            Line("", at.file, at.number),
        ]


def _relative(path: Path, book_dir: Path) -> str:
    try:
        return path.resolve().relative_to(book_dir.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _after_fence(line: str, fence: str | None) -> str | None:
    """The fence that a line is within (its opening and closing line included), or None."""
    found = FENCE.match(line)
    if fence is None:
        return found.group(1) if found else None
    if fence.endswith("/"):
        return found.group(1) if found else None
    closes = found and found.group(1).startswith(fence) and not found.group(2).strip()
    return fence + "/" if closes else fence


def masked(lines: list[Line]) -> list[str]:
    """The lines' text with code, comments and formulas blanked, each as long as before."""
    result, fence = [], None
    for line in lines:
        fence = _after_fence(line.text, fence)
        result.append(" " * len(line.text) if fence else line.text)
    text = "\n".join(result)
    for pattern in (r"<!--.*?-->", r"`[^`\n]+`|\\[^\w\s]", r"\$\$.*?\$\$"):
        text = re.sub(pattern, _blank, text, flags=re.DOTALL)
    return text.split("\n") if lines else []


def _blank(found: re.Match) -> str:
    return re.sub(r"[^\n]", " ", found.group(0))


def attributes(text: str) -> tuple[str, list[str], dict[str, str]]:
    """Id, classes and key-value pairs of a pandoc attribute such as ``{#id .class key="v"}``."""
    identifier, classes, pairs = "", [], {}
    pattern = (
        r"#([^\s}]+)|\.([\w-]+)|([\w:-]+)=(?:\"([^\"]*)\"|'([^']*)'|([^\s}]+))|(?<=\s)(-)(?=\s)"
    )
    for found in re.finditer(pattern, f" {text.strip('{}')} "):
        if found.group(1):
            identifier = found.group(1)
        elif found.group(2):
            classes.append(found.group(2))
        elif found.group(3):
            pairs[found.group(3)] = found.group(4) or found.group(5) or found.group(6) or ""
        elif found.group(7):
            classes.append("unnumbered")
    return identifier, classes, pairs

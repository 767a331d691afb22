"""A book's `_quarto.yml`: its chapters in reading order, its words and its metadata."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from evalkit.errors import BookError

__all__ = ["BookSettings", "Chapter", "document_settings", "read_settings"]

# What Quarto prints for `lang: nb`, with the mended words that every book of ours sets.
WORDS = {
    "fig": ("crossref-fig-prefix", "Figur"),
    "tbl": ("crossref-tbl-prefix", "Tabell"),
    "sec": ("crossref-sec-prefix", "Seksjon"),
    "eq": ("crossref-eq-prefix", "Likning"),
    "ch": ("crossref-ch-prefix", "Kapittel"),
    "apx": ("crossref-apx-prefix", "Vedlegg"),
    "appendices": ("section-title-appendices", "Vedlegg"),
    "contents": ("toc-title-document", "Innhold"),
}
CALLOUTS = {
    "note": "Merk",
    "tip": "Tips",
    "warning": "Advarsel",
    "important": "Viktig",
    "caution": "Forsiktig",
}


@dataclass(frozen=True)
class Chapter:
    """One page of the book: a chapter, a part with a page of its own, or an appendix."""

    file: str
    kind: str
    part_before: str | None = None


@dataclass(frozen=True)
class BookSettings:
    """What `_quarto.yml` says, in the form the engines use."""

    directory: Path
    title: str
    subtitle: str | None
    authors: tuple[str, ...]
    date: str | None
    language: str
    output_file: str
    chapters: tuple[Chapter, ...]
    bibliography: tuple[str, ...]
    csl: str | None
    facts_page: str | None
    filters: tuple[str, ...]
    toc_depth: int
    words: dict
    evalkit: dict
    output_folder: str

    @property
    def timestamp(self) -> datetime.datetime:
        """The moment written into outputs: SOURCE_DATE_EPOCH, else the book's date."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch:
            return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        try:
            day = datetime.date.fromisoformat(self.date or "")
        except ValueError:
            day = datetime.date(2000, 1, 1)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def read_settings(book_dir: Path, *, profile: str | None = None) -> BookSettings:
    """Settings of the book in a folder.

    Parameters
    ----------
    book_dir
        The folder that holds ``_quarto.yml``.
    profile
        Name of a profile: ``_quarto-<profile>.yml`` is laid over the settings, as Quarto does.

    Raises
    ------
    BookError
        If the file is missing, is not YAML, or does not describe a book with chapters.
    """
    book_dir = Path(book_dir)
    raw = _read_yaml(book_dir / "_quarto.yml")
    if profile:
        raw = _merged(raw, _read_yaml(book_dir / f"_quarto-{profile}.yml"))
    book = raw.get("book") or {}
    chapters = _chapters(book, book_dir)
    formats = raw.get("format") or {}
    typst = formats.get("evalkit-typst") or {}
    bibliography = raw.get("bibliography") or []
    return BookSettings(
        directory=book_dir,
        title=_text(book.get("title") or raw.get("title")) or "",
        subtitle=_text(book.get("subtitle") or raw.get("subtitle")),
        authors=_authors(book.get("author") or raw.get("author")),
        date=_date(book.get("date") or raw.get("date")),
        language=str(raw.get("lang") or "nb"),
        output_file=str(book.get("output-file") or book.get("title") or "rapport"),
        chapters=chapters,
        bibliography=tuple([bibliography] if isinstance(bibliography, str) else bibliography),
        csl=raw.get("csl"),
        facts_page=raw.get("facts-page"),
        filters=tuple(str(one) for one in raw.get("filters") or []),
        toc_depth=int(typst.get("toc-depth") or raw.get("toc-depth") or 2),
        words=_words(raw.get("language") or {}),
        evalkit=_own(raw),
        output_folder=str((raw.get("project") or {}).get("output-dir") or "_book"),
    )


def document_settings(book_dir: Path, document: str, *, profile: str) -> BookSettings:
    """Settings of a document of its own, such as one municipality's short report.

    What the document's front matter says goes before the profile, and that before the book.

    Parameters
    ----------
    book_dir
        The folder that holds ``_quarto.yml`` and ``_quarto-<profile>.yml``.
    document
        Name of the ``.qmd`` file in it.
    profile
        Name of the profile.

    Raises
    ------
    BookError
        If a file is missing or is not YAML.
    """
    settings = read_settings(book_dir, profile=profile)
    path = Path(book_dir) / document
    own = _front_matter(path)
    return dataclasses.replace(
        settings,
        title=_text(own.get("title")) or settings.title,
        subtitle=_text(own.get("subtitle")),
        authors=_authors(own.get("author")) or settings.authors,
        date=_date(own.get("date")) or settings.date,
        output_file=path.stem,
        chapters=(Chapter(document, "document"),),
        facts_page=None,
        evalkit=settings.evalkit | _own(own),
    )


def _own(raw: dict) -> dict:
    return {key: str(value) for key, value in (raw.get("evalkit") or {}).items() if value}


def _front_matter(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BookError(f"{path} is missing; expected the document to render") from None
    found = re.match(r"---\s*\n(.*?)\n(?:---|\.\.\.)\s*\n", text, re.DOTALL)
    try:
        value = yaml.safe_load(found.group(1)) if found else {}
    except yaml.YAMLError as error:
        raise BookError(f"{path} has front matter that is not YAML: {error}") from None
    return value if isinstance(value, dict) else {}


def _read_yaml(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BookError(f"{path} is missing; expected a Quarto book's settings") from None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise BookError(f"{path}{line} is not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(value, dict):
        raise BookError(f"{path} holds no settings; expected `project:` and `book:`")
    return value


def _merged(base: dict, over: dict) -> dict:
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def _text(value: object) -> str | None:
    """A title as text: Quarto reads it as Markdown, where a backslash makes a mark a letter."""
    return None if value is None else re.sub(r"\\([^\w\s])", r"\1", str(value))


def _authors(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value] if value else []
    return tuple(str(one.get("name")) if isinstance(one, dict) else str(one) for one in listed)


def _date(value: object) -> str | None:
    if value == "today":
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        moment = (
            datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
            if epoch
            else datetime.datetime.now(datetime.UTC)
        )
        return moment.date().isoformat()
    return None if value is None else str(value)


def _words(language: dict) -> dict:
    words = {key: str(language.get(name, default)) for key, (name, default) in WORDS.items()}
    words["callouts"] = {
        kind: str(language.get(f"callout-{kind}-title", default))
        for kind, default in CALLOUTS.items()
    }
    return words


def _chapters(book: dict, book_dir: Path) -> tuple[Chapter, ...]:
    found: list[Chapter] = []
    pending: list[str] = []

    def add(entry: object, kind: str) -> None:
        if isinstance(entry, str):
            found.append(Chapter(entry, kind, pending.pop() if pending else None))
        elif isinstance(entry, dict) and "part" in entry:
            part = str(entry["part"])
            if part.endswith(".qmd"):
                found.append(Chapter(part, "part"))
            else:
                pending.append(part)
            for below in entry.get("chapters") or []:
                add(below, kind)
        elif isinstance(entry, dict) and ("href" in entry or "file" in entry):
            add(str(entry.get("href") or entry.get("file")), kind)
        else:
            raise BookError(
                f"{book_dir / '_quarto.yml'}: {entry!r} among the chapters; "
                "expected a file name or `part:` with `chapters:`"
            )

    for entry in book.get("chapters") or []:
        add(entry, "chapter")
    for entry in book.get("appendices") or []:
        add(entry, "appendix")
    return tuple(found)

"""One call from a book's folder to its HTML pages and PDF, with either engine."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.book.cache import (
    FOLDER,
    READINGS,
    book_key,
    cited_sources,
    is_current,
    remember,
    remove_half_made,
)
from evalkit.book.check import raise_breaches, survey_book
from evalkit.book.config import BookSettings, read_settings
from evalkit.book.embedded import render_embedded
from evalkit.book.extension import install_extension
from evalkit.book.quarto import render_quarto
from evalkit.book.year_letters import settled_bibliography
from evalkit.errors import BookError
from evalkit.files import flush, naming, remove_leftovers

__all__ = [
    "RenderedBook",
    "checked_engine",
    "checked_formats",
    "count_pages",
    "raise_unmade",
    "render_book",
    "with_banner",
]

FORMATS = ("html", "pdf")
ENGINES = ("auto", "quarto", "embedded")
OUTPUT = "_book"


@dataclass(frozen=True)
class RenderedBook:
    """What a render made: the first HTML page, the PDF and its pages, and warnings."""

    engine: str
    html: Path | None
    pdf: Path | None
    pages: int | None
    warnings: tuple[str, ...] = ()
    unchanged: bool = False


def render_book(
    book_dir: Path,
    *,
    formats: tuple[str, ...] = FORMATS,
    engine: str = "auto",
    banner: str | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RenderedBook:
    """Render a Quarto book to HTML and PDF in its ``_book`` folder.

    The book's sources are checked first (see `check_book`). Output is made in a temporary
    folder and put in place when all of it is there: a build that fails leaves what was there.
    When nothing that the output depends on has changed since the last render, and the output
    is still whole, nothing is rendered.

    Parameters
    ----------
    book_dir
        The book's folder: ``_quarto.yml``, chapters, ``facts.json`` and the executed notebooks.
    formats
        Of ``"html"`` and ``"pdf"``. Quarto renders both whatever is asked.
    engine
        ``"quarto"``, ``"embedded"``, or ``"auto"``: Quarto when it is on the PATH.
    banner
        A mark for every page, such as what is missing from an incomplete report; it stands
        after the label that the book's settings may give.
    force
        Render also when nothing has changed.
    progress
        Called with a sentence as each step begins.

    Returns
    -------
    RenderedBook
        Where the output lies, the number of PDF pages, warnings, and whether it was
        ``unchanged``.

    Raises
    ------
    BookError
        With every breach of the sources, or with what stopped the engine.
    """
    formats = tuple(formats)
    checked_formats(formats, FORMATS)
    engine = checked_engine(engine)
    book_dir = Path(book_dir).resolve()
    settings = with_banner(read_settings(book_dir), banner)
    _recover(book_dir)
    survey = survey_book(settings)
    raise_breaches(book_dir, survey.breaches)
    install_extension(book_dir)
    key = book_key(survey, engine)
    if not force and is_current(book_dir, OUTPUT, key, formats):
        return _rendered(settings, formats, engine, [], unchanged=True)
    survey.settings = settled_bibliography(settings, cited_sources(survey))
    made = Path(tempfile.mkdtemp(prefix=f".{OUTPUT}-", dir=book_dir))
    try:
        with naming(book_dir / OUTPUT):
            if engine == "quarto":
                warnings = render_quarto(survey, made, progress)
            else:
                warnings = render_embedded(survey, made, formats, progress)
            raise_unmade(_outputs(settings, made, formats), engine, book_dir.name)
            _put_in_place(made, book_dir / OUTPUT)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    files = [path for path in (book_dir / OUTPUT).rglob("*") if path.is_file()]
    there = _outputs(settings, book_dir / OUTPUT, FORMATS if engine == "quarto" else formats)
    remember(book_dir, OUTPUT, key, [name for name in there if there[name].is_file()], files)
    return _rendered(settings, formats, engine, warnings)


def with_banner(settings: BookSettings, banner: str | None) -> BookSettings:
    """Settings whose label, which stands on every page, also says what the banner says."""
    if not banner:
        return settings
    label = " – ".join(part for part in (settings.evalkit.get("label"), banner) if part)
    return dataclasses.replace(settings, evalkit=settings.evalkit | {"label": label})


def checked_formats(formats: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse formats that are not among the known ones.

    Raises
    ------
    BookError
        With what was found and what is known.
    """
    unknown = [name for name in formats if name not in known]
    if unknown or not formats:
        raise BookError(f"format {', '.join(unknown) or 'none'}; expected {' or '.join(known)}")


def checked_engine(engine: str) -> str:
    """The engine to use; ``auto`` is Quarto where it is on the PATH.

    Raises
    ------
    BookError
        If the engine is not known, or is Quarto and Quarto is not there.
    """
    if engine not in ENGINES:
        raise BookError(f"engine {engine!r}; expected {', '.join(ENGINES)}")
    if engine == "auto":
        return "quarto" if shutil.which("quarto") else "embedded"
    if engine == "quarto" and not shutil.which("quarto"):
        raise BookError("Quarto is not on the PATH; install it or use the embedded engine")
    return engine


def raise_unmade(files: Mapping[str, Path], engine: str, what: str) -> None:
    """Refuse a render that left out a format, whatever the engine said of itself.

    Parameters
    ----------
    files
        The file of each format asked for, in a folder that was empty before the render.
    engine
        Which engine rendered.
    what
        The book or document, as the message names it.

    Raises
    ------
    BookError
        With every format that was not made.
    """
    missing = [f"{name} ({path.name})" for name, path in files.items() if not path.is_file()]
    if missing:
        raise BookError(
            f"{engine} made no {' and no '.join(missing)} of {what}, though it told of no error; "
            "render again with --engine embedded, or look at the format in the book's settings"
        )


def _outputs(settings: BookSettings, folder: Path, formats: tuple[str, ...]) -> dict[str, Path]:
    """The file of each format asked for, in a folder."""
    files = {"html": folder / "index.html", "pdf": folder / f"{settings.output_file}.pdf"}
    return {name: path for name, path in files.items() if name in formats}


def _put_in_place(made: Path, target: Path) -> None:
    made.chmod(0o755)
    flush(path for path in made.rglob("*") if path.is_file())
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(made, target)
    shutil.rmtree(old, ignore_errors=True)


def _recover(book_dir: Path) -> None:
    """Undo what a killed build left: bring back the old output, drop what is half made."""
    old, target = book_dir / f".{OUTPUT}.old", book_dir / OUTPUT
    if old.is_dir() and not target.exists():
        os.replace(old, target)
    shutil.rmtree(old, ignore_errors=True)
    remove_half_made(book_dir, OUTPUT)
    remove_leftovers(book_dir / FOLDER / READINGS)


def _rendered(
    settings: BookSettings,
    formats: tuple[str, ...],
    engine: str,
    warnings: list[str],
    *,
    unchanged: bool = False,
) -> RenderedBook:
    made = _outputs(settings, settings.directory / OUTPUT, formats)
    return RenderedBook(
        engine=engine,
        html=made.get("html"),
        pdf=made.get("pdf"),
        pages=count_pages(made["pdf"]) if "pdf" in made else None,
        warnings=tuple(warnings),
        unchanged=unchanged,
    )


def count_pages(pdf: Path) -> int | None:
    """Pages of a PDF, from its page tree; None when it cannot be told."""
    data = pdf.read_bytes()
    counts = [int(number) for number in re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", data)]
    counts += [int(number) for number in re.findall(rb"/Count\s+(\d+)[^>]*?/Type\s*/Pages\b", data)]
    if not counts:
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
            try:
                text = zlib.decompress(stream)
            except zlib.error:
                continue
            counts += [int(n) for n in re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", text)]
    return max(counts) if counts else None

"""A document of its own from a book's chapters: one municipality's short report."""

from __future__ import annotations

import html
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evalkit.book.cache import book_key, cited_sources, is_current, remember
from evalkit.book.check import Survey, raise_breaches, survey_book
from evalkit.book.config import document_settings
from evalkit.book.embedded import (
    FIGURES,
    convert,
    copy_pictures,
    draw_pictures,
    job_for,
    run_engine,
    write_figures,
    write_pdf,
)
from evalkit.book.extension import install_extension
from evalkit.book.pages import norwegian_date, write_document_page
from evalkit.book.quarto import render_quarto_document
from evalkit.book.render import (
    checked_engine,
    checked_formats,
    count_pages,
    raise_unmade,
    with_banner,
)
from evalkit.book.year_letters import settled_bibliography
from evalkit.files import flush, naming

__all__ = ["RenderedDocument", "render_document"]

FORMATS = ("html", "pdf", "docx")
PIXELS_PER_INCH = 200
TEXT_WIDTH_CM = 15.9
A4 = '<w:pgSz w:w="11906" w:h="16838"/>'
# The label in the header of every page: the part itself, and what names it elsewhere in the file.
HEADER_PART = "word/header-evalkit.xml"
HEADER = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<w:hdr xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:p><w:pPr>'
    '<w:jc w:val="right"/></w:pPr><w:r><w:rPr><w:caps/></w:rPr><w:t>{label}</w:t></w:r></w:p></w:hdr>'
)
REFERENCE = '<w:headerReference w:type="default" r:id="evalkitHeader"/>'
HEADER_LINES = (
    (
        "[Content_Types].xml",
        "</Types>",
        f'<Override PartName="/{HEADER_PART}" ContentType="application/'
        'vnd.openxmlformats-officedocument.wordprocessingml.header+xml"/>',
    ),
    (
        "word/_rels/document.xml.rels",
        "</Relationships>",
        '<Relationship Id="evalkitHeader" Target="header-evalkit.xml" Type="http://'
        'schemas.openxmlformats.org/officeDocument/2006/relationships/header"/>',
    ),
)


@dataclass(frozen=True)
class RenderedDocument:
    """What a render of a document made, by format, and warnings."""

    engine: str
    html: Path | None
    pdf: Path | None
    docx: Path | None
    pages: int | None
    warnings: tuple[str, ...] = ()
    unchanged: bool = False


def render_document(
    book_dir: Path,
    document: str,
    *,
    formats: tuple[str, ...] = FORMATS,
    engine: str = "auto",
    profile: str = "kommune",
    banner: str | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RenderedDocument:
    """Render one document that lies among a book's chapters, on its own.

    The document has a title in its front matter and includes the chapters it is made of; its
    level-1 headings are numbered as chapters, so its tables are ``Tabell 1.1`` and so on. The
    output goes to the folder that the profile names.

    Parameters
    ----------
    book_dir
        The book's folder, with ``_quarto-<profile>.yml`` beside ``_quarto.yml``.
    document
        Name of the document's ``.qmd`` file in it.
    formats
        Of ``"html"``, ``"pdf"`` and ``"docx"``.
    engine
        ``"quarto"``, ``"embedded"``, or ``"auto"``: Quarto when it is on the PATH.
    profile
        Name of the profile.
    banner
        A mark for every page, after the label that the settings may give.
    force
        Render also when nothing has changed since the last time.
    progress
        Called with a sentence as each step begins.

    Raises
    ------
    BookError
        With every breach of the document's sources, or with what stopped the engine.
    """
    formats = tuple(formats)
    checked_formats(formats, FORMATS)
    engine = checked_engine(engine)
    book_dir = Path(book_dir).resolve()
    settings = with_banner(document_settings(book_dir, document, profile=profile), banner)
    survey = survey_book(settings)
    raise_breaches(book_dir / document, survey.breaches)
    install_extension(book_dir)
    record = f"{settings.output_folder}#{settings.output_file}"
    key = book_key(survey, engine)
    if not force and is_current(book_dir, record, key, formats):
        return _rendered(survey, formats, engine, [], unchanged=True)
    survey.settings = settled_bibliography(settings, cited_sources(survey))
    target = book_dir / settings.output_folder
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=book_dir) as folder:
        made = Path(folder)
        with naming(target):
            if engine == "quarto":
                warnings = render_quarto_document(
                    survey, document, profile, made, formats, progress
                )
            else:
                warnings = _render_embedded(survey, made, formats, progress)
            name = settings.output_file
            raise_unmade({one: made / f"{name}.{one}" for one in formats}, engine, document)
            files = _move_into(made, target)
    remember(book_dir, record, key, formats, files)
    return _rendered(survey, formats, engine, warnings)


def _rendered(
    survey: Survey,
    formats: tuple[str, ...],
    engine: str,
    warnings: list[str],
    *,
    unchanged: bool = False,
) -> RenderedDocument:
    target = survey.settings.directory / survey.settings.output_folder
    files = {name: target / f"{survey.settings.output_file}.{name}" for name in formats}
    made = {name: path if path.is_file() else None for name, path in files.items()}
    pdf = made.get("pdf")
    return RenderedDocument(
        engine=engine,
        html=made.get("html"),
        pdf=pdf,
        docx=made.get("docx"),
        pages=count_pages(pdf) if pdf else None,
        warnings=tuple(warnings),
        unchanged=unchanged,
    )


def _move_into(made: Path, target: Path) -> list[Path]:
    """Put finished files in place one by one; each is whole before it takes its name."""
    places = []
    for path in sorted(made.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(made)
            place.parent.mkdir(parents=True, exist_ok=True)
            flush([path])
            os.replace(path, place)
            places.append(place)
    return places


def _render_embedded(
    survey: Survey, target: Path, formats: tuple[str, ...], progress: Callable | None
) -> list[str]:
    say = progress or (lambda message: None)
    name = survey.settings.output_file
    warnings: list[str] = []
    with tempfile.TemporaryDirectory(prefix="evalkit-") as work:
        folder = Path(work)
        write_figures(survey, folder)
        if "html" in formats:
            say("HTML page")
            answer, heard = convert(survey, "html", folder, single=True)
            warnings += heard
            copy_pictures(survey, folder, target)
            downloads = {"PDF": f"{name}.pdf", "Word": f"{name}.docx"}
            offered = {
                word: file for word, file in downloads.items() if file.rsplit(".")[-1] in formats
            }
            write_document_page(survey.settings, answer["page"], target, f"{name}.html", offered)
        if "pdf" in formats:
            say("PDF")
            answer, heard = convert(survey, "typst", folder, single=True)
            warnings += heard
            write_pdf(answer, folder, target / f"{name}.pdf", survey.settings)
        if "docx" in formats:
            say("Word")
            warnings += _write_docx(survey, folder, target / f"{name}.docx")
    return warnings


def _write_docx(survey: Survey, folder: Path, target: Path) -> list[str]:
    """Word reads no SVG without help, so each is drawn as PNG first."""
    pictures = sorted((folder / FIGURES).glob("*")) + [folder / one for one in survey.pictures]
    svg = [picture for picture in pictures if picture.suffix == ".svg"]
    drawn = draw_pictures(svg, pixels_per_inch=PIXELS_PER_INCH)
    png = drawn + [picture for picture in pictures if picture.suffix == ".png"]
    widths = {one.relative_to(folder).as_posix(): _natural_width(one) for one in png}
    job = job_for(survey, "docx", target) | {
        "single": True,
        "folder": str(folder),
        "widths": widths,
        "authors": list(survey.settings.authors),
        "date": norwegian_date(survey.settings.date),
    }
    warnings = run_engine(job, folder / "job-docx.json", survey)
    _finished(target, survey.settings.evalkit.get("label") or "")
    return warnings


def _natural_width(picture: Path) -> str:
    """The width of a PNG drawn at our resolution, no more than a page's text is wide."""
    (pixels,) = struct.unpack(">I", picture.read_bytes()[16:20])
    return f"{min(pixels / PIXELS_PER_INCH * 2.54, TEXT_WIDTH_CM):.2f}cm"


def _finished(document: Path, label: str) -> None:
    """Give the last section A4 paper, which pandoc leaves to Word, and every page its label."""
    put_in = [("word/document.xml", "<w:sectPr>", f"<w:sectPr>{REFERENCE}")] if label else []
    put_in += [(part, end, f"{line}{end}") for part, end, line in HEADER_LINES if label]
    whole = document.with_suffix(".whole")
    with zipfile.ZipFile(document) as old, zipfile.ZipFile(whole, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "word/document.xml":
                before, end, after = content.rpartition(b"</w:sectPr>")
                content = before + A4.encode() + end + after
            for part, found, text in put_in:
                if part == entry.filename:
                    content = content.replace(found.encode(), text.encode())
            new.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
        if label:
            header = HEADER.format(label=html.escape(label, quote=False))
            new.writestr(zipfile.ZipInfo(HEADER_PART), header, zipfile.ZIP_DEFLATED)
    os.replace(whole, document)

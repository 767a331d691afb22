"""The letters after the years of sources that would look alike: given once, in the bibliography itself.

Citeproc gives 2020a and 2020b to the sources of one text, so that a chapter, a book and a short
report of the same sources would each have letters of their own, and so would a page of Quarto's.
Where the bibliography already says 2020a, whoever reads it says the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from evalkit.book.cache import FOLDER, cache_folder
from evalkit.book.config import BookSettings
from evalkit.book.extension import CSL, EXTENSION
from evalkit.errors import BookError
from evalkit.files import write_whole
from evalkit.programs import pandoc_version, run_pandoc

__all__ = ["settled_bibliography", "with_year_letters"]

ENTRY = re.compile(r"^(?=[ \t]*@\w+[ \t]*\{)", re.MULTILINE)
KEY = re.compile(r"\s*@(?!comment|string|preamble)\w+\s*\{\s*([^,\s]+)\s*,", re.IGNORECASE)
DATED = re.compile(
    r"(?<=[,\s])(?:date|year|month)\s*=\s*(?:\{[^{}]*\}|\"[^\"]*\"|\w+)\s*(?:,|(?=\}\s*\Z))",
    re.IGNORECASE,
)
LETTERED = re.compile(r"(?<![\w.])(\d{4}-?[a-z]{1,2}|[^\W\d]\.\s?[^\W\d]\.-?[a-z]{1,2})(?![\w.])")
LETTERS = "letters"  # the folder of the settled bibliographies, in the book's cache


def with_year_letters(
    bibliographies: Sequence[str], style: Path, *, cited: Collection[str]
) -> list[str]:
    """Bibliographies whose cited sources of the same author and year have letters after the year.

    The order is the citation style's own, and the bibliography's where the style makes no difference.
    A year that has a letter keeps it.

    Parameters
    ----------
    bibliographies
        Texts in the form of BibTeX or BibLaTeX.
    style
        The citation style (CSL); one that gives no letters leaves all as it is.
    cited
        Keys of the sources that the book cites; the others get no letter.

    Returns
    -------
    list of str
        The texts, with ``year = {2020a}`` in place of the date where a letter is needed.

    Raises
    ------
    BookError
        With pandoc's message, if it cannot read them.
    """
    split = [ENTRY.split(text) for text in bibliographies]
    keys = [found.group(1) for parts in split for found in map(KEY.match, parts) if found]
    keys = [key for key in dict.fromkeys(keys) if key in cited]
    years = dict(zip(keys, _cited_years(bibliographies, keys, style), strict=True))
    return ["".join(_settled(part, years) for part in parts) for parts in split]


def settled_bibliography(settings: BookSettings, cited: Collection[str]) -> BookSettings:
    """Settings whose bibliographies have the year letters of the book, kept in the book's cache.

    Parameters
    ----------
    settings
        The book's settings.
    cited
        Keys of the sources that the book cites.
    """
    paths = [settings.directory / name for name in settings.bibliography]
    if not paths or any(path.suffix != ".bib" for path in paths):
        return settings
    style = settings.directory / settings.csl if settings.csl else EXTENSION / CSL
    texts = [path.read_text(encoding="utf-8") for path in paths]
    made_of = [pandoc_version(), Path(__file__).read_text(encoding="utf-8"), *sorted(cited)]
    digest = _digest([*made_of, *texts, style.read_text(encoding="utf-8")])
    folder = cache_folder(settings.directory) / LETTERS
    names = [f"{number}-{path.name}" for number, path in enumerate(paths)]
    if not _stands(folder, names, digest):
        folder.mkdir(exist_ok=True)
        made = with_year_letters(texts, style, cited=cited)
        for name, text in zip(names, made, strict=True):
            write_whole(folder / name, text.encode())
        write_whole(folder / "made-of.txt", _digest([digest, *made]).encode())
    settled = tuple(f"{FOLDER}/{LETTERS}/{name}" for name in names)
    return dataclasses.replace(settings, bibliography=settled)


def _stands(folder: Path, names: list[str], digest: str) -> bool:
    """Whether the folder holds whole what was made of the same."""
    try:
        made = [(folder / name).read_text(encoding="utf-8") for name in names]
        return (folder / "made-of.txt").read_text(encoding="utf-8") == _digest([digest, *made])
    except (OSError, UnicodeDecodeError):
        return False


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _cited_years(bibliographies: Sequence[str], keys: list[str], style: Path) -> list[str | None]:
    """Each source's year with its letter, as a text that cites all of them has it."""
    if not keys:
        return []
    front = {"csl": str(style), "lang": "nb", "suppress-bibliography": True}
    cited = "\n\n".join(f"[@{{{key}}}]" for key in keys)
    joined = "\n\n".join(bibliographies)
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        path = Path(folder) / "sources.bib"
        path.write_text(joined, encoding="utf-8")
        text = f"---\n{json.dumps(front | {'bibliography': str(path)})}\n---\n\n{cited}\n"
        done = run_pandoc(["--citeproc", "--to=plain", "--wrap=none"], text=text)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or len(lines) != len(keys):
        raise BookError(f"the bibliography cannot be read: {done.stderr.strip() or 'see its keys'}")
    found = [LETTERED.findall(line) for line in lines]
    return [letters[-1] if letters else None for letters in found]


def _settled(entry: str, years: dict[str, str | None]) -> str:
    key = KEY.match(entry)
    year = years.get(key.group(1)) if key else None
    if not year or f"{{{year}}}" in entry:
        return entry
    rest = DATED.sub("", entry[key.end() :])
    return f"{entry[: key.end()]} year={{{year}}},{rest}"

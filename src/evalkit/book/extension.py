"""Our Quarto extension: carried by the package, put into each book, kept in step."""

from __future__ import annotations

from pathlib import Path

from evalkit.files import write_whole

__all__ = ["EXTENSION", "install_extension"]

EXTENSION = Path(__file__).resolve().parents[1] / "extension"
ENGINE_ONLY = "embedded"
CSL = "evalkit.csl"
STYLES = (CSL, "evalkit-full.csl")  # the full one has volume, issue, pages, editors and DOI


def install_extension(book_dir: Path) -> list[Path]:
    """Put the evalkit extension and its citation style into a book.

    Files that already hold the same bytes are left alone; files that the extension no longer
    has are removed from the book's copy. A book whose ``_extensions/evalkit`` is a symbolic
    link is left as it is.

    Parameters
    ----------
    book_dir
        The book's folder.

    Returns
    -------
    list of Path
        The files written or removed; empty when the book was up to date.
    """
    book_dir = Path(book_dir)
    target = book_dir / "_extensions" / "evalkit"
    changed: list[Path] = []
    if not (target.is_symlink() or target.parent.is_symlink()):
        wanted = {
            path.relative_to(EXTENSION): path
            for path in sorted(EXTENSION.rglob("*"))
            if path.is_file() and _belongs(path.relative_to(EXTENSION))
        }
        for name, source in wanted.items():
            changed += _copy(source, target / name)
        for path in sorted(target.rglob("*")):
            if path.is_file() and path.relative_to(target) not in wanted:
                path.unlink()
                changed.append(path)
    for style in STYLES:
        changed += _copy(EXTENSION / style, book_dir / style)
    return changed


def _belongs(name: Path) -> bool:
    return name.parts[0] not in (ENGINE_ONLY, "__pycache__") and str(name) not in STYLES


def _copy(source: Path, target: Path) -> list[Path]:
    content = source.read_bytes()
    if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        return []
    write_whole(target, content)
    return [target]

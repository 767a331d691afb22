"""Places executed cells and facts in a Quarto book, and renders it with Quarto or without."""

from evalkit.book.check import check_book
from evalkit.book.document import RenderedDocument, render_document
from evalkit.book.extension import install_extension
from evalkit.book.lists import list_of_floats
from evalkit.book.missing import embedded_in_book, write_missing
from evalkit.book.render import RenderedBook, render_book
from evalkit.book.year_letters import with_year_letters

__all__ = [
    "RenderedBook",
    "RenderedDocument",
    "check_book",
    "embedded_in_book",
    "install_extension",
    "list_of_floats",
    "render_book",
    "render_document",
    "with_year_letters",
    "write_missing",
]

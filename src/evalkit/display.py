"""Report tables and figures as notebooks show them and the runner passes them on.

Output metadata ``{"evalkit": {"caption": ..., "alt": ..., "source": ...}}`` carries the texts that
were computed with the table or figure; the runner writes them into the cell's options.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.markdown import Markdown, escaped, paragraph

__all__ = ["ReportFigure", "ReportTable"]


def metadata_of(**texts: str | None) -> dict[str, dict[str, str]]:
    """Output metadata with the texts that are given."""
    return {"evalkit": {name: str(text) for name, text in texts.items() if text}}


def optional(text: str | None) -> Markdown | None:
    """A caption or source line as Markdown, where there is one."""
    return paragraph(text) if text else None


@dataclass(frozen=True)
class ReportTable:
    """A table in Pandoc's Markdown, with its caption and the line that names its sources.

    What is no ``Markdown`` is text, shown as it stands: a ``body`` of text is a sentence in the
    table's place. ``source`` has no class of its own, as in ``Kilde: @nf2024, tabell 11.``; it
    stands under the table in the same output.
    """

    body: str
    caption: str | None = None
    source: str | None = None

    @property
    def markdown(self) -> Markdown:
        """The table and, under it, its source line."""
        body = paragraph(self.body)
        line = f"\n\n[{escaped(self.source)}]{{.kilde}}" if self.source else ""
        return Markdown(body + line)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"text/markdown": str(self.markdown), "text/plain": str(self.markdown)}
        return data, metadata_of(caption=optional(self.caption))


@dataclass(frozen=True)
class ReportFigure:
    """A figure as SVG, with its caption, alternative text and source line.

    ``alt`` is text; caption and source are text too, unless they are ``Markdown``.
    """

    svg: str
    alt: str
    caption: str | None = None
    source: str | None = None

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/svg+xml": self.svg, "text/plain": self.alt}
        return data, metadata_of(
            caption=optional(self.caption), alt=self.alt, source=optional(self.source)
        )

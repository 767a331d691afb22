"""Report tables and figures as notebooks show them and the runner passes them on.

Output metadata ``{"evalkit": {"caption": ..., "alt": ..., "source": ...}}`` carries the texts that
were computed with the table or figure; the runner writes them into the cell's options.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReportFigure", "ReportTable"]


def metadata_of(**texts: str | None) -> dict[str, dict[str, str]]:
    """Output metadata with the texts that are given."""
    return {"evalkit": {name: text for name, text in texts.items() if text}}


@dataclass(frozen=True)
class ReportTable:
    """A table in Pandoc's Markdown, with its caption and the line that names its sources.

    ``source`` is Markdown without the class, such as ``Kilde: @nf2024, tabell 11.``; it stands
    under the table in the same output.
    """

    body: str
    caption: str | None = None
    source: str | None = None

    @property
    def markdown(self) -> str:
        """The table and, under it, its source line."""
        return f"{self.body}\n\n[{self.source}]{{.kilde}}" if self.source else self.body

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"text/markdown": self.markdown, "text/plain": self.markdown}
        return data, metadata_of(caption=self.caption)


@dataclass(frozen=True)
class ReportFigure:
    """A figure as SVG, with its caption, alternative text and source line."""

    svg: str
    alt: str
    caption: str | None = None
    source: str | None = None

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/svg+xml": self.svg, "text/plain": self.alt}
        return data, metadata_of(caption=self.caption, alt=self.alt, source=self.source)

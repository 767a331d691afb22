"""What stands in an incomplete book for results that no run has ever made."""

from __future__ import annotations

import json
from pathlib import Path

from evalkit.book.config import read_settings
from evalkit.book.source import read_sources
from evalkit.files import write_whole

__all__ = ["embedded_in_book", "write_missing"]

NOTE = "Mangler: beregningen bak er ikke gjort, eller den stanset."
FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="453.6pt" height="56.7pt" viewBox="0 0 640 80">'
    '<rect x="1" y="1" width="638" height="78" fill="none" stroke="#555" stroke-dasharray="6 4"/>'
    f'<text x="320" y="46" font-family="sans-serif" font-size="17" text-anchor="middle">{NOTE}'
    "</text></svg>"
)
SHORT = "Mangler"  # for captions and for what a figure shows


def embedded_in_book(book_dir: Path) -> dict[Path, tuple[str, ...]]:
    """The executed notebooks that a book's chapters embed, with the labels of their cells."""
    settings = read_settings(Path(book_dir))
    found = read_sources(settings.directory, settings.chapters).embedded
    return {
        (settings.directory / name).resolve(): tuple(dict.fromkeys(labels))
        for name, labels in found.items()
    }


def write_missing(book_dir: Path) -> list[Path]:
    """Write, for embedded notebooks that are not there, one that says so in each of their places.

    It has no record of a run, so it never counts as a result, and the next run writes over it.

    Returns
    -------
    list of Path
        The notebooks written.
    """
    absent = {
        path: labels for path, labels in embedded_in_book(book_dir).items() if not path.exists()
    }
    for path, labels in absent.items():
        notebook = {
            "cells": [_cell(label) for label in labels],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        write_whole(path, text.encode())
    return list(absent)


def _cell(label: str) -> dict:
    kind = label.partition("-")[0]
    figure = kind == "fig"
    options = [f"#| label: {label}"]
    if kind in ("fig", "tbl"):
        options.append(f"#| {kind}-cap: {SHORT}")
    if figure:
        options.append(f"#| fig-alt: {NOTE}")
    told = f"| {SHORT} |\n|:--|\n| {NOTE} |\n" if kind == "tbl" else NOTE
    data = {"image/svg+xml": FIGURE} if figure else {"text/markdown": told}
    return {
        "cell_type": "code",
        "id": label,
        "metadata": {},
        "execution_count": 1,
        "source": "\n".join(options),
        "outputs": [{"output_type": "display_data", "data": data, "metadata": {}}],
    }

"""Text that a page can show: which characters it may hold, and how many a cell may.

Controls, marks that turn the direction of what follows, and what Unicode has set apart from text
are refused where text enters. No reader sees them, while they can hide a text, let ``12`` be read
as ``21``, or stop a notebook, a page or a PDF long after the row was read. Letters of all scripts
are text, those written from right to left too: they need no such marks.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "UNSEEN", "unseen_in"]

LONGEST = 32_767  # characters in a cell of a spreadsheet, which cuts a longer one
# Also a pattern of Arrow and DuckDB. Tabs and breaks of lines are white space, and may stand.
UNSEEN = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of direction
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff"  # annotations, and what is no character
    "\U000e0000-\U000e007f]"  # tags
)


def unseen_in(text: str) -> list[str]:
    """The characters of a text that are not seen, as ``U+202E``."""
    return [f"U+{ord(character):04X}" for character in sorted(set(re.findall(UNSEEN, text)))]

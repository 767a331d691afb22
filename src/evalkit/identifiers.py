"""Names as identifiers: small letters a-z, digits and hyphens, the same for the same name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from anyascii import anyascii

__all__ = ["slug", "slugs_apart"]


def slug(name: str) -> str:
    """A name in small letters a-z, digits and hyphens; blank where it has no letter or digit.

    Letters of other alphabets are written as they sound.

    Examples
    --------
    >>> slug("Møre og Romsdal"), slug("Kárášjohka"), slug("Ŋjárga")
    ('more-og-romsdal', 'karasjohka', 'ngjarga')
    """
    return re.sub(r"[^a-z0-9]+", "-", anyascii(name).lower()).strip("-")


def slugs_apart(names: Iterable[str]) -> dict[str, str]:
    """An identifier for each of several names, no two alike.

    Of names with one slug, the name that is nothing but the slug's own words keeps the slug; the
    others get a hyphen and six signs that come from the name alone, and so does a name without
    a letter or digit.

    Examples
    --------
    >>> slugs_apart(["Økonomi", "Økonomi?"])
    {'Økonomi': 'okonomi', 'Økonomi?': 'okonomi-5c1f'}
    """
    names = list(dict.fromkeys(names))
    owners: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (len(re.findall(r"[^\w\s]", name)), name)):
        owners.setdefault(slug(name), name)
    return {
        name: slug(name) if slug(name) and owners[slug(name)] == name else _marked(name)
        for name in names
    }


def _marked(name: str) -> str:
    mark = hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
    return f"{slug(name) or 'tegn'}-{mark}"

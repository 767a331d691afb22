"""The HTML book of the embedded engine: static pages that fetch nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
from pathlib import Path

import lxml.html

from evalkit.book.config import BookSettings
from evalkit.book.extension import EXTENSION
from evalkit.book.source import ChapterSource

__all__ = ["norwegian_date", "write_document_page", "write_pages"]

ASSETS = "assets"
MONTHS = (
    *("januar", "februar", "mars", "april", "mai", "juni"),
    *("juli", "august", "september", "oktober", "november", "desember"),
)


def write_pages(
    settings: BookSettings,
    chapters: list[ChapterSource],
    answer: dict,
    target: Path,
    pdf_name: str | None,
) -> None:
    """Write one page per chapter, the search index and the assets.

    Parameters
    ----------
    settings
        The book's settings.
    chapters
        The chapters, in reading order.
    answer
        What the engine made of them: bodies, titles and sections.
    target
        The folder to write to.
    pdf_name
        File name of the PDF beside the pages, for the download link; None without.
    """
    made = answer["chapters"]
    names = [_page_name(chapter["file"]) for chapter in made]
    (target / ASSETS).mkdir(parents=True, exist_ok=True)
    for name in ("book.css", "book.js"):
        shutil.copyfile(EXTENSION / "embedded" / name, target / ASSETS / name)
    for number, name in enumerate(names):
        page = _page(settings, chapters, made, names, number, pdf_name)
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(with_policy(page), encoding="utf-8")
    index = [entry for chapter, name in zip(made, names, strict=True)
             for entry in _search_entries(chapter, name)]  # fmt: skip
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (target / ASSETS / "search-index.js").write_text(
        f"window.evalkitSearchIndex = {text};\n", encoding="utf-8"
    )


def write_document_page(
    settings: BookSettings, answer: dict, target: Path, name: str, downloads: dict[str, str]
) -> None:
    """Write a document of its own as one page, with its contents and downloads.

    Parameters
    ----------
    settings
        The document's settings.
    answer
        What the engine made of it: the body and the headings.
    target
        The folder to write to; the style sheet goes into its ``assets``.
    name
        File name of the page.
    downloads
        Names of the files beside the page, by what they are called in the link.
    """
    (target / ASSETS).mkdir(parents=True, exist_ok=True)
    for asset in ("book.css", "book.js"):
        shutil.copyfile(EXTENSION / "embedded" / asset, target / ASSETS / asset)
    title = html.escape(settings.title)
    label = settings.evalkit.get("label")
    banner = f'<p class="evalkit-label">{html.escape(label)}</p>' if label else ""
    links = "".join(
        f'<p class="download"><a href="{html.escape(file)}">Last ned som {word}</a></p>\n'
        for word, file in downloads.items()
    )
    page = f"""<!DOCTYPE html>
<html lang="{html.escape(settings.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{ASSETS}/book.css">
<script src="{ASSETS}/book.js" defer></script>
</head>
<body>
<a class="skip-link" href="#hovedinnhold">Hopp til hovedinnholdet</a>
<header class="top-bar">
<button type="button" class="menu-button" aria-expanded="false" aria-controls="sidefelt">Innhold</button>
<span class="top-title">{title}</span>
</header>
<div class="layout">
<aside class="sidebar" id="sidefelt" aria-label="Sidefelt">
<p class="book-title">{title}</p>
{links}<nav aria-label="Innhold">
{_document_contents(answer["sections"])}
</nav>
</aside>
<main id="hovedinnhold" tabindex="-1">
{_cover(settings, "h1")}{banner}<article class="document">
{answer["body"]}
</article>
</main>
</div>
</body>
</html>
"""
    (target / name).write_text(with_policy(page), encoding="utf-8")


def with_policy(page: str) -> str:
    """The page with the rules that a browser holds it to, before anything that they rule.

    Scripts, style sheets and pictures come from the book's own folder and nothing from elsewhere;
    nothing that stands in the page itself runs. Of styles, those that the page was written with
    hold: the columns' widths and sides.
    """
    styles = sorted({html.unescape(found) for found in re.findall(r'\sstyle="([^"]*)"', page)})
    hashes = "".join(f" 'sha256-{_digest(style)}'" for style in styles)
    allowed = f"style-src-attr 'unsafe-hashes'{hashes}; " if styles else ""
    rules = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"{allowed}base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{rules}">'
    return page.replace("<head>\n", f"<head>\n{meta}\n", 1)


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _document_contents(headings: list[dict]) -> str:
    items = []
    for heading in headings:
        number = f"{heading['number']} " if heading["number"] else ""
        kind = ' class="below"' if heading["level"] > 1 else ""
        items.append(f'<li{kind}><a href="#{heading["id"]}">{number}{heading["html"]}</a></li>')
    return "<ul>\n" + "\n".join(items) + "\n</ul>"


def norwegian_date(date: str | None) -> str:
    """``2024-05-01`` as ``1. mai 2024``; any other text as it stands."""
    parts = (date or "").split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return date or ""
    year, month, day = (int(part) for part in parts)
    return f"{day}. {MONTHS[month - 1]} {year}"


def _page_name(file: str) -> str:
    return str(Path(file).with_suffix(".html"))


def _label(chapter: dict, kind: str) -> str:
    number = chapter["number"]
    title = f'<span class="chapter-title">{_unlinked(chapter["bare_title"])}</span>'
    return f'<span class="chapter-number">{number}</span>\u00a0 {title}' if number else title


def _unlinked(text: str) -> str:
    if "<a" not in text:
        return text
    fragment = lxml.html.fragment_fromstring(text, create_parent="span")
    for link in fragment.xpath(".//a"):
        link.drop_tag()
    return lxml.html.tostring(fragment, encoding="unicode")


def _page(
    settings: BookSettings,
    chapters: list[ChapterSource],
    made: list[dict],
    names: list[str],
    number: int,
    pdf_name: str | None,
) -> str:
    chapter = made[number]
    up = "../" * names[number].count("/")
    title = html.escape(settings.title)
    page_title = html.escape(chapter["text_title"])
    identifier = f' id="{chapter["identifier"]}"' if chapter["identifier"] else ""
    label = settings.evalkit.get("label")
    banner = f'<p class="evalkit-label">{html.escape(label)}</p>' if label else ""
    cover = _cover(settings) if number == 0 else ""
    return f"""<!DOCTYPE html>
<html lang="{html.escape(settings.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{page_title} – {title}</title>
<link rel="stylesheet" href="{up}{ASSETS}/book.css">
<script src="{up}{ASSETS}/book.js" data-index="{up}{ASSETS}/search-index.js" data-root="{up}" defer></script>
</head>
<body>
<a class="skip-link" href="#hovedinnhold">Hopp til hovedinnholdet</a>
<header class="top-bar">
<button type="button" class="menu-button" aria-expanded="false" aria-controls="sidefelt">Innhold</button>
<a class="top-title" href="{up}index.html">{title}</a>
</header>
<div class="layout">
<aside class="sidebar" id="sidefelt" aria-label="Sidefelt">
<p class="book-title"><a href="{up}index.html">{title}</a></p>
<search class="search" role="search">
<label for="sokefelt">Søk i rapporten</label>
<input type="search" id="sokefelt" autocomplete="off" spellcheck="false">
<p class="search-status" role="status"></p>
<ol class="search-results"></ol>
</search>
{_download(up, pdf_name)}<nav aria-label="Innhold">
{_contents(settings, chapters, made, names, number, up)}
</nav>
</aside>
<main id="hovedinnhold" tabindex="-1">
{cover}{banner}<article>
<h1{identifier} class="title">{_unlinked(chapter["title"])}</h1>
{chapter["body"]}
</article>
{_pager(made, names, number, up)}
</main>
</div>
</body>
</html>
"""


def _cover(settings: BookSettings, tag: str = "p") -> str:
    parts = [f'<{tag} class="cover-title">{html.escape(settings.title)}</{tag}>']
    if settings.subtitle:
        parts.append(f'<p class="cover-subtitle">{html.escape(settings.subtitle)}</p>')
    facts = [
        ", ".join(settings.authors),
        settings.evalkit.get("institution", ""),
        settings.evalkit.get("series", ""),
        norwegian_date(settings.date),
    ]
    listed = "".join(f"<p>{html.escape(fact)}</p>" for fact in facts if fact)
    return f'<div class="cover">{"".join(parts)}<div class="cover-facts">{listed}</div></div>\n'


def _download(up: str, pdf_name: str | None) -> str:
    if not pdf_name:
        return ""
    return f'<p class="download"><a href="{up}{html.escape(pdf_name)}">Last ned som PDF</a></p>\n'


def _contents(
    settings: BookSettings,
    chapters: list[ChapterSource],
    made: list[dict],
    names: list[str],
    current: int,
    up: str,
) -> str:
    lines, appendices = ["<ul>"], False
    for number, (chapter, page) in enumerate(zip(chapters, made, strict=True)):
        if chapter.part_before:
            part = html.escape(chapter.part_before)
            lines.append(f'<li class="part"><span>{part}</span></li>')
        if chapter.kind == "appendix" and not appendices:
            appendices = True
            title = html.escape(settings.words["appendices"])
            lines.append(f'<li class="part"><span>{title}</span></li>')
        here = ' aria-current="page"' if number == current else ""
        kind = ' class="part"' if chapter.kind == "part" else ""
        link = f'<a href="{up}{names[number]}"{here}>{_label(page, chapter.kind)}</a>'
        below = _section_list(page["sections"]) if number == current else ""
        lines.append(f"<li{kind}>{link}{below}</li>")
    return "\n".join([*lines, "</ul>"])


def _section_list(sections: list[dict]) -> str:
    shown = [section for section in sections if section["level"] == 2 and section["id"]]
    if not shown:
        return ""
    items = []
    for section in shown:
        number = f"{section['number']} " if section["number"] else ""
        items.append(f'<li><a href="#{section["id"]}">{number}{section["html"]}</a></li>')
    return '<ul class="sections">' + "".join(items) + "</ul>"


def _pager(made: list[dict], names: list[str], number: int, up: str) -> str:
    links = []
    for step, relation, word in ((-1, "prev", "Forrige"), (1, "next", "Neste")):
        other = number + step
        if 0 <= other < len(made):
            label = _label(made[other], "")
            links.append(
                f'<a class="{relation}" rel="{relation}" href="{up}{names[other]}">'
                f"<span>{word}</span> {label}</a>"
            )
    return f'<nav class="pager" aria-label="Forrige og neste kapittel">{"".join(links)}</nav>'


def _search_entries(chapter: dict, name: str) -> list[dict]:
    body = lxml.html.fragment_fromstring(chapter["body"], create_parent="div")
    for element in body.xpath(".//*[contains(@class,'footnote-back')] | .//script | .//math"):
        element.drop_tree()
    title = f"{chapter['number']} {chapter['text_title']}".strip()
    entries = [{"u": name, "t": title, "c": "", "x": []}]
    for element in body:
        if element.tag in ("h2", "h3") and element.get("id"):
            heading = " ".join(element.text_content().split())
            entries.append({"u": f"{name}#{element.get('id')}", "t": heading, "c": title, "x": []})
        else:
            entries[-1]["x"].append(_text(element))
    return [entry | {"x": " ".join(" ".join(entry["x"]).split())} for entry in entries]


def _text(element: lxml.html.HtmlElement) -> str:
    return " ".join(part for part in element.itertext())

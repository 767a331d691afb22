"""The sentences of a study's chapters beside the rows that they rest on."""

from __future__ import annotations

import re

import pandas as pd

from evalkit.facts import claims, fact_entries
from evalkit.norwegian import number_text
from evalkit.processing import row_owners
from evalkit.prose import chapter_files, chapter_text, sentences
from evalkit.prose_review import prose_findings, row_texts
from evalkit.protected_claims import withheld_claims
from evalkit.readers import Study
from evalkit.studies import Project

__all__ = ["study_prose"]

EMBEDDED = re.compile(r"\{\{<\s*embed\s+\S*?/?\d\d-([\w-]+)\.ipynb")
# What a sentence may rest on. What municipalities said of a draft and what is not cleared to be
# shown (codings, answers) is left out.
PLAIN = ("text", "description", "note", "reason", "evidence")
TEXTS = dict.fromkeys(
    (
        "areas", "attainment", "budget_lines", "evaluation_plan", "events", "goals", "grant_schemes",
        "grants", "indicators", "lessons", "logic_model_cells", "logic_models", "measure_aspects",
        "measures", "milestones", "municipalities", "observations", "organisation", "participants",
        "phases", "plan_phases", "projects", "recommendations", "selection_criteria",
        "survey_results", "surveys", "targets",
    ),
    PLAIN,
) | {
    "contribution_claims": ("claim",),
    "facts": ("value", "note"),
    "risks": ("text", "consequence", "mitigation"),
    "rival_explanations": ("rival", "grounds"),
    "roles": ("responsibility",),
    "stakeholders": ("interest", "strategy", "note"),
    "success_criteria": ("text", "hindrance", "action"),
}  # fmt: skip


def study_prose(project: Project, read: Study, pattern: str = "*") -> pd.DataFrame:
    """What a reviewer may look at in a study's chapters, as from ``prose_findings``.

    Parameters
    ----------
    project, read
        The study, as read from its files.
    pattern
        Which chapters, by file name without ending, such as ``"horten"`` or ``"del-*"``.

    Returns
    -------
    DataFrame
        As from ``prose_findings``; ``file`` and ``row`` are paths from the project's folder.
    """
    book_dir = project.report(read.settings.study)
    rows = row_texts(
        read.tables,
        {name: row_owners(name, table, read.tables) for name, table in read.tables.items()},
        TEXTS,
    )
    few = read.settings.smallest_count
    every = withheld_claims(claims(read.tables), read.tables, **read.settings.count_rules)
    used = every.loc[every["chosen"]].drop_duplicates("key")
    places = {one.key: (one.table, int(one.row)) for one in used.itertuples()}
    shown = fact_entries(
        every,
        read.sources,
        smallest_count=few,
        published_counts=read.settings.published_counts,
    )

    def value_of(key: str) -> str:
        entry = shown.get(key, {})
        return str(entry["text"]) if "text" in entry else number_text(entry.get("value"))

    codes = read.tables["municipalities"].set_index("slug")["municipality_code"].to_dict()
    told = []
    for path in chapter_files(book_dir):
        if not path.match(f"{pattern}.qmd"):
            continue
        text = chapter_text(path)
        about = _municipalities(text, codes)
        for sentence in sentences(text, value_of):
            told.append({**vars(sentence), "file": project.shown(path), "codes": about})
    columns = ["file", "line", "text", "before", "facts", "codes"]
    found = prose_findings(pd.DataFrame(told, columns=columns), rows, places)
    folder = project.shown(read.folder)
    paths = [f"{folder}/{row}" if isinstance(row, str) else None for row in found["row"]]
    return found.assign(row=pd.Series(paths, index=found.index, dtype=object))


def _municipalities(text: str, codes: dict[str, str]) -> tuple[str, ...]:
    """Codes of the municipalities whose own notebooks a chapter embeds; none for the whole study."""
    topics = EMBEDDED.findall(text)
    own = {code for slug, code in codes.items() for topic in topics if _is_of(topic, slug)}
    return tuple(sorted(own)) if len(own) == 1 else ()


def _is_of(topic: str, slug: str) -> bool:
    return topic.endswith(f"-{slug}") or f"-{slug}-" in topic

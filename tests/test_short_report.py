"""One municipality's short report: its chapter, what the book leaves out, its claims and sources."""

import shutil

import pytest
import yaml
from book_helpers import TABLE, figure_cell, pdf_text, table_cell, write_notebook
from conftest import PROJECT
from studies import SETTINGS, TABLES, write_study

from evalkit.book.notebooks import read_notebook
from evalkit.cli import main
from evalkit.facts import claims
from evalkit.feedback import read_feedback
from evalkit.municipalities import Municipality, municipality_claims
from evalkit.municipality_reports import short_report_jobs
from evalkit.readers import read_study
from evalkit.short_report import cells_to_show, document_text, embedded_notebooks, profile_text
from evalkit.studies import Project

CHAPTER = """# Horten {#sec-horten}

Se @tbl-facts-horten og @tbl-grants-all.

{{< embed notebooks/01-context-horten.ipynb#tbl-facts-horten >}}

## Kilder for Horten {.unnumbered}

::: {.chapter-references}
:::
"""


def report(chapter=CHAPTER, **cells):
    places = {label.replace("_", "-"): place for label, place in cells.items()}
    return document_text(
        chapter,
        name="Horten",
        slug="horten",
        study_title="Et lite program",
        date="2026-11-22",
        authors=("Eksempelinstituttet",),
        cells=places,
    )


def body(text):
    return report(f"# Horten\n\n{text}\n").partition("# Horten\n\n")[2].partition("\n\n# ")[0]


def test_the_title_page_says_municipality_study_and_date():
    front = yaml.safe_load(report().split("---")[1])

    assert front == {
        "title": "Horten",
        "subtitle": "Kortrapport fra Et lite program",
        "author": ["Eksempelinstituttet"],
        "date": "2026-11-22",
        "number-sections": True,
    }


def test_the_chapter_stands_whole_but_for_its_own_list_of_sources():
    text = report()

    assert "# Horten {#sec-horten}" in text
    assert "#tbl-facts-horten >}}" in text
    assert "chapter-references" not in text
    assert "Kilder for Horten" not in text
    assert text.endswith("# Kilder {.unnumbered}\n\n::: {#refs}\n:::\n")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Se @sec-metode.", "Se hovedrapporten."),
        ("@tbl-grants-all viser mer.", "Hovedrapporten viser mer."),
        ("Først. @Sec-metode sier mer.", "Først. Hovedrapporten sier mer."),
        ("Det går fram (@tbl-grants-all).", "Det går fram (se hovedrapporten)."),
        ("Det går fram [@tbl-grants-all].", "Det går fram hovedrapporten."),
        ("Se @sec-a, @sec-b og @fig-c.", "Se hovedrapporten."),
        ("Se @sec-tiltak og @sec-b {#sec-tiltak}.", "Se @sec-tiltak og hovedrapporten {#sec-tiltak}."),
        ("Se [metoden](metode.qmd#sec-a).", "Se metoden (i hovedrapporten)."),
        ("Som @nf2024 og post@sec-a.no sier.", "Som @nf2024 og post@sec-a.no sier."),
    ],
)  # fmt: skip
def test_references_out_of_the_report_name_the_full_report(written, read):
    assert body(written) == read


def test_a_link_to_the_chapter_itself_stays_within_the_report():
    assert body("Se [målene](horten.qmd#sec-mal).") == "Se [målene](#sec-mal)."


def test_cells_that_the_chapter_leaves_out_are_placed_under_their_heading():
    text = report(
        tbl_facts_horten="notebooks/01-context-horten.ipynb#tbl-facts-horten",
        fig_logic_model_horten_a="notebooks/04-a.ipynb#fig-logic-model-horten-a",
        fig_logic_model_horten_b="notebooks/04-b.ipynb#fig-logic-model-horten-b",
        tbl_events_hortensia="notebooks/01-x.ipynb#tbl-events-hortensia",
        tbl_claims_horten="notebooks/16-claims-horten.ipynb#tbl-claims-horten",
    )

    assert "# Mer om Horten" in text
    assert "tegnet i @fig-logic-model-horten-a og @fig-logic-model-horten-b." in text
    assert "{{< embed notebooks/04-b.ipynb#fig-logic-model-horten-b >}}" in text
    assert text.count("{.landscape}") == 1
    assert text.count("01-context-horten.ipynb#tbl-facts-horten") == 1
    assert "hortensia" not in text
    assert text.index("# Opplysninger om Horten") < text.index("#tbl-claims-horten >}}")


def test_without_more_to_show_there_is_no_empty_chapter():
    assert "Mer om Horten" not in report()
    assert "Opplysninger om Horten" not in report()


def test_cells_without_data_are_left_out(tmp_path):
    path = tmp_path / "a.ipynb"
    write_notebook(
        path,
        table_cell("tbl-a", TABLE),
        table_cell("tbl-b", "Ingen hendelser er registrert."),
        figure_cell("fig-c", "#| fig-alt: Søyler.\n#| kilde: 'Kilde: @sand2023.'\n"),
        figure_cell("fig-d", "#| fig-alt: Uten rader.\n"),
    )

    shown = cells_to_show({"notebooks/a.ipynb": read_notebook(path)})

    assert shown == {"tbl-a": "notebooks/a.ipynb#tbl-a", "fig-c": "notebooks/a.ipynb#fig-c"}


def test_the_profile_is_a_document_beside_the_book():
    profile = yaml.safe_load(profile_text())

    assert profile["project"] == {
        "type": "default",
        "output-dir": "_kommune",
        "render": ["kommune-*.qmd"],
    }
    assert profile["crossref"] == {"chapters": True}
    assert profile["format"]["html"] == {"notebook-links": False, "notebook-view": False}


def test_notebooks_that_a_chapter_embeds_are_found():
    assert embedded_notebooks(CHAPTER) == {"01-context-horten.ipynb"}


def test_claims_of_a_municipality_are_its_own_and_those_named_after_it(tmp_path):
    every = claims(read_study(write_study(tmp_path)).tables)

    own = municipality_claims(every, Municipality("3801", "horten", "Horten", "ost"))

    assert set(own["key"]) == {
        "horten.population",
        "horten-workshop-3.start",
        "horten-workshop-3.attended",
    }
    assert municipality_claims(every, Municipality("0301", "oslo", "Oslo", "ost")).empty


BOOK = """project: {type: book}
lang: nb
book:
  title: Et lite program
  author: Eksempelinstituttet
  date: 2026-11-22
  chapters: [index.qmd, horten.qmd]
bibliography: sources.bib
csl: evalkit.csl
filters: [evalkit]
"""
WRITTEN = """# Horten {#sec-horten}

Horten har []{fact="horten.population"} innbyggere [@nf2024]. Se @sec-metode.

{{< embed notebooks/01-context-horten.ipynb#tbl-events-horten >}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project whose book has a chapter for Horten and none for Oslo."""
    write_study(tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name in ("01-context", "07-programme", "16-claims"):
        shutil.copy(PROJECT / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
    book = tmp_path / "reports" / "lite"
    book.mkdir(parents=True)
    (book / "_quarto.yml").write_text(BOOK, encoding="utf-8")
    (book / "index.qmd").write_text("# Om {#sec-metode}\n", encoding="utf-8")
    (book / "horten.qmd").write_text(WRITTEN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_command_makes_a_short_report_in_every_format(project, capsys):
    assert main(["report", "lite", "--municipality", "Horten", "--to", "html,pdf,docx"]) == 0

    made = project / "reports" / "lite" / "_kommune"
    assert "1 short report made" in capsys.readouterr().out
    assert not (project / "reports/lite/notebooks/07-programme.ipynb").exists()
    text = pdf_text(made / "kommune-horten.pdf")
    assert "Kortrapport fra Et lite program" in text
    assert "Se hovedrapporten." in text
    assert "Opplysninger om Horten med kilde" in text
    assert "Utkast til validering" not in text
    assert "Utkast til validering" not in (made / "kommune-horten.html").read_text("utf-8")

    draft = read_feedback(made / "kommune-horten.docx")
    assert (draft.title, draft.subtitle) == ("Horten", "Kortrapport fra Et lite program")
    assert draft.entries.empty
    assert main(["feedback", str(made / "kommune-horten.docx")]) == 0
    assert "0 new of 0" in capsys.readouterr().out


def test_a_format_that_quarto_does_not_make_is_no_report_made(project, capsys, monkeypatch):
    made = project / "reports" / "lite" / "_kommune"
    made.mkdir()
    (made / "kommune-horten.docx").write_bytes(b"from last year")
    script = project / "bin" / "quarto"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")

    assert main(["report", "lite", "--municipality", "Horten", "--to", "docx"]) == 1

    said = capsys.readouterr()
    assert "0 short reports made, 1 failed" in said.out
    assert "quarto made no docx (kommune-horten.docx)" in said.err
    assert "_kommune/kommune-horten.docx" not in said.out


def test_a_municipality_without_a_chapter_is_told(project, capsys):
    assert main(["report", "lite", "--municipality", "Oslo"]) == 1
    assert "neither reports/lite/oslo.qmd nor _kommune.qmd beside it is there" in (
        capsys.readouterr().err
    )


def test_one_text_serves_every_municipality_without_a_chapter(project, capsys):
    (project / "reports" / "lite" / "horten.qmd").unlink()
    template = "# {name} {#sec-{slug}}\n\n{{< embed notebooks/01-context-{slug}.ipynb#tbl-facts-{slug} >}}\n"
    (project / "reports" / "lite" / "_kommune.qmd").write_text(template, encoding="utf-8")
    shutil.copy(PROJECT / "notebooks" / "01-context.ipynb", project / "notebooks")

    assert main(["report", "lite", "--all", "--to", "html", "--engine", "embedded"]) == 0

    said = capsys.readouterr()
    assert "2 short reports made" in said.out
    assert "[2/2]" in said.err
    made = project / "reports" / "lite" / "_kommune"
    assert (made / "kommune-oslo.html").is_file()
    assert "27\u00a0600" in (made / "kommune-horten.html").read_text("utf-8")


def test_the_study_s_own_notebooks_run_where_the_chapter_embeds_them(project):
    chapter = project / "reports" / "lite" / "horten.qmd"
    chapter.write_text(
        WRITTEN + "\n{{< embed notebooks/07-programme.ipynb#tbl-x >}}\n", encoding="utf-8"
    )
    read = read_study(project / "data" / "raw" / "lite")

    names = [job.output.name for job in short_report_jobs(Project(project), read, ["3801"])]

    assert names == [
        "07-programme.ipynb",
        "01-context-horten.ipynb",
        "16-claims-horten.ipynb",
    ]


def test_claims_are_listed_also_where_the_study_names_other_notebooks(project):
    settings = 'notebooks = ["01-context"]\n' + SETTINGS
    read = read_study(write_study(project, settings=settings, events=TABLES["events"]))

    names = [job.output.name for job in short_report_jobs(Project(project), read, ["3801"])]

    assert names == ["01-context-horten.ipynb", "16-claims-horten.ipynb"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "docx"], "docx is for municipalities' short reports"),
        (["--all", "--to", "word"], "expected any of html, pdf and docx"),
    ],
)
def test_formats_are_checked_before_anything_runs(project, capsys, arguments, message):
    assert main(["report", "lite", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not (project / "reports" / "lite" / "notebooks").exists()

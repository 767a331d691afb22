import json
import shutil

import pytest
from conftest import PROJECT
from studies import TABLES, write_study

from evalkit.cli import main


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project with one study and one notebook, as the current folder."""
    write_study(tmp_path)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(PROJECT / "notebooks" / "06-attainment.ipynb", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_says_what_a_sound_study_holds(project, capsys):
    assert main(["check", "lite"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("data/raw/lite is as it should be: 5 tables")
    assert "0 conflicts" in said


def test_check_lists_what_is_wrong_and_exits_with_1(project, capsys):
    write_study(project, goals=[TABLES["goals"][0] | {"kind": "aim"}])

    assert main(["check", "lite"]) == 1
    assert capsys.readouterr().err.startswith(
        "Error: data/raw/lite/goals.csv does not match GoalsTable:\n  kind: 'aim' in row 2"
    )


def test_facts_are_listed_by_pattern_with_their_source(project, capsys):
    assert main(["facts", "lite", "horten.*"]) == 0

    said = capsys.readouterr().out
    assert "horten.population = 27600 persons (about)  [nf2024, s. 1]" in said
    assert "workshop" not in said


def test_conflicts_can_be_seen_while_they_are_unresolved(project, capsys):
    fact = TABLES["facts"][0]
    write_study(project, facts=[fact, fact | {"value": "27682", "locator": "s. 2"}])

    assert main(["facts", "lite", "--conflicts"]) == 0

    assert "2 claims of 1 quantities, 1 in conflict" in capsys.readouterr().out


def test_facts_can_be_had_as_json(project, capsys):
    main(["facts", "lite", "population", "--json"])

    assert json.loads(capsys.readouterr().out)[0]["key"] == "horten.population"


def test_a_pattern_without_claims_says_so(project, capsys):
    assert main(["facts", "lite", "nothing"]) == 1
    assert "no claim matches 'nothing'" in capsys.readouterr().err


def test_a_municipality_can_be_named_by_code_or_name(project, capsys):
    assert main(["run", "lite", "--dry-run", "--municipality", "oslo"]) == 0

    said = capsys.readouterr().out
    assert "06-attainment-oslo: never run" in said
    assert "horten" not in said


def test_an_unknown_municipality_names_those_that_are_known(project, capsys):
    assert main(["run", "lite", "--municipality", "Bergen"]) == 1
    assert "no municipality 'Bergen' with a chapter in this study; expected one of 0301 Oslo" in (
        capsys.readouterr().err
    )


def test_run_makes_what_is_missing_and_a_second_run_does_nothing(project, capsys):
    assert main(["run", "lite"]) == 0
    assert "2 notebooks made" in capsys.readouterr().out

    assert main(["run", "lite"]) == 0
    assert "2 up to date" in capsys.readouterr().out

    assert main(["status", "lite"]) == 0
    assert "\n2 up to date\n" in capsys.readouterr().out


def test_status_says_why_a_notebook_is_out_of_date(project, capsys):
    main(["run", "lite"])
    write_study(project, goals=[TABLES["goals"][0] | {"text": "Bedre forankring"}])
    capsys.readouterr()

    main(["status", "lite", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in told["notebooks"]} == {"stale"}
    assert told["notebooks"][0]["reason"] == "data/raw/lite/goals.csv changed"
    assert told["stage"] == "final"
    assert told["present"]["goals"] == 1
    assert "milestones" in told["missing"]


def test_render_refuses_a_book_whose_notebooks_are_not_up_to_date(project, capsys):
    assert main(["render", "lite"]) == 1
    assert "2 notebooks behind the book are not up to date; run: evalkit run lite" in (
        capsys.readouterr().err
    )


def test_an_unknown_study_names_those_that_are_there(project, capsys):
    assert main(["check", "pilto"]) == 1
    assert "studies in data/raw: lite" in capsys.readouterr().err


def test_outside_a_project_the_error_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["check", "lite"]) == 1
    assert "go to the project's folder first" in capsys.readouterr().err


def test_an_unknown_format_is_refused(project, capsys):
    main(["run", "lite"])

    assert main(["render", "lite", "--to", "word"]) == 1
    assert "expected html, pdf" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "facts", "run", "render", "report", "status"])
def test_help_shows_examples(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])

    assert left.value.code == 0
    assert f"examples:\n  evalkit {command} pilot" in capsys.readouterr().out


def test_a_run_can_be_sent_to_a_cluster(project, capsys):
    pytest.importorskip("distributed")

    assert main(["run", "lite", "--cluster", "local:2"]) == 0
    assert "2 notebooks made" in capsys.readouterr().out

    assert main(["run", "lite"]) == 0
    assert "0 notebooks made, 2 up to date" in capsys.readouterr().out


def test_check_lists_what_to_mend_in_a_plan_with_its_place(capsys):
    assert main(["check", "nasjonal-plan", "--findings", "--project", str(PROJECT)]) == 0

    said = capsys.readouterr().out
    assert "2 ganger 4 er 8.  [plan2019, kap. 4.1]" in said
    assert "things to mend in its plan" in said


def test_status_of_a_plan_in_the_tables_of_another_study_has_that_plans_deadlines(capsys):
    assert main(["status", "nasjonal-plan", "--project", str(PROJECT)]) == 0

    said = capsys.readouterr().out
    assert "plan report, on 2018-10-01" in said
    assert "missing:   stakeholders, success_criteria" in said
    assert "next:      2018-12 Prosjektgruppa er etablert" in said


def test_a_file_that_cannot_be_read_is_one_line_that_names_it(tmp_path, monkeypatch, capsys):
    write_study(tmp_path)
    goals = tmp_path / "data" / "raw" / "lite" / "goals.csv"
    goals.unlink()
    goals.mkdir()
    monkeypatch.chdir(tmp_path)

    assert main(["check", "lite"]) == 1
    assert capsys.readouterr().err == (
        "Error: data/raw/lite/goals.csv does not match GoalsTable:\n"
        "  cannot be read: a folder, not a file\n"
    )


def document(capsys):
    """The one JSON document on standard output, and what was said besides."""
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_a_run_can_be_told_as_json(project, capsys):
    assert main(["run", "lite", "--dry-run", "--json"]) == 0
    told, besides = document(capsys)
    assert (told["study"], told["would_run"]) == ("lite", 2)
    assert told["notebooks"][0] == {
        "municipality": "0301 Oslo",
        "notebook": "06-attainment-oslo",
        "state": "never",
        "reason": "never run",
    }
    assert "2 of 2 notebooks would run" in besides

    assert main(["run", "lite", "--json", "--municipality", "Oslo"]) == 0
    told, besides = document(capsys)
    assert (told["made"], told["failed"], told["fresh"]) == (1, 0, 0)
    assert [(row["notebook"], row["state"]) for row in told["notebooks"]] == [
        ("06-attainment-oslo", "made")
    ]
    assert besides.startswith("[1/1] 0301 Oslo  reports/lite/notebooks/06-attainment-oslo.ipynb  ")
    assert besides.endswith("1 notebook made\n")


def write_last_cell(project, source):
    path = project / "notebooks" / "06-attainment.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][-1] = {**notebook["cells"][2], "source": source, "id": "last"}
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.mark.parametrize(
    ("engine", "killed"),
    [("papermill", "os.getppid()"), ("papermill", "os.getpid()"), ("fork", "os.getpid()")],
)
def test_a_run_whose_process_is_killed_says_what_to_do(project, capsys, engine, killed):
    write_last_cell(project, f"import os\nos.kill({killed}, 9)")
    arguments = ["run", "lite", "--municipality", "Oslo", "--engine", engine]

    assert main(arguments) == 1
    assert capsys.readouterr().err.endswith(
        "Run the same command again; with fewer --workers if memory ran out\n"
    )
    write_last_cell(project, "1 / 0")
    assert main(arguments) == 1
    assert "Run the same command again" not in capsys.readouterr().err


def test_a_run_that_fails_is_told_as_json_with_the_same_exit_code(project, capsys):
    write_last_cell(project, "1 / 0")

    assert main(["run", "lite", "--json", "--municipality", "Oslo"]) == 1
    told, _ = document(capsys)
    assert told["failed"] == 1
    assert told["notebooks"][0]["reason"] == "ZeroDivisionError: division by zero"


def test_check_can_be_told_as_json(project, capsys):
    assert main(["check", "lite", "--json"]) == 0
    told, _ = document(capsys)
    assert told["tables"] == ["events", "facts", "goals", "municipalities", "regions"]
    assert (told["conflicts"], told["findings"], told["to_mend"]) == (0, [], [])

    write_study(project, goals=[TABLES["goals"][0] | {"kind": "aim"}])
    assert main(["check", "lite", "--json"]) == 1
    told, besides = document(capsys)
    assert told["error"].startswith("data/raw/lite/goals.csv does not match GoalsTable:")
    assert besides == f"Error: {told['error']}\n"


def test_a_render_that_is_refused_is_told_as_json(project, capsys):
    assert main(["render", "lite", "--json"]) == 1
    told, _ = document(capsys)
    assert told["error"].startswith("2 notebooks behind the book are not up to date")


@pytest.mark.parametrize("engine", ["papermill", "auto"])
def test_the_engine_that_runs_notebooks_can_be_chosen(project, capsys, monkeypatch, engine):
    from evalkit import studies
    from evalkit.runs import ENGINES, RunSummary

    asked = []
    monkeypatch.setattr(
        studies, "run_jobs", lambda jobs, **options: asked.append(options) or RunSummary(())
    )
    assert main(["run", "lite", "--engine", engine]) == 0
    assert asked[0]["engine"] == engine

    with pytest.raises(SystemExit):
        main(["run", "lite", "--engine", "quarto"])
    known = capsys.readouterr().err.partition("choose from ")[2]
    assert sorted(known.strip(" )\n").replace("'", "").split(", ")) == sorted(ENGINES)

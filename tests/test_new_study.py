import tomllib

import pytest
import yaml
from studies import write_study

from evalkit.cli import main
from evalkit.errors import ConfigError
from evalkit.new_study import STAGES, NewMunicipality, write_new_study
from evalkit.readers import read_study
from evalkit.study_status import study_status


def make(tmp_path, study="moss", stage="plan", **given):
    options = {"municipalities": [NewMunicipality("0301", "Oslo")], "period": (2024, 2027)}
    return write_new_study(
        tmp_path / "data" / "raw" / study,
        tmp_path / "reports" / study,
        stage=stage,
        title="Tidlig innsats: en «prøve»",
        **options | given,
    )


@pytest.mark.parametrize("stage", STAGES)
def test_a_new_study_is_valid_and_empty_at_every_stage(tmp_path, stage):
    make(tmp_path, stage=stage)

    read = read_study(tmp_path / "data" / "raw" / "moss")

    assert read.settings.report == stage
    assert read.settings.municipality_codes == ["0301"]
    assert set(read.tables) == set(STAGES[stage].tables)
    assert {name for name, table in read.tables.items() if len(table)} == {
        "regions",
        "municipalities",
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_new_book_lists_the_chapters_that_are_there(tmp_path, stage):
    make(tmp_path, stage=stage)
    report = tmp_path / "reports" / "moss"

    book = yaml.safe_load((report / "_quarto.yml").read_text(encoding="utf-8"))["book"]

    assert {*book["chapters"], *book["appendices"]} == {p.name for p in report.glob("*.qmd")}
    assert book["title"] == "Tidlig innsats: en «prøve»"


@pytest.mark.parametrize("stage", STAGES)
def test_the_cells_of_a_new_book_are_of_notebooks_it_runs(tmp_path, stage):
    make(tmp_path, stage=stage)

    text = "".join(p.read_text(encoding="utf-8") for p in tmp_path.glob("reports/moss/*.qmd"))

    embedded = {part.split(".ipynb")[0] for part in text.split("notebooks/")[1:]}
    assert {name.removesuffix("-oslo") for name in embedded} <= set(STAGES[stage].notebooks)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_renders_at_once_from_an_empty_folder_and_says_what_is_missing(
    tmp_path, monkeypatch, stage
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # no Quarto: the embedded engine

    given = ["--municipality", "0301=Oslo", "--period", "2020", "2022"]
    assert main(["new", "moss", "--stage", stage, *given]) == 0
    assert main(["report", "moss", "--to", "html"]) == 0

    book = tmp_path / "reports" / "moss" / "_book"
    last = (book / f"{STAGES[stage].chapters[-1]}.html").read_text(encoding="utf-8")
    assert "Planen har ingen effektmål eller resultatmål" in last or "Mangler" in last


def test_the_code_stays_text_and_the_slug_has_no_norwegian_letters(tmp_path):
    make(tmp_path, municipalities=[NewMunicipality("5060", "Nærøysund")])
    raw = tmp_path / "data" / "raw" / "moss"

    settings = tomllib.loads((raw / "study.toml").read_text(encoding="utf-8"))

    assert settings["parts"][0]["municipalities"] == ["5060"]
    assert "\n5060,naeroysund,Nærøysund," in (raw / "municipalities.csv").read_text("utf-8")


def test_the_readme_says_what_every_column_is_for(tmp_path):
    make(tmp_path)

    text = (tmp_path / "data" / "raw" / "moss" / "README.md").read_text(encoding="utf-8")

    assert "## milestones.csv" in text
    assert "- `milestone_id`: the milestone" in text


def test_everything_that_is_wrong_with_the_call_is_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as told:
        make(
            tmp_path,
            study="Moss 1",
            stage="start",
            municipalities=[NewMunicipality("301")],
            period=(2027, 2024),
        )

    said = str(told.value)
    assert "study name 'Moss 1'" in said
    assert "stage 'start'; expected one of plan, status, final, effect" in said
    assert "municipality code '301'; expected four digits, kept as text" in said
    assert "period 2027 to 2024" in said


def test_a_study_that_is_there_is_not_touched(tmp_path):
    write_study(tmp_path, "moss")

    with pytest.raises(ConfigError, match="is there already"):
        make(tmp_path)
    assert not (tmp_path / "reports" / "moss").exists()


def test_the_command_makes_a_study_that_passes_its_check(tmp_path, monkeypatch, capsys):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert main(["new", "moss", "--municipality", "3103=Moss", "--period", "2024", "2027"]) == 0
    assert main(["check", "moss"]) == 0

    assert "then run: evalkit report moss" in capsys.readouterr().out


def test_the_status_tells_what_is_missing_late_and_next(tmp_path):
    folder = write_study(
        tmp_path,
        milestones=[
            {"milestone_id": "a", "position": 1, "title": "Plan", "is_decision": "no"}
            | {"due": "2021-03", "status": "planned"},
            {"milestone_id": "b", "position": 2, "title": "Vedtak", "is_decision": "yes"}
            | {"due": "2022-01-31", "status": "planned"},
        ],
    )

    found = study_status(read_study(folder).tables, stage="plan", as_of="2021-06-01")

    assert found.present["goals"] == 1
    assert "risks" in found.missing
    assert found.late["title"].tolist() == ["Plan"]
    assert (found.next_title, found.next_due) == ("Vedtak", "2022-01-31")
    assert found.conflicts == []


def test_another_report_on_a_studys_tables_has_settings_and_a_book_only(
    tmp_path, monkeypatch, capsys
):
    make(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert main(["new", "moss-status", "--stage", "status", "--tables-from", "moss"]) == 0
    assert main(["check", "moss-status"]) == 0

    raw = tmp_path / "data" / "raw" / "moss-status"
    assert [path.name for path in raw.iterdir()] == ["study.toml"]
    settings = read_study(raw).settings
    assert (settings.report, settings.tables_from) == ("status", "moss")
    assert settings.municipality_codes == ["0301"]
    assert settings.period == (2024, 2027)
    assert (tmp_path / "reports" / "moss-status" / "milepaeler.qmd").is_file()


def test_a_new_study_without_municipality_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert main(["new", "moss"]) == 1

    assert "no municipality; name at least one with --municipality CODE" in (
        capsys.readouterr().err
    )

"""What is checked before anything runs."""

import json

import pytest

from evalkit.errors import ConfigError
from evalkit.runs import Job
from evalkit.runs.jobs import checked_jobs, notebook_parameters, read_source, run_place

PARAMETERS = """\
study: str = "demo"  # folder = under data/raw
municipality_code: str = "0301"
wave: int = 0
limit = 0.5
shown: bool = True
"""
GIVEN = {
    "study": "demo",
    "municipality_code": "0301",
    "wave": 1,
    "limit": 0.25,
    "shown": False,
}


def write_notebook(path, parameters=PARAMETERS):
    cells = [
        {"cell_type": "markdown", "source": "# Spørsmål", "metadata": {}},
        {
            "cell_type": "code",
            "source": parameters,
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "execution_count": None,
        },
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def job(tmp_path):
    def make(name="05-anchoring-oslo.ipynb", given=GIVEN, **other):
        return Job(
            notebook=write_notebook(tmp_path / "notebooks" / "05-anchoring.ipynb"),
            parameters=given,
            output=tmp_path / "reports" / "demo" / "notebooks" / name,
            **{"label_suffix": "oslo", "title": "Oslo", **other},
        )

    return make


def checked(tmp_path, *jobs):
    return checked_jobs(jobs, run_place(tmp_path, "demo"))


def test_parameters_are_read_with_their_types(tmp_path):
    source = read_source(write_notebook(tmp_path / "a.ipynb"))

    assert notebook_parameters(source) == {
        "study": str,
        "municipality_code": str,
        "wave": int,
        "limit": float,
        "shown": bool,
    }


def test_a_code_with_a_leading_zero_stays_text(tmp_path, job):
    (result,) = checked(tmp_path, job())

    assert result.parameters["municipality_code"] == "0301"


def test_text_from_a_command_line_becomes_what_the_notebook_asks_for(tmp_path, job):
    given = {**GIVEN, "wave": "2", "limit": "0.1", "shown": "false"}
    (result,) = checked(tmp_path, job(given=given))

    assert result.parameters == {**GIVEN, "wave": 2, "limit": 0.1, "shown": False}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"muncipality_code": "0301"}, "unknown parameter 'muncipality_code'; the notebook knows"),
        ({"municipality_code": 301}, "parameter municipality_code: 301; expected text"),
        ({"municipality_code": "301"}, "municipality_code: '301'; expected four digits"),
        ({"municipality_code": "../1"}, "municipality_code: '../1'; expected four digits"),
        ({"wave": "two"}, "parameter wave: 'two'; expected a whole number"),
        ({"wave": True}, "parameter wave: True; expected a whole number"),
        ({"shown": 1}, "parameter shown: 1; expected True or False"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(tmp_path, job, change, message):
    with pytest.raises(ConfigError) as error:
        checked(tmp_path, job(given={**GIVEN, **change}))

    assert message in str(error.value)


def test_every_problem_of_every_job_comes_at_once(tmp_path, job):
    with pytest.raises(ConfigError) as error:
        checked(
            tmp_path,
            job(given={"study": "demo"}),
            job("05-anchoring-siljan.ipynb", given={**GIVEN, "wve": 1}, title="Siljan"),
        )

    message = str(error.value)
    assert "05-anchoring for Oslo: parameter 'municipality_code' is missing" in message
    assert "05-anchoring for Oslo: parameter 'wave' is missing" in message
    assert "05-anchoring for Siljan: unknown parameter 'wve'" in message


@pytest.mark.parametrize("suffix", ["Oslo", "../oslo", "oslo/..", "-oslo", "os lo"])
def test_a_label_suffix_is_plain(tmp_path, job, suffix):
    with pytest.raises(ConfigError, match="label suffix"):
        checked(tmp_path, job(label_suffix=suffix))


@pytest.mark.parametrize("name", ["../../../x.ipynb", "../../../../../etc/x.ipynb", "a b.ipynb"])
def test_an_output_stays_within_the_study(tmp_path, job, name):
    with pytest.raises(ConfigError, match="output"):
        checked(tmp_path, job(name))


def test_a_symbolic_link_that_leads_out_is_refused(tmp_path, job):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "reports" / "demo").mkdir(parents=True)
    (tmp_path / "reports" / "demo" / "notebooks").symlink_to(outside)

    with pytest.raises(ConfigError, match="notebooks is a symbolic link"):
        checked(tmp_path, job())


def test_a_study_folder_that_leads_out_is_refused(tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "demo").symlink_to(outside)

    with pytest.raises(ConfigError, match="reports/demo is a symbolic link"):
        run_place(tmp_path, "demo")


def test_an_output_that_is_a_link_is_refused(tmp_path, job):
    output = job().output
    output.parent.mkdir(parents=True)
    output.symlink_to(tmp_path / "elsewhere.ipynb")

    with pytest.raises(ConfigError, match="symbolic link"):
        checked(tmp_path, job())


def test_two_jobs_never_share_an_output(tmp_path, job):
    with pytest.raises(ConfigError, match="asked for by more than one run"):
        checked(tmp_path, job(), job(title="Siljan"))


@pytest.mark.parametrize("study", ["..", "a/b", "", "Demo", "."])
def test_a_study_is_a_plain_folder_name(tmp_path, study):
    with pytest.raises(ConfigError, match="study"):
        run_place(tmp_path, study)


def test_a_broken_notebook_is_named(tmp_path, job):
    asked = job()
    asked.notebook.write_text("{", encoding="utf-8")

    with pytest.raises(ConfigError, match="is not a notebook"):
        checked(tmp_path, asked)


def test_a_cell_without_an_id_gets_a_steady_one(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb")

    assert [cell["id"] for cell in read_source(path)["cells"]] == ["cell-1", "cell-2"]

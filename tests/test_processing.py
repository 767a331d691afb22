"""Processing happens again only when something changed, and runs depend on their own rows."""

import pandas as pd
import pytest
from studies import TABLES, write_study

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import ConfigError, DataError
from evalkit.processing import StudyFiles, current_study, process_files, row_hashes
from evalkit.store import OWNED_THROUGH, read_processed
from evalkit.studies import Project, study_jobs, tables_read

SURVEYS = [
    {"survey_id": f"{slug}-2020", "municipality_code": code, "kind": "staff_survey", "title": slug}
    for slug, code in (("oslo", "0301"), ("horten", "3801"))
]
RESULTS = [
    {
        "result_id": f"{slug}-2020-{n}",
        "survey_id": f"{slug}-2020",
        "position": n,
        "item": "Samarbeid",
        "answer": "enig",
        "share_percent": 40 + n,
    }
    for slug in ("oslo", "horten")
    for n in (1, 2)
]
GOALS = [
    *TABLES["goals"],
    {
        "goal_id": "horten-goal",
        "municipality_code": "3801",
        "kind": "local_goal",
        "position": 1,
        "text": "Flere trives",
        "parent_goal_ids": "anchored",
    },
]


@pytest.fixture
def files(tmp_path):
    write_study(tmp_path, goals=GOALS, surveys=SURVEYS, survey_results=RESULTS)
    return Project(tmp_path).files("lite")


def stamps(files):
    return {
        path.name: path.stat().st_mtime_ns
        for path in (files.processed / files.study).glob("*.parquet")
    }


def part(files, table, code):
    return read_processed(table, files.study, files.processed, code)


def test_a_study_that_has_not_changed_is_not_written_again(files):
    first = process_files(files)
    before = stamps(files)

    again = process_files(files)

    assert stamps(files) == before
    assert again.rows == first.rows
    assert again.settings == first.settings
    pd.testing.assert_frame_equal(again.sources, first.sources)
    assert list(again.tables) == list(first.tables)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_only_a_table_that_changed_is_written_again(files):
    process_files(files)
    before = stamps(files)
    goals = files.raw / "goals.csv"
    goals.write_text(goals.read_text("utf-8").replace("Flere trives", "Alle trives"), "utf-8")

    process_files(files)

    changed = {name for name, stamp in stamps(files).items() if stamp != before[name]}
    assert changed & {f"{name}.parquet" for name in TABLES} == {"goals.parquet"}
    assert "Alle trives" in part(files, "goals", "3801")["text"].tolist()


def test_a_table_that_breaks_a_rule_is_found_although_the_others_are_kept(files):
    process_files(files)
    results = files.raw / "survey_results.csv"
    results.write_text(results.read_text("utf-8").replace("oslo-2020,", "moss-2020,"), "utf-8")

    with pytest.raises(DataError, match="moss-2020"):
        process_files(files)


@pytest.mark.parametrize("damage", ["delete", "flip", "record"])
def test_processed_files_that_are_damaged_are_made_again(files, damage):
    whole = process_files(files).tables["goals"]
    path = files.processed / "lite" / "goals.parquet"
    if damage == "delete":
        path.unlink()
    elif damage == "flip":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        files.record.write_text("{", "utf-8")

    process_files(files)

    pd.testing.assert_frame_equal(part(files, "goals", None), whole)


def test_looking_at_a_study_writes_nothing(files):
    read = current_study(files)

    assert read.rows == row_hashes(read.tables)
    assert not files.processed.exists()


def test_a_municipality_gets_its_own_rows_and_those_of_nobody(files):
    process_files(files)

    assert part(files, "goals", "0301")["goal_id"].tolist() == ["anchored"]
    assert part(files, "goals", "3801")["goal_id"].tolist() == ["anchored", "horten-goal"]


def test_rows_of_a_survey_are_the_municipality_s_whose_survey_it_is(files):
    process_files(files)

    assert part(files, "survey_results", "3801")["survey_id"].unique().tolist() == ["horten-2020"]


def test_a_table_without_municipalities_comes_back_whole(files):
    process_files(files)

    pd.testing.assert_frame_equal(part(files, "regions", "0301"), part(files, "regions", None))


def test_tables_owned_through_another_have_its_key():
    for table, (column, other) in OWNED_THROUGH.items():
        assert column in columns_of(CONTRACTS[table])
        assert {column, "municipality_code"} <= set(columns_of(CONTRACTS[other]))


def test_a_changed_row_changes_the_hash_of_its_municipality_only():
    read = {name: pd.DataFrame(rows) for name, rows in (("surveys", SURVEYS),)}
    before = row_hashes(read)
    read["surveys"].loc[1, "title"] = "annet"

    after = row_hashes(read)

    assert after["surveys"]["0301"] == before["surveys"]["0301"]
    assert after["surveys"]["3801"] != before["surveys"]["3801"]


NOTEBOOK = """{"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "outputs": [],
"execution_count": null, "source": "study: str = \\"lite\\"\\nmunicipality_code: str = \\"0301\\"\\n
processed_dir: str = \\"x\\""}, {"cell_type": "code", "metadata": {}, "outputs": [],
"execution_count": null, "source": %s}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"""


def write_notebook(project, source):
    import json

    path = project.notebooks / "01-own.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(NOTEBOOK.replace("\n", "") % json.dumps(source), "utf-8")
    return path


def test_a_change_of_one_municipality_makes_only_its_runs_out_of_date(files, tmp_path):
    project = Project(tmp_path)
    write_notebook(
        project, 'g = ek.read_processed("goals", study, processed_dir, municipality_code)'
    )
    before = study_jobs(project, process_files(files))
    goals = files.raw / "goals.csv"
    goals.write_text(goals.read_text("utf-8").replace("Flere trives", "Alle trives"), "utf-8")

    after = study_jobs(project, process_files(files))

    changed = [a.title for a, b in zip(after, before, strict=True) if a.rows != b.rows]
    assert changed == ["3801 Horten"]


def jobs_changed(project, files, path, old, new):
    """Titles of the runs that a change of a file makes out of date."""
    before = study_jobs(project, process_files(files))
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    after = study_jobs(project, process_files(files))
    return [a.title for a, b in zip(after, before, strict=True) if a.rows != b.rows]


def test_a_claim_of_one_municipality_makes_only_its_runs_out_of_date(files, tmp_path):
    project = Project(tmp_path)
    write_notebook(
        project, 'c = ek.read_processed("claims", study, processed_dir, municipality_code)'
    )

    goals = jobs_changed(project, files, files.raw / "goals.csv", "Flere trives", "Alle trives")
    facts = jobs_changed(project, files, files.raw / "facts.csv", "27600", "27601")

    assert goals == facts == ["3801 Horten"]


def test_claims_of_one_municipality_are_read_with_those_of_nobody(files):
    process_files(files)

    own = part(files, "claims", "3801")

    assert set(own["municipality_code"].dropna()) == {"3801"}
    assert not part(files, "facts", "0301")["subject"].str.startswith("horten").any()


def test_a_table_read_whole_anywhere_is_read_whole(tmp_path):
    path = write_notebook(
        Project(tmp_path),
        'a = read_processed("goals", s, p, municipality_code)\n%matplotlib inline\n'
        'b = ek.read_processed("goals", s, p)\n'
        'c = ek.read_processed("grants", s, p, municipality_code)',
    )

    assert tables_read(path) == {"goals": True, "grants": False}


def test_a_table_that_is_read_once_is_a_table_that_is_read(tmp_path):
    path = write_notebook(
        Project(tmp_path),
        'a = ek.once(ek.read_processed, "goals", s, p, municipality_code)\n'
        "b = ek.once(ek.read_observations, s, p, ids)",
    )

    assert tables_read(path) == {"goals": False, "observations": True}


def test_a_table_that_is_not_named_in_the_call_is_refused(tmp_path):
    path = write_notebook(Project(tmp_path), "a = ek.read_processed(name, study, processed_dir)")

    with pytest.raises(ConfigError, match="expected the table's name in quotes"):
        tables_read(path)


def test_a_study_file_paths_say_which_study(tmp_path):
    assert StudyFiles(tmp_path / "lite", tmp_path, tmp_path).study == "lite"


def test_a_table_without_rows_comes_back_empty_for_every_municipality(tmp_path):
    write_study(tmp_path, goals=[])
    files = Project(tmp_path).files("lite")
    process_files(files)

    assert part(files, "goals", "3801").empty

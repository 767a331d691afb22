"""Observations that are too many to be read give the same study, and say so where they cannot."""

import re
import shutil
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT
from studies import SETTINGS, TABLES, write_study, write_table

import evalkit as ek
from evalkit.demo import write_demo
from evalkit.errors import ConfigError, DataError
from evalkit.observation_store import is_store
from evalkit.processing import current_study, process_files
from evalkit.readers import read_study
from evalkit.store import processed_parts, read_processed
from evalkit.studies import Project, process_study, run_study, study_jobs, tables_read

pytest.importorskip("duckdb")

CODES = ["0301", "0302", "0303", "0304", "0305", "0306", "3801", "3802"]
MUNICIPALITIES = [
    {**TABLES["municipalities"][0], "municipality_code": code, "slug": f"k{code}", "name": code}
    for code in CODES
]
INDICATORS = [
    {"indicator_id": name, "name": name, "unit": unit, "level": "outcome"}
    for name, unit in (("falls", "percent"), ("visits", "score"))
]
ALL_CHAPTERS = SETTINGS.replace('["0301", "3801"]', str(CODES).replace("'", '"'))
OF_OBSERVATIONS = ["12-trends", "13-comparison", "17-rules", "25-effect", "26-groups"]
FACTS = [*TABLES["facts"], {"subject": "0302-falls-2021", "quantity": "value", "unit": "percent"}]


def observations(*, seed=3, small=True):
    """Every municipality's counts, some of them small, with rows of an area and of groups."""
    draws = np.random.default_rng(seed)
    rows = []
    for code in draws.permutation(CODES):
        for year in range(2019, 2023):
            base = int(draws.integers(3 if small else 60, 90))
            count = int(draws.integers(0 if small else 20, min(base + 1, 40)))
            of = {"municipality_code": code, "period": year}
            for name, told in (
                ("falls", {"value": round(100 * count / base, 1), "denominator": base}),
                ("visits", {"value": count / 2, "numerator": count, "denominator": base}),
            ):
                row = {"observation_id": f"{code}-{name}-{year}", "indicator_id": name}
                rows.append({**row, **of, **told})
    rows.append({**rows[0], "observation_id": "later", "period": "2021-06", "note": "senere"})
    rows.append({**rows[0], "observation_id": "group", "group": "menn"})
    whole = {"municipality_code": None, "area": "Norge", "value": 12.5}
    rows.append({**rows[0], "observation_id": "country", **whole})
    return rows


def write(root, rows=None, *, settings=ALL_CHAPTERS, **tables):
    write_study(
        root,
        settings=settings,
        municipalities=MUNICIPALITIES,
        indicators=INDICATORS,
        events=None,
        observations=observations() if rows is None else rows,
        **({"facts": None} | tables),
    )
    return Project(root).files("lite")


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr("evalkit.observation_store.STORE_ABOVE", 100)


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The same study, processed in memory and with its observations on disk."""

    def make(**given):
        memory, disk = write(tmp_path / "memory", **given), write(tmp_path / "disk", **given)
        read = process_files(memory)
        with monkeypatch.context() as patch:
            patch.setattr("evalkit.observation_store.STORE_ABOVE", 100)
            return memory, read, disk, process_files(disk)

    return make


def test_a_study_with_observations_on_disk_is_processed_alike(both):
    memory, read, disk, stored = both()

    assert list(stored.tables) == list(read.tables)
    for name, table in read.tables.items():
        pd.testing.assert_frame_equal(stored.tables[name], table, check_index_type=False)
    for name in ("claims", "contents", "sources", "study"):
        pd.testing.assert_frame_equal(
            read_processed(name, "lite", disk.processed),
            read_processed(name, "lite", memory.processed),
        )
    assert read_processed("claims", "lite", disk.processed)["withheld"].notna().any()
    assert set(stored.rows["observations"]) == set(read.rows["observations"])


@pytest.mark.parametrize("code", ["0301", "3802"])
def test_a_municipality_s_rows_are_the_same_from_disk(both, code):
    memory, _, disk, _ = both()

    pd.testing.assert_frame_equal(
        read_processed("observations", "lite", disk.processed, code),
        read_processed("observations", "lite", memory.processed, code),
    )


def test_parts_hold_all_municipalities(both):
    _, _, disk, _ = both()

    parts = list(processed_parts("observations", "lite", disk.processed, municipality_count=3))

    assert [part["municipality_code"].nunique() for part in parts] == [3, 3, 2]
    assert sum(map(len, parts)) == len(observations()) - 1, "but for the row of nobody"


@pytest.mark.parametrize("small", [True, False])
def test_series_are_the_same_from_disk_and_from_memory(both, small):
    memory, _, disk, _ = both(rows=observations(small=small))
    asked = {"peers": ["0302", "0303", "0305", "3802", "0306"], "minimum_count": 4}

    for code in CODES:
        from_memory = ek.read_series("lite", memory.processed, code, **asked)
        from_disk = ek.read_series("lite", disk.processed, code, **asked)

        pd.testing.assert_frame_equal(from_disk, from_memory)
        assert from_disk["country_median"].notna().any()


def test_series_hide_small_counts_and_leave_them_out_of_means(both):
    _, _, disk, _ = both()

    shown = pd.concat([ek.read_series("lite", disk.processed, code) for code in CODES])

    hidden = shown["reason"].notna()
    assert hidden.any()
    assert shown.loc[hidden, ["value", "numerator", "denominator"]].isna().all(axis=None)
    assert (shown.loc[~hidden, "numerator"].dropna() >= 5).all()
    means = shown.loc[~hidden].groupby(["indicator_id", "year"])["value"].agg(["mean", "count"])
    told = shown.groupby(["indicator_id", "year"])[["country_mean", "country_count"]].first()
    enough = means["count"] >= 5
    np.testing.assert_allclose(told.loc[enough, "country_mean"], means.loc[enough, "mean"])
    assert told["country_count"].tolist() == means["count"].reindex(told.index).fillna(0).tolist()


def test_the_rest_of_the_study_sees_its_own_rows_where_they_stand(tmp_path, large):
    files = write(tmp_path, settings=SETTINGS)

    own = process_files(files).tables["observations"]

    assert set(own["municipality_code"].dropna()) == {"0301", "3801"}
    assert own["municipality_code"].isna().sum() == 1
    every = pd.DataFrame(observations())["observation_id"]
    assert own["observation_id"].tolist() == every[own.index].tolist()
    claims = read_processed("claims", "lite", files.processed)
    assert set(claims.loc[claims["subject"] == "country", "row"]) == {len(every) + 1}
    counted = read_processed("contents", "lite", files.processed).set_index("table")["row_count"]
    assert counted["observations"] == len(every)
    told = ek.read_own_observations("lite", files.processed)
    pd.testing.assert_frame_equal(told, own.reset_index(drop=True))


@pytest.mark.parametrize("others", [4, 5])
def test_few_others_behind_a_total_are_among_the_rows_that_are_protected(tmp_path, large, others):
    codes = ["0301", "3801", *[code for code in CODES if code not in ("0301", "3801")][:others]]
    counts = dict.fromkeys(codes, 40) | {"3801": 3}
    rows = [
        {"municipality_code": code, "value": 0.4, "numerator": count, "denominator": 100}
        for code, count in counts.items()
    ]
    whole = {"area": "Norge", "value": 0.4, "denominator": 100 * len(codes)}
    rows.append({**whole, "municipality_code": None, "numerator": sum(counts.values())})
    about = {"indicator_id": "visits", "period": 2021}
    rows = [{**about, **row, "observation_id": f"o{n}"} for n, row in enumerate(rows)]

    read = process_files(write(tmp_path, rows, settings=SETTINGS)).tables["observations"]

    seen = set(read["municipality_code"].dropna())
    assert seen == (set(codes) if others < 5 else {"0301", "3801"})


@pytest.mark.parametrize("few", [True, False])
def test_a_county_hides_the_same_where_most_municipalities_have_no_chapter(both, few):
    """3801 and 0301 have chapters; its county less 3802, which has none, would tell of 3801."""
    counts = dict.fromkeys(CODES, 40) | ({"3801": 3} if few else {})
    rows = [
        {"municipality_code": code, "value": count, "numerator": count, "denominator": 100}
        for code, count in counts.items()
    ]
    for area, begins in (("Norge", ""), ("Oslo", "03"), ("Vestfold", "38")):
        own = [count for code, count in counts.items() if code.startswith(begins)]
        whole = {"area": area, "value": 40, "denominator": 100 * len(own)}
        rows.append({**whole, "municipality_code": None, "numerator": sum(own)})
    about = {"indicator_id": "visits", "period": 2021}
    rows = [{**about, **row, "observation_id": f"o{n}"} for n, row in enumerate(rows)]
    codes = {"Norge": None, "Oslo": "03", "Vestfold": "38"}
    areas = [{"area": area, "county_code": code} for area, code in codes.items()]

    memory, read, disk, stored = both(rows=rows, settings=SETTINGS, areas=areas)

    told = [
        read_processed("claims", "lite", files.processed).set_index("key")["withheld"].dropna()
        for files in (memory, disk)
    ]
    assert ("o6.numerator" in told[1]) == few
    pd.testing.assert_series_equal(told[1], told[0])
    assert len(stored.tables["observations"]) == (len(read.tables["observations"]) if few else 5)


def test_a_claim_of_a_fact_about_any_row_is_held_against_it(tmp_path, large):
    fact = {**FACTS[-1], "value": "99"}
    files = write(tmp_path, settings=SETTINGS, facts=[fact])

    with pytest.raises(DataError, match=r"0302-falls-2021\.value in row 2: a claim among"):
        process_files(files)


def test_all_rows_are_held_against_contract_and_other_tables(tmp_path, large, monkeypatch):
    rows = observations()
    rows[1] |= {"municipality_code": "0399"}
    rows[2] |= {"indicator_id": "unknown"}
    rows[3] |= {"source": "nobody2020"}
    rows[4] |= {"numerator": 80, "denominator": 70}
    folder = write(tmp_path, rows).raw

    with pytest.raises(DataError) as on_disk:
        process_files(Project(tmp_path).files("lite"))
    monkeypatch.setattr("evalkit.observation_store.STORE_ABOVE", 10**9)
    with pytest.raises(DataError) as in_memory:
        read_study(folder)

    assert set(str(on_disk.value).splitlines()) == set(str(in_memory.value).splitlines())
    assert "municipality_code: '0399' in row 3; expected" in str(on_disk.value)


def without_range(told):
    """A message without what the unit allows: of values, the file on disk is read before it."""
    return re.sub(r"(in the indicator's unit): .*", r"\1", str(told.value))


@pytest.mark.parametrize(
    "wrong",
    [
        {"municipality_code": "301"},
        {"value": "12,5"},
        {"value": "et navn"},
        {"value": "nan"},
        {"denominator": -1},
        {"period": "2021-02-30"},
        {"source": None},
        {"qualifier": "kanskje"},
        {"observation_id": "group"},
    ],
    ids=str,
)
def test_a_breach_is_told_as_of_other_tables(tmp_path, large, monkeypatch, wrong):
    rows = observations()
    rows[5] |= wrong
    rows[9] |= wrong
    files = write(tmp_path, rows)

    with pytest.raises(DataError) as on_disk:
        process_files(files)
    monkeypatch.setattr("evalkit.observation_store.STORE_ABOVE", 10**9)
    with pytest.raises(DataError) as in_memory:
        process_files(files)

    assert without_range(on_disk) == without_range(in_memory)
    assert "navn" not in str(on_disk.value)


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (b"uten nok celler\r\n", "expected 13 cells as in the header row"),
        (b"\xe5,\r\n", "is not UTF-8 text"),
        (b"\n1,2\n", "its lines end in more than one way"),
        (b'"aldri lukket,1,2\r\n', "cannot be read as CSV: line"),
    ],
)
def test_a_file_that_is_no_csv_is_told_without_its_cells(tmp_path, large, damaged, told):
    files = write(tmp_path)
    path = files.raw / "observations.csv"
    path.write_bytes(path.read_bytes() + damaged)

    with pytest.raises(DataError, match=told) as error:
        process_files(files)

    assert "uten nok" not in str(error.value)
    assert "lukket" not in str(error.value)


def test_own_rows_that_are_too_many_are_refused(tmp_path, large, monkeypatch):
    monkeypatch.setattr("evalkit.large_observations.OWN_ROWS", 10)

    with pytest.raises(DataError, match=r"67 rows are the study's own.*expected at most 10"):
        process_files(write(tmp_path))


def test_without_duckdb_the_error_says_what_to_install(tmp_path, large, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(ConfigError, match=r"pip install 'evalkit\[data\]'"):
        process_files(write(tmp_path))


def test_a_small_study_needs_no_duckdb(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    files = write(tmp_path)

    process_files(files)

    assert len(ek.read_series("lite", files.processed, "0301")) == 8


def test_reading_all_rows_says_what_to_read_instead(tmp_path, large):
    files = write(tmp_path)
    process_files(files)

    with pytest.raises(DataError, match="read_series"):
        read_processed("observations", "lite", files.processed)


def stamps(files):
    return {path.name: path.stat().st_mtime_ns for path in files.store.glob("*.parquet")}


def test_nothing_is_made_again_when_nothing_changed(tmp_path, large):
    files = write(tmp_path)
    first = process_files(files)
    before = stamps(files)

    again = process_files(files)

    assert stamps(files) == before
    assert again.rows == first.rows
    assert again.contents == first.contents
    assert current_study(files).rows == first.rows


def test_another_table_that_changed_leaves_the_rows_as_they_are(tmp_path, large):
    files = write(tmp_path)
    process_files(files)
    before = stamps(files)
    changed = [{**INDICATORS[0], "unit": "score"}, INDICATORS[1]]
    write_table(files.raw / "indicators.csv", changed)

    process_files(files)

    after = stamps(files)
    assert after["rows.parquet"] == before["rows.parquet"]
    assert after["values.parquet"] != before["values.parquet"]


def test_a_changed_row_changes_its_own_municipality_s_hash_only(tmp_path, large):
    rows = observations(small=False)
    files = write(tmp_path, rows)
    before = process_files(files).rows["observations"]
    rows[0] |= {"note": "rettet", "value": 7}
    write(tmp_path, rows)

    looked_at = current_study(files).rows["observations"]
    after = process_files(files).rows["observations"]

    changed = {code for code in after if after[code] != before[code]}
    assert changed == {rows[0]["municipality_code"]}
    assert looked_at == after


def test_only_notebooks_that_depend_on_the_changed_rows_are_out_of_date(
    tmp_path, large, project_dir
):
    rows = observations(small=False)
    write(tmp_path, rows)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(project_dir / "notebooks" / "05-indicators.ipynb", tmp_path / "notebooks")
    project = Project(tmp_path)

    def depends():
        jobs = study_jobs(project, process_files(project.files("lite")))
        return {job.parameters["municipality_code"]: job.rows for job in jobs}

    before = depends()
    rows[0] |= {"value": 7}
    write(tmp_path, rows)
    after = depends()

    assert [c for c in after if after[c] != before[c]] == [rows[0]["municipality_code"]]


@pytest.mark.parametrize("damage", ["rows", "values", "areas", "own", "made", "half"])
def test_a_damaged_store_is_made_again(tmp_path, large, damage):
    files = write(tmp_path)
    first = process_files(files)
    content = {path.name: path.read_bytes() for path in files.store.iterdir()}
    path = files.store / ("made.json" if damage == "made" else f"{damage}.parquet")
    if damage == "half":
        (files.store / ".writing-x").mkdir()
        (files.store / "areas.parquet").unlink()
        files.record.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-30] + b"x" * 30)

    again = process_files(files)

    assert again.rows == first.rows
    if damage != "made":
        assert {path.name: path.read_bytes() for path in files.store.iterdir()} == content


def test_a_file_that_shrinks_is_read_into_memory_again(tmp_path, large, monkeypatch):
    files = write(tmp_path)
    process_files(files)
    monkeypatch.setattr("evalkit.observation_store.STORE_ABOVE", 10**9)

    process_files(files)

    assert not files.store.exists()
    every = read_processed("observations", "lite", files.processed)
    assert len(every) == len(observations())


def test_check_reads_such_a_study_without_leaving_anything(tmp_path, large):
    files = write(tmp_path, settings=SETTINGS)

    read = read_study(files.raw)

    assert set(read.tables["observations"]["municipality_code"].dropna()) == {"0301", "3801"}
    assert not files.processed.exists()
    assert current_study(files).rows["observations"].keys() == {"", *CODES}
    assert not files.processed.exists()


def notebook_of(folder, code):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    path = folder / "series.ipynb"
    nbformat.write(notebook, path)
    return path


def test_series_in_a_notebook_depend_on_all_observations(tmp_path):
    code = "ek.read_series(study, processed_dir, municipality_code)"

    read = tables_read(notebook_of(tmp_path, code))

    assert read == {"observations": True, "indicators": True}


@pytest.mark.parametrize("wanted", [["falls"], ["visits", "falls"]])
def test_all_rows_of_some_indicators_are_the_same_from_disk(both, wanted):
    memory, _, disk, _ = both()

    from_disk = ek.read_observations("lite", disk.processed, wanted)

    pd.testing.assert_frame_equal(from_disk, ek.read_observations("lite", memory.processed, wanted))
    assert set(from_disk["indicator_id"]) == set(wanted)
    assert from_disk["municipality_code"].isna().any() == ("falls" in wanted)


@pytest.mark.parametrize("place", [0, 1])
def test_an_indicator_without_rows_is_told(both, place):
    memory, _, disk, _ = both()

    with pytest.raises(DataError, match="of lite: no row of fall; expected"):
        ek.read_observations("lite", (memory, disk)[place].processed, ["fall", "visits"])


@pytest.mark.parametrize(("row_count", "parts"), [(1, 2), (40, 2), (1000, 1)])
def test_all_rows_are_read_some_indicators_at_a_time(both, row_count, parts):
    memory, _, disk, _ = both()
    whole = read_processed("observations", "lite", memory.processed)

    (every,) = ek.observation_parts("lite", memory.processed, row_count=row_count)
    read = list(ek.observation_parts("lite", disk.processed, row_count=row_count))

    pd.testing.assert_frame_equal(every, whole)
    assert len(read) == parts
    told = pd.concat(read).sort_values("observation_id", ignore_index=True)
    pd.testing.assert_frame_equal(told, whole.sort_values("observation_id", ignore_index=True))


def test_where_all_rows_are_from_is_the_same_from_disk(both):
    rows = observations()
    rows[3] |= {"locator": "tabell 2"}
    memory, _, disk, _ = both(rows=rows)

    from_disk = ek.read_observation_sources("lite", disk.processed)

    pd.testing.assert_frame_equal(from_disk, ek.read_observation_sources("lite", memory.processed))
    assert "tabell 2" in from_disk["locator"].tolist()


@pytest.mark.parametrize(
    "call",
    [
        "ek.read_observations(study, processed_dir, [indicator_id])",
        "ek.observation_parts(study, processed_dir)",
        "ek.read_observation_sources(study, processed_dir)",
    ],
)
def test_notebooks_that_read_rows_of_indicators_depend_on_all_observations(tmp_path, call):
    assert tables_read(notebook_of(tmp_path, call)) == {"observations": True}


def of_observations(project, read):
    """The jobs of notebooks that read all observations, for one municipality where for each."""
    jobs = study_jobs(project, read)
    return [job for job in jobs if job.parameters.get("municipality_code", "9901") == "9901"]


def test_notebooks_show_the_same_where_observations_are_on_disk(tmp_path, monkeypatch):
    shown = {}
    for place, limit in (("memory", 10**9), ("disk", 100)):
        monkeypatch.setattr("evalkit.observation_store.STORE_ABOVE", limit)
        project = Project(tmp_path / place)
        shutil.copytree(PROJECT / "notebooks", project.notebooks)
        write_demo(project.root / "data" / "raw" / "demo")
        listed = project.raw("demo") / "study.toml"
        text = listed.read_text("utf-8")
        names = "".join(f'  "{name}",\n' for name in OF_OBSERVATIONS)
        listed.write_text(
            re.sub(r"notebooks = \[.*?\]", f"notebooks = [\n{names}]", text, flags=re.S)
        )
        read = process_study(project, "demo")
        assert is_store(project.processed / "demo" / "observations") == (place == "disk")

        summary = run_study(project, read, jobs=of_observations(project, read))

        assert [result.reason for result in summary.failed] == []
        made = (project.report("demo") / "notebooks").glob("*.ipynb")
        shown[place] = {path.name: path.read_text("utf-8") for path in made}

    assert len(shown["disk"]) == len(OF_OBSERVATIONS) + 1, "and the audit"
    assert shown["disk"] == shown["memory"]

import pytest
from studies import SETTINGS, TABLES, write_study

from evalkit.errors import ConfigError, DataError
from evalkit.readers import read_sources, read_study


def test_a_study_is_read_with_its_types_and_sources(tmp_path):
    study = read_study(write_study(tmp_path))

    assert study.tables["municipalities"]["municipality_code"].tolist() == ["0301", "3801"]
    assert study.tables["events"]["attended_count"].item() == 34
    assert study.sources["short"].tolist() == ["Waldahl og Skogøy (2024)", "KORUS Sør (2020)"]


def test_breaches_of_all_files_come_out_together(tmp_path):
    folder = write_study(
        tmp_path,
        goals=[TABLES["goals"][0] | {"kind": "aim"}],
        events=[TABLES["events"][0] | {"municipality_code": "9999"}],
    )

    with pytest.raises(DataError) as error:
        read_study(folder)

    message = str(error.value)
    assert "goals.csv does not match GoalsTable:\n  kind: 'aim' in row 2" in message
    assert "events.csv:\n  municipality_code: '9999' in row 2" in message


def test_a_file_that_is_no_table_is_named(tmp_path):
    folder = write_study(tmp_path)
    (folder / "notater.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DataError, match=r"notater\.csv:\n  unknown table; expected one of facts"):
        read_study(folder)


COMMAS = "expected .*cells separated by commas"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a header row"),
        (
            "region_id,name\na,b\nøst,1\n".encode("latin-1"),
            "is not UTF-8 text from line 3 on; save",
        ),
        (b"region_id,name\na,b,c\n", f"row 2: 3 cells; expected 2 cells as in .*{COMMAS[12:]}"),
        (b"region_id,name\na,b\n\nc,d\n", "row 3: blank; expected no blank row between others"),
        (b"region_id;name\na;b;c\n", "row 2: 3 cells; expected 2 cells .*separated by semicolons"),
        (b"name,name\na,b\n", "column name more than once"),
        (b'region_id,name\na,b\n"a\n', f"row 3: a quote is opened and never closed; {COMMAS}"),
        (b'region_id,name\n"a"b,c\n"', f"row 2: a quote stands within a cell; {COMMAS}"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, message):
    folder = write_study(tmp_path)
    (folder / "regions.csv").write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_study(folder)


def test_a_study_that_is_not_there_names_those_that_are(tmp_path):
    write_study(tmp_path)

    with pytest.raises(ConfigError, match=r"studies in .*raw: lite"):
        read_study(tmp_path / "data" / "raw" / "pilot")


def test_a_source_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "sources.bib"
    path.write_text("@book{a, title={A}, year={2020}}\n@book{a, title={B}, year={2021}}\n")

    with pytest.raises(DataError, match="key a more than once"):
        read_sources(path)


def test_missing_sources_are_an_error(tmp_path):
    with pytest.raises(DataError, match="expected the study's sources as BibTeX"):
        read_sources(tmp_path / "sources.bib")


def test_another_report_reads_the_tables_of_the_study_it_names(tmp_path):
    write_study(tmp_path)
    other = tmp_path / "data" / "raw" / "lite-status"
    other.mkdir()
    (other / "study.toml").write_text('tables_from = "lite"\n' + SETTINGS, encoding="utf-8")

    read = read_study(other)

    assert read.settings.study == "lite-status"
    assert read.folder == tmp_path / "data" / "raw" / "lite"
    assert len(read.tables["goals"]) == 1


def test_tables_from_elsewhere_and_of_its_own_are_refused_together(tmp_path):
    write_study(tmp_path)
    own = write_study(tmp_path, "begge", settings='tables_from = "lite"\n' + SETTINGS)

    with pytest.raises(ConfigError, match="expected one of the two"):
        read_study(own)


def test_tables_from_a_study_that_is_not_there_are_refused(tmp_path):
    own = tmp_path / "data" / "raw" / "status"
    own.mkdir(parents=True)
    (own / "study.toml").write_text('tables_from = "borte"\n' + SETTINGS, encoding="utf-8")

    with pytest.raises(ConfigError, match="takes its tables from 'borte'"):
        read_study(own)


def test_what_a_norwegian_excel_writes_is_read_and_its_numbers_too(tmp_path):
    folder = write_study(tmp_path)
    columns = "subject;quantity;label;value;unit;as_of;qualifier;version;chosen;reason;note;source;locator"
    row = "horten;share;;12,5;percent;2023;;;;;;nf2024;s. 1"
    (folder / "facts.csv").write_text(f"\ufeff{columns}\n{row}\n", encoding="utf-8")

    assert read_study(folder).tables["facts"]["value"].tolist() == ["12.5"]


def test_a_number_from_excel_that_does_not_fit_its_unit_is_told_by_row(shared_data, tmp_path):
    folder = write_study(tmp_path, facts=None)
    path = shared_data / "publicbugs" / "csv-from-norwegian-excel" / "semikolon.csv"
    (folder / "facts.csv").write_bytes(path.read_bytes())

    with pytest.raises(
        DataError, match=r"value: '709037\.5' in row 2; expected a number of persons"
    ):
        read_study(folder)


def test_one_bad_cell_brings_no_other_errors(tmp_path):
    fact = {
        "subject": "horten-workshop-3",
        "quantity": "attended",
        "value": "36",
        "unit": "persons",
        "chosen": "no",
        "reason": "Avrundet.",
    }
    folder = write_study(
        tmp_path, facts=[fact], events=[TABLES["events"][0] | {"attended_count": "34.5"}]
    )

    with pytest.raises(DataError) as error:
        read_study(folder)
    assert str(error.value).count("\n") == 1

import csv
import zipfile

import pandas as pd
import pytest
from studies import READ, write_study
from test_qda_files import CODES, PROJECT

from evalkit.cli import main
from evalkit.coded_exports import new_codings, placed_documents, read_coded_export
from evalkit.errors import DataError
from evalkit.readers import read_study

MUNICIPALITIES = pd.DataFrame({"municipality_code": ["0301", "3801"], "slug": ["oslo", "horten"]})


def qdpx(folder, *, names=("Intervju Horten 1", "Intervju Oslo"), name="studie.qdpx"):
    """The project of test_qda_files, its two texts named after municipalities."""
    text = PROJECT.replace('name="intervju 1"', f'name="{names[0]}"')
    text = text.replace('name="intervju 2"', f'name="{names[1]}"')
    text = text[: text.index("<PictureSource")] + text[text.index("</Sources>") :]
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("project.qde", text)
        archive.writestr("sources/S1.txt", "Ledelsen sto bak. Resten vet vi ikke.")
    return folder / name


def table(path, *rows, header="document,unit,code,coder,excerpt"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_study(tmp_path)
    qdpx(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(project):
    with (project / "data/raw/lite/codings.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_export_becomes_rows_named_as_a_study_names_things(tmp_path):
    rows = read_coded_export(qdpx(tmp_path)).codings

    assert rows["document"].unique().tolist() == ["intervju-horten-1", "intervju-oslo"]
    assert rows["code_id"].tolist() == ["ledelse", "forankring", "tid", "forankring"]
    assert rows["unit"].tolist() == ["0-18", "0-18", "whole", "0-5"]
    assert rows["locator"].tolist() == ["tegn 1–18", "tegn 1–18", "hele dokumentet", "tegn 1–5"]
    assert rows.loc[0, "excerpt"] == "Ledelsen sto bak. "


def test_codes_of_the_same_name_in_two_branches_have_their_path_for_a_name(tmp_path):
    path = tmp_path / "koder.qdc"
    twin = '<Code guid="C3" name="Tid"><Code guid="C4" name="Ledelse"/></Code>'
    text = CODES.replace('<Code guid="C3" name="Tid" isCodable="false"/>', twin)
    path.write_text(text.replace("<CodeBook>", '<CodeBook xmlns="urn:x">'), encoding="utf-8")

    rows = read_coded_export(path).codings

    assert rows["code_id"].tolist() == ["forankring", "forankring-ledelse", "tid", "tid-ledelse"]


@pytest.mark.parametrize(
    ("row", "header", "message"),
    [
        ("a,1,,x,Kari sa", None, "koder.csv: code is blank in row 2"),
        ("a,1,tid,x", None, "koder.csv: row 2: 4 cells; expected 5 cells"),
        ("a,1,tid,Kari sa", "document,unit,code,excerpt", "koder.csv: no column coder"),
        ('a,1,tid,x,"Kari', None, "koder.csv: row 2: a quote is opened and never closed"),
    ],
)
def test_a_table_of_codings_is_refused_by_row_and_without_its_words(tmp_path, row, header, message):
    path = table(tmp_path / "koder.csv", row, **({"header": header} if header else {}))

    with pytest.raises(DataError, match=message) as told:
        read_coded_export(path)
    assert "Kari" not in str(told.value)


@pytest.mark.parametrize("name", ["notat.docx", "borte.csv"])
def test_a_file_that_is_no_export_is_refused(tmp_path, name):
    (tmp_path / "notat.docx").write_text("x")

    with pytest.raises(DataError, match="expected"):
        read_coded_export(tmp_path / name)


def test_documents_whose_names_differ_in_signs_only_are_refused(tmp_path):
    path = table(tmp_path / "koder.csv", "Oslo 1,1,tid,x,a", "oslo-1,1,tid,x,b")

    with pytest.raises(DataError, match="differ in signs only"):
        read_coded_export(path)


def test_a_document_belongs_to_the_municipality_of_its_name_or_the_one_given(tmp_path):
    rows = [f"{name},1,tid,x,a" for name in ("horten-1", "gruppe 0301", "Oslomet", "annet")]
    export = read_coded_export(table(tmp_path / "koder.csv", *rows)).codings

    with pytest.raises(DataError, match="no municipality for oslomet, annet"):
        placed_documents(export, municipalities=MUNICIPALITIES)
    placed = placed_documents(
        export, municipalities=MUNICIPALITIES, given={"Oslomet": "0301", "annet": "3801"}
    )

    assert placed["municipality_code"].tolist() == ["3801", "0301", "0301", "3801"]


@pytest.mark.parametrize(
    ("given", "message"),
    [({"horten-1": "9999"}, "no municipality '9999'"), ({"borte": "0301"}, "no document borte")],
)
def test_a_municipality_or_document_that_is_not_there_is_refused(tmp_path, given, message):
    export = read_coded_export(table(tmp_path / "koder.csv", "horten-1,1,tid,x,a")).codings

    with pytest.raises(DataError, match=message):
        placed_documents(export, municipalities=MUNICIPALITIES, given=given)


def test_nothing_new_is_cleared_though_the_export_says_so(tmp_path):
    header = "document,unit,code,coder,excerpt,anonymity"
    path = table(tmp_path / "koder.csv", "horten-1,1,tid,x,Kari,cleared", header=header)
    export = placed_documents(read_coded_export(path).codings, municipalities=MUNICIPALITIES)
    none = pd.DataFrame(columns=["document", "unit", "code_id", "coder"])

    assert new_codings(export, logged=none, source="nf2024")["anonymity"].tolist() == [
        "not_checked"
    ]


def test_an_export_is_listed_and_logged_and_no_excerpt_or_name_is_shown(project, capsys):
    assert main(["codings", "lite", "studie.qdpx", "--source", "nf2024"]) == 0

    said = capsys.readouterr().out
    assert "document  intervju-horten-1: 2 units" in said
    assert "code      forankring: 2 units  new in the study" in said
    assert "4 new of 4 codings in data/raw/lite/codings.csv, anonymity not_checked" in said
    assert "Ledelsen" not in said
    assert "Nordmann" not in said
    rows = logged(project)
    assert {row["anonymity"] for row in rows} == {"not_checked"}
    assert [row["municipality_code"] for row in rows] == ["3801", "3801", "3801", "0301"]
    assert len(read_study(project / "data/raw/lite").tables["codings"]) == 4


def test_the_same_export_again_adds_nothing_and_keeps_what_was_cleared(project, capsys):
    main(["codings", "lite", "studie.qdpx", "--source", "nf2024"])
    path = project / "data/raw/lite/codings.csv"
    cleared = path.read_text("utf-8").replace("not_checked", "cleared", 1)
    path.write_text(cleared, encoding="utf-8")
    capsys.readouterr()

    assert main(["codings", "lite", "studie.qdpx"]) == 0

    said = capsys.readouterr().out
    assert "0 new of 4" in said
    assert "new in the study" not in said
    assert path.read_text("utf-8") == cleared


def test_coders_of_a_second_export_are_kept_apart_by_name(project):
    main(["codings", "lite", "studie.qdpx", "--source", "nf2024"])

    main(["codings", "lite", "studie.qdpx", "--coders", "nord"])

    assert {row["coder"] for row in logged(project)} == {
        *("coder1", "coder2", "nord-coder1", "nord-coder2")
    }


def test_a_dry_run_and_a_codebook_write_nothing(project, capsys):
    book = project / "koder.qdc"
    book.write_text(CODES.replace("<CodeBook>", '<CodeBook xmlns="urn:x">'), encoding="utf-8")

    assert main(["codings", "lite", "studie.qdpx", "--source", "nf2024", "--dry-run"]) == 0
    assert "4 would be new of 4" in capsys.readouterr().out
    assert main(["codings", "lite", "koder.qdc"]) == 0

    assert "code      ledelse: 0 units  new in the study" in capsys.readouterr().out
    assert not (project / "data/raw/lite/codings.csv").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "say which the export is, with --source KEY"),
        (["--source", "borte"], "no source 'borte'"),
        (["--source", "nf2024", "--document", "Oslo"], "expected NAME=CODE"),
    ],
)
def test_an_export_without_a_known_source_or_place_is_refused(project, capsys, more, message):
    assert main(["codings", "lite", "studie.qdpx", *more]) == 1

    assert message in capsys.readouterr().err
    assert not (project / "data/raw/lite/codings.csv").exists()


def test_rows_of_before_are_left_as_they_are(project):
    row = READ | {
        **{"document": "notat-1", "unit": "1", "code_id": "tid", "coder": "a"},
        **{"municipality_code": "0301", "excerpt": "Vi, sa de", "anonymity": "cleared"},
    }
    write_study(project, codings=[row])
    path = project / "data/raw/lite/codings.csv"
    before = path.read_text("utf-8")

    main(["codings", "lite", "studie.qdpx"])

    assert path.read_text("utf-8").startswith(before.rstrip("\n"))
    assert len(logged(project)) == 5


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("emoji-kode", {"skole", "thumbsup"}),
        ("kyrillisk-kode", {"skole", "skola"}),
        ("samiske-koder", {"sami-giella", "ngjuoskkas", "juoskkas"}),
    ],
)
def test_names_of_codes_in_any_letters_stay_apart(shared_data, name, codes):
    read = read_coded_export(shared_data / f"publicbugs/qdpx-code-names/{name}.qdpx")

    assert set(read.codings["code_id"]) == codes


def test_of_codes_that_differ_by_a_sign_the_plain_one_keeps_its_name(shared_data):
    path = shared_data / "publicbugs/qdpx-code-names/nesten-like-koder.qdpx"

    plain, marked = read_coded_export(path).codings["code_id"]

    assert plain == "okonomi"
    assert marked.startswith("okonomi-")


def test_what_could_not_be_read_is_told_by_the_command(project, capsys):
    text = PROJECT.replace('name="intervju 1"', 'name="intervju horten"')
    with zipfile.ZipFile(project / "uten.qdpx", "w") as archive:
        archive.writestr("project.qde", text)

    main(["codings", "lite", "uten.qdpx", "--dry-run", "--source", "nf2024"])

    said = capsys.readouterr().out
    assert "passages without text: outside the file, or past the text's end (1)" in said

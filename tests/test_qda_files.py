import zipfile

import pytest

from evalkit.errors import DataError
from evalkit.qda_files import read_codebook, read_qdpx

CODES = """
<CodeBook><Codes>
  <Code guid="C1" name="Forankring" isCodable="true">
    <Description>Ledelse og planer</Description>
    <Code guid="C2" name="Ledelse" isCodable="true"/>
  </Code>
  <Code guid="C3" name="Tid" isCodable="false"/>
</Codes></CodeBook>
"""
PROJECT = f"""<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="urn:QDA-XML:project:1.0" name="laeringshistorie">
  <Users>
    <User guid="U1" name="Kari Nordmann"/>
    <User guid="U2" name="Ola Nordmann"/>
  </Users>
  {CODES}
  <Sources>
    <TextSource guid="S1" name="intervju 1" plainTextPath="internal://S1.txt">
      <PlainTextSelection guid="P1" startPosition="0" endPosition="18" creatingUser="U1">
        <Coding guid="K1" creatingUser="U1"><CodeRef targetGUID="C2"/></Coding>
        <Coding guid="K2" creatingUser="U2"><CodeRef targetGUID="C1"/></Coding>
      </PlainTextSelection>
      <Coding guid="K3" creatingUser="U2"><CodeRef targetGUID="C3"/></Coding>
    </TextSource>
    <TextSource guid="S2" name="intervju 2">
      <PlainTextContent>Rådet sa ja.</PlainTextContent>
      <PlainTextSelection guid="P2" startPosition="0" endPosition="5" creatingUser="U1">
        <Coding guid="K4"><CodeRef targetGUID="C1"/></Coding>
      </PlainTextSelection>
    </TextSource>
    <PictureSource guid="S3" name="bilde">
      <PictureSelection guid="P3" firstX="0" firstY="0" secondX="9" secondY="9">
        <Coding guid="K5" creatingUser="U1"><CodeRef targetGUID="C3"/></Coding>
      </PictureSelection>
    </PictureSource>
  </Sources>
</Project>
"""


@pytest.fixture
def project_file(tmp_path):
    path = tmp_path / "studie.qdpx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.qde", PROJECT)
        archive.writestr("sources/S1.txt", "\ufeffLedelsen sto bak. Resten vet vi ikke.")
    return path


def test_every_coded_passage_is_a_row(project_file):
    result = read_qdpx(project_file).codings

    assert len(result) == 5
    assert result.loc[0, "excerpt"] == "Ledelsen sto bak. "
    assert result.loc[0, "code_path"] == "Forankring > Ledelse"


def test_text_inside_the_project_is_read_as_well(project_file):
    result = read_qdpx(project_file).codings

    second = result[result["document"] == "intervju 2"]
    assert second["excerpt"].item() == "Rådet"


def test_two_coders_of_one_passage_share_its_unit(project_file):
    result = read_qdpx(project_file).codings

    assert result.loc[0, "unit"] == result.loc[1, "unit"]
    assert result.loc[0, "coder"] != result.loc[1, "coder"]


def test_no_name_of_a_coder_and_no_clearance_comes_out(project_file):
    result = read_qdpx(project_file).codings

    assert not result.to_csv().count("Nordmann")
    assert set(result["anonymity"]) == {"not_checked"}


def test_pictures_and_whole_sources_have_no_excerpt(project_file):
    result = read_qdpx(project_file).codings

    rest = result[result["code"] == "Tid"]
    assert rest["excerpt"].isna().all()
    assert rest["start"].isna().all()
    assert len(rest) == 2


def project_with(tmp_path, sources):
    path = tmp_path / "annen.qdpx"
    start, end = PROJECT.index("<Sources>"), PROJECT.index("</Sources>")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.qde", PROJECT[:start] + "<Sources>" + sources + PROJECT[end:])
        archive.writestr("sources/S1.txt", "Første tekst.")
    return path


def test_two_sources_of_the_same_name_are_two_documents(tmp_path):
    source = """
    <TextSource guid="{0}" name="intervju"><PlainTextContent>{1}</PlainTextContent>
      <PlainTextSelection guid="{0}P" startPosition="0" endPosition="4">
        <Coding guid="{0}K" creatingUser="U1"><CodeRef targetGUID="C2"/></Coding>
      </PlainTextSelection>
    </TextSource>"""
    path = project_with(
        tmp_path, source.format("S1", "Først") + source.format("S2", "Siden kom resten")
    )

    result = read_qdpx(path).codings

    assert result["document"].tolist() == ["intervju (s1)", "intervju (s2)"]
    assert result["unit"].nunique() == 2


def test_a_passage_is_read_from_the_text_that_holds_it(tmp_path):
    representation = """
      <Representation guid="R{0}"><PlainTextContent>{1}</PlainTextContent>
        <PlainTextSelection guid="P{0}" startPosition="0" endPosition="5">
          <Coding guid="K{0}" creatingUser="U1"><CodeRef targetGUID="C2"/></Coding>
        </PlainTextSelection>
      </Representation>"""
    path = project_with(
        tmp_path,
        '<PDFSource guid="S1" name="plan">'
        + representation.format(1, "Side en")
        + representation.format(2, "Annet her")
        + "</PDFSource>",
    )

    result = read_qdpx(path).codings

    assert result["excerpt"].tolist() == ["Side ", "Annet"]
    assert result["unit"].nunique() == 2


def test_coders_of_several_projects_are_kept_apart_or_given(project_file):
    own = read_qdpx(project_file, project="nord").codings
    given = read_qdpx(project_file, project="nord", coders={"{U2}": "a"}).codings

    assert set(own["coder"]) == {"nord-coder1", "nord-coder2"}
    assert set(given["coder"]) == {"nord-coder1", "a"}


def test_the_codebook_keeps_its_order_and_levels(tmp_path):
    path = tmp_path / "koder.qdc"
    path.write_text(
        CODES.replace("<CodeBook>", '<CodeBook xmlns="urn:QDA-XML:codebook:1.0">'),
        encoding="utf-8",
    )

    result = read_codebook(path)

    assert result["code"].tolist() == ["Forankring", "Ledelse", "Tid"]
    assert result["level"].tolist() == [1, 2, 1]
    assert result["codable"].tolist() == [True, True, False]
    assert result.loc[0, "description"] == "Ledelse og planer"


def test_the_codebook_of_a_project_is_the_same(project_file):
    assert read_codebook(project_file)["code"].tolist() == ["Forankring", "Ledelse", "Tid"]


def test_a_file_that_is_no_project_is_refused(tmp_path):
    path = tmp_path / "notat.qdpx"
    path.write_text("ikke en zip")

    with pytest.raises(DataError, match="not a zip file"):
        read_qdpx(path)


def test_a_zip_without_project_is_refused(tmp_path):
    path = tmp_path / "tom.qdpx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annet.txt", "x")

    with pytest.raises(DataError, match=r"no project\.qde"):
        read_qdpx(path)


def test_an_entity_in_the_xml_is_not_followed(tmp_path):
    secret = tmp_path / "hemmelig.txt"
    secret.write_text("hemmelig")
    bomb = PROJECT.replace(
        "<Project ",
        f'<!DOCTYPE Project [<!ENTITY x SYSTEM "{secret.as_uri()}">]><Project ',
    ).replace("Rådet sa ja.", "&x;")
    path = tmp_path / "angrep.qdpx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.qde", bomb)

    assert "hemmelig" not in read_qdpx(path).codings.to_csv()


def public_bug(shared_data, name):
    return shared_data / "publicbugs" / name


def passage(guid, start, end, words=""):
    return (
        f'<PlainTextSelection guid="{guid}" name="{words}" startPosition="{start}" '
        f'endPosition="{end}"><Coding guid="{guid}K" creatingUser="U1">'
        '<CodeRef targetGUID="C2"/></Coding></PlainTextSelection>'
    )


def archive_of(tmp_path, *passages, **texts):
    """A project with one source, coded passage by passage, and text files by member name."""
    path = tmp_path / "egen.qdpx"
    start, end = PROJECT.index("<Sources>"), PROJECT.index("</Sources>")
    source = (
        '<Sources><TextSource guid="S1" name="intervju" plainTextPath="internal://s1.txt">'
        + "".join(passages)
        + "</TextSource>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.qde", PROJECT[:start] + source + PROJECT[end:])
        for name, content in texts.items():
            archive.writestr(name.replace("__", "/") + ".txt", content)
    return path


def test_texts_are_read_by_their_byte_order_mark(shared_data):
    read = read_qdpx(public_bug(shared_data, "qdpx-text-encoding/eksport.qdpx"))

    assert read.codings["excerpt"].tolist() == ["Læreren var fornøyd med oss"]


def test_text_that_is_neither_utf_8_nor_utf_16_is_refused_by_member(shared_data):
    with pytest.raises(DataError, match=r"sources/s1\.txt is neither UTF-8 nor UTF-16"):
        read_qdpx(public_bug(shared_data, "qdpx-text-encoding/eksport-cp1252.qdpx"))


@pytest.mark.parametrize("name", ["posisjoner-uten-cr.qdpx", "innebygd-tekst.qdpx"])
def test_line_breaks_counted_otherwise_are_known_by_a_passages_own_words(shared_data, name):
    read = read_qdpx(public_bug(shared_data, "qdpx-crlf") / name)

    assert read.codings["excerpt"].tolist() == ["viktige"]
    assert "line breaks as" in read.remarks[0]


@pytest.mark.parametrize(
    ("counted", "text", "start", "end"),
    [
        ("halves of UTF-16", "På 👍 bedre skole", 12, 17),  # characters would be 11 to 16
        ("bytes of UTF-8", "På 👍 bedre skole", 15, 20),  # å has two bytes, the emoji four
        ("with a byte order mark", "Til en skole", 8, 13),
        ("the end included", "Til en skole", 7, 11),
    ],
)
def test_whatever_a_program_counts_in_is_known_by_a_passages_words(
    tmp_path, counted, text, start, end
):
    read = read_qdpx(archive_of(tmp_path, passage("P1", start, end, "skole"), s1=text))

    assert read.codings["excerpt"].tolist() == ["skole"]
    assert counted in read.remarks[0]


def test_words_that_stand_elsewhere_are_told_with_document_and_code(tmp_path):
    places = [passage("P1", 0, 4, "Siden"), passage("P2", 0, 5, "Først")]

    read = read_qdpx(archive_of(tmp_path, *places, s1="Først kom ledelsen. Siden kom resten."))

    assert read.codings["excerpt"].isna().tolist() == [True, False]
    assert read.remarks == (
        "passages whose words stand elsewhere, left without excerpt (1): intervju 0-4 (Ledelse)",
    )


def test_a_passage_whose_name_is_a_label_keeps_its_excerpt(tmp_path):
    read = read_qdpx(archive_of(tmp_path, passage("P1", 0, 5, "Sitat 1"), s1="Først kom de."))

    assert read.codings["excerpt"].tolist() == ["Først"]
    assert "not in their text (1)" in read.remarks[0]


def test_words_that_a_program_has_cut_fit_their_passage(tmp_path):
    read = read_qdpx(archive_of(tmp_path, passage("P1", 0, 12, "Først kom…"), s1="Først kom de."))

    assert read.codings["excerpt"].tolist() == ["Først kom de"]
    assert read.remarks == ()


def test_passages_without_text_are_counted_and_have_no_excerpt(shared_data):
    read = read_qdpx(public_bug(shared_data, "qdpx-missing-text/eksport.qdpx"))

    assert read.codings["excerpt"].isna().all()
    assert read.remarks[0].startswith("passages without text: outside the file, or past the")
    assert "(2): intervju-larvik-1 5-15 (Tema)" in read.remarks[0]


def test_members_with_backslashes_and_capitals_are_found(shared_data):
    read = read_qdpx(public_bug(shared_data, "qdpx-odd-positions/backslash.qdpx"))

    assert read.codings["excerpt"].tolist() == ["Hei de"]


def test_texts_that_cannot_be_told_apart_are_refused(tmp_path):
    path = archive_of(tmp_path, passage("P1", 0, 3), S1="en", sources__S1="to")

    with pytest.raises(DataError, match=r"may be any of S1\.txt, sources/S1\.txt"):
        read_qdpx(path)


def test_odd_positions_are_refused_together_by_document_and_passage(shared_data):
    with pytest.raises(DataError) as told:
        read_qdpx(public_bug(shared_data, "qdpx-odd-positions/negativ-posisjon.qdpx"))

    assert "document 'intervju-larvik-1', passage 'p1': '-1' to '6'" in str(told.value)
    assert "passage 'p2': '8' to '2'" in str(told.value)


@pytest.mark.parametrize("position", ["abc", "1" + "0" * 21, "1.5", "²"])
def test_a_position_that_is_no_whole_number_in_range_is_refused(tmp_path, position):
    with pytest.raises(DataError, match="expected positions that are whole numbers from 0"):
        read_qdpx(archive_of(tmp_path, passage("P1", 0, position), s1="Tekst"))


def test_a_project_that_unpacks_too_large_is_refused(tmp_path):
    path = archive_of(tmp_path, passage("P1", 0, 3))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for folder in ("a", "b", "c"):
            archive.writestr(f"{folder}/same.txt", bytes(70 * 10**6))

    with pytest.raises(DataError, match="larger than 200 MB unpacked"):
        read_qdpx(path)

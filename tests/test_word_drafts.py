"""Word files as they come back: replies, points, moves, marks of paragraphs, nested changes."""

import zipfile

import pytest

from evalkit.errors import DataError
from evalkit.feedback import read_feedback

NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
KARI = 'w:id="1" w:author="Kari Nordmann" w:date="2026-11-02T09:00:00Z"'
OLA = 'w:id="2" w:author="Ola Nordmann" w:date="2026-11-03T10:00:00Z"'


def run(words):
    return f'<w:r><w:t xml:space="preserve">{words}</w:t></w:r>'


def gone(words):
    return f'<w:r><w:delText xml:space="preserve">{words}</w:delText></w:r>'


def paragraph(*inlines, mark="", style=""):
    shown = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{shown}<w:rPr>{mark}</w:rPr></w:pPr>{''.join(inlines)}</w:p>"


def comment(number, words, who=KARI, place="0"):
    author = who.split(" ", 1)[1]
    return (
        f'<w:comment w:id="{number}" {author}><w:p w14:paraId="{place}">{run(words)}</w:p>'
        "</w:comment>"
    )


def word_file(folder, *blocks, comments="", threads="", name="retur.docx", **parts):
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        body = f"<w:document {NAMES}><w:body>{''.join(blocks)}</w:body></w:document>"
        archive.writestr("word/document.xml", body)
        archive.writestr("word/comments.xml", f"<w:comments {NAMES}>{comments}</w:comments>")
        archive.writestr(
            "word/commentsExtended.xml", f"<w15:commentsEx {NAMES}>{threads}</w15:commentsEx>"
        )
        for part, content in parts.items():
            archive.writestr(f"word/{part}.xml", content)
    return path


def rows(read, *columns):
    return read.entries[list(columns)].astype(object).fillna("").values.tolist()


def bug(shared_data, name):
    return read_feedback(shared_data / "publicbugs" / name / "retur.docx")


def test_a_reply_is_about_the_words_of_its_comment_and_says_that_it_is_one(shared_data):
    read = bug(shared_data, "docx-reply")

    assert rows(read, "before", "text", "belongs_to") == [
        ["fire", "Var det ikke fem?", ""],
        ["fire", "Jo, men ett ble avlyst.", "1"],
        ["Slutt", "Greit.", ""],
    ]


def test_a_comment_at_a_point_is_one_without_words_before(shared_data):
    read = bug(shared_data, "docx-point-comment")

    assert rows(read, "kind", "before", "text") == [["comment", "", "Nei, 3 mill."]]


def test_a_paragraph_mark_taken_out_or_put_in_is_an_entry(shared_data):
    read = bug(shared_data, "docx-paragraph-marks")

    assert rows(read, "kind", "before", "text") == [
        ["paragraph_merge", "Dette tiltaket er avsluttet. ¶ Nytt avsnitt slått sammen.", ""],
        ["paragraph_split", "", "Del en. ¶ Del to."],
    ]
    assert read.entries["passage"].iloc[1] == "Del en.Del to."


def test_a_comment_that_never_ends_ends_with_its_paragraph(shared_data):
    read = bug(shared_data, "docx-comment-without-end")

    assert rows(read, "kind", "before")[0] == ["comment", "2021 med trelag."]


def test_a_reply_that_stands_nowhere_has_the_place_of_what_it_answers(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(run("Tiltak"), style="Heading1"),
        paragraph(
            '<w:commentRangeStart w:id="7"/>',
            run("fire"),
            '<w:commentRangeEnd w:id="7"/><w:r><w:commentReference w:id="7"/></w:r>',
        ),
        comments=comment(7, "Fem?", place="A") + comment(8, "Ja.", OLA, place="B"),
        threads='<w15:commentEx w15:paraId="A"/><w15:commentEx w15:paraId="B" w15:paraIdParent="A"/>',
    )

    read = read_feedback(path)

    assert rows(read, "section", "before", "text", "author", "belongs_to") == [
        ["Tiltak", "fire", "Fem?", "reader1", ""],
        ["Tiltak", "fire", "Ja.", "reader2", "1"],
    ]


def test_a_comment_inside_another_has_its_own_words(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(
            '<w:commentRangeStart w:id="1"/>',
            run("alle "),
            '<w:commentRangeStart w:id="2"/>',
            run("ansatte"),
            '<w:commentRangeEnd w:id="2"/>',
            run(" svarte"),
            '<w:commentRangeEnd w:id="1"/>',
        ),
        comments=comment(1, "Alle?") + comment(2, "Hvem?"),
    )

    assert rows(read_feedback(path), "before") == [["alle ansatte svarte"], ["ansatte"]]


def test_words_put_in_by_one_and_taken_out_by_another_are_two_entries(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(
            run("Det var "),
            f"<w:ins {KARI}>{run('om lag ')}<w:del {OLA}>{gone('nesten ')}</w:del></w:ins>",
            run("fire."),
        ),
    )

    read = read_feedback(path)

    assert rows(read, "kind", "before", "text", "author") == [
        ["insertion", "", "om lag nesten", "reader1"],
        ["deletion", "nesten", "", "reader2"],
    ]
    assert read.entries["passage"].tolist() == ["Det var fire."] * 2


def test_changes_of_two_readers_side_by_side_stay_apart_and_have_their_day(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(f"<w:ins {KARI}>{run('ny ')}</w:ins><w:ins {OLA}>{run('tekst')}</w:ins>"),
    )

    assert rows(read_feedback(path), "text", "author", "made") == [
        ["ny", "reader1", "2026-11-02"],
        ["tekst", "reader2", "2026-11-03"],
    ]


def test_a_move_is_told_at_both_ends_and_the_ends_belong_together(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(run("En"), style="Heading1"),
        paragraph(
            '<w:moveFromRangeStart w:id="3" w:name="move1"/>',
            f"<w:moveFrom {KARI}>{run('Losen er avsluttet.')}</w:moveFrom>",
            '<w:moveFromRangeEnd w:id="3"/>',
            mark=f"<w:moveFrom {KARI}/>",
        ),
        paragraph(run("To"), style="Heading1"),
        paragraph(
            '<w:moveToRangeStart w:id="4" w:name="move1"/>',
            f"<w:moveTo {KARI}>{run('Losen er avsluttet.')}</w:moveTo>",
            '<w:moveToRangeEnd w:id="4"/>',
            run(" Slutt."),
        ),
    )

    read = read_feedback(path)

    assert rows(read, "kind", "section", "before", "text", "belongs_to") == [
        ["moved_from", "En", "Losen er avsluttet.", "", ""],
        ["moved_to", "To", "", "Losen er avsluttet.", "1"],
    ]
    assert read.unread == ()


def test_a_new_paragraph_is_one_insertion_and_not_a_split(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(run("Først."), mark=f"<w:ins {KARI}/>"),
        paragraph(f"<w:ins {KARI}>{run('Nytt.')}</w:ins>"),
        paragraph(run("Sist."), mark=f"<w:del {KARI}/>"),
        paragraph(f"<w:del {KARI}>{gone('Borte.')}</w:del>"),
    )

    read = read_feedback(path)

    assert rows(read, "kind", "before", "text") == [
        ["insertion", "", "Nytt."],
        ["deletion", "Borte.", ""],
    ]
    assert read.unread == ()


def test_rows_put_in_or_taken_out_are_entries(tmp_path):
    cells = f"<w:tc>{paragraph(run('Losen'))}</w:tc><w:tc>{paragraph(run('i gang'))}</w:tc>"
    path = word_file(
        tmp_path,
        f"<w:tbl><w:tr>{cells}</w:tr><w:tr><w:trPr><w:del {KARI}/></w:trPr>{cells}</w:tr></w:tbl>",
    )

    assert rows(read_feedback(path), "kind", "row", "before") == [
        ["row_deletion", "Tabell, rad 2: Losen", "Losen | i gang"]
    ]


def test_what_no_entry_tells_is_counted_by_its_name_in_the_file(tmp_path):
    path = word_file(
        tmp_path,
        paragraph(f"<w:ins {KARI}><w:r><w:drawing/></w:r></w:ins>", run("Tekst.")),
        paragraph("<w:r><w:rPr><w:b/><w:rPrChange w:id='9'/></w:rPr></w:r>"),
        comments=comment(1, ""),
    )

    unread = read_feedback(path).unread

    assert list(unread) == [
        "1 w:comment in comments.xml: no words to list (a picture, a field or a cell); look in the file",
        "1 w:ins in document.xml: no words to list (a picture, a field or a cell); look in the file",
        "1 changes of format alone: not listed",
    ]


def test_changes_in_footnotes_text_boxes_and_headers_are_found(tmp_path):
    ins = f"<w:ins {KARI}>{run('ny')}</w:ins>"
    path = word_file(
        tmp_path,
        paragraph(
            run("Tekst"),
            '<w:r><w:footnoteReference w:id="5"/></w:r>',
            "<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>"
            f"{paragraph(ins)}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>"
            f"{paragraph(ins)}</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r>",
        ),
        footnotes=f'<w:footnotes {NAMES}><w:footnote w:id="5">{paragraph(ins)}</w:footnote></w:footnotes>',
        header1=f"<w:hdr {NAMES}>{paragraph(ins)}</w:hdr>",
    )

    read = read_feedback(path)

    assert rows(read, "row", "text") == [
        ["fotnote", "ny"],
        ["tekstboks", "ny"],
        ["topptekst", "ny"],
    ]
    assert read.unread == ()


def test_what_was_changed_with_tracking_off_is_found_beside_the_draft_as_sent(tmp_path):
    sent = word_file(
        tmp_path,
        paragraph(run("Det var fire møter i 2021.")),
        paragraph(run("Losen er startet.")),
        paragraph(run("Dette står.")),
        name="sendt.docx",
    )
    returned = word_file(
        tmp_path,
        paragraph(run("Det var "), f"<w:del {KARI}>{gone('fire')}</w:del>", run(" møter i 2021.")),
        paragraph(run("Losen er ikke startet.")),
        paragraph(run("Dette står.")),
        paragraph(run("Og dette er nytt.")),
    )

    read = read_feedback(returned, sent=sent)

    assert rows(read, "kind", "passage", "before", "text") == [
        ["deletion", "Det var fire møter i 2021.", "fire", ""],
        ["untracked", "Losen er startet.", "", "ikke"],
        ["untracked", "", "", "Og dette er nytt."],
    ]


def test_a_name_never_comes_out(tmp_path):
    path = word_file(tmp_path, paragraph(f"<w:ins {KARI}>{run('ny')}</w:ins>"))

    assert "Nordmann" not in read_feedback(path).entries.to_csv()


def test_a_draft_that_unpacks_larger_than_a_report_is_refused(tmp_path):
    path = word_file(tmp_path, paragraph(run("x")), header1="<x>" + " " * 61_000_000 + "</x>")

    with pytest.raises(DataError, match="larger than 60 MB unpacked"):
        read_feedback(path)

import json

import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.store import read_answers, read_processed, write_processed
from evalkit.studies import tables_read

STUDY = pd.DataFrame({"study": ["lite"]})
ANSWERS = pd.DataFrame(
    {
        "survey_id": ["s0", "s0", "s1", "s1"],
        "respondent_id": ["a", "a", "b", "b"],
        "item": ["mal", "tid", "tid", "mal"],
        "score": [1.0, 2.0, None, 4.0],
    }
)
ITEMS = pd.DataFrame({"item": ["mal", "tid", "ro"]})
EVENTS = pd.DataFrame({"municipality_code": ["0301"], "attended_count": [34.0]})


def test_a_table_comes_back_as_it_was_written(tmp_path):
    write_processed({"study": STUDY, "events": EVENTS}, "lite", tmp_path)

    pd.testing.assert_frame_equal(read_processed("events", "lite", tmp_path), EVENTS)


def test_a_table_the_study_does_not_have_is_empty_with_its_columns(tmp_path):
    write_processed({"study": STUDY}, "lite", tmp_path)

    grants = read_processed("grants", "lite", tmp_path)

    assert grants.empty
    assert grants["amount_nok"].dtype == float


def test_a_table_that_is_gone_from_the_study_is_removed(tmp_path):
    write_processed({"study": STUDY, "events": EVENTS}, "lite", tmp_path)
    write_processed({"study": STUDY}, "lite", tmp_path)

    assert [p.name for p in (tmp_path / "lite").iterdir()] == ["study.parquet"]


def test_a_study_that_was_never_processed_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="run: evalkit run lite"):
        read_processed("events", "lite", tmp_path)


def test_an_unknown_table_is_refused(tmp_path):
    write_processed({"study": STUDY}, "lite", tmp_path)

    with pytest.raises(DataError, match="no table 'answer'; expected one of"):
        read_processed("answer", "lite", tmp_path)


def test_the_answers_to_one_item_come_in_file_order_blanks_among_them(tmp_path):
    write_processed({"study": STUDY, "items": ITEMS, "answers": ANSWERS}, "lite", tmp_path)

    of_item = read_answers("lite", tmp_path, "tid")

    pd.testing.assert_frame_equal(of_item, ANSWERS.iloc[1:3].reset_index(drop=True))


def test_an_item_that_nobody_was_asked_has_no_answers(tmp_path):
    write_processed({"study": STUDY, "items": ITEMS, "answers": ANSWERS}, "lite", tmp_path)
    write_processed({"study": STUDY, "items": ITEMS}, "without", tmp_path)

    assert read_answers("lite", tmp_path, "ro").empty
    assert read_answers("without", tmp_path, "tid").empty


def test_an_unknown_item_is_named(tmp_path):
    write_processed({"study": STUDY, "items": ITEMS, "answers": ANSWERS}, "lite", tmp_path)

    with pytest.raises(DataError, match="no item 'rom' in lite; expected one of mal, tid, ro"):
        read_answers("lite", tmp_path, "rom")


def test_a_notebook_that_reads_one_item_depends_on_all_answers(tmp_path):
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
        for source in ("study = 'lite'", "ek.read_answers(study, processed_dir, item)")
    ]
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), "utf-8")

    assert tables_read(path) == {"answers": True, "items": True}

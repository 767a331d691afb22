import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.store import read_processed, write_processed

STUDY = pd.DataFrame({"study": ["lite"]})
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

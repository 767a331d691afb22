"""What the pilot has ruled on is the same in every row and chapter that speaks of it."""

from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).parents[1]


def pilot(table):
    return pd.read_csv(PROJECT / "data" / "raw" / "pilot" / f"{table}.csv", dtype=str)


def test_drive_for_life_has_no_status_since_the_text_tells_of_drive():
    cells = pilot("logic_model_cells").query("model_id == 'namsos-din'")
    named = cells.loc[cells["text"] == "Drive for life", "row"]

    assert cells.loc[cells["row"].isin(named[named != "1"]), "status"].isna().all()
    assert len(named) == 2


@pytest.mark.parametrize("table", ["lessons", "measure_aspects", "measures", "attainment"])
def test_namsos_second_workshop_is_of_september_2022_in_every_row(table):
    rows = pilot(table)
    own = rows[rows.iloc[:, 0].str.startswith("namsos")]

    assert not own.apply(lambda column: column.str.contains("februar 2022", na=False)).any(
        axis=None
    )


def test_namsos_chapter_gives_the_workshop_the_date_that_was_chosen():
    chapter = (PROJECT / "reports" / "pilot" / "namsos.qmd").read_text(encoding="utf-8")
    printed = "daterer læringsverksted 2 til februar 2022, men det var det første"

    assert chapter.count("februar 2022") == chapter.count(printed) == 1
    assert 'andre læringsverkstedet, []{fact="namsos-learning-workshop-2.start"}' in chapter


def test_froyas_mapping_team_was_tried_and_struggled_in_each_of_its_rows():
    measures = pilot("measures").set_index("measure_id")
    result = pilot("measure_aspects").query(
        "measure_id == 'froya-kartleggingsteam' and aspect == 'result'"
    )

    assert measures.at["froya-kartleggingsteam", "status"] == "piloted"
    assert result["text"].str.contains("slet").all()

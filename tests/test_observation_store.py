import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.indicators import comparison_with_peers, yearly_values
from evalkit.observation_store import municipality_series, read_area_values
from evalkit.observation_writer import write_observations

pytest.importorskip("duckdb")

CODES = [f"{county:02d}{n:02d}" for county in (3, 15, 90) for n in range(1, 9)]
PEERS = ["0302", "1501", "1503", "9001", "9004", "9008"]


def observations(seed=1):
    """Three indicators over four years, with gaps, counts and rows that are to be left out."""
    draws = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [CODES, ["falls", "presence", "trust"], ["2019", "2020", "2021", "2022"]],
        names=["municipality_code", "indicator_id", "period"],
    )
    table = pd.DataFrame(index=index).reset_index()
    table["denominator"] = draws.integers(20, 900, len(table)).astype(float)
    table["numerator"] = np.floor(table["denominator"] * draws.random(len(table)))
    table["value"] = 100 * table["numerator"] / table["denominator"]
    gaps = draws.random(len(table)) < 0.15
    table.loc[gaps, ["value", "numerator", "denominator"]] = np.nan
    whole_year = (table[["municipality_code", "indicator_id"]] == ["0301", "falls"]).all(axis=1)
    table = table.loc[~(whole_year & table["period"].eq("2022"))]
    extra = pd.DataFrame(
        {
            "municipality_code": [None, "0301", "0301", "0301"],
            "indicator_id": "falls",
            "area": ["Norge", None, None, None],
            "group": [None, "menn", None, None],
            "period": ["2022", "2022", "2022-autumn", "2022-spring"],
            "value": [1.0, 2.0, 33.0, 44.0],
        }
    )
    table = pd.concat([table, extra], ignore_index=True)
    return table.assign(
        observation_id=[f"syntetisk-{n}" for n in range(len(table))],
        qualifier=None,
        note=None,
        source="demo",
        locator="rad 1",
    )


@pytest.fixture
def written(tmp_path):
    def write(table):
        path = tmp_path / "observations.csv"
        table.to_csv(path, index=False)
        return write_observations(path, tmp_path / "store")

    return write


def test_a_municipalitys_series_are_its_yearly_values(written):
    table = observations()

    series = municipality_series(written(table), "0301")

    values = yearly_values(table).query("municipality_code == '0301'").reset_index(drop=True)
    columns = ["municipality_code", "indicator_id", "year", "value", "numerator", "denominator"]
    pd.testing.assert_frame_equal(
        series[columns], values[columns], check_dtype=False, check_exact=False
    )
    assert series.query("indicator_id == 'falls' and year == 2022")["value"].item() == 33.0


def test_the_peers_quartiles_are_those_of_the_comparison_in_memory(written):
    table = observations()
    values = yearly_values(table)

    series = municipality_series(written(table), "0301", peers=PEERS)

    pairs = pd.DataFrame({"municipality_code": "0301", "peer_code": PEERS})
    memory = comparison_with_peers(values, pairs)
    for name, theirs in (
        ("q25", "peer_lower_quartile"),
        ("median", "peer_median"),
        ("q75", "peer_upper_quartile"),
    ):
        np.testing.assert_allclose(series[f"peer_{name}"], memory[theirs], equal_nan=True)
    assert series["peer_median"].isna().any(), "some years have too few peers in this table"


@pytest.mark.parametrize(("area", "among"), [("country", CODES), ("county", CODES[:8])])
def test_country_and_county_are_those_of_a_groupby_over_all_values(written, area, among):
    table = observations()
    values = yearly_values(table)

    series = municipality_series(written(table), "0302")

    kept = values[values["municipality_code"].isin(among)]
    groups = kept.groupby(["indicator_id", "year"])["value"]
    np.testing.assert_allclose(series[f"{area}_mean"], groups.mean())
    np.testing.assert_allclose(series[f"{area}_q10"], groups.quantile(0.1))
    np.testing.assert_allclose(series[f"{area}_q90"], groups.quantile(0.9))
    assert series[f"{area}_count"].tolist() == groups.count().tolist()


def test_the_sums_of_the_areas_leave_out_municipalities_without_counts(written):
    table = observations()
    values = yearly_values(table)

    areas = read_area_values(written(table)).query("area == 'country'")

    sums = values.dropna(subset=["numerator", "denominator"]).groupby(["indicator_id", "year"])
    np.testing.assert_allclose(areas["numerator"], sums["numerator"].sum())
    np.testing.assert_allclose(areas["denominator"], sums["denominator"].sum())


def test_areas_made_some_indicators_at_a_time_are_the_same(written, monkeypatch):
    at_once = read_area_values(written(observations()))

    monkeypatch.setattr("evalkit.observation_writer.ROWS_AT_ONCE", 50)
    in_parts = read_area_values(written(observations()))

    pd.testing.assert_frame_equal(in_parts, at_once)


def test_all_breaches_are_told_with_column_and_row(written):
    table = observations().astype({"value": object, "municipality_code": object})
    table.loc[0, "municipality_code"] = "301"
    table.loc[[1, 2], "value"] = ["12,5", "en tekst med navn"]
    table.loc[3, "period"] = "2021-02-30"
    table.loc[4, "source"] = None
    table.loc[5, "observation_id"] = table.loc[6, "observation_id"]

    with pytest.raises(DataError) as error:
        written(table)

    message = str(error.value)
    assert "municipality_code: '301' in row 2; expected" in message
    assert "value: '12,5' in row 3; expected" in message
    assert "value: a text in row 4; expected" in message
    assert "period: '2021-02-30' in row 5; expected" in message
    assert "source: blank in row 6; expected" in message
    assert "observation_id: 'syntetisk-6' in rows 7, 8; expected once" in message
    assert "navn" not in message


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", "nan"])
def test_a_number_without_end_is_no_value(written, value):
    table = observations().astype({"value": object})
    table.loc[3, "value"] = value

    with pytest.raises(DataError, match=r"value: .* in row 5; expected"):
        written(table)


def test_a_missing_column_is_named(written):
    with pytest.raises(DataError, match="column locator is missing"):
        written(observations().drop(columns="locator"))


def test_a_breach_leaves_the_old_store_as_it_was(written, tmp_path):
    store = written(observations())
    before = {path.name: path.read_bytes() for path in store.iterdir()}

    with pytest.raises(DataError):
        written(observations().assign(municipality_code="301"))

    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_the_same_file_gives_the_same_bytes(written, tmp_path):
    first = {path.name: path.read_bytes() for path in written(observations()).iterdir()}

    again = {path.name: path.read_bytes() for path in written(observations()).iterdir()}

    assert first == again


def test_an_unknown_municipality_is_refused(written):
    with pytest.raises(DataError, match="no observation of municipality 9999"):
        municipality_series(written(observations()), "9999")


def test_a_folder_without_a_store_says_how_to_write_one(tmp_path):
    with pytest.raises(DataError, match="write_observations"):
        municipality_series(tmp_path, "0301")

import pandas as pd
import pytest
from test_plan_review import rows_of

import evalkit as ek
from evalkit.effect_review import area_changes, indicator_changes

START = "2020-01-01"
INDICATOR = {"indicator_id": "fravaer", "municipality_code": "0301", "name": "Fravær"} | {
    "unit": "percent",
    "direction": "down",
    "goal_ids": None,
}


def value(period, number, *, area=None, **given):
    return {
        "observation_id": f"v{period}{area}",
        "indicator_id": "fravaer",
        "municipality_code": None if area else "0301",
        "area": area,
        "period": period,
        "value": number,
    } | given


def asked(*observations, target=None):
    targets = (
        [{"target_id": "t", "indicator_id": "fravaer", "due": "2022"} | target] if target else []
    )
    return {
        "indicators": rows_of("indicators", INDICATOR),
        "observations": rows_of("observations", *observations),
        "targets": rows_of("targets", *targets),
        "municipality_codes": ["0301"],
        "start": START,
    }


def changed(*observations, **given):
    return indicator_changes(**asked(*observations, **given))


def compared(*observations):
    given = asked(*observations)
    del given["targets"]
    return area_changes(**given)


@pytest.mark.parametrize(
    ("observations", "standing"),
    [
        ([], "no_value"),
        ([value("2018", 12.0)], "no_after"),
        ([value("2021", 12.0)], "no_before"),
        ([value("2018", 12.0), value("2021", 9.0)], "change_only"),
        (
            [value(y, 12.0) for y in ("2018", "2021")]
            + [value(y, 11.0, area="Landet") for y in ("2018", "2021")],
            "compared",
        ),
        ([value("2018", 12.0, numerator=3, denominator=25)], "hidden"),
    ],
)
def test_what_may_be_said_follows_from_the_values_there_are(observations, standing):
    assert changed(*observations)["standing"].item() == standing


def test_the_last_value_before_and_the_latest_since_the_start_are_held_together():
    row = changed(
        *[value("2017", 14.0), value("2019", 12.0), value("2020", 11.0), value("2022", 9.0)],
        target={"value": 10.0, "unit": "percent", "direction": "at_most"},
    ).iloc[0]

    assert (row["before_period"], row["before_value"]) == ("2019", 12.0)
    assert (row["after_period"], row["after_value"]) == ("2022", 9.0)
    assert row["change"] == -3.0
    assert row["reached"]


def test_a_target_is_neither_reached_nor_missed_without_a_value_since_the_start():
    row = changed(
        value("2019", 12.0), target={"value": 10.0, "unit": "percent", "direction": "at_most"}
    )

    assert row["reached"].isna().item()


def test_the_area_counts_only_with_values_at_the_same_two_times():
    own = [value("2019", 12.0), value("2022", 9.0)]
    country = [value("2019", 10.0, area="Landet"), value("2022", 9.5, area="Landet")]
    county = [value("2018", 11.0, area="Fylket"), value("2022", 9.0, area="Fylket")]

    row = compared(*own, *country, *county)

    assert row["area"].tolist() == ["Landet"]
    assert row["change"].item() == -3.0
    assert row["area_change"].item() == -0.5
    assert row["difference"].item() == -2.5


def test_a_value_on_few_persons_reaches_neither_table():
    few = value("2022", 12.0, numerator=3, denominator=25)
    changes = changed(value("2019", 12.0), few)
    table = ek.indicator_changes_table(changes, names={"0301": "Oslo"}).markdown

    assert changes["after_value"].isna().item()
    assert table.count("12") == 1


def test_a_change_that_is_not_compared_is_not_attributed():
    changes = changed(value("2019", 12.0), value("2022", 9.0))

    said = ek.attribution_table(changes, names={"0301": "Oslo"}).markdown

    assert "Den kan ikke tilskrives programmet" in " ".join(said.split())


def test_a_difference_between_changes_is_in_percentage_points():
    observations = [
        value(year, number, area=area)
        for area, pair in ((None, (12.0, 9.0)), ("Landet", (10.0, 9.5)))
        for year, number in zip(("2019", "2022"), pair, strict=True)
    ]

    table = ek.area_changes_table(compared(*observations), names={"0301": "Oslo"}).markdown

    assert "−2,5 prosentpoeng" in table.replace("\u00a0", " ")


def test_effects_are_worked_out_where_others_have_values_before_and_after():
    years = range(2016, 2024)
    values = pd.DataFrame(
        [
            (code, "fravaer", year, 10.0 + spread - (2.0 if code == "0301" and year > 2019 else 0))
            for code, spread in (("0301", 0.0), ("3801", 0.5), ("3802", 1.0), ("3803", 0.2))
            for year in years
        ]
        + [("0301", "trivsel", year, 80.0) for year in years],
        columns=["municipality_code", "indicator_id", "year", "value"],
    )

    effects, before = ek.indicator_effects(values, treated=["0301"], treated_from=2020)

    assert list(effects) == ["fravaer"] == list(before)
    assert effects["fravaer"]["value"].item() == pytest.approx(-2.0)

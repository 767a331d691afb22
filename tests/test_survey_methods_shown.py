"""How far the answers of a survey carry, as report tables; and that no sum tells what is hidden."""

import numpy as np
import pandas as pd
import pytest

import evalkit as ek
from evalkit.disclosure import TOTAL
from evalkit.errors import DataError

ITEMS = pd.DataFrame(
    {
        "item": ["plan", "tid", "mot"],
        "position": [1, 2, 3],
        "text": ["Vi har en plan", "Vi har tid", "Vi har mot"],
    }
)
SOURCES = pd.DataFrame({"source": ["evalkit-demo"], "locator": ["generatoren"]})
NAMES = pd.DataFrame({"municipality_code": ["9901", "0991"], "name": ["Regnbuvik", "Vantenes"]})
SHOWN = {"items": ITEMS, "surveys": SOURCES, "synthetic": True}


def text(table):
    """What a reader sees, without the width of the columns."""
    return " ".join(
        f"{table.markdown} {table.source}".replace("\u00a0", " ").replace("\u2060", "").split()
    )


def answers(*groups):
    """(municipality, wave, service, item, score, first and last person), one row per person."""
    return pd.DataFrame(
        [
            {
                "municipality_code": code,
                "wave": wave,
                "service": service,
                "item": item,
                "respondent_id": f"{code}-{person}",
                "score": score,
            }
            for code, wave, service, item, score, first, last in groups
            for person in range(first, last)
        ]
    )


def share(code, wave, service, value, item="plan"):
    return {
        "municipality_code": code,
        "wave": wave,
        "item": item,
        "service": service,
        "value": value,
    }


GIVEN = answers(
    *[("9901", 0, "Skole", "plan", 5.0, 0, 30), ("9901", 0, "Skole", "plan", 1.0, 30, 60)],
    *[("9901", 0, "Team", "plan", 5.0, 60, 63), ("0991", 0, "Skole", "plan", 5.0, 0, 8)],
    ("0991", 0, "Skole", "plan", None, 8, 10),
)


def test_only_answers_behind_what_is_shown_are_taken():
    shown = pd.DataFrame(
        [share("9901", 0, TOTAL, 0.5), share("0991", 0, TOTAL, None), share("0992", 0, TOTAL, 0.2)]
    )

    kept = ek.answers_behind(GIVEN, shown)

    assert set(kept["municipality_code"]) == {"9901"}
    assert len(kept) == 63


def two_waves():
    """Answers to two items in two waves, and whose change is shown: of 0991 not in "tid"."""
    generator = np.random.default_rng(11)
    rows = pd.DataFrame(
        [
            {"municipality_code": code, "wave": wave, "item": item, "respondent_id": f"{code}-{n}"}
            for item in ("tid", "plan")
            for code in ("9901", "0991")
            for wave in (0, 1)
            for n in range(40)
        ]
    )
    given = rows.assign(score=generator.integers(1, 6, len(rows)).astype(float))
    shown = [("9901", "tid"), ("0991", "tid"), ("9901", "plan"), ("0991", "plan")]
    changes = pd.DataFrame(shown, columns=["municipality_code", "item"])
    return given, changes.assign(value=[0.1, None, 0.2, 0.3], linkage="linked")


def test_items_compared_one_at_a_time_give_what_all_at_once_gives():
    given, changes = two_waves()
    parts = [given.loc[given["item"] == item] for item in ("plan", "tid")]
    behind = ek.answers_behind(given, changes)
    linked = {"by": ("item",), "before": 0, "after": 1}
    each = {"by": ("item",), "first": 0, "second": 1}

    compared = ek.item_comparisons(parts, changes, before=0, after=1)

    for found, at_once in (
        (compared.tests, ek.mcnemar_test(behind, linkage="linked", **linked)),
        (compared.shifts, ek.paired_shift(behind, linkage="linked", **linked)),
        (compared.superiority, ek.probability_of_superiority(behind, **each)),
        (compared.deltas, ek.cliffs_delta(behind, **each)),
    ):
        pd.testing.assert_frame_equal(found, at_once)
    assert compared.tests.set_index("item")["base"].to_dict() == {"plan": 80, "tid": 40}


def test_an_item_that_nobody_answered_changes_no_comparison():
    given, changes = two_waves()

    compared = ek.item_comparisons([given, given.iloc[:0]], changes, before=0, after=1)

    whole = ek.item_comparisons([given], changes, before=0, after=1)
    pd.testing.assert_frame_equal(compared.tests, whole.tests)
    pd.testing.assert_frame_equal(compared.deltas, whole.deltas)


def test_a_study_without_items_has_nothing_to_compare():
    _, changes = two_waves()

    with pytest.raises(DataError, match="no answers to compare wave 0 and 1 by"):
        ek.item_comparisons([], changes, before=0, after=1)


def test_scores_of_a_scale_come_from_one_wave_a_column_for_each_item():
    given, _ = two_waves()
    parts = [given.loc[given["item"] == item] for item in ("tid", "plan")]

    scores = ek.item_scores(parts, wave=1)

    assert scores.columns.tolist() == ["plan", "tid"]
    assert scores.index.names == ["municipality_code", "respondent_id"]
    of_one = given.query("wave == 1 and respondent_id == '0991-7'").set_index("item")["score"]
    assert scores.loc[("0991", "0991-7")].to_dict() == of_one.to_dict()
    assert ek.item_scores([], wave=1).shape == (0, 0)


def responses(*rows):
    """(municipality, service, invited, response rate) of wave 0."""
    columns = ["municipality_code", "service", "base", "value"]
    return pd.DataFrame(rows, columns=columns).assign(wave=0)


def test_a_sample_has_only_services_whose_answers_and_invited_are_shown():
    shares = pd.DataFrame(
        [
            *[share("9901", 0, "Skole", 0.5), share("9901", 0, "Team", None)],
            *[share("0991", 0, "Skole", 0.8), share("9901", 0, TOTAL, 0.6)],
        ]
    )
    invited = responses(
        *[("9901", "Skole", 90.0, None), ("9901", "Team", 4.0, None)],
        *[("0991", "Skole", None, None), ("9901", TOTAL, 94.0, 0.7)],
    )

    sample, population = ek.sample_and_population(GIVEN, shares, invited, item="plan", wave=0)

    assert population.to_dict() == {("9901", "Skole"): 90.0}
    assert len(sample) == 60
    assert sample["agreed"].sum() == 30
    assert sample["workplace"].unique().tolist() == ["9901 Skole"]


def test_a_population_that_is_hidden_is_no_population():
    rates = responses(("9901", TOTAL, 94.0, 0.7), ("0991", TOTAL, None, None))

    assert ek.shown_populations(rates).to_dict("records") == [
        {"municipality_code": "9901", "wave": 0, "population_count": 94.0}
    ]


def test_the_next_survey_is_planned_like_the_last_and_a_hidden_one_says_why():
    rates = responses(("9901", TOTAL, 200.0, 0.5), ("0991", TOTAL, None, None))
    shares = pd.DataFrame([share("9901", 0, TOTAL, 0.5), share("0991", 0, TOTAL, None)])

    planned = ek.planned_detectable_change(
        ek.survey_plan(rates, shares, item="plan", wave=0, linkage_share=0.5, correlation=0.3)
    )
    table = ek.planned_survey_table(planned, item="plan", municipalities=NAMES, **SHOWN)

    expected = ek.detectable_share_change(100, 100, 0.5)["smallest_change_share"].item()
    told = f"{100 * expected:.1f}".replace(".", ",")
    assert f"| Regnbuvik | 200 | 100 | 50 % | {told} | alle svar |" in text(table)
    assert "*mangler*" in text(table)
    assert "korrelasjon på 0,3" in text(table)


def test_a_scale_shows_alpha_omega_and_alpha_without_each_item():
    draw = np.random.default_rng(1)
    common = draw.normal(size=(200, 1))
    scores = pd.DataFrame(common + draw.normal(size=(200, 3)), columns=ITEMS["item"])

    alpha, omega = ek.cronbach_alpha(scores), ek.mcdonald_omega(scores, replicate_count=100)
    shown = text(ek.reliability_table(alpha, omega, **SHOWN))
    small = text(ek.reliability_table(*(f(scores.head(4)) for f in SCALES), **SHOWN))

    value = f"{alpha['value'].iloc[0]:.2f}".replace(".", ",")
    assert f"| Cronbachs alfa | {value} |" in shown
    assert "McDonalds omega" in shown
    assert "Alfa uten «Vi har tid»" in shown
    assert small.count("*for lite grunnlag*") == 5


SCALES = (ek.cronbach_alpha, ek.mcdonald_omega)


def paired(item, *moves):
    """Persons of one municipality by answer in both waves: (before, after, persons)."""
    rows, first = [], 0
    for before, after, persons in moves:
        rows += [
            ("9901", wave, "Skole", item, float(score), first, first + persons)
            for wave, score in ((0, before), (1, after))
        ]
        first += persons
    return rows


TWICE = answers(
    *paired("plan", (1, 5, 40), (5, 1, 10), (3, 3, 30)),
    *paired("tid", (1, 5, 20), (5, 1, 20), (3, 3, 30)),
)


def test_tests_of_the_same_persons_stand_side_by_side_and_adjusted():
    tests = ek.mcnemar_test(TWICE, linkage="linked", by=("item",))
    shifts = ek.paired_shift(TWICE, linkage="linked", by=("item",))

    shown = text(ek.linked_tests_table(tests, shifts, **SHOWN))
    adjusted = text(
        ek.adjusted_tests_table(
            ek.adjusted_p_values(tests, method="Holm"),
            ek.adjusted_p_values(tests, method="Benjamini-Hochberg"),
            **SHOWN,
        )
    )

    assert "| Vi har en plan | +37,5 |" in shown
    assert "< 0,001" in shown
    assert "| Vi har tid | 0,0 |" in shown
    assert "2 tester" in adjusted
    assert "| Vi har tid | 1 | 1 | 1 | nei |" in adjusted.replace("1,000", "1")


def test_an_order_is_told_as_a_chance_and_as_a_delta():
    given = {"by": ("item",)}

    shown = ek.order_table(
        ek.probability_of_superiority(TWICE, **given),
        ek.cliffs_delta(TWICE, **given),
        before=0,
        after=1,
        **SHOWN,
    )

    delta = ek.cliffs_delta(TWICE, **given).set_index("item")["value"]["plan"]
    assert f"+{delta:.2f}".replace(".", ",") in text(shown)
    assert "målerunde\u00a01 mot nullpunktet" in shown.caption


def test_odds_are_shown_for_the_terms_named_and_a_refusal_says_why():
    draw = np.random.default_rng(2)
    data = pd.DataFrame(
        {
            "score": draw.integers(1, 6, 400).astype(float),
            "wave": np.tile([0, 1], 200),
            "place": np.repeat([f"t{n}" for n in range(20)], 20),
        }
    )
    terms = {"wave": "Målerunde 1 mot nullpunktet", "none": "Finnes ikke"}

    fitted = ek.ordinal_regression(data, covariates=["wave"], cluster="place")
    shown = text(ek.odds_table(fitted, terms=terms, item="plan", **SHOWN))
    few = ek.ordinal_regression(data.assign(place="t"), covariates=["wave"], cluster="place")
    refused = text(ek.odds_table(few, terms=terms, item="plan", **SHOWN))

    limits = [f"{np.exp(fitted[end].item()):.2f}".replace(".", ",") for end in ("lower", "upper")]
    assert "–".join(limits) in shown
    assert "Finnes ikke" not in shown
    assert "400 svar" in shown
    assert "*for få tjenester*" in refused


def test_weights_stand_beside_what_they_cost():
    sample = GIVEN.loc[GIVEN["municipality_code"] == "9901"].assign(item="plan")
    sample = sample.assign(agreed=sample["score"] > 3, weight=1.0)
    heavy = sample.assign(weight=np.where(sample["service"] == "Team", 10.0, 1.0))

    shown = text(
        ek.weights_table(
            {
                "uten vekter": ek.weighted_share(sample, by=("item",)),
                "med vekter": ek.weighted_share(heavy, by=("item",)),
            },
            item="plan",
            **SHOWN,
        )
    )

    assert "| Uten vekter | 52,4 % |" in shown
    assert "| Med vekter | 66,7 % |" in shown
    assert "| 63 | 2,800 |" in shown


def test_few_services_have_no_interval_and_many_have_one():
    places = pd.DataFrame(
        {
            "municipality_code": np.repeat(["9901", "0991"], 60),
            "item": "plan",
            "workplace": np.repeat([f"t{n}" for n in range(12)], 10),
            "agreed": np.tile([True, True, False, False, False, True, True], 18)[:120],
        }
    )
    means = {"value": "agreed", "cluster": "workplace"}

    shown = text(
        ek.clusters_table(
            ek.cluster_robust_mean(places, **means),
            ek.cluster_robust_mean(places, by=("item",), **means),
            item="plan",
            municipalities=NAMES,
            **SHOWN,
        )
    )

    assert shown.index("Regnbuvik") < shown.index("Vantenes") < shown.index("Alle kommunene")
    assert shown.count("*for få tjenester*") == 2
    assert "| Alle kommunene | 12 | 120 |" in shown


def test_the_interval_of_exactly_those_invited_is_the_narrower():
    before = ek.share_change(TWICE, linkage="linked")
    population = pd.DataFrame(
        {"municipality_code": "9901", "wave": [0, 1], "population_count": [90.0, 95.0]}
    )
    exactly = ek.share_change(TWICE, linkage="linked", population=population)
    of_item = before["item"] == "plan"

    shown = text(
        ek.finite_population_table(
            before.loc[of_item],
            exactly.loc[of_item],
            item="plan",
            municipalities=NAMES,
            **SHOWN,
        )
    )

    told = [
        f"{100 * rows.loc[of_item, 'lower'].item():.1f}".replace(".", ",")
        for rows in (before, exactly)
    ]
    assert told[0] < told[1]
    assert all(f"+{end} til" in shown for end in told)


@pytest.mark.parametrize("wave", [0, 1])
def test_no_estimate_over_all_municipalities_rests_on_a_municipality_that_is_hidden(wave):
    """Three of 63 disagree in the second: its share is hidden, so its answers are not summed."""
    given = answers(
        *[
            ("9901", wave, "Skole", "plan", 5.0, 0, 30),
            ("9901", wave, "Skole", "plan", 3.0, 30, 50),
        ],
        *[
            ("9901", wave, "Skole", "plan", 1.0, 50, 70),
            ("0991", wave, "Skole", "plan", 5.0, 0, 60),
        ],
        ("0991", wave, "Skole", "plan", 1.0, 60, 63),
    )
    shares = ek.protected_shares(ek.protected_answers(given))

    kept = ek.answers_behind(given, shares.loc[shares["service"] == TOTAL])

    assert set(kept["municipality_code"]) == {"9901"}

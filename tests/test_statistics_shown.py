"""Results of the statistics as report tables and figures."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from test_tables import rows_of

import evalkit as ek
from evalkit.disclosure import TOTAL
from evalkit.figures.statistics import funnel_line

OWN = ek.Municipality("9901", "regnbuvik", "Regnbuvik", "demo")
MUNICIPALITIES = pd.DataFrame(
    {"municipality_code": ["9901", "0991"], "name": ["Regnbuvik", "Vantenes"]}
)
ITEMS = pd.DataFrame(
    {"item": ["plan", "tid"], "position": [1.0, 2.0], "text": ["Vi har en plan", "Jeg har tid"]}
)
SOURCES = pd.DataFrame({"source": ["evalkit-demo"], "locator": ["generatoren"]})
SURVEYS = {"surveys": SOURCES, "synthetic": True}
INDICATORS = pd.DataFrame({"indicator_id": ["fravaer"], "name": ["Høyt fravær"]})


def answers(*groups):
    """Answers of a municipality to one item: (service, score, how many)."""
    return pd.DataFrame(
        [
            {
                "municipality_code": "9901",
                "wave": 0,
                "item": "plan",
                "respondent_id": f"{service}-{score}-{number}",
                "service": service,
                "score": float(score),
            }
            for service, score, count in groups
            for number in range(count)
        ]
    )


THREE_SERVICES = answers(
    *[("Skole", 1, 20), ("Skole", 3, 30), ("Skole", 5, 50)],
    *[("NAV", 2, 9), ("NAV", 3, 10), ("NAV", 4, 11)],
    *[("Team", 1, 1), ("Team", 5, 3)],
)


def change(**given):
    row = {
        "municipality_code": "9901",
        "item": "plan",
        "value": 0.123,
        "lower": -0.01,
        "upper": 0.25,
        "base": 60.0,
        "before_count": 20.0,
        "before_base": 60.0,
        "after_count": 27.0,
        "after_base": 60.0,
        "count": 27.0,
        "smallest_change_share": 0.15,
        "could_see": "no change seen",
        "confidence_level": 0.95,
        "method": "Newcombe, paired shares",
        "reason": None,
    }
    return pd.DataFrame([row | given]).astype({"reason": object})


def shown_text(figure):
    return f"{figure.caption} {figure.alt}"


def test_the_number_of_a_wave_stays_on_the_line_of_its_word():
    row = ("9901", TOTAL, 100.0, 60.0, 0.6, None)
    columns = ["municipality_code", "service", "base", "count", "value", "reason"]
    response = pd.DataFrame([row, row], columns=columns).assign(wave=[0, 2])

    shown = ek.wave_response_table(response, OWN, **SURVEYS).markdown

    assert "Nullpunkt" in shown
    assert "Målerunde\u00a02" in shown


def test_a_small_service_is_hidden_and_another_with_it():
    protected = ek.protected_answers(THREE_SERVICES)
    counts = protected.set_index(["service", "answer_class"])["count"]

    assert counts[TOTAL, TOTAL] == 134
    assert counts["Skole", "agree"] == 50
    assert counts["Team"].isna().all()
    assert counts["NAV"].isna().any()


def test_the_table_of_what_is_hidden_says_how_well_it_is_hidden():
    published = ek.Publication(answers=ek.protected_answers(THREE_SERVICES))
    summary = ek.hidden_summary(published, ek.audit_publication(published))
    table = ek.hidden_table(summary, **SURVEYS)

    assert "| Antall svar fra ansatte | 8 | 4 | 0 | 0 | 4 |" in table.markdown
    assert "kan hvert skjulte antall ha minst 5 ulike verdier" in table.markdown


def test_a_hidden_service_stands_in_the_figure_with_its_reason_and_without_its_number():
    figure = ek.service_likert_figure(
        ek.protected_answers(THREE_SERVICES), OWN, item="plan", wave=0, items=ITEMS, **SURVEYS
    )

    assert "Team: ikke vist, for lite grunnlag" in figure.alt
    assert (
        "Skole: uenig 20\u00a0%, verken eller 30\u00a0% og enig 50\u00a0% av 100 svar" in figure.alt
    )
    assert ElementTree.fromstring(figure.svg).tag.endswith("svg")


def test_the_figure_shows_those_who_agree_wherever_the_table_does():
    """Three of 103 disagree and the 40 in between are hidden beside them; 60 agree."""
    rows = pd.DataFrame(
        {
            "municipality_code": "9901",
            "wave": 0,
            "item": "plan",
            "service": TOTAL,
            "answer_class": ["disagree", "neither", "agree", TOTAL],
            "count": [np.nan, np.nan, 60.0, 103.0],
            "reason": ["too_few", "can_be_derived", None, None],
        }
    )
    hidden = rows.assign(count=rows["count"].mask(rows["answer_class"] == "agree"))
    hidden.loc[hidden["answer_class"] == "agree", "reason"] = "protected"

    told = {
        name: (
            ek.item_shares_table(ek.protected_shares(given), OWN, items=ITEMS, **SURVEYS).markdown,
            ek.likert_figure(given, OWN, items=ITEMS, **SURVEYS).alt,
        )
        for name, given in (("shown", rows), ("hidden", hidden))
    }

    assert "58\u00a0%" in told["shown"][0]
    assert "ikke enig 42\u00a0% og enig 58\u00a0% av 103 svar" in told["shown"][1]
    assert "skjermet" in told["hidden"][0]
    assert "ikke vist, skjermet" in told["hidden"][1]


def test_a_share_has_its_interval_and_its_base():
    shares = ek.protected_shares(ek.protected_answers(THREE_SERVICES))
    table = ek.item_shares_table(shares, OWN, items=ITEMS, **SURVEYS)

    assert "48\u00a0% (39–56\u00a0%), 134\u00a0svar" in table.markdown
    assert "Jeg har tid" not in table.markdown


def test_a_change_stands_with_the_smallest_change_that_could_be_seen():
    table = ek.item_changes_table(change(), OWN, items=ITEMS, **SURVEYS)
    figure = ek.item_changes_figure(change(), OWN, items=ITEMS, **SURVEYS)

    assert "| +12,3 | −1,0\u00a0til +25,0 | 60 | 15,0 | ingen endring sett |" in table.markdown
    assert "Vi har en plan: +12,3 (−1,0\u00a0til +25,0)" in figure.alt


def test_an_interval_stands_with_its_method_in_table_and_figure():
    table = ek.item_changes_table(change(), OWN, items=ITEMS, **SURVEYS)
    figure = ek.item_changes_figure(change(), OWN, items=ITEMS, **SURVEYS)

    told = "95 prosent intervall: Newcombe for svar fra de samme personene."
    assert told in table.markdown
    assert figure.source.startswith(told)


def test_a_method_without_words_for_a_reader_is_refused():
    with pytest.raises(ek.DataError, match="add some to INTERVAL_METHODS"):
        ek.item_changes_table(change(method="a guess"), OWN, items=ITEMS, **SURVEYS)


def test_the_table_of_changes_says_how_many_answers_could_be_linked():
    linked = pd.concat([change(linkage_share=0.552), change(linkage_share=0.618, item="tid")])
    table = ek.item_changes_table(linked, OWN, items=ITEMS, **SURVEYS)
    unlinked = ek.item_changes_table(change(linkage_share=None), OWN, items=ITEMS, **SURVEYS)

    assert "Koblet til samme person: 55\u00a0% til 62\u00a0% av svarene." in table.markdown
    assert "Koblet" not in unlinked.markdown


def test_a_change_that_may_not_be_compared_shows_why_and_no_number():
    refused = change(value=None, lower=None, upper=None, reason="not_comparable")
    table = ek.item_changes_table(refused, OWN, items=ITEMS, **SURVEYS)
    figure = ek.item_changes_figure(refused, OWN, items=ITEMS, **SURVEYS)

    assert "*kan ikke sammenlignes*" in table.markdown
    assert "15,0" not in table.markdown
    assert "Vi har en plan: kan ikke sammenlignes" in figure.alt


def test_the_target_path_says_how_many_years_are_hidden():
    values = pd.DataFrame(
        {
            "municipality_code": "9901",
            "indicator_id": "fravaer",
            "year": [2021, 2022, 2023],
            "value": [9.0, None, 8.0],
            "numerator": [90.0, None, 80.0],
            "denominator": [1000.0, None, 1000.0],
        }
    )
    targets = rows_of(
        "targets",
        {"indicator_id": "fravaer", "value": 6.0, "direction": "at_most", "due": "2027-06"},
    )
    distances = ek.distance_to_target(values, ek.targets_by_municipality(targets, ["9901"]))
    figure = ek.target_path_figure(
        values, distances, OWN, indicators=INDICATORS, observations=SOURCES, synthetic=True
    )

    assert "9,0\u00a0% i 2021, 8,0\u00a0% i 2023, mål 6,0\u00a0% i 2027" in figure.alt
    assert "1 år er ikke vist fordi antallet er for lite" in figure.alt


def test_the_funnel_says_where_the_municipality_lies():
    counts = pd.DataFrame(
        {
            "municipality_code": [f"9{n:03d}" for n in range(100, 119)] + ["9901"],
            "count": [100.0] * 19 + [160.0],
            "base": 1000.0,
        }
    )
    figure = ek.funnel_figure(
        ek.funnel_limits(counts, kind="share"),
        OWN,
        indicator="Høyt fravær",
        year=2024,
        observations=SOURCES,
        synthetic=True,
    )

    assert "20 kommuner, 1 utenfor den ytre grensen" in figure.alt
    assert "Regnbuvik ligger over den ytre grensen med 16,0\u00a0%" in figure.alt


def test_the_forest_ends_with_the_pooled_change_and_the_next_municipality():
    estimates = pd.DataFrame(
        {"municipality_code": ["9901", "0991"], "value": [0.1, 0.2], "standard_error": 0.05}
    )
    figure = ek.forest_figure(
        ek.forest_rows(estimates), about="endring", municipalities=MUNICIPALITIES, **SURVEYS
    )

    assert "Regnbuvik: +10,0 (+0,2\u00a0til +19,8)" in figure.alt
    assert "Samlet: +15,0" in figure.alt


def test_rules_and_truth_are_read_from_the_claims():
    claims = pd.DataFrame(
        {
            "subject": ["regel-a"] * 3 + ["sannhet-fravaer"],
            "quantity": ["direction", "smallest_change", "minimum_evidence", "effect"],
            "value": ["down", "1", "controlled", "-2"],
            "label": "Sann effekt",
            "unit": "percentage_points",
            "chosen": True,
            "source": "evalkit-demo",
            "locator": "truth.toml",
        }
    )
    estimate = pd.DataFrame(
        [
            {
                "value": -1.9,
                "lower": -2.5,
                "upper": -1.2,
                "confidence_level": 0.95,
                "method": "Wilson",
                "reason": None,
            }
        ]
    )

    rule = ek.goal_rules(claims)
    known = ek.truth_and_estimates(claims, {"fravaer": estimate}, scale={"fravaer": 1})
    table = ek.truth_table(known, synthetic=True)

    assert rule[["goal_id", "direction", "smallest_change"]].iloc[0].tolist() == ["a", "down", 1.0]
    assert "| −2,0 | −1,9 | −2,5\u00a0til −1,2 | ja |" in table.markdown


def test_the_limits_give_their_standard_error_back():
    result = pd.DataFrame({"lower": [-1.959964], "upper": [1.959964], "confidence_level": [0.95]})

    assert ek.with_standard_error(result)["standard_error"].item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("synthetic", [True, False])
def test_caption_text_and_drawing_say_synthetic_when_it_is_and_only_then(synthetic):
    figure = ek.item_changes_figure(
        change(), OWN, items=ITEMS, surveys=SOURCES, synthetic=synthetic
    )
    table = ek.item_changes_table(change(), OWN, items=ITEMS, surveys=SOURCES, synthetic=synthetic)

    assert ("(syntetisk)" in table.caption) is synthetic
    assert ("(syntetisk)" in figure.caption) is synthetic
    assert figure.alt.startswith("Syntetisk: ") is synthetic
    assert ('id="syntetisk"' in figure.svg) is synthetic


def panel_effect(treated_count, other_count, **more):
    """Changes of 1, 2, 3, ... in municipalities of which the first began the measure in 2020."""
    codes = [f"9{number:03d}" for number in range(treated_count + other_count)]
    values = pd.DataFrame(
        [
            (code, year, number * 7 % 10 + (year >= 2020) * (number * 13 % 11))
            for number, code in enumerate(codes)
            for year in (2018, 2019, 2020)
        ],
        columns=["municipality_code", "year", "value"],
    )
    design = {"treated": codes[:treated_count], "comparison": codes[treated_count:]}
    effect = ek.difference_in_differences(
        values, treated_from=2020, confidence_levels=(0.95,), **design, **more
    )
    return {"fravaer": effect}, {"fravaer": ek.pretrend_check(values, treated_from=2020, **design)}


def test_an_effect_without_limits_says_why_in_their_place():
    table = ek.effects_table(
        *panel_effect(2, 4), indicators=INDICATORS, observations=SOURCES, synthetic=True
    )

    assert "*for få kommuner*" in table.markdown
    assert "Intervall" in table.markdown
    assert "Minste" not in table.markdown
    assert "permutasjon" not in f"{table.caption} {table.source}"


@pytest.mark.parametrize(
    ("inference", "told"), [("permutation", "permutasjon av hvilke"), ("welch", "t-fordeling")]
)
def test_an_effect_that_was_not_seen_stands_with_the_smallest_that_could_be(inference, told):
    effects, before = panel_effect(5, 15, inference=inference)
    table = ek.effects_table(
        effects, before, indicators=INDICATORS, observations=SOURCES, synthetic=True
    )

    row = effects["fravaer"].iloc[0]
    assert row["lower"] < 0 < row["upper"]
    assert "Minste påvisbare endring" in table.markdown
    assert f"| {row['smallest_change']:.1f} |".replace(".", ",") in table.markdown
    assert f"95 prosent intervall: {told}" in table.markdown


def test_a_target_whose_probability_is_refused_says_why():
    values = pd.DataFrame(
        {"municipality_code": "9901", "indicator_id": "fravaer", "year": [2022, 2023], "value": 9.0}
    )
    claims = {"indicator_id": "fravaer", "value": 6.0, "direction": "at_most", "due": "2027-06"}
    targets = ek.targets_by_municipality(rows_of("targets", claims), ["9901"])
    shown = {"indicators": INDICATORS, "observations": SOURCES, "synthetic": True}
    chance = {"rule": "linear_trend", "confidence_levels": (0.95,)}

    table = ek.target_distance_table(
        ek.distance_to_target(values, targets),
        ek.reach_probability(values, targets, **chance),
        OWN,
        **shown,
    )
    blank = targets.assign(target_value=float("nan"))
    unaimed = ek.target_distance_table(
        ek.distance_to_target(values, blank),
        ek.reach_probability(values, blank, **chance),
        OWN,
        **shown,
    )

    assert "Sannsynlig å nå i målåret" in table.markdown
    assert "| *for få år* |" in table.markdown
    assert "*mangler*" in unaimed.markdown
    assert "nan" not in unaimed.markdown


def test_a_pooled_change_that_was_not_seen_stands_with_the_smallest_that_could_be():
    estimates = pd.DataFrame(
        {
            "item": "plan",
            "municipality_code": ["9901", "0991", "9902"],
            "value": [0.1, -0.05, 0.02],
            "standard_error": 0.05,
        }
    )
    pooled = ek.pooled_estimate(estimates, by=["item"], confidence_levels=(0.95,))

    table = ek.pooled_table(pooled, items=ITEMS, **SURVEYS)

    smallest = f"{100 * pooled['smallest_change'].item():.1f}".replace(".", ",")
    assert f"| {smallest} |" in table.markdown
    assert "Minste påvisbare endring" in table.markdown


def pooled_of(*values):
    estimates = pd.DataFrame(
        {
            "item": "plan",
            "municipality_code": [f"9{n:03d}" for n in range(len(values))],
            "value": values,
            "standard_error": 0.05,
        }
    )
    return ek.pooled_estimate(estimates, by=["item"], confidence_levels=(0.95,))


def test_the_pooled_table_tells_the_spread_and_warns_of_few_municipalities():
    pooled = pooled_of(0.3, -0.25, 0.02)
    few = ek.pooled_table(pooled, items=ITEMS, **SURVEYS).markdown
    many = ek.pooled_table(pooled_of(0.3, -0.25, 0.02, 0.1, 0.2), items=ITEMS, **SURVEYS).markdown

    assert "Spredning (τ)" in few
    assert f"| {100 * pooled['tau2'].item() ** 0.5:.1f} |".replace(".", ",") in few
    assert "Med færre enn fem kommuner" in few
    assert "Med færre enn fem kommuner" not in many


def test_the_next_of_two_municipalities_has_a_reason_for_no_interval():
    table = ek.pooled_table(pooled_of(0.1, 0.2), items=ITEMS, **SURVEYS)

    assert "| *for få kommuner* |" in table.markdown


GOALS = pd.DataFrame(
    {"goal_id": ["g1"], "text": ["Lavere fravær"], "source": ["evalkit-demo"], "locator": ["mål"]}
)


def judged(**given):
    row = {
        "municipality_code": "9901",
        "goal_id": "g1",
        "evidence_grade": "controlled",
        "judgement": "cannot_be_judged",
        "value": -1.5,
        "lower": None,
        "upper": None,
        "confidence_level": 0.95,
        "method": "Wilson",
        "smallest_detectable_change": None,
        "reason": "too_few_clusters",
    }
    return pd.DataFrame([row | given]).astype(
        {"lower": float, "upper": float, "smallest_detectable_change": float}
    )


def test_a_judged_change_without_interval_says_why_in_its_place():
    table = ek.judgements_table(
        judged(), goals=GOALS, municipalities=MUNICIPALITIES, synthetic=True
    )

    assert "−1,5" in table.markdown
    assert "*for få kommuner*" in table.markdown


def test_a_target_without_baseline_says_that_in_its_judgement():
    table = ek.judgements_table(
        judged(lower=-2.0, upper=-1.0, reason="missing"),
        goals=GOALS,
        municipalities=MUNICIPALITIES,
        synthetic=True,
    )

    assert "nullpunktet mangler" in " ".join(table.markdown.split())


def test_a_finding_without_interval_says_why_beside_its_number():
    display = pd.DataFrame(
        [("Flere", 0.1, None, None, 0.95, "Wilson", "too_few_clusters", "tid", (), "confirms")],
        columns=[
            *("finding", "value", "lower", "upper", "confidence_level", "method", "reason"),
            *("code", "excerpts", "fit"),
        ],
    )

    table = ek.joint_display_table(
        display, fits=ek.FINDING_FITS, codings=SOURCES, synthetic=True
    ).markdown

    assert "+10,0 (*for få kommuner*)" in table
    assert "ingen klarert og kodet likt" in table


def test_a_goal_that_is_reached_says_whether_by_its_level_or_by_its_change():
    reached = {"lower": -2.0, "upper": -1.0, "reason": None, "judgement": "reached"}
    shown = {"goals": GOALS, "municipalities": MUNICIPALITIES, "synthetic": True}

    by_change = ek.judgements_table(judged(**reached, target_status="no_target"), **shown)
    by_level = ek.judgements_table(judged(**reached, target_status="met"), **shown)

    assert "målet er nådd: endringen er stor nok" in " ".join(by_change.markdown.split())
    assert "målverdien er nådd" in " ".join(by_level.markdown.split())


def test_a_level_that_is_not_reached_is_told_where_the_change_itself_cannot_be_judged():
    short = judged(lower=-2.0, upper=1.0, reason="base_too_small", target_status="not_met")

    table = ek.judgements_table(short, goals=GOALS, municipalities=MUNICIPALITIES, synthetic=True)

    told = table.markdown.replace("|", " ").split()
    assert "målverdien er ikke nådd" in " ".join(told)
    assert "for lite grunnlag" not in " ".join(told)


def test_goals_stand_against_their_level_with_baseline_need_and_change():
    changes = ek.goal_changes(
        {
            "g1": pd.DataFrame(
                {
                    "municipality_code": ["9901", "0991", "9902"],
                    **{"value": [0.2, 0.02, 0.1], "lower": [0.12, -0.05, 0.02]},
                    **{"upper": [0.28, 0.09, 0.18], "confidence_level": 0.95},
                    **{"method": "Newcombe, paired shares", "reason": None},
                }
            )
        },
        evidence={"g1": "before_and_after"},
        scale={"g1": 100},
        baselines={"g1": pd.Series({"9901": 0.4, "0991": 0.3, "9902": 0.55})},
    )
    rules = ek.goal_rules(
        rule_claims(direction="up", target_value="50", minimum_evidence="before_and_after")
    )
    names = pd.DataFrame(
        {"municipality_code": ["9901", "0991", "9902"], "name": ["Regnbuvik", "Vantenes", "Måneby"]}
    )

    judgements = ek.judge_goal_attainment(changes, rules)
    table = ek.target_judgements_table(
        judgements, goals=GOALS, municipalities=names, synthetic=True
    )
    lines = [" ".join(line.replace("\\", "").split()) for line in table.markdown.splitlines()]

    assert judgements["target_status"].tolist() == ["met", "not_met", "met"]
    assert judgements["needed_change"].tolist() == pytest.approx([10, 20, -5])
    assert any("| 40,0 % | +10,0 | +20,0 | +12,0 til +28,0 | nådd |" in line for line in lines)
    assert any("| 30,0 % | +20,0 | +2,0 | −5,0 til +9,0 | ikke nådd |" in line for line in lines)
    assert any("| 55,0 % | ingenting | +10,0 |" in line for line in lines)
    assert "Målverdi: 50" in " ".join(table.markdown.split())


def test_a_goal_without_a_level_is_not_among_those_held_against_one():
    table = ek.target_judgements_table(
        judged(target_status="no_target"),
        goals=GOALS,
        municipalities=MUNICIPALITIES,
        synthetic=True,
    )

    assert table.markdown == "Ingen mål har målverdi."


def rule_claims(**given):
    rule = {"direction": "down", "smallest_change": "1", "minimum_evidence": "controlled"} | given
    return pd.DataFrame(
        {"subject": "regel-g1", "quantity": list(rule), "value": list(rule.values())}
    ).assign(chosen=True)


def test_a_declared_target_is_part_of_the_rule():
    assert ek.goal_rules(rule_claims())["target_value"].isna().all()
    assert ek.goal_rules(rule_claims(target_value="6.5"))["target_value"].tolist() == [6.5]


def test_the_rules_stand_in_a_table_of_their_own():
    without = ek.goal_rules_table(ek.goal_rules(rule_claims()), goals=GOALS, synthetic=True)
    aimed = ek.goal_rules_table(
        ek.goal_rules(rule_claims(target_value="6.5")), goals=GOALS, synthetic=True
    )

    assert "| Lavere fravær | ned | 1 | sammenlignet med andre | 95\u00a0% |" in without.markdown
    assert "Målverdi" not in without.markdown
    assert "| 6,5\u00a0% |" in aimed.markdown


def test_shares_side_by_side_tell_their_bases():
    shares = pd.DataFrame(
        {
            "municipality_code": ["9901", "0991"],
            "item": "plan",
            "value": [0.4, 0.5],
            "base": [40.0, 125.0],
            "reason": None,
        }
    )
    table = ek.items_side_by_side_table(
        shares, items=ITEMS, municipalities=MUNICIPALITIES, **SURVEYS
    )

    assert "Hver andel er av 40 til 125 svar." in f"{table.markdown} {table.source}"


def test_agreement_without_limits_says_why():
    codings = pd.DataFrame(
        [
            ("d", f"u{n}", ["tid", "plan"][n % 2], coder)
            for n in range(12)
            for coder in ("coder1", "coder2")
        ],
        columns=["document", "unit", "code", "coder"],
    )
    agreement = ek.theme_agreement(codings, replicate_count=50, confidence_levels=(0.95,))
    table = ek.coder_agreement_table(agreement, codings=SOURCES, synthetic=True)

    assert "| Tid | 1,00 | *opplegget kan ikke svare* | 12 | 2 |" in table.markdown


def test_the_reason_of_a_hidden_bar_is_not_crossed_by_the_zero_line():
    figure = ek.service_likert_figure(
        ek.protected_answers(THREE_SERVICES), OWN, item="plan", wave=0, items=ITEMS, **SURVEYS
    )

    assert white_boxes(figure) >= 2


def white_boxes(figure):
    """White areas with rounded corners, which only the boxes of texts are."""
    paths = ElementTree.fromstring(figure.svg).iter("{http://www.w3.org/2000/svg}path")
    styled = [path for path in paths if " Q " in path.get("d", "").replace("\n", " ")]
    return sum("#ffffff" in path.get("style", "") for path in styled)


def test_the_limits_of_a_funnel_are_curves_between_the_municipalities():
    counts = pd.DataFrame(
        {"municipality_code": ["9901", "0991"], "count": [5.0, 1000.0], "base": [50.0, 10000.0]}
    )
    limits = ek.funnel_limits(counts, kind="share")

    base, upper = funnel_line(limits.loc[limits["confidence_level"] == 0.95], "upper")

    exact = ek.funnel_limits(
        pd.DataFrame({"municipality_code": ["x"], "count": [70.0], "base": [700.0]}),
        kind="share",
        comparison_value=0.1,
        confidence_levels=[0.95],
    )["upper"].item()
    at = abs(base - 700).argmin()
    assert upper[at] == pytest.approx(exact, abs=0.004)
    assert set(limits["base"]) <= set(base)


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (
            "confidence_distribution",
            "det tar høyde for at spredningen mellom kommunene er usikker.",
        ),
        ("classical", "om spredningen mellom kommunene var kjent."),
    ],
)
def test_the_pooled_table_says_whether_the_spread_is_taken_as_known(prediction, told):
    estimates = pd.DataFrame(
        {
            "municipality_code": ["9901", "0991", "9902"],
            "item": "plan",
            "value": [0.1, 0.2, 0.05],
            "standard_error": 0.05,
        }
    )
    pooled = ek.pooled_estimate(
        estimates, by=["item"], prediction=prediction, confidence_levels=[0.95]
    )

    assert told in ek.pooled_table(pooled, items=ITEMS, **SURVEYS).markdown


def test_the_lower_limit_of_a_funnel_stays_at_zero():
    limits = pd.DataFrame(
        {"base": [100.0, 250.0, 900.0], "lower": [0.0, 0.0, 0.02], "comparison_value": 0.05}
    )

    assert funnel_line(limits, "lower")[1].min() == 0.0


@pytest.mark.parametrize(
    ("values", "interval", "told"),
    [
        ([0.1, 0.2], "modified_hartung_knapp", "Neste kommune: for få kommuner"),
        ([0.1, 0.1], "hartung_knapp", "Samlet: +10,0 (opplegget kan ikke svare)"),
    ],
)
def test_a_pooled_change_without_limits_says_why_in_the_forest(values, interval, told):
    estimates = pd.DataFrame(
        {"municipality_code": ["9901", "0991"], "value": values, "standard_error": 0.05}
    )
    figure = ek.forest_figure(
        ek.forest_rows(estimates, interval=interval),
        about="endring",
        municipalities=MUNICIPALITIES,
        **SURVEYS,
    )

    assert told in figure.alt


def test_a_change_of_an_item_without_limits_says_why_in_their_place():
    bare = change(lower=None, upper=None, reason="too_few_clusters")
    table = ek.item_changes_table(bare, OWN, items=ITEMS, **SURVEYS)
    figure = ek.item_changes_figure(bare, OWN, items=ITEMS, **SURVEYS)

    assert "| +12,3 | *for få kommuner* |" in table.markdown
    assert "Vi har en plan: +12,3 (for få kommuner)" in figure.alt


def test_a_target_path_without_a_target_shows_the_values_alone():
    values = pd.DataFrame(
        {"municipality_code": "9901", "indicator_id": "fravaer", "year": [2022, 2023], "value": 9.0}
    )
    claims = {"indicator_id": "fravaer", "value": 6.0, "direction": "at_most", "due": "2027-06"}
    targets = ek.targets_by_municipality(rows_of("targets", claims), ["9901"])
    distances = ek.distance_to_target(values, targets.assign(target_value=float("nan")))

    figure = ek.target_path_figure(
        values, distances, OWN, indicators=INDICATORS, observations=SOURCES, synthetic=True
    )

    assert "9,0\u00a0% i 2023" in figure.alt
    assert "mål" not in figure.alt.split(": ")[-1]


ITEMS_OF_USERS = pd.DataFrame({"item": ["tilgang"], "position": [1], "text": ["Lett å få hjelp"]})


def user_shares():
    """One municipality with a share, and one where it is hidden."""
    return pd.DataFrame(
        {
            "municipality_code": ["0991", "9901"],
            "wave": 0,
            "item": "tilgang",
            "service": TOTAL,
            "count": [None, 20.0],
            "base": [None, 40.0],
            "value": [None, 0.5],
            "lower": [None, 0.352],
            "upper": [None, 0.648],
            "confidence_level": 0.95,
            "method": "Wilson",
            "reason": ["base_too_small", None],
        }
    )


def test_what_users_answered_stands_by_municipality_in_their_order_and_what_is_hidden_says_why():
    table = ek.user_shares_table(
        user_shares(),
        items=ITEMS_OF_USERS,
        municipalities=MUNICIPALITIES,
        surveys=SOURCES,
        synthetic=True,
    )

    assert "(syntetisk)" in table.caption
    assert "35–65" in table.markdown
    assert "for lite grunnlag" in " ".join(table.markdown.split())
    assert table.markdown.index("Regnbuvik") < table.markdown.index("Vantenes")


def test_a_municipalitys_users_are_counted_beside_what_they_answered():
    responses = pd.DataFrame(
        {
            "municipality_code": ["9901", "0991"],
            "wave": 0,
            "service": TOTAL,
            "base": [90.0, None],
            "count": [41.0, None],
            "value": [41 / 90, None],
            "lower": [0.36, None],
            "upper": [0.56, None],
            "reason": [None, "base_too_small"],
        }
    )
    shown = {"items": ITEMS_OF_USERS, "surveys": SOURCES, "synthetic": True}

    own = ek.user_answers_table(user_shares(), responses, OWN, **shown)
    all_rates = ek.user_response_table(
        responses, municipalities=MUNICIPALITIES, surveys=SOURCES, synthetic=True
    )

    assert "41 av 90 brukere svarte." in own.source
    assert "Vantenes" not in own.markdown
    assert "46" in all_rates.markdown
    assert all_rates.markdown.count("for lite grunnlag") == 3


def test_a_share_beside_a_text_is_no_change():
    display = pd.DataFrame(
        [("Hørt", 0.5, 0.42, 0.59, 0.95, "Wilson", None, "tid", (), "expands")],
        columns=[
            *("finding", "value", "lower", "upper", "confidence_level", "method", "reason"),
            *("code", "excerpts", "fit"),
        ],
    )

    table = ek.joint_display_table(
        display, fits=ek.FINDING_FITS, codings=SOURCES, synthetic=True, quantity="share"
    )

    assert "Andel enige" in table.markdown
    assert "50 % (42–59 %)" in table.markdown.replace("\u00a0", " ")
    assert "prosentpoeng" not in table.caption


def test_a_municipality_whose_users_were_not_asked_says_so():
    staff = pd.DataFrame(
        {
            "survey_id": ["ansatte"],
            "municipality_code": "9901",
            "kind": "staff_survey",
            "wave": 0.0,
            "invited_count": 50.0,
            "answered_count": 40.0,
        }
    )
    given = pd.DataFrame(
        {
            "survey_id": "ansatte",
            "municipality_code": "9901",
            "respondent_id": ["a", "b"],
            "service": None,
            "item": "tilgang",
            "score": [4.0, 5.0],
        }
    )
    services = pd.DataFrame(columns=["survey_id", "service", "invited_count", "answered_count"])

    shown, rates = ek.protected_survey(
        ek.answers_by_wave(given, staff, kind="user_survey"),
        ek.respondents_by_service(staff, services, kind="user_survey"),
    )
    table = ek.user_answers_table(
        ek.protected_shares(shown),
        rates,
        OWN,
        items=ITEMS_OF_USERS,
        surveys=SOURCES,
        synthetic=True,
    )

    assert table.markdown == "Brukerne i Regnbuvik er ikke spurt."

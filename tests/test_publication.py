"""All that the demo shows, attacked together: as it is shown, and as careless hands would."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.contracts import CONTRACTS, typed
from evalkit.demo import generate_demo
from evalkit.disclosure import TOTAL, protect_shares, require_safe
from evalkit.errors import DataError
from evalkit.indicators import yearly_values
from evalkit.preparation import (
    baseline_shares,
    protected_changes,
    protected_side_by_side,
    protected_values,
)
from evalkit.protected_surveys import protected_answers, protected_survey, survey_waves
from evalkit.publication import (
    Publication,
    audit_publication,
    hidden_summary,
    study_publication,
    survey_publication,
)
from evalkit.survey import comparable_shares, share_change


@pytest.fixture(scope="module")
def demo():
    return {
        name: typed(table, CONTRACTS[name])
        for name, table in generate_demo(2024, area_count=60).items()
    }


def everything(tables, *absent):
    """What a study with these tables shows; those named are left empty."""
    names = ("answers", "surveys", "survey_services", "crosswalk", "codings", "observations")
    given = {name: tables[name].head(0) if name in absent else tables[name] for name in names}
    asked = {name: given.pop(name) for name in ("surveys", "crosswalk")}
    asked["services"] = given.pop("survey_services")
    return study_publication(
        survey_publication(answers=[given.pop("answers")], **asked),
        **given,
        mergers=tables["municipality_changes"],
        areas=tables["areas"],
    )


@pytest.fixture(scope="module")
def published(demo):
    return everything(demo)


def answers(*groups):
    """Answers to one item: (municipality, wave, service, score, first and last person)."""
    return pd.DataFrame(
        [
            {
                "municipality_code": code,
                "wave": wave,
                "item": "plan",
                "respondent_id": f"{code}-{person}",
                "service": service,
                "score": float(score),
            }
            for code, wave, service, score, first, last in groups
            for person in range(first, last)
        ]
    )


def test_the_demo_passes_with_all_municipalities_waves_services_and_years(published):
    audited = audit_publication(published)

    require_safe(audited)
    assert set(published.answers["municipality_code"]) == {
        *("9901", "9902", "9903", "9904", "9905", "0991")
    }
    assert audited["cell"].str.contains("service=Ungdomsteam").any()
    assert audited["cell"].str.startswith("fravaer 20").any()


def test_the_summary_counts_what_is_hidden_of_each_kind_and_why(published):
    summary = hidden_summary(published, audit_publication(published))
    counts = summary.set_index(["kind", "reason"])["hidden_count"]

    assert (
        counts["answers", "base_too_small"]
        == (published.answers["reason"] == "base_too_small").sum()
    )
    assert counts["values", "too_few"] > 0
    assert summary["fewest_values"].eq(5).all()


def test_a_run_is_caught_that_shows_a_year_hidden_in_one_place_beside_the_area_that_holds_all(
    published, demo
):
    """Each municipality hidden for itself, without a thought for the total."""
    alone = protected_values(yearly_values(demo["observations"]))
    careless = replace(published, values=alone)

    with pytest.raises(DataError, match="municipality_code=0991"):
        require_safe(audit_publication(careless))


def test_a_run_is_caught_whose_comparison_shows_what_a_municipalitys_own_table_hides():
    """Two disagree; the nine who agree are hidden beside them, but not in the comparison."""
    given = answers(
        *[("9901", 0, "Skole", 5, 0, 9), ("9901", 0, "Skole", 3, 9, 59)],
        *[("9901", 0, "Skole", 1, 59, 61), ("9902", 0, "Skole", 5, 61, 91)],
        *[("9902", 0, "Skole", 3, 91, 101), ("9902", 0, "Skole", 1, 101, 111)],
    )
    asked = pd.DataFrame(
        {
            "municipality_code": ["9901", "9902"],
            "wave": 0,
            "item": "plan",
            "status": "same",
            "variant": None,
        }
    )
    protected = protected_answers(given)
    alone = protect_shares(
        comparable_shares(given, crosswalk=asked, wave=0),
        dimensions=("municipality_code",),
        of=("item",),
    )

    together = protected_side_by_side(protected, crosswalk=asked, wave=0)

    assert alone["value"].notna().all()
    assert together["reason"].tolist() == ["can_be_derived", None]
    require_safe(audit_publication(Publication(answers=protected, side_by_side={0: together})))
    with pytest.raises(DataError, match="answer_class=disagree"):
        require_safe(audit_publication(Publication(answers=protected, side_by_side={0: alone})))


def test_a_run_is_caught_whose_change_between_waves_gives_a_hidden_share_away():
    """Three of 60 agree at the baseline, which is hidden; the change to 30 of 60 is shown."""
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, 3), ("9901", 0, "Skole", 2, 3, 60)],
        *[("9901", 1, "Skole", 5, 60, 90), ("9901", 1, "Skole", 2, 90, 120)],
    )
    protected = protected_answers(waves)
    change = share_change(waves, linkage="unlinked")

    safe = protected_changes(change, protected, before=0, after=1)
    careless = Publication(answers=protected, changes={(0, 1): change})

    assert safe["reason"].item() == "protected"
    require_safe(audit_publication(replace(careless, changes={(0, 1): safe})))
    with pytest.raises(DataError, match="wave=0"):
        require_safe(audit_publication(careless))


def test_a_run_is_caught_that_leaves_a_few_when_the_linked_are_taken_from_all():
    """Of 60 who answered first, 57 answered again; the other three all agreed."""
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, 30), ("9901", 0, "Skole", 2, 30, 60)],
        *[("9901", 1, "Skole", 5, 3, 40), ("9901", 1, "Skole", 2, 40, 60)],
    )
    protected = protected_answers(waves)
    change = share_change(waves, linkage="linked")

    safe = protected_changes(change, protected, before=0, after=1)
    careless = Publication(answers=protected, changes={(0, 1): change})

    assert safe["reason"].item() == "protected"
    require_safe(audit_publication(replace(careless, changes={(0, 1): safe})))
    with pytest.raises(DataError, match="followed_0_1=no"):
        require_safe(audit_publication(careless))


def test_a_change_of_linked_answers_rests_on_the_linked_alone():
    """Many agree in each wave, but of the forty who answered twice only three did at first."""
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, 3), ("9901", 0, "Skole", 2, 3, 40)],
        *[("9901", 0, "Skole", 5, 100, 160), ("9901", 0, "Skole", 2, 160, 200)],
        *[("9901", 1, "Skole", 5, 0, 20), ("9901", 1, "Skole", 2, 20, 40)],
    )

    change = protected_changes(
        share_change(waves, linkage="linked"), protected_answers(waves), before=0, after=1
    )

    assert change["reason"].item() == "protected"
    assert change[["value", "count"]].isna().all(axis=None)


@pytest.mark.parametrize(("before", "after"), [(4, 20), (40, 57)])
def test_a_change_that_rests_on_too_few_is_hidden(before, after):
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, before), ("9901", 0, "Skole", 1, before, 60)],
        *[("9901", 1, "Skole", 5, 60, 60 + after), ("9901", 1, "Skole", 1, 60 + after, 120)],
    )
    change = share_change(waves, linkage="unlinked")

    hidden = protected_changes(change, protected_answers(waves), before=0, after=1)

    assert hidden["value"].isna().item()
    assert hidden["reason"].item() == "protected"


def test_a_count_under_the_threshold_that_is_shown_fails_the_audit():
    waves = answers(("9901", 0, "Skole", 5, 0, 30), ("9901", 0, "Skole", 2, 30, 33))
    protected = protected_answers(waves)
    shown = protected.assign(
        count=protected["count"].mask(protected["answer_class"] == "disagree", 3.0), reason=None
    )

    with pytest.raises(DataError, match="answer_class=disagree"):
        require_safe(audit_publication(Publication(answers=shown)))


def test_an_answer_that_all_but_four_gave_is_hidden():
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, 30), ("9901", 0, "Skole", 3, 30, 32)],
        *[("9901", 0, "Skole", 1, 32, 34)],
    )

    counts = protected_answers(waves).set_index(["service", "answer_class"])

    assert counts.loc[(TOTAL, "agree"), "reason"] == "can_be_derived"
    assert counts.loc[(TOTAL, "neither"), "reason"] == "too_few"


def test_a_service_that_is_too_small_in_most_waves_is_hidden_in_all():
    waves = answers(
        *[
            ("9901", wave, "Skole", score, 100 * score, 100 * score + 30)
            for wave in (0, 1, 2)
            for score in (1, 5)
        ],
        *[
            ("9901", wave, "NAV", score, 100 * score + 50, 100 * score + 70)
            for wave in (0, 1, 2)
            for score in (1, 5)
        ],
        *[("9901", 0, "Team", 5, 1000, 1003), ("9901", 1, "Team", 5, 1000, 1004)],
        *[("9901", 2, "Team", 5, 1000, 1010), ("9901", 2, "Team", 1, 1010, 1020)],
    )

    counts = protected_answers(waves).set_index(["wave", "service", "answer_class"])

    assert np.isnan(counts.loc[(2, "Team", "agree"), "count"])
    assert np.isnan(counts.loc[(0, "Team", TOTAL), "count"])
    assert counts.loc[(2, TOTAL, TOTAL), "count"] == 120
    require_safe(audit_publication(Publication(answers=counts.reset_index())))


def test_answers_without_a_service_are_in_the_total_and_hidden_when_few():
    waves = answers(
        *[("9901", 0, "Skole", 5, 0, 30), ("9901", 0, "Skole", 2, 30, 60)],
        *[("9901", 0, "NAV", 5, 60, 80), ("9901", 0, "NAV", 2, 80, 100)],
        ("9901", 0, None, 5, 100, 102),
    )

    counts = protected_answers(waves).set_index(["service", "answer_class"])

    assert counts.loc[(TOTAL, TOTAL), "count"] == 102
    assert np.isnan(counts.loc[("Uten oppgitt tjeneste", "agree"), "count"])
    assert counts.loc[[("NAV", "agree"), ("Skole", "agree")], "count"].isna().any()


def test_answers_where_nobody_gives_a_service_have_only_a_total():
    waves = answers(("9901", 0, None, 5, 0, 30), ("9901", 0, None, 2, 30, 60))

    assert set(protected_answers(waves)["service"]) == {TOTAL}


@pytest.mark.parametrize("absent", ["codings", "observations"])
def test_a_study_without_some_of_the_tables_is_audited_for_the_others(demo, absent):
    own = demo["answers"]["municipality_code"] == "9901"
    audited = audit_publication(everything(demo | {"answers": demo["answers"].loc[own]}, absent))

    assert len(audited) > 0
    require_safe(audited)


def test_a_study_that_shows_no_counts_has_nothing_to_find():
    assert audit_publication(Publication()).empty


def responded(*groups):
    """Invited and responded, by service: (municipality, wave, service, invited, responded)."""
    columns = ["municipality_code", "wave", "service", "invited_count", "answered_count"]
    return pd.DataFrame(groups, columns=columns)


def test_a_service_too_small_to_show_is_not_told_by_the_numbers_of_respondents():
    """Three of four in Team answered: 60 - 30 - 27 would tell, so more is hidden."""
    given = answers(
        *[("9901", 0, "Skole", 5, 0, 15), ("9901", 0, "Skole", 3, 15, 23)],
        *[("9901", 0, "Skole", 1, 23, 30), ("9901", 0, "NAV", 5, 30, 40)],
        *[("9901", 0, "NAV", 3, 40, 48), ("9901", 0, "NAV", 1, 48, 57)],
        ("9901", 0, "Team", 3, 57, 60),
    )
    invited = responded(
        *[("9901", 0, "Skole", 40, 30), ("9901", 0, "NAV", 36, 27)],
        *[("9901", 0, "Team", 4, 3), ("9901", 0, TOTAL, 80, 60)],
    )

    shown, rates = protected_survey(given, invited)
    reasons = rates.set_index("service")["reason"]
    audited = audit_publication(Publication(answers=shown, responses=rates))

    assert reasons["Team"] == "base_too_small"
    assert (reasons[["Skole", "NAV"]] == "can_be_derived").any()
    assert rates.loc[rates["service"] == TOTAL, "value"].item() == 0.75
    require_safe(audited)


def test_a_run_is_caught_that_shows_how_many_responded_where_the_answers_are_hidden():
    """Each table hidden for itself: the respondents of all services are shown beside them."""
    given = answers(
        *[("9901", 0, "Skole", 5, 0, 15), ("9901", 0, "Skole", 3, 15, 23)],
        *[("9901", 0, "Skole", 1, 23, 30), ("9901", 0, "Team", 3, 30, 33)],
    )
    invited = responded(
        *[("9901", 0, "Skole", 40, 30), ("9901", 0, "Team", 9, 3), ("9901", 0, TOTAL, 49, 33)]
    )
    _, safe = protected_survey(given, invited)
    careless = safe.assign(count=[30.0, 3.0, 33.0], base=[40.0, 9.0, 49.0], reason=None)
    careless = careless.sort_values("service")
    shown = protected_survey(given, None)[0]

    with pytest.raises(DataError, match="respondents"):
        require_safe(audit_publication(Publication(answers=shown, responses=careless)))


def test_more_answers_than_respondents_are_refused_with_their_place():
    given = answers(("9901", 0, "Skole", 5, 0, 30))
    invited = responded(("9901", 0, "Skole", 40, 29), ("9901", 0, TOTAL, 40, 29))

    with pytest.raises(DataError, match=r"9901, wave 0.*30 answers to 'plan', and 29 respondents"):
        protected_survey(given, invited)


def test_a_municipality_without_answers_keeps_its_response_rate():
    invited = responded(("9901", 0, "Skole", 40, 0), ("9901", 0, TOTAL, 40, 0))
    given = answers(("9902", 0, "Skole", 5, 0, 30))

    rates = protected_survey(given, invited)[1]

    assert rates["municipality_code"].tolist() == ["9901", "9901"]
    assert rates["reason"].tolist() == ["too_few", "too_few"]


def followed_pairs(*, both, before_only, after_only, neither, others=24):
    """Persons who answered in both waves, and as many others in each, half of whom agree."""
    counts = ((5, 5, both), (5, 1, before_only), (1, 5, after_only), (1, 1, neither))
    rows, person = [], 0
    for before, after, count in counts:
        for part, other in ((count // 2, 1), (count - count // 2, 3)):  # half are in between
            for wave, score in ((0, before), (1, after)):
                given = 5 if score == 5 else other
                rows.append(("9901", wave, "Skole", given, person, person + part))
            person += part
    for wave in (0, 1):
        for score in (1, 5):
            rows.append(("9901", wave, "Skole", score, person, person + others // 2))
            person += others // 2
    return answers(*[row for row in rows if row[4] < row[5]])


def linked_changes(given):
    protected = protected_answers(given)
    change = share_change(given, linkage="linked", before=0, after=1)
    return protected, change, protected_changes(change, protected, before=0, after=1)


def test_a_change_is_hidden_where_two_persons_stopped_agreeing():
    """Value and interval of 80 pairs fit one table only: 30, 2, 20 and 28."""
    given = followed_pairs(both=30, before_only=2, after_only=20, neither=28)

    protected, change, shown = linked_changes(given)

    assert shown["reason"].item() == "protected"
    assert np.isnan(shown["value"].item())
    careless = Publication(answers=protected, changes={(0, 1): change})
    with pytest.raises(DataError, match="pair=before_only"):
        require_safe(audit_publication(careless))


def test_a_change_of_a_panel_that_everybody_stayed_in_is_shown():
    given = followed_pairs(both=30, before_only=10, after_only=20, neither=28, others=0)

    protected, _, shown = linked_changes(given)

    assert shown["reason"].isna().all()
    require_safe(audit_publication(Publication(answers=protected, changes={(0, 1): shown})))


def test_those_invited_to_a_service_are_hidden_in_all_waves_or_in_none(published):
    hidden = published.responses.assign(hidden=published.responses["base"].isna())
    services = hidden.groupby(["municipality_code", "service"])["hidden"]

    assert services.nunique().eq(1).all()
    assert hidden["hidden"].any()


def asked_once(*agreed, kind="user_survey"):
    """Surveys made once, one per municipality, of 40 users each: so many agree, ten disagree."""
    codes = [f"99{place:02d}" for place in range(1, len(agreed) + 1)]
    surveys = pd.DataFrame(
        {
            "survey_id": [f"brukere-{code}" for code in codes],
            "municipality_code": codes,
            "kind": kind,
            "wave": np.nan,
            "invited_count": 90.0,
            "answered_count": 40.0,
        }
    )
    given = answers(
        *[(code, 0, None, 5, 0, yes) for code, yes in zip(codes, agreed, strict=True)],
        *[(code, 0, None, 3, yes, 30) for code, yes in zip(codes, agreed, strict=True)],
        *[(code, 0, None, 1, 30, 40) for code in codes],
    ).drop(columns="wave")
    crosswalk = surveys[["survey_id"]].assign(item="plan", status="same", variant=None)
    return {
        "surveys": surveys,
        "services": pd.DataFrame(
            columns=["survey_id", "service", "invited_count", "answered_count"]
        ),
        "crosswalk": crosswalk,
        "answers": [given.assign(survey_id="brukere-" + given["municipality_code"])],
    }


def test_a_survey_of_users_is_protected_and_audited_like_one_of_staff():
    """Three of forty agree in the second municipality; the others would tell, so one is hidden."""
    shown = survey_publication(**asked_once(20, 3))
    users = shown.others["user_survey"]
    counts = users.answers.set_index(["municipality_code", "answer_class"])
    audited = audit_publication(shown)

    assert shown.answers.empty
    assert counts.loc[("9901", "agree"), "count"] == 20
    assert counts.loc[("9902", "agree"), "reason"] == "too_few"
    assert counts.loc["9902", "reason"].eq("can_be_derived").any()
    assert users.responses["value"].tolist() == pytest.approx([40 / 90, 40 / 90])
    assert users.side_by_side[0]["reason"].tolist() == [None, "too_few"]
    assert audited["cell"].str.startswith("user_survey: ").all()
    require_safe(audited)


def test_a_run_is_caught_that_shows_what_three_users_answered():
    shown = survey_publication(**asked_once(20, 3))
    users = shown.others["user_survey"]
    beside = users.answers["reason"].eq("can_be_derived")
    true = users.answers["answer_class"].map({"neither": 27.0, "disagree": 10.0})
    careless = users.answers.assign(count=users.answers["count"].mask(beside, true))

    with pytest.raises(DataError, match=r"user_survey: answers.*9902"):
        require_safe(
            audit_publication(
                replace(shown, others={"user_survey": replace(users, answers=careless)})
            )
        )


def test_the_demo_shows_its_users_and_audits_them(published):
    users = published.others["user_survey"]
    summary = hidden_summary(published, audit_publication(published)).set_index("kind")

    assert users.responses["count"].notna().all()
    assert set(users.answers["item"]) == {"bruker-tilgang", "bruker-medvirkning"}
    assert (
        summary.loc["other_answers", "shown_count"].max() == 48
    )  # 6 x 2 items x 3 answers and all
    assert not published.answers["item"].str.startswith("bruker").any()


def test_one_survey_without_a_wave_is_the_baseline_and_of_two_neither_is_shown():
    once = asked_once(20)["surveys"]
    twice = pd.concat([once, once.assign(survey_id="brukere-igjen")])

    assert survey_waves(once, kind="user_survey")["wave"].tolist() == [0]
    assert survey_waves(twice, kind="user_survey").empty


def test_the_baseline_of_a_change_is_of_those_it_counts():
    """Of eighty who answered twice, forty agreed first; of the others half did."""
    _, change, shown = linked_changes(
        followed_pairs(both=30, before_only=10, after_only=20, neither=20)
    )

    assert baseline_shares(shown)["9901"] == 0.5
    assert np.isnan(baseline_shares(change.assign(value=np.nan))["9901"])
    with pytest.raises(DataError, match="same municipality_code more than once"):
        baseline_shares(pd.concat([change, change]))


def test_hidden_values_that_no_area_sums_are_attacked_once_and_counted_all(demo):
    rows = [
        {"municipality_code": f"{number:04d}", "indicator_id": "falls", "period": "2021"}
        | {"value": 100 * count / 60, "numerator": count, "denominator": 60}
        for number, count in enumerate([2, 2, 2, 30, 31, 32])
    ]
    observations = pd.DataFrame(rows).assign(area=None, group=None)
    nothing = {
        name: demo[table].head(0)
        for name, table in (
            ("codings", "codings"),
            ("mergers", "municipality_changes"),
            ("areas", "areas"),
        )
    }

    published = study_publication(Publication(), observations=observations, **nothing)
    audited = audit_publication(published)
    summary = hidden_summary(published, audited).set_index(["kind", "reason"])

    assert len(published.values) == 1
    assert audited["safe"].all()
    assert summary.loc[("values", "too_few"), ["hidden_count", "shown_count"]].tolist() == [3, 3]

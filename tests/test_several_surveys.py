"""Results of several surveys and waves: who is pooled, and what a reader is told of the wave."""

import pandas as pd
import pytest

import evalkit as ek
from evalkit.disclosure import TOTAL

CODES = ["9901", "9902", "9903"]
ITEMS = pd.DataFrame({"item": ["hjelp"], "position": [1], "text": ["Lett å få hjelp"]})


def share(code, wave, service, value):
    return {
        "municipality_code": code,
        "wave": wave,
        "item": "hjelp",
        "service": service,
        "value": value,
        "lower": value - 0.1,
        "upper": value + 0.1,
        "confidence_level": 0.95,
    }


def test_municipalities_are_pooled_wave_by_wave_and_their_services_are_no_municipalities():
    shares = pd.DataFrame(
        [
            share(code, wave, service, value)
            for code in CODES
            for wave, whole in ((0, 0.5), (1, 0.7))
            for service, value in ((TOTAL, whole), ("Skole", 0.9), ("NAV", 0.1))
        ]
    )

    pooled = ek.pooled_shares(shares)

    assert pooled[["item", "wave", "study_count"]].values.tolist() == [
        ["hjelp", 0, 3],
        ["hjelp", 1, 3],
    ]
    assert pooled["value"].tolist() == pytest.approx([0.5, 0.7])


def test_a_question_tells_its_wave_only_where_it_was_asked_in_several():
    once = pd.DataFrame({"item": ["hjelp"], "wave": [0]})
    again = pd.DataFrame({"item": ["hjelp", "hjelp"], "wave": [0, 1]})

    assert ek.question_texts(once, items=ITEMS) == ["Lett å få hjelp"]
    assert ek.question_texts(again, items=ITEMS) == [
        "Lett å få hjelp (nullpunkt)",
        "Lett å få hjelp (målerunde\u00a01)",
    ]


def test_a_municipality_asked_once_has_no_answers_to_compare():
    answers = pd.DataFrame({"wave": [0, 0, 1], "score": [5, 4, 3]})

    assert ek.in_both_waves(answers, before=0, after=1).equals(answers)
    assert ek.in_both_waves(answers, before=0, after=2).empty
    assert ek.in_both_waves(answers.iloc[:2], before=0, after=1).empty

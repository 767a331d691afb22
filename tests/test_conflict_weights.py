"""What may change a conclusion comes first among the claims that disagree; spellings last."""

import pandas as pd

from evalkit.conflict_weights import weighed_conflicts


def disputed(*rows):
    """Claims of (key, unit, values)."""
    return pd.DataFrame(
        [
            {"key": key, "quantity": key.split(".")[1], "unit": unit, "value": value}
            for key, unit, values in rows
            for value in values
        ],
        columns=["key", "quantity", "unit", "value"],
    )


# Claims of the pilot that disagree, in the order of their keys.
PILOT = disputed(
    ("bamble-fritid.name", "text", ["Fritid og frivillighet", "Fritid, Portal, etc."]),
    ("horten-workshop-1.start", "date", ["2020-11-26", "2020-12-08"]),
    ("larvik.position", "date", ["2020", "2022"]),
    ("naeroysund.political_anchoring", "text", ["eierskapet var lite", "god forankring"]),
    ("namsos-mote.attended", "persons", ["20", "22"]),
    ("programme.grants", "nok", ["44400000", "11100000"]),
    ("trondheim.evaluator", "text", ["NTNU WellFare", "NTNU Wellfare"]),
    ("vikar.reason", "text", ["foreldrepermisjon", "sykdom hos lederen"]),
)


def test_what_is_judged_comes_first_then_content_time_and_spelling():
    found = weighed_conflicts(PILOT).drop_duplicates("key")

    assert dict(zip(found["key"], found["weight"], strict=True)) == {
        "naeroysund.political_anchoring": "conclusion",
        "vikar.reason": "content",
        "programme.grants": "content",
        "namsos-mote.attended": "content",
        "larvik.position": "time",
        "horten-workshop-1.start": "time",
        "bamble-fritid.name": "spelling",
        "trondheim.evaluator": "spelling",
    }
    assert found["weight"].tolist() == sorted(
        found["weight"], key=("conclusion", "content", "time", "spelling").index
    )


def test_values_furthest_apart_come_first():
    found = weighed_conflicts(PILOT).drop_duplicates("key").set_index("key")

    assert found["apart"]["programme.grants"] == 0.75
    assert round(found["apart"]["namsos-mote.attended"], 3) == 0.091
    keys = found.index.tolist()
    assert keys.index("programme.grants") < keys.index("namsos-mote.attended")
    assert keys.index("larvik.position") < keys.index("horten-workshop-1.start")


def test_texts_that_look_alike_but_differ_in_a_negation_or_number_are_no_spellings():
    told = disputed(
        ("a.plan", "text", ["tiltaket ble gjennomført i kommunen", "tiltaket ble ikke gjennomført i kommunen"]),
        ("b.plan", "text", ["alle ungdommer på trinn 9", "alle ungdommer på trinn 8"]),
        ("c.plan", "text", ["i kommunen", "i kommunene"]),
    )  # fmt: skip

    found = weighed_conflicts(told).drop_duplicates("key").set_index("key")["weight"]

    assert found.to_dict() == {"a.plan": "content", "b.plan": "content", "c.plan": "spelling"}


def test_no_conflicts_have_no_weights():
    assert weighed_conflicts(disputed()).empty

import pandas as pd
import pytest

from evalkit.process import (
    event_calendar,
    learning_history,
    period_days,
    phase_evidence,
    theme_overview,
    topic_counts,
)

MUNICIPALITIES = pd.DataFrame(
    {
        "municipality_code": ["3801", "3812"],
        "slug": ["horten", "siljan"],
        "name": ["Horten", "Siljan"],
    }
)
PLACE = {"source": "nf2024", "locator": "s. 1"}


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2023-03-24", "2023-03-24", "2023-03-24"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2022-Q2", "2022-04-01", "2022-06-30"),
        ("2022-H2", "2022-07-01", "2022-12-31"),
        ("2021-autumn", "2021-09-01", "2021-11-30"),
        ("2020", "2020-01-01", "2020-12-31"),
    ],
)
def test_a_partial_date_covers_the_days_it_may_mean(period, first, last):
    result = period_days(pd.Series([period]))

    assert result["first_day"].item() == pd.Timestamp(first)
    assert result["last_day"].item() == pd.Timestamp(last)


def test_a_missing_date_has_no_days():
    assert period_days(pd.Series([None])).isna().all(axis=None)


def events(*rows):
    columns = ["event_id", "municipality_code", "kind", "number", "start", "end"]
    return pd.DataFrame(rows, columns=columns).assign(**PLACE)


def test_events_come_in_the_order_of_time_with_the_undated_last():
    table = events(
        ("c", "3801", "meeting", None, None, None),
        ("b", "3801", "meeting", None, "2022-05-04", None),
        ("a", "3812", "meeting", None, "2021-autumn", None),
    )

    result = event_calendar(table, municipalities=MUNICIPALITIES)

    assert result["event_id"].tolist() == ["a", "b", "c"]
    assert result["municipality_name"].tolist() == ["Siljan", "Horten", "Horten"]


def test_a_calendar_keeps_what_is_asked_for():
    table = events(
        ("a", "3801", "learning_workshop", 1, "2021-10-22", None),
        ("b", "3801", "learning_workshop", 2, "2022-05-04", None),
        ("c", "3812", "learning_workshop", 2, "2022-05-03", None),
    )

    result = event_calendar(
        table,
        municipalities=MUNICIPALITIES,
        municipality_code="3801",
        kind="learning_workshop",
        number=2,
    )

    assert result["event_id"].tolist() == ["b"]


def test_phases_come_by_municipality_in_the_order_of_the_phases():
    table = pd.DataFrame(
        {
            "municipality_code": ["3812", "3801", "3801"],
            "phase": ["readiness", "installation", "readiness"],
            "position": [1.0, 1.0, 1.0],
            "text": ["c", "b", "a"],
            **PLACE,
        }
    )

    result = phase_evidence(table, municipalities=MUNICIPALITIES)

    assert result["text"].tolist() == ["a", "b", "c"]


def test_themes_come_by_municipality_in_the_order_of_the_themes():
    table = pd.DataFrame(
        {
            "municipality_code": ["3801", "3801"],
            "theme": ["participation", "attendance"],
            "label": ["b", "a"],
            "added_later": ["no", "no"],
            **PLACE,
        }
    )

    assert theme_overview(table, municipalities=MUNICIPALITIES)["label"].tolist() == ["a", "b"]


def lessons(*rows):
    return pd.DataFrame(rows, columns=["lesson_id", "municipality_code", "topic"]).assign(**PLACE)


def test_the_learning_history_follows_the_topics():
    table = lessons(("b", "3801", "evaluation"), ("a", "3812", "motivation"))

    result = learning_history(table, municipalities=MUNICIPALITIES)

    assert result["lesson_id"].tolist() == ["a", "b"]


def test_statements_are_counted_by_topic_and_municipality_and_for_the_programme():
    table = lessons(
        ("a", "3801", "motivation"), ("b", "3801", "motivation"), ("c", None, "motivation")
    )

    result = topic_counts(table, municipalities=MUNICIPALITIES)

    assert result["statement_count"].tolist() == [2, 1]
    assert result["municipality_name"].isna().tolist() == [False, True]

"""What evalkit status prints: a table of municipalities and notebooks, and reasons."""

from pathlib import Path

from evalkit.runs import Job, JobState, status_lines


def state(notebook, title, kind, reason=""):
    job = Job(
        Path(f"notebooks/{notebook}.ipynb"), {}, Path(f"{notebook}-{title}.ipynb"), title=title
    )
    return JobState(job, kind, reason)


def test_a_row_for_each_municipality_and_a_column_for_each_notebook():
    lines = status_lines(
        [
            state("01-context", "0301 Oslo", "fresh"),
            state("02-baseline", "0301 Oslo", "failed", "KeyError: 'x'"),
            state("01-context", "3801 Horten", "stale", "data/raw/lite/grants.csv changed"),
            state("02-baseline", "3801 Horten", "never", "never run"),
        ]
    )

    assert lines == [
        "             01    02",
        "0301 Oslo    ok    FAIL",
        "3801 Horten  old   -",
        "",
        "02-baseline failed for 0301 Oslo: KeyError: 'x'",
        "01-context is out of date for 3801 Horten: data/raw/lite/grants.csv changed",
        "1 up to date, 1 out of date, 1 never run, 1 failed",
    ]


def test_a_reason_that_many_share_is_told_once():
    lines = status_lines(
        [state("01-context", f"{n} K", "stale", "notebook changed") for n in range(1001, 1006)]
    )

    assert lines[-2] == (
        "01-context is out of date for 1001 K, 1002 K, 1003 K and 2 more: notebook changed"
    )


def test_of_several_runs_for_a_municipality_the_worst_is_shown():
    runs = [state("04-model", "3801 Horten", kind) for kind in ("fresh", "stale", "fresh")]

    assert status_lines(runs)[1] == "3801 Horten  old"


def test_a_study_without_notebooks_says_so():
    assert status_lines([]) == ["no notebooks"]

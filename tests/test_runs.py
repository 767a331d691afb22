"""Running a study's notebooks: what is made, what fails alone, what is left as it is."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from runs_study import FRESH, TABLE, SmallStudy, kept_zygote, outputs_of

from evalkit.errors import ConfigError, RunError
from evalkit.runs import RunSummary, progress_bar
from evalkit.runs.progress import JobResult, RunEvent, pace_text
from evalkit.runs.zygote import can_fork

ENGINES = ["papermill", *(["fork", "kernel"] if can_fork() else [])]


@pytest.fixture(scope="module", autouse=True)
def warm_zygote():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evalkit.runs.runners.Zygote", kept_zygote)
        yield


@pytest.fixture
def study(tmp_path):
    return SmallStudy(tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_municipality_gets_its_notebook_and_a_second_run_does_nothing(study, engine):
    jobs = [study.job(place=place) for place in ("oslo", "horten")]
    first = study.run(*jobs, engine=engine, preload=FRESH)
    made = {job.output: job.output.read_bytes() for job in jobs}
    second = study.run(*jobs, engine=engine)

    assert str(first) == "2 notebooks made"
    assert str(second) == "0 notebooks made, 2 up to date"
    assert study.states(*jobs) == [("fresh", "")] * 2
    (table,) = outputs_of(jobs[1].output)
    assert table["data"]["text/markdown"].endswith("| 3801 | 100 |")
    assert b"#| label: tbl-table-horten" in made[jobs[1].output]
    assert {job.output: job.output.read_bytes() for job in jobs} == made
    assert str(study.root).encode() not in made[jobs[0].output]


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_all_engines_leave_the_same_bytes(study):
    drawing = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n{'æ': print('ø')}"
    job = study.job(sources=(f"%config InlineBackend.figure_formats=['svg']\n{drawing}",))
    seen = set()
    for engine in ENGINES:
        shutil.rmtree(study.runs_dir, ignore_errors=True)
        assert study.run(job, engine=engine, preload=FRESH).count("made") == 1
        seen.add(job.output.read_bytes())

    assert len(seen) == 1


def test_another_time_zone_locale_and_settings_change_no_byte(study, monkeypatch):
    """Both runs warm a zygote of their own: it is its environment that matters."""
    job = study.job(
        sources=(
            "import matplotlib.pyplot as plt, time, locale\n"
            "%config InlineBackend.figure_formats=['svg']\n"
            "plt.plot([1, 2])\nprint(time.tzname, locale.setlocale(locale.LC_ALL, ''), set('abcdef'))",
        )
    )
    study.run(job, preload=FRESH)
    first = job.output.read_bytes()
    (study.root / "home").mkdir()
    (study.root / "home" / "matplotlibrc").write_text("lines.linewidth: 9\n")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "nb_NO.UTF-8")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("MATPLOTLIBRC", str(study.root / "home"))
    shutil.rmtree(study.runs_dir)
    study.run(job, preload=FRESH)

    assert job.output.read_bytes() == first


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.grants.write_text("200"), "data/raw/demo/grants.csv changed"),
        (lambda s: s.grants.unlink(), "data/raw/demo/grants.csv is missing or cannot be read"),
        (lambda s: s.code.write_text("SHARE = 0.6\n"), "analysis.py changed"),
        (lambda s: s.notebook("01-table", "1"), "notebook changed"),
    ],
)
def test_status_says_why_a_result_no_longer_stands(made, change, reason):
    study, job, _ = made
    change(study)

    assert study.states(job) == [("stale", reason)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda s: s.job().output.write_text("{}"), "output changed since the run"),
        (lambda s: s.job().output.unlink(), "output is missing"),
        (lambda s: flip_a_bit(s.job().output), "output changed since the run"),
        (lambda s: cut_short(s.job().output), "output changed since the run"),
        (lambda s: flip_a_bit(s.record), "its record is damaged"),
        (lambda s: cut_short(s.record), "its record is damaged"),
        (lambda s: s.record.write_text("[]"), "its record is damaged"),
    ],
)
def test_a_damaged_result_is_found_and_mended(made, damage, reason):
    study, job, content = made
    damage(study)

    assert study.states(job) == [("stale", reason)]
    study.run(job)
    assert study.states(job) == [("fresh", "")]
    assert job.output.read_bytes() == content


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    study = SmallStudy(tmp_path_factory.mktemp("made"))
    study.run(study.job())
    return study.root


@pytest.fixture
def made(made_once, tmp_path):
    """A copy of a study whose one job is up to date."""
    shutil.copytree(made_once, tmp_path / "study")
    study = SmallStudy(tmp_path / "study")
    return study, study.job(), study.job().output.read_bytes()


def test_opening_a_notebook_and_saving_it_with_outputs_changes_nothing(made):
    study, job, _ = made
    notebook = json.loads(job.notebook.read_text(encoding="utf-8"))
    notebook["cells"][1]["execution_count"] = 7
    notebook["cells"][1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["by hand"]}
    ]
    notebook["cells"][1]["metadata"]["collapsed"] = False
    job.notebook.write_text(json.dumps(notebook, indent=1), encoding="utf-8")

    assert study.states(job) == [("fresh", "")]


def test_other_parameters_inputs_and_labels_are_told_apart(made):
    study, job, _ = made
    other = replace(
        job,
        parameters={**job.parameters, "study": "demo2"},
        label_suffix="oslo-2",
        inputs=(*job.inputs, study.code),
    )

    assert study.states(other) == [
        ("stale", "parameter study changed; label suffix changed; analysis.py is new")
    ]


def test_another_version_of_a_library_is_a_reason(made, monkeypatch):
    from evalkit.runs import record

    study, job, _ = made
    versions = {**record.environment_versions(), "pandas": "0.1"}
    monkeypatch.setattr(record, "environment_versions", lambda: versions)

    assert study.states(job) == [("stale", "version of pandas changed")]


def test_only_what_depends_on_a_changed_file_runs_again(study):
    other = study.root / "data" / "raw" / "demo" / "goals.csv"
    other.write_text("mål", encoding="utf-8")
    jobs = [study.job(), study.job("02-goals", sources=("1",), inputs=(other,))]
    study.run(*jobs)
    other.write_text("nye mål", encoding="utf-8")
    summary = study.run(*jobs)

    assert [result.state for result in summary.results] == ["fresh", "made"]


def test_one_failure_is_its_own(study):
    bad = study.job("05-anchoring", sources=("print('before')", "raise ValueError('no answers')"))
    good = study.job(place="horten")
    summary = study.run(bad, good)

    assert [(result.state, result.reason) for result in summary.results] == [
        ("failed", "ValueError: no answers"),
        ("made", ""),
    ]
    assert str(summary) == "1 notebook made, 1 failed"
    assert not bad.output.exists()
    assert study.states(bad) == [("failed", "ValueError: no answers")]
    kept = study.runs_dir / "05-anchoring-oslo.failed.ipynb"
    assert [output["output_type"] for output in outputs_of(kept)] == ["stream", "error"]


@pytest.mark.parametrize(
    ("engine", "cell", "reason"),
    [
        ("fork", "import os\nos._exit(3)", "its process ended itself with exit code 3"),
        ("fork", "import os\nos.abort()", "its process was ended by the signal SIGABRT"),
        ("fork", "import time\nprint('begun')\ntime.sleep(60)", "took longer than 3 seconds"),
        ("kernel", "import os\nos._exit(3)", "its kernel died"),
        ("papermill", "import os\nos._exit(3)", "its kernel died"),
        (
            "papermill",
            "import os\nos.kill(os.getppid(), 9)",
            "its process was ended by the signal SIGKILL, as when memory runs out",
        ),
    ],
)
def test_a_notebook_whose_process_died_is_kept_and_shows_where_and_why(study, engine, cell, reason):
    if engine not in ENGINES:
        pytest.skip("this system cannot fork")
    job = study.job(sources=(TABLE, cell, "print('after')"))
    limit = 3 if "sleep" in cell else 60
    (result,) = study.run(job, engine=engine, timeout_seconds=limit).results

    assert result.reason == reason
    kept = study.runs_dir / "01-table-oslo.failed.ipynb"
    notebook = nbformat.read(kept, as_version=4)
    nbformat.validate(notebook)
    _, injected, table, stopped, after = notebook.cells
    assert 'municipality_code = "0301"' in injected.source
    assert "#| label: tbl-table-oslo" in table.source
    assert table.outputs[0].data["text/markdown"].endswith("| 0301 | 100 |")
    assert (stopped.outputs[-1].output_type, stopped.outputs[-1].evalue) == ("error", reason)
    assert after.outputs == []
    assert str(study.root) not in kept.read_text(encoding="utf-8")


def test_a_process_that_dies_before_it_says_anything_leaves_the_notebook_as_it_would_run(study):
    from evalkit.runs.execute import stopped_notebook, task_of

    task = task_of(study.job(), root=study.root, engine=None, timeout_seconds=1, memory_mb=1)
    notebook = json.loads(stopped_notebook(task, [], "every worker that tried it died"))

    first, injected, table = notebook["cells"]
    assert 'municipality_code = "0301"' in injected["source"]
    assert first["outputs"][0]["evalue"] == "every worker that tried it died"
    assert table["outputs"] == []


def test_an_earlier_result_outlives_a_failure_and_the_failure_is_forgotten_when_mended(study):
    job = study.job()
    study.run(job)
    earlier = job.output.read_bytes()
    study.notebook("01-table", "raise ValueError('broken')")
    study.run(job)

    assert job.output.read_bytes() == earlier
    assert study.states(job)[0][0] == "failed"

    study.notebook("01-table", "1")
    study.run(job)

    assert study.states(job) == [("fresh", "")]
    assert not (study.runs_dir / "01-table-oslo.failed.ipynb").exists()


def test_an_error_of_evalkit_is_told_without_its_class(study):
    job = study.job(
        sources=("from evalkit.errors import DataError\nraise DataError('no plan\\n  in row 2')",)
    )

    assert study.run(job).results[0].reason == "no plan in row 2"


@pytest.mark.parametrize(
    ("engine", "cell", "reason"),
    [
        ("fork", "import sys\nsys.exit(0)", "left by sys.exit(0) before its end"),
        ("fork", "import os\nos._exit(0)", "its process ended itself with exit code 0"),
        ("fork", "import os\nos.kill(os.getpid(), 9)", "ended by the signal SIGKILL"),
        ("fork", "exit()", "its kernel died"),
        ("fork", "import time\ntime.sleep(60)", "took longer than 3 seconds"),
        ("fork", "bytearray(10**9)", "MemoryError"),
        ("fork", "#| label: tbl-a\nNone", "cell tbl-a left no output; expected text/markdown"),
        ("kernel", "import os\nos._exit(0)", "its kernel died"),
        ("kernel", "import time\ntime.sleep(60)", "took longer than 3 seconds"),
        ("kernel", "bytearray(10**9)", "MemoryError"),
        ("papermill", "import sys\nsys.exit(0)", "left by sys.exit(0) before its end"),
        ("papermill", "import os\nos._exit(0)", "its kernel died"),
        ("papermill", "import time\ntime.sleep(60)", "took longer than 3 seconds"),
    ],
)
def test_what_looks_like_an_end_is_no_success(study, engine, cell, reason):
    if engine not in ENGINES:
        pytest.skip("this system cannot fork")
    job = study.job(sources=("1", cell, "2"))
    limit = 3 if "sleep" in cell else 60
    (result,) = study.run(job, engine=engine, timeout_seconds=limit, memory_mb=300).results

    assert result.state == "failed"
    assert reason in result.reason
    assert not job.output.exists()


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_code_that_cannot_be_interrupted_is_killed(study, monkeypatch):
    monkeypatch.setattr("evalkit.runs.zygote.GRACE_SECONDS", 1)
    deaf = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass"
    (result,) = study.run(study.job(sources=(deaf,)), timeout_seconds=1).results

    assert result.reason == "took longer than 1 seconds"


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_notebooks_share_nothing(study):
    mark = (
        "import json, os, sys\nfound = hasattr(json, 'mark') or 'MARK' in os.environ\n"
        "json.mark = 1\nos.environ['MARK'] = '1'\nassert not found\nos.getpid()"
    )
    jobs = [study.job("09-mark", place, sources=(mark,)) for place in ("oslo", "horten", "siljan")]

    assert study.run(*jobs, workers=1).count("made") == 3


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_processes_that_a_notebook_leaves_behind_are_ended(study):
    leave = (
        "import subprocess\nprocess = subprocess.Popen(['sleep', '600'])\n"
        "from pathlib import Path\n_ = Path('../left').write_text(str(process.pid))"
    )
    study.run(study.job(sources=(leave,)))

    assert not alive(int((study.root / "left").read_text()))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
@pytest.mark.parametrize("numbers", [5, 3_000_000], ids=["little", "megabytes"])
def test_shared_work_is_done_once(study, numbers):
    work = f"printf x >> ../computed; head -c {numbers} /dev/zero"
    shared = (
        "from subprocess import check_output\nfrom evalkit.shared import once\n"
        f"print(len(once(check_output, {work!r}, shell=True)))"
    )
    places = ("oslo", "horten", "siljan")
    jobs = [study.job("08-national", place, sources=(shared,)) for place in places]
    study.run(*jobs, workers=1)

    assert (study.root / "computed").read_text() == "x"
    assert [outputs_of(job.output)[0]["text"] for job in jobs] == [f"{numbers}\n"] * 3


def test_an_input_that_changes_while_it_runs_is_no_success(study):
    job = study.job(
        sources=("from pathlib import Path\nPath('../data/raw/demo/grants.csv').write_text('9');",)
    )
    (result,) = study.run(job).results

    assert result.state == "failed"
    assert result.reason == "data/raw/demo/grants.csv changed while the notebook ran; run it again"
    assert not job.output.exists()


def test_a_missing_input_fails_before_its_notebook_runs(study):
    job = study.job(inputs=(study.root / "data" / "raw" / "demo" / "none.csv",))
    (result,) = study.run(job).results

    assert result.reason == "cannot read data/raw/demo/none.csv: no such file or folder"


def test_a_wrong_parameter_stops_everything_before_it_runs(study):
    good, bad = study.job(), study.job("02-goals", sources=("1",), parameters={"stdy": "demo"})

    with pytest.raises(ConfigError, match="unknown parameter 'stdy'"):
        study.run(good, bad)
    assert study.files() == []


def test_a_kernel_of_another_language_is_left_to_papermill(study):
    spec = {"name": "nosuch", "display_name": "R", "language": "R"}
    study.notebook("03-r", "1", spec=spec)
    jobs = [study.job("03-r", place) for place in ("oslo", "horten")]
    results = study.run(*jobs).results

    assert all("nosuch" in result.reason for result in results)
    notices = [event.text for event in study.events if event.kind == "notice"]
    said = "03-r asks for the kernel 'nosuch': using papermill's own engine for it"
    assert notices == ([said] if can_fork() else notices)


def test_where_forking_is_unsafe_papermill_does_it_and_it_is_said_once(study, monkeypatch):
    monkeypatch.setattr("evalkit.runs.zygote.can_fork", lambda: False)
    jobs = [study.job(place=place) for place in ("oslo", "horten")]
    summary = study.run(*jobs, engine="auto", preload=FRESH)

    assert summary.count("made") == 2
    notices = [event.text for event in study.events if event.kind == "notice"]
    assert notices == [
        "using papermill's own engine, which is slower: this system cannot fork a warmed process"
    ]


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_a_library_that_starts_threads_makes_forking_unsafe(study, monkeypatch):
    folder = study.root / "library"
    folder.mkdir()
    (folder / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True, name='busy').start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    summary = study.run(study.job(), preload=("threaded",))

    assert summary.count("made") == 1
    (notice,) = [event.text for event in study.events if event.kind == "notice"]
    assert "a library started threads while it was imported (busy)" in notice


def test_progress_counts_and_estimates(study):
    study.run(study.job(), study.job(place="horten"))
    finished = [event for event in study.events if event.kind == "finished"]

    assert [event.done_count for event in finished] == [1, 2]
    assert finished[-1].total_count == 2
    assert finished[-1].rate > 0
    assert finished[-1].left_seconds == 0
    assert [event.kind for event in study.events[:1]] == ["begun"]


def test_without_a_terminal_every_finished_notebook_is_a_line(study, capsys):
    jobs = [
        study.job(place="oslo", title="0301 Oslo"),
        study.job(
            "05-anchoring", "siljan", sources=("raise ValueError('x')",), title="4010 Siljan"
        ),
    ]
    with progress_bar(jobs, project_dir=study.root, stream=sys.stdout) as progress:
        study.events = Tee(progress)
        study.run(*jobs, workers=1)

    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"\[1/2\] 0301 Oslo    reports/demo/notebooks/01-table-oslo.ipynb  [0-9.]+/(s|min)(, \d+ s left)?",
        first,
    )
    assert re.fullmatch(
        r"\[2/2\] 4010 Siljan  failed in 05-anchoring: ValueError: x  [0-9.]+/(s|min)", last
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_names_what_is_done_where_a_cluster_tells_no_starts(study):
    job, terminal = study.job(title="4010 Siljan"), Terminal()
    with progress_bar([job], project_dir=study.root, stream=terminal) as progress:
        progress(RunEvent("begun", total_count=2))
        progress(RunEvent("finished", job=job, result=JobResult(job, "made"), done_count=1))

    assert "4010 Siljan 01-table:  50%" in terminal.getvalue()


@pytest.mark.parametrize(
    ("rate", "left", "said"),
    [
        (None, None, ""),
        (2.06, 0.0, "2.1/s"),
        (2.06, 41.4, "2.1/s, 41 s left"),
        (3.8, 180.0, "3.8/s, 3 min left"),
        (0.25, 6_000.0, "15.0/min, 1 h 40 min left"),
    ],
)
def test_the_pace_is_told_in_few_words(rate, left, said):
    assert pace_text(rate, left) == said


class Tee:
    def __init__(self, progress):
        self.append = progress


def test_the_log_has_a_line_per_notebook_and_no_data(study):
    job = study.job("05-anchoring", sources=("print('secret answer')", "raise KeyError('item')"))
    log = study.root / "run.log"
    study.run(study.job(), job, log=log)
    text = log.read_text(encoding="utf-8")
    lines = [line.split("\t")[1:] for line in text.splitlines()]

    assert lines[0] == ["begun", f"2 to run, process {os.getpid()}"]
    assert sorted(line for line in lines if line[0] == "started") == [
        ["started", "01-table-oslo", "Oslo"],
        ["started", "05-anchoring-oslo", "Oslo"],
    ]
    assert [line[:3] for line in lines if line[0] == "failed"] == [
        ["failed", "05-anchoring-oslo", "Oslo"]
    ]
    assert lines[-1][0] == "ended"
    assert lines[-1][1].startswith("1 notebook made, 1 failed, ")
    assert "secret" not in text


def test_a_run_with_nothing_to_do_makes_no_new_log(study):
    study.run(study.job())
    (log,) = (study.runs_dir / "logs").iterdir()
    before = log.read_text(encoding="utf-8")
    study.run(study.job())
    study.run(study.job(), log=study.root / "own.log")

    assert [path.read_text(encoding="utf-8") for path in (study.runs_dir / "logs").iterdir()] == [
        before
    ]
    (line,) = (study.root / "own.log").read_text(encoding="utf-8").splitlines()
    assert "\tended\t0 notebooks made, 1 up to date, " in line


def test_no_jobs_is_no_work(study):
    assert study.run().results == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"engine": "fast"}, "engine 'fast'; expected one of"), ({"workers": 0}, "workers: 0")],
)
def test_an_unknown_setting_is_refused(study, options, message):
    with pytest.raises(ConfigError, match=message):
        study.run(study.job(), **options)


def test_a_summary_counts_in_words():
    def results(*states):
        return RunSummary(tuple(JobResult(None, state) for state in states))

    assert str(results("made")) == "1 notebook made"
    assert str(results("fresh", "fresh")) == "0 notebooks made, 2 up to date"
    assert str(results("made", "failed", "made")) == "2 notebooks made, 1 failed"
    assert [len(results("failed", "made").failed)] == [1]


HOLD = """
import sys, time
from pathlib import Path
from evalkit.runs.lock import study_lock
with study_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(study, seconds):
    """Another process that holds the study's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(study.runs_dir), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_says_who_runs(study):
    other = holder(study, 60)
    try:
        with pytest.raises(RunError, match=f"another run holds this study: process {other.pid} on"):
            study.run(study.job(), wait_for_others=False)
    finally:
        other.kill()
        other.wait()


def test_a_second_run_waits_for_the_first(study):
    other = holder(study, 1)
    summary = study.run(study.job(), engine="papermill")
    other.wait()

    assert summary.count("made") == 1
    assert study.events[0].text.startswith("waiting for another run of this study: process")


def test_a_lock_whose_owner_was_killed_is_free(study):
    other = holder(study, 60)
    other.kill()
    other.wait()

    assert study.run(study.job(), wait_for_others=False).count("made") == 1


def test_leftovers_of_a_killed_run_are_removed(study):
    job = study.job()
    job.output.parent.mkdir(parents=True)
    leftover = job.output.parent / ".01-table-oslo.ipynb.00ff.evalkit-tmp"
    leftover.write_text("half")
    study.run(job)

    assert not leftover.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_leaves_old_results_and_says_so(study):
    job = study.job(
        sources=("#| label: tbl-a\nfrom IPython.display import Markdown\nMarkdown('x' * 200_000)",)
    )
    folder = job.output.parent
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        job.output.write_text("old")
        (result,) = study.run(job).results
        left = sorted(path.name for path in folder.iterdir())
        old = job.output.read_text()
    finally:
        subprocess.run(["umount", str(folder)], check=True)

    assert result.reason == (
        "cannot write reports/demo/notebooks/01-table-oslo.ipynb: the disk is full"
    )
    assert (left, old) == (["01-table-oslo.ipynb"], "old")
    assert study.run(job).count("made") == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may mount")
def test_a_folder_that_may_only_be_read_is_named(study):
    job = study.job()
    folder = job.output.parent
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        (result,) = study.run(job).results
    finally:
        subprocess.run(["umount", str(folder)], check=True)

    assert result.reason == (
        "cannot write reports/demo/notebooks/01-table-oslo.ipynb: the disk may only be read"
    )

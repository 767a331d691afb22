"""How fast notebooks are run, side by side: plain papermill, evalkit's engines, bare functions.

    python benchmarks/bench_runs.py --municipalities 8 --rounds 3
    python benchmarks/bench_runs.py --ways evalkit-lean-2 --municipalities 40,357
    python benchmarks/bench_runs.py --fresh 357

Every way runs the same three notebooks per municipality, made here from generated answers
(seeded, fictional). "Stock" notebooks draw seaborn figures of raw rows, with the tight
bounding box that JupyterLab asks for; "lean" ones draw aggregates and share national work with
``once``. Printed are medians over the rounds and ratios within a round, which other work
on the machine disturbs less than it does seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

import evalkit
from evalkit.runs import Job, default_code_paths, job_states, run_jobs
from evalkit.runs.environment import ONE_THREAD, run_environment

STUDY = "bench"
PARAMETERS = 'study: str = "bench"\nmunicipality_code: str = "1001"'
SETUP = """\
from pathlib import Path
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
import seaborn as sns
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint
from IPython.display import display
%config InlineBackend.figure_formats = ['svg']
"""
READ = "answers = pd.read_parquet('../data/answers.parquet')\n"
SHARES = """\
def shares(frame):
    counts = frame.groupby(['code', 'item']).score.agg(['count', lambda s: (s >= 4).sum()])
    counts.columns = ['answered', 'agreed']
    low, high = proportion_confint(counts.agreed, counts.answered, method='wilson')
    return counts.assign(share=counts.agreed / counts.answered, low=low, high=high).reset_index()
"""
MODEL = """\
def model(frame):
    wide = frame.pivot_table(index=['code', 'person'], columns='item', values='score').dropna()
    design = sm.add_constant(wide[[1, 2, 3]].assign(size=wide.groupby('code')[1].transform('size')))
    return sm.OLS(wide[4], design).fit(
        cov_type='cluster', cov_kwds={'groups': wide.index.get_level_values('code').astype(int)}
    ).params
"""
OWN = "own = answers[answers.code == municipality_code]\n"
BOOTSTRAP = """\
draws = np.random.default_rng(1)
means = own.score.to_numpy()[draws.integers(0, len(own), (2000, len(own)))].mean(axis=1)
display(pd.Series(means).quantile([0.025, 0.5, 0.975]).to_frame('mean'))
"""
STOCK = {
    "01-context": [
        SETUP + READ,
        SHARES
        + "national = shares(answers)\ndisplay(national[national.code == municipality_code])",
        "sns.barplot(answers, x='item', y='score', errorbar=None)\ndisplay(plt.gcf()); plt.close()",
        OWN + "sns.kdeplot(own, x='score', hue='item')\ndisplay(plt.gcf()); plt.close()",
        BOOTSTRAP,
    ],
    "02-survey": [
        SETUP + READ + OWN,
        "sns.catplot(own, x='item', y='score', kind='box')\ndisplay(plt.gcf()); plt.close()",
        MODEL + "display(model(answers).to_frame('b'))",
        "sns.histplot(answers, x='score', bins=5)\ndisplay(plt.gcf()); plt.close()",
    ],
    "03-attainment": [
        SETUP + READ + OWN,
        SHARES + "national = shares(answers)\nmine = national[national.code == municipality_code]",
        "sns.pointplot(answers, x='item', y='score', errorbar=None)\ndisplay(plt.gcf()); plt.close()",
        "mine.plot.bar(x='item', y='share')\ndisplay(plt.gcf()); plt.close()",
        BOOTSTRAP,
    ],
}
LEAN_SETUP = SETUP + "from evalkit import once\nplt.rcParams['savefig.bbox'] = 'standard'\n"
LEAN_SETUP += "get_ipython().run_line_magic('config', 'InlineBackend.print_figure_kwargs = {}')\n"
LEAN_READ = "answers = once('answers', lambda: pd.read_parquet('../data/answers.parquet'))\n"
LEAN_SHARES = SHARES + "national = once('shares', lambda: shares(answers))\n"
LEAN_SHARES += "mine = national[national.code == municipality_code]\n"
LEAN_BARS = """\
figure, axes = plt.subplots()
axes.bar(mine.item, mine.share)
display(figure); plt.close()
"""
LEAN_COUNTS = """\
counts = own.groupby(['item', 'score']).size().unstack(fill_value=0)
figure, axes = plt.subplots()
for score in counts: axes.plot(counts.index, counts[score], label=score)
axes.legend()
display(figure); plt.close()
"""
LEAN = {
    "01-context": [LEAN_SETUP + LEAN_READ + OWN, LEAN_SHARES, LEAN_BARS, LEAN_COUNTS, BOOTSTRAP],
    "02-survey": [
        LEAN_SETUP + LEAN_READ + OWN,
        LEAN_COUNTS,
        MODEL + "display(once('model', lambda: model(answers)).to_frame('b'))",
        LEAN_COUNTS,
    ],
    "03-attainment": [
        LEAN_SETUP + LEAN_READ + OWN,
        LEAN_SHARES,
        LEAN_BARS,
        LEAN_COUNTS,
        BOOTSTRAP,
    ],
}
BARE = '''\
"""Runs notebooks' code as bare Python in children forked from a process that imported it all."""
import io, json, os, sys, time
spec = json.loads(sys.stdin.read())
os.chdir(spec["folder"])
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt, numpy, pandas, seaborn, statsmodels.api, pyarrow.parquet
import evalkit, scipy.stats, IPython.display
from statsmodels.stats.proportion import proportion_confint
from matplotlib.figure import Figure

def show(value):
    if isinstance(value, Figure):
        value.savefig(io.StringIO(), format="svg", bbox_inches=spec["box"])
    else:
        value._repr_html_()

def lines(code):
    return "\\n".join(line for line in code.splitlines()
                     if not line.startswith(("%", "get_ipython", "from IPython")))

def run(job):
    values = {"display": show, "municipality_code": job["code"], "__name__": "__main__"}
    for cell in job["cells"]:
        exec(compile(lines(cell), "cell", "exec"), values)

def shared():
    """National work before the fork, as the notebooks' first runs would do it."""
    seen = {}
    for job in spec["jobs"]:
        seen.setdefault(job["name"], job)
    for job in seen.values():
        run(job)

if spec["lean"]:
    shared()
running, waiting = set(), list(spec["jobs"])
while running or waiting:
    while waiting and len(running) < spec["workers"]:
        job = waiting.pop(0)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run(job)
                code = 0
            finally:
                os._exit(code)
        running.add(pid)
    pid, status = os.wait()
    running.discard(pid)
    if status:
        sys.exit("a bare run failed")
'''


@dataclass(frozen=True)
class Measured:
    """One way's cost in one round: seconds of wall and processor, megabytes at the peak."""

    wall: float
    cpu: float
    memory: float


def make_data(folder: Path, rows: int) -> None:
    """Generated answers of 357 fictional municipalities."""
    import numpy as np
    import pandas as pd

    draws = np.random.default_rng(2024)
    persons = rows // 4
    codes = draws.integers(1001, 1358, persons).astype(str)
    ease = draws.normal(size=persons)
    frames = [
        pd.DataFrame(
            {
                "code": codes,
                "person": np.arange(persons),
                "item": item,
                "score": np.clip(np.round(3 + ease + draws.normal(size=persons)), 1, 5),
            }
        )
        for item in (1, 2, 3, 4)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(frames).to_parquet(folder / "answers.parquet", index=False)


def make_notebooks(folder: Path, contents: dict[str, list[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, cells in contents.items():
        parameters = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="p")
        rest = [new_code_cell(cell, id=f"c{index}") for index, cell in enumerate(cells)]
        notebook = new_notebook(cells=[parameters, *rest])
        notebook.metadata.kernelspec = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, folder / f"{name}.ipynb")


def study_jobs(root: Path, municipalities: int, kind: str = "stock") -> list[Job]:
    """Three jobs for each of the first municipalities."""
    return [
        Job(
            notebook=root / kind / f"{name}.ipynb",
            parameters={"study": STUDY, "municipality_code": str(1001 + index)},
            output=root / "reports" / STUDY / f"{kind}-{name}-{1001 + index}.ipynb",
            label_suffix=str(1001 + index),
            inputs=(root / "data" / "answers.parquet",),
            title=str(1001 + index),
        )
        for index in range(municipalities)
        for name in STOCK
    ]


# ---------------------------------------------------------------- the ways


LOOP = """
import json, sys, papermill
for notebook, output, parameters in json.loads(sys.stdin.read()):
    papermill.execute_notebook(notebook, output, parameters, progress_bar=False,
                               cwd=notebook.rsplit("/", 1)[0])
"""


def papermill_loop(jobs: list[Job], root: Path, workers: int) -> None:
    """Papermill as it comes, a loop in each of some processes."""
    import json

    def loop(part: list[Job]) -> None:
        asked = [
            [str(job.notebook), str(root / f"plain-{job.output.name}"), dict(job.parameters)]
            for job in part
        ]
        subprocess.run(
            [sys.executable, "-c", LOOP],
            input=json.dumps(asked),
            text=True,
            check=True,
            env={**os.environ, **ONE_THREAD},
            stderr=subprocess.DEVNULL,
        )

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(loop, [jobs[index::workers] for index in range(workers)]))


def evalkit_run(jobs: list[Job], root: Path, workers: int, engine: str) -> None:
    for path in (root / "data" / "processed" / STUDY / "runs").glob("*.json"):
        path.unlink()
    summary = run_jobs(jobs, project_dir=root, study=STUDY, workers=workers, engine=engine)
    if summary.failed:
        raise SystemExit(f"{summary}: {summary.failed[0].reason}")


def bare_functions(jobs: list[Job], root: Path, workers: int, kind: str) -> None:
    import json

    contents = LEAN if kind == "lean" else STOCK
    spec = {
        "folder": str(root / kind),
        "workers": workers,
        "lean": kind == "lean",
        "box": None if kind == "lean" else "tight",
        "jobs": [
            {
                "name": job.name,
                "code": job.parameters["municipality_code"],
                "cells": contents[job.name],
            }
            for job in jobs
        ],
    }
    with run_environment() as environment:
        subprocess.run(
            [sys.executable, "-c", BARE],
            input=json.dumps(spec),
            text=True,
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )


WAYS = {
    "papermill": ("stock", lambda jobs, root: papermill_loop(jobs, root, 1)),
    "papermill-2": ("stock", lambda jobs, root: papermill_loop(jobs, root, 2)),
    "evalkit-kernel-2": ("stock", lambda jobs, root: evalkit_run(jobs, root, 2, "kernel")),
    "evalkit-1": ("stock", lambda jobs, root: evalkit_run(jobs, root, 1, "fork")),
    "evalkit-2": ("stock", lambda jobs, root: evalkit_run(jobs, root, 2, "fork")),
    "bare-2": ("stock", lambda jobs, root: bare_functions(jobs, root, 2, "stock")),
    "evalkit-lean-2": ("lean", lambda jobs, root: evalkit_run(jobs, root, 2, "fork")),
    "bare-lean-2": ("lean", lambda jobs, root: bare_functions(jobs, root, 2, "lean")),
}


# ---------------------------------------------------------------- measuring


class MemoryWatch:
    """The largest sum of proportional memory of this process's children, in megabytes."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            total = 0
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error, AttributeError):
                    total += child.memory_full_info().pss
            self.peak = max(self.peak, total / 1e6)


def measured(way: str, root: Path, municipalities: int) -> Measured:
    kind, run = WAYS[way]
    jobs = study_jobs(root, municipalities, kind)
    before = _cpu()
    start = time.monotonic()
    with MemoryWatch() as memory:
        run(jobs, root)
    return Measured(time.monotonic() - start, _cpu() - before, memory.peak)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def table(rounds: list[dict[str, Measured]], runs: int) -> str:
    """Medians per run, and ratios to the first way and to the last bare one, per round."""
    out = io.StringIO()
    first = next(iter(rounds[0]))
    print(f"| way | s per run | CPU s per run | {first} / it | CPU / bare CPU | MB |", file=out)
    print("|---|---|---|---|---|---|", file=out)
    for way in rounds[0]:
        bare = "bare-lean-2" if "lean" in way else "bare-2"

        def median(value, way=way) -> float:
            return statistics.median(value(r) for r in rounds if way in r)

        wall = median(lambda r, way=way: r[way].wall / runs)
        cpu = median(lambda r, way=way: r[way].cpu / runs)
        ratio = median(lambda r, way=way: r[first].wall / r[way].wall)
        beside = (
            f"{median(lambda r, way=way, bare=bare: r[way].cpu / r[bare].cpu):.2f}"
            if bare in rounds[0]
            else "-"
        )
        memory = median(lambda r, way=way: r[way].memory)
        print(
            f"| {way} | {wall:.2f} | {cpu:.2f} | {ratio:.1f} | {beside} | {memory:.0f} |",
            file=out,
        )
    return out.getvalue()


def code_as_now(root: Path) -> list[Path]:
    """A copy of evalkit's modules, which nobody edits while the bench goes on."""
    package = Path(evalkit.__file__).parent
    copies = []
    for path in default_code_paths():
        copy = root / "evalkit" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        copies.append(copy)
    return copies


def second_run(root: Path, municipalities: int) -> str:
    """How long it takes to find that nothing has changed, with notebooks of real size."""
    cell = "from IPython.display import Markdown\nMarkdown('x' * 200_000)"
    make_notebooks(root / "stock", {name: [cell] for name in STOCK})
    jobs = study_jobs(root, municipalities)
    code = code_as_now(root)
    asked = {"project_dir": root, "study": STUDY, "code_paths": code}
    start = time.monotonic()
    summary = run_jobs(jobs, preload=(), **asked)
    first = time.monotonic() - start
    seconds = []
    for again in (run_jobs, job_states, run_jobs):
        start = time.monotonic()
        again(jobs, **asked)
        seconds.append(time.monotonic() - start)
    return (
        f"{summary} in {first:.1f} s; nothing changed: {statistics.median(seconds):.2f} s "
        f"({', '.join(f'{value:.2f}' for value in seconds)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--municipalities", default="8", help="sizes, such as 8 or 40,357")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=70_000, help="answers in all")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of: {', '.join(WAYS)}")
    parser.add_argument("--fresh", type=int, metavar="N", help="time a run with nothing to do")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalkit-bench-") as folder:
        root = Path(folder).resolve()
        make_data(root / "data", parsed.rows)
        if parsed.fresh:
            print(second_run(root, parsed.fresh))
            return
        make_notebooks(root / "stock", STOCK)
        make_notebooks(root / "lean", LEAN)
        ways = parsed.ways.split(",")
        for municipalities in map(int, parsed.municipalities.split(",")):
            rounds = [
                {way: measured(way, root, municipalities) for way in ways}
                for _ in range(parsed.rounds)
            ]
            print(f"\n{municipalities} municipalities x {len(STOCK)} notebooks\n")
            print(table(rounds, municipalities * len(STOCK)), flush=True)


if __name__ == "__main__":
    main()

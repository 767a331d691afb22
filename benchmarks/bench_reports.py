"""What the whole road costs: data, notebooks, short reports as HTML and PDF/UA, and again.

    python benchmarks/bench_reports.py --municipalities 40
    python benchmarks/bench_reports.py --municipalities 40,357

Runs the commands that a researcher would run, on the study demo (syntetisk) scaled to some
municipalities: their notebooks as shipped, and a report of each as HTML and PDF. Then nothing
changes, and then one answer of one municipality. Seconds are this machine's; what a
municipality costs more in a large study than in a small one is a ratio within one run.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench_runs import MemoryWatch

PROJECT = Path(__file__).resolve().parents[1]
STUDY = "demo"


def project_of(root: Path, municipalities: int) -> Path:
    """A project with the shipped notebooks, the demo's book and generated data."""
    shutil.copytree(PROJECT / "notebooks", root / "notebooks")
    made = shutil.ignore_patterns("_book", "_kommune", "notebooks", ".evalkit-cache", "kommune-*")
    shutil.copytree(PROJECT / "reports" / STUDY, root / "reports" / STUDY, ignore=made)
    (root / "data" / "raw").mkdir(parents=True)
    evalkit(root, "demo", "--municipalities", str(municipalities))
    return root


def evalkit(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "evalkit.cli", *arguments, "--project", str(root)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"evalkit {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(root: Path, what: str, *arguments: str) -> tuple[str, float, float, float, str]:
    """What a command says last, and its cost: seconds, CPU seconds, megabytes of all processes."""
    start, cpu = time.monotonic(), cpu_seconds()
    with MemoryWatch() as memory:
        said = evalkit(root, *arguments)
    return what, time.monotonic() - start, cpu_seconds() - cpu, memory.peak, said


def change_one_answer(root: Path) -> None:
    """Another score in the last row of answers, which is one municipality's."""
    path = root / "data" / "raw" / STUDY / "answers.csv"
    head, last = path.read_text(encoding="utf-8").rstrip("\n").rsplit("\n", 1)
    cells = last.split(",")
    cells[5] = "1" if cells[5] != "1" else "5"
    path.write_text(f"{head}\n{','.join(cells)}\n", encoding="utf-8")


def measured(municipalities: int, workers: Sequence[str]) -> list[tuple]:
    with tempfile.TemporaryDirectory(prefix="evalkit-bench-") as folder:
        root = project_of(Path(folder).resolve(), municipalities)
        reports = ("report", STUDY, "--all", "--to", "html,pdf", *workers)
        steps = [
            timed(root, "check all tables", "check", STUDY),
            timed(root, "notebooks, HTML and PDF/UA of all", *reports),
            timed(root, "notebooks again, nothing changed", "run", STUDY, *workers),
            timed(root, "notebooks once more, nothing changed", "run", STUDY, *workers),
        ]
        change_one_answer(root)
        steps.append(timed(root, "notebooks, one answer changed", "run", STUDY, *workers))
        return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--municipalities", default="40", help="sizes, such as 40 or 40,357")
    parser.add_argument("--workers", help="at a time (default: cores)")
    parsed = parser.parse_args()
    workers = ("--workers", parsed.workers) if parsed.workers else ()
    first: dict[str, float] = {}
    for municipalities in map(int, parsed.municipalities.split(",")):
        print(f"\n{municipalities} municipalities (syntetisk)\n")
        print("| step | s | CPU s | CPU s per municipality | to the first size | MB | it says |")
        print("|---|---|---|---|---|---|---|")
        for what, seconds, cpu, memory, said in measured(municipalities, workers):
            each = cpu / municipalities
            ratio = each / first.setdefault(what, each)
            print(
                f"| {what} | {seconds:.1f} | {cpu:.1f} | {each:.3f} | {ratio:.2f} | "
                f"{memory:.0f} | {said} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

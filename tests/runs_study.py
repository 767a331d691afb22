"""A small study to run in tests: notebooks made here, no library to wait for."""

import atexit
import json
from dataclasses import dataclass
from pathlib import Path

from evalkit.runs import Job, job_states, run_jobs
from evalkit.runs.environment import run_environment
from evalkit.runs.zygote import Zygote

CODES = {"oslo": "0301", "horten": "3801", "siljan": "4010"}
TABLE = (
    "#| label: tbl-table\nfrom pathlib import Path\nfrom IPython.display import Markdown\n"
    "text = Path('../data/raw/demo/grants.csv').read_text()\n"
    "Markdown(f'| kommune | tilskudd |\\n|---|---|\\n| {municipality_code} | {text} |')"
)
SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_notebook(path, *sources, tags=(), spec=SPEC):
    """A notebook with the parameters ``study`` and ``municipality_code`` and these cells."""
    parameters = 'study: str = "demo"\nmunicipality_code: str = "0301"'
    cells = [
        {
            "cell_type": "code",
            "id": f"c{index}",
            "source": source,
            "metadata": {"tags": ["parameters"] if index == 0 else list(tags)},
            "outputs": [],
            "execution_count": None,
        }
        for index, source in enumerate([parameters, *sources])
    ]
    content = {
        "cells": cells,
        "metadata": {"kernelspec": spec, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


class KeptZygote(Zygote):
    """Outlives a run, so that not every test waits for one to be warmed."""

    def stop(self):
        """Ends with this process."""


_kept = {}


def kept_zygote(environment, *, mode, preload):
    """In place of `Zygote` in tests that are not about it: one per mode for all of them."""
    if preload != ():
        return Zygote(environment, mode=mode, preload=preload)
    if mode not in _kept:
        lasting = run_environment()
        _kept[mode] = KeptZygote(lasting.__enter__(), mode=mode, preload=preload)
        atexit.register(lasting.__exit__, None, None, None)
    return _kept[mode]


FRESH = ("json",)  # preload for a zygote of its own


@dataclass
class SmallStudy:
    """A project folder with one study, and short forms of the public functions."""

    root: Path

    def __post_init__(self):
        self.grants = self.root / "data" / "raw" / "demo" / "grants.csv"
        self.grants.parent.mkdir(parents=True, exist_ok=True)
        self.grants.write_text("100", encoding="utf-8")
        self.code = self.root / "analysis.py"
        self.code.write_text("SHARE = 0.5\n", encoding="utf-8")
        self.runs_dir = self.root / "data" / "processed" / "demo" / "runs"
        self.record = self.runs_dir / "01-table-oslo.json"
        self.events = []

    def notebook(self, name, *sources, **options):
        return write_notebook(self.root / "notebooks" / f"{name}.ipynb", *sources, **options)

    def job(self, name="01-table", place="oslo", *, sources=(TABLE,), **options):
        path = self.root / "notebooks" / f"{name}.ipynb"
        if not path.exists():
            self.notebook(name, *sources)
        settings = {
            "parameters": {"study": "demo", "municipality_code": CODES.get(place, "0301")},
            "label_suffix": place,
            "inputs": (self.grants,),
            "title": place.title(),
            **options,
        }
        output = self.root / "reports" / "demo" / "notebooks" / f"{name}-{place}.ipynb"
        return Job(notebook=path, output=output, **settings)

    def run(self, *jobs, **options):
        settings = {"engine": "fork", "preload": (), "workers": 2, **options}
        return run_jobs(
            jobs,
            project_dir=self.root,
            study="demo",
            code_paths=[self.code],
            progress=self.events.append,
            **settings,
        )

    def states(self, *jobs):
        found = job_states(jobs, project_dir=self.root, study="demo", code_paths=[self.code])
        return [(state.state, state.reason) for state in found]

    def files(self):
        return sorted(
            path.relative_to(self.root).as_posix()
            for folder in (self.root / "reports", self.runs_dir)
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".log"
        )


def outputs_of(path):
    """Texts and forms that an executed notebook's cells left."""
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]

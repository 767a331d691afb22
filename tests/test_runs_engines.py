"""The papermill engines leave the same notebooks as papermill's own, cell by cell."""

import json
import os
import re

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from evalkit.runs.zygote import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system cannot fork")

ENGINES = ("evalkit", "evalkit-kernel")

# Each cell runs after those above it; those that fail are allowed to.
AWKWARD = {
    "streams": "import sys\nprint('out 1')\nprint('err 1', file=sys.stderr)\nprint('out 2', end='')",
    "flushed": "for i in range(3):\n    print(i, end=' ', flush=True)",
    "carriage return": "print('10 %\\r20 %\\rdone')",
    "display between prints": (
        "from IPython.display import *\nprint('before')\ndisplay(Markdown('**b**'))\nprint('after')"
    ),
    "result": "{'æøå': [1, 2.5, None]}",
    "no result": "1;",
    "display update": "handle = display('first', display_id='x')\ndisplay('other')",
    "display update from a later cell": "handle.update('second')",
    "cleared": "print('gone')\nclear_output()\nprint('kept')",
    "cleared at the next output": "display('gone')\nclear_output(wait=True)\ndisplay('kept')",
    "HTML and SVG": "display(HTML('<b>x</b>'), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
    "error": "def f(x):\n    return 1 / x\n\nf(0)",
    "chained errors": (
        "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('later') from error"
    ),
    "syntax error": "a = = 1",
    "error while showing": (
        "class Bad:\n    def _repr_html_(self):\n        raise RuntimeError('bad')\n\nBad()"
    ),
    "awaited": "import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited')\n'done'",
    "awaited error": "async def g():\n    raise OSError('deep')\n\nawait g()",
    "running loop": "asyncio.get_running_loop().is_running()",
    "asyncio.run": (
        "waiting = asyncio.sleep(0)\ntry:\n    asyncio.run(waiting)\nfinally:\n    waiting.close()"
    ),
    "input": "input('Name? ')",
    "shell line": "!echo shell && echo error >&2",
    "shell result": "files = !echo one; echo two\nfiles",
    "bash cell": "%%bash\necho bash\nexit 0",
    "failing bash cell": "%%bash\nexit 3",
    # a kernel hears of these from a thread of its own, which a busy machine may let wait
    "file descriptor": (
        "import os, time\n_ = os.write(1, b'written to 1\\n')\n_ = os.system('echo by a child')\n"
        "time.sleep(1)"
    ),
    "subprocess": "import subprocess\n_ = subprocess.run(['echo', 'subprocess'])\ntime.sleep(1)",
    "captured": "%%capture kept\nprint('captured')\ndisplay(1)",
    "captured shown": "kept.stdout, len(kept.outputs)",
    "time magic": "%%timeit -n1 -r1 -q\npass",
    "unknown magic": "%nosuchmagic",
    "warning": "import warnings\nwarnings.warn('mind this')",
    "logging": "import logging\nlogging.getLogger('a').warning('logged')",
    "thread": (
        "import threading\nt = threading.Thread(target=lambda: print('in a thread'))\n"
        "t.start()\nt.join()"
    ),
    "frame": "import pandas as pd\ntable = pd.DataFrame({'a': [1, 2], 'b': [0.5, None]})\ntable",
    "wide frame": "pd.DataFrame([range(30)])",
    "styled frame": "table.style.format(precision=1).set_uuid('u')",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('Å')",
    "two figures as SVG": (
        "%config InlineBackend.figure_formats = ['svg']\nplt.plot([1]);\nplt.figure();\nplt.plot([2]);"
    ),
    "class of the notebook": (
        "import pickle\nclass Point:\n    pass\n\ntype(pickle.loads(pickle.dumps(Point()))).__module__"
    ),
    "seeded draws": "import random\nrandom.seed(1)\nimport numpy as np\nrandom.random(), np.random.default_rng(1).random()",
    "settings": "pd.get_option('display.max_columns'), plt.rcParams['figure.dpi'], plt.get_backend()",
    "history": "In[1], _oh[5]",
    "names": "__name__, get_ipython().__class__.__name__",
    "module beside the notebook": "import beside\nbeside.VALUE",
    "fork pool": (
        "from multiprocessing import get_context\n"
        "with get_context('fork').Pool(2) as pool:\n    print(pool.map(abs, [-1, -2]))"
    ),
    "long text": "print('x' * 100_000)",
    "message": "raise SystemExit('no number')",
}
STOPPING = {
    "error": ["print(1)", "raise ValueError('stop')", "print(2)"],
    "left with 0": ["print(1)", "import sys\nsys.exit(0)", "print(2)"],
    "left with 3": ["print(1)", "import sys\nsys.exit(3)", "print(2)"],
}


def write_notebook(path, sources, **metadata):
    cells = [
        new_code_cell(source, metadata=metadata, id=f"c{i}") for i, source in enumerate(sources)
    ]
    parameters = new_code_cell("n: int = 1", metadata={"tags": ["parameters"]}, id="p")
    notebook = new_notebook(cells=[parameters, *cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "P", "language": "python"}
    nbformat.write(notebook, path)
    return path


def run(path, engine, **options):
    """The executed notebook and what papermill raised."""
    output = path.with_name(f"{path.stem}-{engine}.ipynb")
    error = None
    try:
        papermill.execute_notebook(
            path, output, parameters={"n": 2}, engine_name=engine, cwd=path.parent,
            progress_bar=False, coalesce_streams=True, shutdown_kernel="immediate", **options,
        )  # fmt: skip
    except Exception as raised:
        error = raised
    return nbformat.read(output, as_version=4), error


CHANCE = [
    (re.compile(r"ipykernel_\d+"), "ipykernel_0"),  # the process's number
    (re.compile(r"at 0x[0-9a-f]+"), "at 0x0"),
]


def own_cells(notebook):
    """Cells without those that papermill adds to say where an error is."""
    tag = "papermill-error-cell-tag"
    return [cell for cell in notebook.cells if tag not in cell.metadata.get("tags", [])]


def comparable(cell):
    kept = {key: cell.get(key) for key in ("cell_type", "source", "outputs", "execution_count")}
    times = cell.metadata.get("papermill", {})
    kept["status"] = [times.get("status"), times.get("exception"), sorted(times)]
    kept["metadata"] = sorted(cell.metadata)
    kept["execution"] = sorted(cell.metadata.get("execution", {}))
    text = json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True)
    for pattern, same in CHANCE:
        text = pattern.sub(same, text)
    return text


@pytest.fixture(scope="module", autouse=True)
def same_figures(tmp_path_factory):
    """No clock and no chance in SVG, for every engine."""
    settings = tmp_path_factory.mktemp("matplotlib") / "matplotlibrc"
    settings.write_text("svg.hashsalt: evalkit\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATPLOTLIBRC", str(settings))
        patch.setenv("SOURCE_DATE_EPOCH", "0")
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        yield


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("awkward")
    (folder / "beside.py").write_text("VALUE = 'beside'\n", encoding="utf-8")
    path = write_notebook(folder / "awkward.ipynb", AWKWARD.values(), tags=["raises-exception"])
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    return {engine: run(path, engine) for engine in (None, *ENGINES)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("index", range(len(AWKWARD)), ids=list(AWKWARD))
def test_an_awkward_cell_looks_as_papermill_leaves_it(awkward, engine, index):
    ours, theirs = own_cells(awkward[engine][0]), own_cells(awkward[None][0])
    index -= len(AWKWARD)  # the parameters come first

    assert comparable(ours[index]) == comparable(theirs[index])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_whole_notebook_has_the_same_frame(awkward, engine):
    (ours, our_error), (theirs, their_error) = awkward[engine], awkward[None]

    assert len(ours.cells) == len(theirs.cells)
    assert sorted(ours.metadata) == sorted(theirs.metadata)
    assert ours.metadata.language_info == theirs.metadata.language_info
    assert type(our_error) is type(their_error)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", list(STOPPING))
def test_a_notebook_that_stops_is_left_as_papermill_leaves_it(tmp_path, name, engine):
    path = write_notebook(tmp_path / "stops.ipynb", STOPPING[name])
    (theirs, their_error), (ours, our_error) = run(path, None), run(path, engine)

    assert type(our_error) is type(their_error)
    assert [comparable(cell) for cell in ours.cells] == [comparable(cell) for cell in theirs.cells]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "cell",
    ["import time\nprint('begun')\ntime.sleep(60)", "import asyncio\nawait asyncio.sleep(60)"],
)
def test_a_cell_that_takes_too_long_is_ended(tmp_path, engine, cell):
    path = write_notebook(tmp_path / "slow.ipynb", ["print(1)", cell, "print(2)"])
    ours, error = run(path, engine, execution_timeout=1)

    assert isinstance(error, CellTimeoutError)
    assert ours.cells[2].outputs[0].text == "1\n"
    assert [output.get("text") for output in ours.cells[3].outputs] in ([], ["begun\n"])
    assert ours.cells[4].outputs == []


@pytest.mark.parametrize(
    ("engine", "cell"),
    [
        *((engine, "import os\nos._exit(0)") for engine in ENGINES),
        *((engine, "import os\nos.kill(os.getpid(), 9)") for engine in ENGINES),
        ("evalkit", "exit()"),  # a real kernel ends a moment later, maybe too late
    ],
)
def test_a_kernel_that_dies_is_an_error(tmp_path, engine, cell):
    path = write_notebook(tmp_path / "dies.ipynb", ["print(1)", cell, "print(2)"])
    ours, error = run(path, engine)

    assert isinstance(error, DeadKernelError)
    assert ours.cells[2].outputs[0].text == "1\n"
    assert ours.cells[4].outputs == []


def test_after_its_warmed_process_was_killed_papermill_gets_another(tmp_path):
    from evalkit.runs import forked

    path = write_notebook(tmp_path / "again.ipynb", ["print(1)"])
    run(path, "evalkit")
    killed = forked._zygotes[os.getpid()]._process
    killed.kill()
    killed.wait()
    ours, error = run(path, "evalkit")

    assert error is None
    assert ours.cells[2].outputs[0].text == "1\n"
    assert forked._zygotes[os.getpid()]._process.pid != killed.pid


def test_another_language_is_left_to_papermill_and_said_once(tmp_path, capsys):
    from evalkit.runs.forked import ENGINES as FORKED

    path = write_notebook(tmp_path / "r.ipynb", ["1"])
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec = {"name": "nosuch", "display_name": "R", "language": "R"}
    nbformat.write(notebook, path)
    assert set(FORKED) == {"fork", "kernel"}

    for _ in range(2):
        with pytest.raises(Exception, match="nosuch"):
            papermill.execute_notebook(path, None, engine_name="evalkit", progress_bar=False)

    said = capsys.readouterr().err
    assert said.count("using papermill's own engine: kernel 'nosuch' is not this Python") == 1

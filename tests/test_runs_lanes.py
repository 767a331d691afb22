"""Calls in processes of their own: one that is killed harms only the call that it was doing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from evalkit.runs.lanes import Died, results_side_by_side


def doubled(number, folder):
    """Twice a number; a process is lost the first time for 3, and each time for 5."""
    marks = Path(folder) / str(number)
    with open(marks, "a") as file:
        file.write("x")
    if number == 5 or (number == 3 and marks.read_text() == "x"):
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 7:
        raise ValueError("seven")
    return 2 * number


def pid_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def calls(folder, *numbers):
    return [(number, str(folder)) for number in numbers]


def test_results_come_with_the_number_of_their_call(tmp_path):
    found = dict(results_side_by_side(doubled, calls(tmp_path, 1, 2, 4), workers=2))

    assert found == {0: 2, 1: 4, 2: 8}


def test_a_call_whose_process_dies_is_done_again_and_given_up_the_second_time(tmp_path):
    found = dict(results_side_by_side(doubled, calls(tmp_path, 1, 3, 5, 2, 4), workers=2))

    given_up = found.pop(2)
    assert found == {0: 2, 1: 6, 3: 4, 4: 8}
    assert isinstance(given_up, Died)
    assert str(given_up) == "its process died 2 times"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "1": "x", "2": "x", "3": "xx", "4": "x", "5": "xx",
    }  # fmt: skip


def test_what_a_call_raises_is_raised(tmp_path):
    with pytest.raises(ValueError, match="seven"):
        list(results_side_by_side(doubled, calls(tmp_path, 1, 7), workers=1))


def test_a_process_that_dies_with_nothing_to_do_is_no_fault_of_a_call(tmp_path):
    from evalkit.runs.lanes import _Lane

    lane = _Lane()
    try:
        for _ in range(4):
            os.kill(lane.result(pid_after, (0,)), signal.SIGKILL)
            time.sleep(0.5)
        assert isinstance(lane.result(pid_after, (0,)), int)
    finally:
        lane.close()


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_runs_lanes import pid_after
from evalkit.runs.lanes import results_side_by_side
if __name__ == "__main__":
    for number, pid in results_side_by_side(pid_after, [(0,), (0,), (60,), (60,)], workers=2):
        print(pid, flush=True)
"""


@pytest.mark.parametrize("seconds", [None, 0.0, 0.05, 0.1, 0.2])
def test_no_process_outlives_the_one_that_asked(tmp_path, seconds):
    """Killed when its processes work (None), or some time after it began to start them."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    if seconds is None:
        assert parent.stdout.readline().strip().isdigit()
        assert parent.stdout.readline().strip().isdigit()
    else:
        while not psutil.Process(parent.pid).children():
            time.sleep(0.005)
        time.sleep(seconds)
    family = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.communicate()

    assert family
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_without_a_guard_is_not_run_again_in_new_processes(tmp_path, way):
    script = (
        "print('once')\nfrom operator import add\n"
        "from evalkit.runs.lanes import results_side_by_side\n"
        "print(sorted(results_side_by_side(add, [(1, 2), (3, 4)], workers=2)))\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script, "utf-8")

    done = subprocess.run(
        [sys.executable, str(path)] if way == "file" else [sys.executable],
        input=None if way == "file" else script,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "once\n[(0, 3), (1, 7)]\n", done.stderr

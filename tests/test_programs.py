"""Programs that evalkit starts: what ends them from outside is told in a line."""

import os
import subprocess
import sys

import pytest

from evalkit import programs
from evalkit.programs import ProgramError, how_it_ended, pandoc_version, run_pandoc

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are not to be had here")
ASKING = "from evalkit.programs import ProgramError, pandoc_version\n"
TOLD = "try:\n    pandoc_version()\nexcept ProgramError as error:\n    print(error)\n"


def script(folder, text):
    path = folder / "pandoc"
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_pandoc_reads_what_it_is_given_and_writes_what_it_made():
    done = run_pandoc(["--from=markdown", "--to=html"], text="*Målet* er nådd")

    assert (done.returncode, done.stdout) == (0, "<p><em>Målet</em> er nådd</p>\n")


def test_what_pandoc_refuses_is_for_the_caller_to_tell():
    done = run_pandoc(["--from=nothing"])

    assert done.returncode > 0
    assert "nothing" in done.stderr


def test_a_pandoc_that_is_killed_is_told_with_the_signal(tmp_path, monkeypatch):
    killed = script(tmp_path, "kill -9 $$")
    monkeypatch.setattr(programs, "_pandoc", lambda: killed)

    with pytest.raises(ProgramError, match=r"^pandoc: .*SIGKILL, .*; run the same command again$"):
        run_pandoc(["--version"])


@pytest.mark.parametrize("ends", ["kill -9 $$", "exit 1", "true"])
def test_a_pandoc_that_does_not_tell_its_version_is_told_in_one_line(tmp_path, ends):
    done = subprocess.run(
        [sys.executable, "-c", ASKING + TOLD],
        env={**os.environ, "PYPANDOC_PANDOC": script(tmp_path, ends)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("pandoc was not found, or did not answer")
    assert "install evalkit again" in done.stdout
    assert done.stderr == ""


def test_the_version_is_that_of_the_pandoc_that_runs():
    assert run_pandoc(["--version"]).stdout.split()[1] == pandoc_version()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "its process was ended by the signal SIGKILL, as when memory runs out"),
        (-15, "its process was ended by the signal SIGTERM"),
        (3, "its process ended itself with exit code 3"),
    ],
)
def test_how_a_process_ended_is_said_in_words(code, words):
    assert how_it_ended(code) == words

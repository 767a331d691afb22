"""environment.yml, pyproject.toml and requirements.lock tell the same story."""

import re
import tomllib

import yaml
from conftest import PROJECT
from packaging.requirements import Requirement

LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    every = [*PYPROJECT["dependencies"]]
    for extra in PYPROJECT["optional-dependencies"].values():
        every += extra
    return [r for r in map(Requirement, every) if r.name != "evalkit"]


def locked():
    lines = [Requirement(line) for line in LOCK.splitlines() if line.strip()]
    return {canonical(r.name): r for r in lines}


def test_every_dependency_is_locked_at_an_exact_version_that_it_allows():
    pins = locked()

    for requirement in declared():
        pin = pins[canonical(requirement.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version)


def test_the_lock_names_no_registry():
    assert "://" not in LOCK
    assert "index" not in LOCK.replace("importlib-metadata", "")


def test_conda_users_get_the_same_package_with_quarto():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))
    listed = environment["dependencies"]

    assert f"python{PYPROJECT['requires-python']}" in listed
    assert any(str(entry).startswith("quarto") for entry in listed)
    assert {"pip": ["-e .[dev]"]} in listed


def test_jupyterlab_papermill_and_the_analysis_libraries_come_with_the_package():
    names = {canonical(Requirement(r).name) for r in PYPROJECT["dependencies"]}

    assert {"jupyterlab", "pandas", "statsmodels", "scipy", "seaborn", "papermill"} <= names

"""What ``import evalkit`` offers is what it says, whatever else has been imported."""

import subprocess
import sys
from inspect import ismodule

import pytest

import evalkit

MODULES_FIRST = """
import importlib, inspect, pkgutil
import evalkit
for module in pkgutil.walk_packages(evalkit.__path__, "evalkit."):
    importlib.import_module(module.name)
for name in evalkit.__all__:
    if inspect.ismodule(getattr(evalkit, name)):
        print(name)
"""


@pytest.mark.parametrize("name", evalkit.__all__)
def test_a_public_name_is_no_module(name):
    value = getattr(evalkit, name)

    assert not ismodule(value)
    assert callable(value) or name.isupper()


def test_a_public_name_is_no_module_after_all_modules_are_imported():
    run = subprocess.run(
        [sys.executable, "-c", MODULES_FIRST], capture_output=True, text=True, check=True
    )

    assert run.stdout == ""


def test_every_public_name_has_a_home():
    assert sorted(evalkit.HOMES) == sorted(evalkit.__all__)

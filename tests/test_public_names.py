"""What ``import evalkit`` offers is what it says, whatever else has been imported."""

import subprocess
import sys
from inspect import Parameter, isfunction, ismodule, signature

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


STANDARD = {"confidence_level": 0.95, "confidence_levels": (0.95,)}


def default_levels():
    """The default of every level that a public function takes, by function and parameter."""
    functions = {name: getattr(evalkit, name) for name in evalkit.__all__}
    return {
        (name, parameter): signature(function).parameters[parameter].default
        for name, function in functions.items()
        if isfunction(function)
        for parameter in STANDARD
        if parameter in signature(function).parameters
        and signature(function).parameters[parameter].default is not Parameter.empty
    }


def test_every_public_function_takes_95_per_cent_alone_unless_told_otherwise():
    defaults = default_levels()

    assert len(defaults) > 40
    assert {
        names: default for names, default in defaults.items() if default != STANDARD[names[1]]
    } == {}

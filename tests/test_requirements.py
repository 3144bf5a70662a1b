"""The releases that pyproject.toml allows are the ones that tests run with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pins(file):
    lines = (ROOT / file).read_text().splitlines()
    found = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in found}


def lower_bounds():
    """Return name → lowest release of what people install: spike, and what opens its exports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    found = {}
    for requirement in [*project["dependencies"], *extras["hf"], *extras["peers"]]:
        name, version = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
        found[name] = version
    return found


def release(version):
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


@pytest.mark.parametrize("name", sorted(lower_bounds()))
def test_the_lowest_release_allowed_is_tested(name):
    tested = {**pins("constraints.txt"), **pins("constraints-oldest.txt")}
    assert release(tested[name]) == release(lower_bounds()[name])


def test_no_release_of_transformers_is_allowed_that_is_newer_than_the_tested_one():
    """Each minor release may move what exported classes rest on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (requirement,) = project["optional-dependencies"]["hf"]
    major, minor = pins("constraints.txt")["transformers"].split(".")[:2]
    assert requirement.endswith(f",<{major}.{int(minor) + 1}")

"""Native code under sanitizers: random and hostile input, and memory that runs out.

A driver that is built takes a seed and a number of seconds, for longer runs: `driver SEED SECONDS`
ends with the seeds that it used, and names the seed where it fails.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-fno-sanitize-recover=all", "-D_GLIBCXX_ASSERTIONS"]
DRIVERS = {
    "spiketok": "spiketok/native",
    "datapipe": "datapipe/native",
    "datapipe/native/overlap": "datapipe/native/overlap",
    "model/native": "model/native",
    "model/native/counting": "model/native/counting",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason="there is no C++ compiler"),
]


def _build(program: Path, driver: str, sanitizer: str) -> None:
    folder = ROOT / DRIVERS[driver]
    sources = [path for path in folder.glob("*.cpp") if not path.stem.endswith("bindings")]
    sources.append(ROOT / "tests" / driver / "sanitize_driver.cpp")
    options = [*FLAGS, f"-fsanitize={sanitizer}", f"-I{folder}", f"-I{ROOT / 'tests'}"]
    subprocess.run([COMPILER, *options, *sources, "-o", program], check=True)


def _run(*command: Path | str) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("driver", DRIVERS)
def test_native_code_under_sanitizers(tmp_path, driver):
    """Random rounds; then each allocation fails in turn, alone and with all that come after it."""
    _build(tmp_path / "driver", driver, "address,undefined")
    _run(tmp_path / "driver")
    _run(tmp_path / "driver", "failing")


def test_threads_under_sanitizers(tmp_path):
    _build(tmp_path / "driver", "spiketok", "thread")
    _run(tmp_path / "driver", "1", "10")

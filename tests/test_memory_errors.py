"""Each allocation of the native modules fails in turn: a MemoryError and no memory left behind."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

COMPILER = os.environ.get("CXX", "g++")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is for Linux")
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="there is no C++ compiler")
def test_failing_allocations_are_memory_errors(tmp_path):
    library = tmp_path / "failing_new.so"
    source = ROOT / "tests" / "failing_new.cpp"
    subprocess.run(
        [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", source, "-o", library], check=True
    )
    result = subprocess.run(
        [sys.executable, "-m", "tests.memory_errors", library],
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr

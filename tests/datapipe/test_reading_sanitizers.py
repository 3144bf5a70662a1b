"""Compiles the reader of rows with sanitizers and runs it on good and random tables."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "datapipe" / "native"
COMPILER = os.environ.get("CXX", "g++")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="there is no C++ compiler")
def test_reader_under_sanitizers(tmp_path):
    program = tmp_path / "driver"
    flags = ["-std=c++20", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-D_GLIBCXX_ASSERTIONS"]
    sources = [HERE / "sanitize_driver.cpp", NATIVE / "row_reader.cpp"]
    subprocess.run([COMPILER, *flags, f"-I{NATIVE}", *sources, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

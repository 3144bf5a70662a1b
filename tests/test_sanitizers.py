"""Compiles the native code with sanitizers and runs it on random and hostile input."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-fno-sanitize-recover=all", "-D_GLIBCXX_ASSERTIONS"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="there is no C++ compiler")
@pytest.mark.parametrize(
    ("driver", "native", "sanitizer"),
    [
        ("spiketok", "spiketok/native", "address,undefined"),
        ("spiketok", "spiketok/native", "thread"),
        ("datapipe", "datapipe/native", "address,undefined"),
        ("model/compression", "model/native", "address,undefined"),
        ("model/mixing", "model/native/counting", "address,undefined"),
    ],
)
def test_native_code_under_sanitizers(tmp_path, driver, native, sanitizer):
    folder, program = ROOT / native, tmp_path / "driver"
    sources = [path for path in folder.glob("*.cpp") if not path.stem.endswith("bindings")]
    sources.append(ROOT / "tests" / driver / "sanitize_driver.cpp")
    options = [*FLAGS, f"-fsanitize={sanitizer}", f"-I{folder}"]
    subprocess.run([COMPILER, *options, *sources, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

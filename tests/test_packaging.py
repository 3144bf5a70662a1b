"""The wheel: what it contains, and that it runs where the source tree is not in sight."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)], check=True
    )
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_the_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"spiketok", "datapipe", "spike_commands", "spike_lm"}
    assert "spike_lm/cli.py" in names
    assert "spike_lm/model/config/presets/base.toml" in names
    assert any(name.startswith("datapipe/_reading.") and name.endswith(".so") for name in names)
    assert any(name.startswith("spiketok/_native.") and name.endswith(".so") for name in names)
    assert not [name for name in names if name.endswith((".cpp", ".hpp"))]


def test_wheel_runs_from_an_empty_folder(wheel, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet"]
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    (site,) = (environment / "lib").glob("python*/site-packages")
    # The dependencies alone: a path in a .pth file does not run the .pth files it contains.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    work = tmp_path / "work"
    (work / "corpus").mkdir(parents=True)
    (work / "corpus" / "text.txt").write_text("to be or not to be, that is the question " * 50)
    for generic in ("model", "cli", "config", "train"):
        (work / f"{generic}.py").write_text(f"raise SystemExit('the wrong {generic}')")
    for arguments in (
        ["--version"],
        ["tokenizer", "train", "corpus/", "--vocab", "400", "--validation", "0"],
        ["export", "tokenizer", "--to", "exported/"],
        ["shard", "--out", "data/"],
        ["train", "--config", "base.toml", "--set", "model.vocab_size=400", "--dry-run"],
    ):
        done = subprocess.run(
            [environment / "bin" / "spike", *arguments],
            cwd=work,
            env={**os.environ, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

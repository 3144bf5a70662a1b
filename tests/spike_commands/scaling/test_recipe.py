"""`spike scaling fit` on curves made from a known law, and on files that are none."""

import json
import math

import numpy as np
import pytest

from spike_lm.model.scaling import CHINCHILLA, DataLaw

LAW = DataLaw(2.611, 77_715, 0.537)
BYTES_PER_TOKEN = 4.0


def write_curve(file, law=LAW, steps=300, per_step=66_666_667, noise=0.003, **more):
    """Write metrics as the trainer does: the loss of a step is measured before its update."""
    random = np.random.default_rng(steps)
    lines = []
    for step in range(1, steps + 1):
        loss = law.loss(max(step - 1, 0.5) * per_step) * (1 + noise * random.standard_normal())
        bits = loss / math.log(2) / BYTES_PER_TOKEN
        row = {"step": step, "tokens": step * per_step, "loss": loss, "train_bits_per_byte": bits}
        lines.append(json.dumps(row | more))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def fitted(line, *words):
    status, output, errors = line("scaling", "fit", *map(str, words), "--json", "-q")
    assert (status, errors) == (0, "")
    return json.loads(output)


def test_a_file_of_metrics_gives_the_law_in_nats_and_bits(line, tmp_path):
    file = write_curve(tmp_path / "metrics.jsonl")
    found = fitted(line, file, "--warmup", 0.05, "--parameters", 85.7e6)
    (run,) = found["runs"]
    for name in ("e", "beta"):
        low, high = run["intervals"][name]
        assert low <= getattr(LAW, name) <= high
        assert low < run[name] < high
    assert run["warmup_points"] == 15
    assert run["end_tokens"] == 299 * 66_666_667
    assert run["bits_per_byte"]["e"] == pytest.approx(run["e"] / math.log(2) / BYTES_PER_TOKEN)
    optimal = run["optimal_tokens"]
    assert optimal["chinchilla"] == pytest.approx(2.2289e9, rel=1e-4)
    assert optimal["mixed"] == pytest.approx(4.38e9, rel=0.1)
    assert found["joint"] is None


def test_rows_name_the_mix_of_two_fits(line, tmp_path):
    file = write_curve(tmp_path / "metrics.jsonl")
    shown = line("scaling", "fit", str(file), "--warmup", "0.05", "--parameters", "85.7e6")[1]
    assert "by a mix of two fits, this one and Chinchilla's" in shown
    assert "1.71 B tokens by 20 tokens a parameter" in shown
    assert [row.split()[0] for row in shown.splitlines()] == ["law", "data", "knee", "optimal"]


def test_a_run_has_its_parameters_warm_up_and_decay(line, folder):
    options = ["--set", "train.log_every=1", "--set", "train.steps=12", "--set", "model.dim=16"]
    from tests.conftest import TINY

    run = "runs/curve"
    command = ("train", "--config", "base.toml", *TINY, *options, "--out", run, "-q")
    assert line(*command)[0] == 0
    found = fitted(line, run, "--loss", "train")["runs"][0]
    assert found["parameters"] > 400 * 16
    assert found["points"] + found["warmup_points"] == 12
    assert found["learning_rate_decays"]
    assert fitted(line, f"{run}/metrics.jsonl")["runs"][0]["parameters"] == found["parameters"]
    assert "the learning rate falls within the run" in line("scaling", "fit", run)[1]


def test_several_runs_give_a_joint_law_of_their_final_losses(line, tmp_path):
    """Sizes are options of a single file, so the runs here have configurations."""
    few = [write_curve(tmp_path / f"{n}/metrics.jsonl", steps=n) for n in (60, 90)]
    status, output, errors = line("scaling", "fit", *map(str, few))
    assert status == 0
    assert "no joint fit: " in errors
    assert "number of parameters" in errors
    assert len(output.splitlines()) == 4


def test_the_joint_law_of_known_runs_is_found():
    from pathlib import Path

    from spike_commands.scaling.curve import Curve
    from spike_commands.scaling.recipe import joint_fit, joint_row

    curves = []
    for size in (1_000_000, 4_000_000, 16_000_000):
        for end in (2e7, 1.4e8, 1e9):
            tokens = np.linspace(end / 50, end, 50)
            curves.append(
                Curve(
                    origin=Path("run"),
                    tokens=tokens,
                    losses=np.full(50, CHINCHILLA.loss(size, end)),
                    bytes_per_token=None,
                    parameters=size,
                    warmup=None,
                    decays=None,
                )
            )
    found, why = joint_fit(curves, None)
    assert why == ""
    assert joint_row(found)["alpha"] == pytest.approx(0.34, rel=0.02)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line has tokens and loss; name the metrics of a training"),
        ('{"step": 1, "note": "x"}\n', "no line has tokens and loss"),
        ('{"step": 1, "tokens": 5, "loss": null}\n', "no line has tokens and loss"),
        ('{"step": 2, "tokens": 8, "loss": 5}\n', "1 losses after the warm-up, at least 8 needed"),
        ("[1]\n", "remove the line"),
        ('{"step": 2, "tokens": 1e300, "loss": 5}\n', "no line has tokens and loss"),
        (f'{{"step": 2, "tokens": 1{"0" * 400}, "loss": 5}}\n', "no line has tokens and loss"),
        ('{"step": 2, "tokens": 8, "loss": -1}\n', "a loss is not between 1e-06 and 1e+06 nats"),
        ('{"step": 2, "tokens": 8, "loss": 1e17}\n', "a loss is not between 1e-06 and 1e+06 nats"),
        ('{"step": 1, "loss": NaN}\n', "remove the line"),
    ],
)
def test_files_that_hold_no_curve_are_named(text, words, line, tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(text)
    status, output, errors = line("scaling", "fit", str(file))
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert str(file) in errors
    assert words in errors


def test_paths_that_are_no_run_are_named(line, folder, tmp_path):
    for path, words in (
        (tmp_path / "nowhere", "does not exist; name a run"),
        (folder / "data", "no metrics.jsonl; name a run that has trained"),
    ):
        status, _, errors = line("scaling", "fit", str(path))
        assert (status, errors.count("\n")) == (1, 1)
        assert words in errors


def test_pictures_are_written_or_the_missing_library_is_named(line, tmp_path, monkeypatch):
    import sys

    file = write_curve(tmp_path / "metrics.jsonl")
    words = ("scaling", "fit", str(file), "-q", "--plot", str(tmp_path / "a.svg"))
    assert line("scaling", "fit", str(file), "--plot", str(tmp_path / "a.gif"))[0] == 2
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, errors = line(*words)
    assert (status, errors.count("\n")) == (1, 1)
    assert "pip install 'spike-lm[plot]'" in errors
    assert not (tmp_path / "a.svg").exists()
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert line(*words, "--plot", str(tmp_path / "a.png"))[0] == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "a.svg").read_text()
    assert "training tokens D" in first
    assert line(*words)[0] == 0
    assert (tmp_path / "a.svg").read_text() == first

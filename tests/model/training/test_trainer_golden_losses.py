"""The golf presets and SpikeWhaleLM learn as they did when `golden_losses.json` was recorded.

Where a change is meant: python -m tests.model.training.test_trainer_golden_losses records anew.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from spike_lm.model import load_config
from tests.model.tiny import train_tiny

RECORDED = Path(__file__).with_name("golden_losses.json")
PRESETS = ["bese-golf-tiny", "memory-golf-tiny", "ngram-golf-tiny", "escarda-tiny"]
IDS, SEPARATOR, TOLERANCE = 96, 3, 1e-3
OVERRIDES = [
    "train.steps=10",
    "train.batch_size=2",
    "train.micro_batch_size=1",
    "train.threads=1",
    "train.device=cpu",
    "train.log_every=1",
    "model.context=64",
    "validation.every=5",
    "sample.every=0",
]


def text(samples):
    """Yield batches [2, 65]: runs of ids that count up or stay, cut by separators."""
    while True:
        rows = np.arange(samples, samples + 2)[:, None]
        places = rows * 64 + np.arange(65)
        ids = 4 + (places // 7 * 5 + places % 7 * (places // 28 % 3)) % (IDS - 4)
        yield np.where(places % 41 == 0, SEPARATOR, ids), None
        samples += 2


def losses(preset, folder):
    """Return the loss of each step and the two validations of a short run."""
    train_tiny(
        folder,
        load_config(preset, OVERRIDES),
        open_batches=text,
        validation=next(text(1000)),
        byte_lengths=np.ones(IDS, np.int64),
    )
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scores = [line.get("validation_bits_per_byte") for line in lines]
    return {
        "loss": [round(line["loss"], 5) for line in lines],
        "validation_bits_per_byte": [round(score, 5) for score in scores if score],
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_losses_are_as_recorded(preset, tmp_path):
    recorded = json.loads(RECORDED.read_text())[preset]
    found = losses(preset, tmp_path)
    assert found.keys() == recorded.keys()
    for what, expected in recorded.items():
        assert found[what] == pytest.approx(expected, rel=0, abs=TOLERANCE), what


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        anew = {preset: losses(preset, Path(folder) / preset) for preset in PRESETS}
    RECORDED.write_text(json.dumps(anew, indent=1) + "\n")

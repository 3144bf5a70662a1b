import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from spike_lm.model.runs.checkpoint import load_weights, read_state
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, build_plain, tiny_config, train_tiny


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train_tiny(folder)
    return newest_checkpoint(folder)


@pytest.fixture
def checkpoint(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / saved.name)


def test_says_how_far_it_is_and_from_what(saved):
    state = read_state(saved)
    assert (state.step, state.samples, state.tokens) == (8, 32, 384)
    assert sorted(state.fingerprints) == ["config", "data", "tokenizer"]


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors"])
@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_changed_byte_is_noticed(name, place, checkpoint):
    data = bytearray((checkpoint / name).read_bytes())
    data[place] ^= 1
    (checkpoint / name).write_bytes(data)
    with pytest.raises(
        SpikeError,
        match=rf"{name}: .*damaged.*step-00000008 is the only checkpoint",
    ):
        read_state(checkpoint)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "state.json"])
def test_a_missing_or_empty_file_is_noticed(name, checkpoint):
    (checkpoint / name).write_bytes(b"")
    with pytest.raises(SpikeError, match=r"step-00000008 is the only checkpoint"):
        read_state(checkpoint)
    (checkpoint / name).unlink()
    with pytest.raises(SpikeError, match=rf"{name}: missing; restore it"):
        read_state(checkpoint)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format 2 is not known"),
        ("step", -1, r"\$.step"),
        ("step", "8", r"\$.step"),
        ("sha256", {}, "damaged"),
    ],
)
def test_a_changed_state_is_noticed(key, value, message, checkpoint):
    path = checkpoint / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(SpikeError, match=message):
        read_state(checkpoint)


def test_weights_of_another_shape_are_refused(saved):
    model = build_plain(tiny_config("model.ffn_dim=25").model, VOCAB)
    with pytest.raises(
        SpikeError, match=r"model\.layers\.0\.mlp\.down_proj\.weight': torch.float32"
    ):
        load_weights(saved, model)


def test_a_missing_weight_is_refused(checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, checkpoint / "model.safetensors")
    with pytest.raises(SpikeError, match=r"norm\.weight': missing"):
        load_weights(checkpoint, build_plain(tiny_config().model, VOCAB))


def test_unfinished_checkpoints_are_not_seen(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for name in ("step-00000002", ".step-00000004.partial", "step-4", "step-00000003"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert newest_checkpoint(tmp_path).name == "step-00000003"


def test_checkpoints_that_cannot_be_listed_are_not_taken_for_none(tmp_path, monkeypatch):
    (tmp_path / "checkpoints/step-00000002").mkdir(parents=True)

    def refused(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(SpikeError, match="checkpoints: Permission denied; make it readable"):
        newest_checkpoint(tmp_path)
    monkeypatch.undo()
    (tmp_path / "file").mkdir()
    (tmp_path / "file/checkpoints").write_text("")
    with pytest.raises(SpikeError, match="checkpoints: Not a directory"):
        newest_checkpoint(tmp_path / "file")

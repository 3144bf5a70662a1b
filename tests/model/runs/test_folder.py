import json
import re

import pytest
import torch
from safetensors.torch import load_file

from spike_lm.model.artifact.open import open_run
from spike_lm.model.config.loader import config_fingerprint, dump_config
from spike_lm.model.families.build import build_model
from spike_lm.model.runs.checkpoint import load_averages
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.folder import create_run, load_run
from spike_lm.model.runs.lineage import read_config, read_lineage
from spike_lm.model.scoring.bits_per_byte import validation_score
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import golf_config, open_batches, tiny_config, train_tiny


@pytest.fixture
def tokenizer():
    return Tokenizer(build_vocabulary([b"th", b"the "], vocab_size=264, layout="minimal"))


@pytest.fixture
def run(tokenizer, tmp_path):
    """Return the folder of a run that has ended."""
    folder = tmp_path / "runs" / "tiny"
    fingerprints = {"tokenizer": tokenizer.fingerprint, "data": "d"}
    create_run(folder, tiny_config(), tokenizer, fingerprints)
    train_tiny(
        folder,
        byte_lengths=tokenizer.byte_lengths,
        lineage=fingerprints,
    )
    return folder


def test_opens_what_was_trained(run, tokenizer):
    opened = load_run(run)
    assert opened.config == tiny_config()
    assert opened.step == 8
    assert opened.tokenizer.fingerprint == tokenizer.fingerprint
    ids = torch.from_numpy(tokenizer.encode("the thing").astype("int64"))
    logits = opened.model(ids[None])
    assert logits.shape == (1, len(ids), 264)
    assert not logits.requires_grad
    fresh = sum(float(p.abs().sum()) for n, p in opened.model.named_parameters() if "down" in n)
    assert fresh > 0


@pytest.mark.parametrize("exported", ["weights", "ema", "swa"])
def test_opens_the_weights_that_are_to_be_exported(exported, tokenizer, tmp_path):
    config = golf_config(f"averaging.use={exported}")
    fingerprints = {"tokenizer": tokenizer.fingerprint, "data": "d"}
    create_run(tmp_path, config, tokenizer, fingerprints)
    result = train_tiny(
        tmp_path,
        config,
        byte_lengths=tokenizer.byte_lengths,
        lineage=fingerprints,
    )
    opened = load_run(tmp_path)
    checkpoint = newest_checkpoint(tmp_path)
    weights = load_file(checkpoint / "model.safetensors")
    expected = (
        weights if exported == "weights" else load_averages(checkpoint, opened.model, exported)
    )
    for name, weight in opened.model.state_dict().items():
        assert torch.equal(weight, expected[name])
    windows = next(open_batches(10_000))[0]
    score = validation_score(opened.model, windows, tokenizer.byte_lengths)
    assert result.metrics["validation_bits_per_byte"] == pytest.approx(score.bits_per_byte)


@pytest.mark.parametrize("name", ["config.toml", "tokenizer.json"])
def test_a_missing_file_is_to_be_restored(run, name):
    (run / name).unlink()
    with pytest.raises(SpikeError, match=f"{name}: missing; restore it from a copy"):
        load_run(run)


def test_a_damaged_tokenizer_is_to_be_restored(run):
    path = run / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SpikeError, match=r"tokenizer\.json: the file .*; restore it from a copy"):
        load_run(run)


def test_a_path_of_nothing_may_have_been_a_run_or_a_packed_model(tmp_path):
    with pytest.raises(SpikeError, match=r"does not exist; .* a run folder or a packed model"):
        open_run(tmp_path / "a.spike")


def test_says_what_it_was_made_from_and_with(run, tokenizer):
    lineage = read_lineage(run)
    assert lineage.fingerprints == {"tokenizer": tokenizer.fingerprint, "data": "d"}
    assert lineage.torch == torch.__version__


def test_a_run_is_not_overwritten(run, tokenizer):
    with pytest.raises(SpikeError, match="holds a run already"):
        create_run(run, tiny_config(), tokenizer, {})


def _change_config(run):
    (run / "config.toml").write_text(dump_config(tiny_config("train.seed=1")))


def _change_tokenizer(run):
    other = Tokenizer(build_vocabulary([b"xy"], vocab_size=264, layout="minimal"))
    other.save(run / "tokenizer.json")


def _change_lineage(run):
    path = run / "run.json"
    lineage = json.loads(path.read_text())
    lineage["fingerprints"]["data"] = "other"
    path.write_text(json.dumps(lineage))


def _change_format(run):
    path = run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def _remove_lineage(run):
    (run / "run.json").unlink()


def _remove_checkpoints(run):
    for folder in (run / "checkpoints").iterdir():
        folder.rename(folder.with_name("." + folder.name))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change_config, r"state\.json: its fingerprint of config .* that of .*config\.toml \("),
        (_change_tokenizer, "not the tokenizer"),
        (_change_lineage, r"state\.json: its fingerprint of data .* that of .*run\.json \(other\)"),
        (_change_format, "format 2 is not known"),
        (_remove_lineage, "name a run folder"),
        (_remove_checkpoints, "no checkpoint yet"),
    ],
)
def test_a_damaged_run_is_refused(damage, message, run):
    damage(run)
    with pytest.raises(SpikeError, match=message):
        load_run(run)


def fingerprints_of(run):
    """Each fingerprint in `run.json` and `state.json`: file, value, what it is compared with."""
    state = newest_checkpoint(run) / "state.json"
    of_state = json.loads(state.read_text())
    of_run = json.loads((run / "run.json").read_text())["fingerprints"]
    for name, value in of_state["sha256"].items():
        yield state, value, state.with_name(name)
    for name, value in of_state["fingerprints"].items():
        yield state, value, run / ("config.toml" if name == "config" else "run.json")
    for value in of_run.values():
        yield run / "run.json", value, state


@pytest.mark.parametrize("place", [0, -1])
def test_a_damaged_fingerprint_names_both_files_and_shows_the_difference(run, place):
    for path, value, other in [*fingerprints_of(run)]:
        before = path.read_text()
        flipped = [*value]
        flipped[place] = "0" if value[place] != "0" else "1"
        assert before.count(f'"{value}"') == 1
        path.write_text(before.replace(f'"{value}"', f'"{"".join(flipped)}"'))
        for reader in (load_run, read_config) if other.suffix != ".safetensors" else (load_run,):
            with pytest.raises(SpikeError) as error:
                reader(run)
            told = str(error.value)
            assert str(path) in told
            assert str(other) in told
            assert "of both" in told
            shown = re.findall(r" \((\w+…?)\)", told)
            assert len({*shown}) == 2
        path.write_text(before)
    load_run(run)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.dim=4096",
            r"torch\.float32 \[264, 16\], but the configuration needs torch\.float32 \[264, 4096\]",
        ),
        ("model.ffn_dim=999999", "mlp.down_proj"),
        ("model.layers=1024", "fewer weights than its configuration has layers"),
    ],
)
def test_a_forged_configuration_takes_no_memory(override, message, run, monkeypatch):
    forged = tiny_config(override)
    (run / "config.toml").write_text(dump_config(forged))
    state = newest_checkpoint(run) / "state.json"
    content = json.loads(state.read_text())
    content["fingerprints"]["config"] = config_fingerprint(forged)
    state.write_text(json.dumps(content))
    devices = []

    def watched(*arguments, **options):
        devices.append(options.get("device", "cpu"))
        return build_model(*arguments, **options)

    monkeypatch.setattr("spike_lm.model.runs.folder.build_model", watched)
    with pytest.raises(SpikeError, match=message):
        load_run(run)
    assert "cpu" not in devices

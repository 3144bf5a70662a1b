"""Exported folders brought back, and folders that somebody has tampered with."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spike_lm.model.huggingface import export_model, import_model
from spike_lm.model.runs.folder import load_run
from spiketok.errors import SpikeError
from tests.model.huggingface.conftest import KINDS, make_run

TRAINING_ONLY = {
    "whale": ("mtp_heads", "jepa"),
    "rare": ("mtp_heads", "jepa"),
    "golf": ("mtp_heads",),
}


def changed(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_to_the_bit(runs, tmp_path, kind):
    run, folder = runs(kind)
    import_model(folder, tmp_path / "back")
    before, after = load_run(run), load_run(tmp_path / "back")
    training_only = TRAINING_ONLY.get(kind, ())
    kept = {k: w for k, w in before.model.state_dict().items() if not k.startswith(training_only)}
    found = after.model.state_dict()
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], weight) for name, weight in kept.items())
    assert after.tokenizer.fingerprint == before.tokenizer.fingerprint
    assert (after.step, after.fingerprints["data"]) == (before.step, before.fingerprints["data"])
    if not training_only:
        assert after.fingerprints == before.fingerprints
    assert after.config.train == before.config.train
    export_model(tmp_path / "back", tmp_path / kind)
    for file in folder.iterdir():
        if file.name not in ("README.md", "spike_run.json", "generation_config.json"):
            assert (tmp_path / kind / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_mean_that_counts_is_what_is_exported_and_comes_back(tmp_path):
    first = make_run(tmp_path / "first", KINDS["plain"])
    means = {name: w + 1 for name, w in load_run(first).model.state_dict().items()}
    averaging = ["averaging.swa_every=1", "averaging.use=swa"]
    averages = {f"swa/{name}": w for name, w in means.items()}
    run = make_run(tmp_path / "run", [*KINDS["plain"], *averaging], averages)
    export_model(run, tmp_path / "exported")
    import_model(tmp_path / "exported", tmp_path / "back")
    found = load_run(tmp_path / "back").model.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in means.items())
    assert "the mean `swa`" in (tmp_path / "exported/README.md").read_text()


@pytest.mark.parametrize("kind", ["plain", "whale", "golf"])
def test_weights_alone_come_back_as_a_run_at_step_0(runs, tmp_path, kind):
    _, folder = runs(kind)
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    for name in ("spike_run.json", "spike_config.toml"):
        (other / name).unlink()
    weights = {k: w.bfloat16() for k, w in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors")
    config = import_model(other, tmp_path / "back")
    back = load_run(tmp_path / "back")
    assert (back.step, back.config) == (0, config)
    state = back.model.state_dict()
    assert state.keys() == weights.keys()
    assert all(torch.equal(w, weights[name].float()) for name, w in state.items())


def test_code_in_the_folder_is_never_run(runs, tmp_path):
    other = Path(shutil.copytree(runs("whale")[1], tmp_path / "other"))
    for name in ("spike_model.py", "spike_tokenizer.py", "__init__.py"):
        (other / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit")
    import_model(other, tmp_path / "back")
    assert not (tmp_path / "ran").exists()


def sections(folder, **changes):
    found = json.loads((folder / "config.json").read_text())["sections"]
    return {"model": {**found["model"], **changes}, "spikewhale": found["spikewhale"]}


def of_another_size(folder):
    (folder / "spike_config.toml").unlink()
    changed(folder / "config.json", sections=sections(folder, vocab_size=5000))


HOSTILE = {
    "no file": (lambda f: (f / "config.json").unlink(), "without config.json"),
    "no json": (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
    "deep": (lambda f: (f / "config.json").write_text('{"a":' + "[" * 100_000), "cannot be read"),
    "list": (lambda f: (f / "config.json").write_text("[]"), "cannot be read"),
    "other model": (
        lambda f: changed(f / "config.json", model_type="llama"),
        "model_type: 'llama'",
    ),
    "no sections": (lambda f: changed(f / "config.json", sections=None), "sections: unknown"),
    "other section": (
        lambda f: changed(f / "config.json", sections={"model": {}, "data": {"path": "/"}}),
        "sections: unknown",
    ),
    "too large": (
        lambda f: changed(f / "config.json", sections=sections(f, layers=10**9)),
        "model.layers",
    ),
    "larger": (
        lambda f: changed(f / "config.json", sections=sections(f, dim=65_536)),
        "spike_config.toml: not of the model",
    ),
    "no number": (
        lambda f: changed(f / "config.json", sections=sections(f, dim="__import__('os')")),
        "model.dim",
    ),
    "separator": (lambda f: changed(f / "config.json", separator=4), "separator: 4"),
    "vocabulary": (lambda f: changed(f / "config.json", vocab_size=10**12), "vocab_size"),
    "other vocabulary": (of_another_size, "sections.model.vocab_size: 5000"),
    "tokenizer": (lambda f: (f / "spike_tokenizer.json").unlink(), "put spike's tokenizer"),
    "record": (lambda f: (f / "spike_run.json").write_text("{}"), "spike_run.json: cannot"),
    "format": (lambda f: changed(f / "spike_run.json", format=2), "format 2 is not known"),
    "step": (lambda f: changed(f / "spike_run.json", step=-1), "spike_run.json: cannot"),
    "digest": (lambda f: changed(f / "spike_run.json", sha256="0" * 64), "not the weights"),
    "toml": (lambda f: (f / "spike_config.toml").write_text("[model]\nx=1"), "no such key"),
}


@pytest.mark.parametrize(("tamper", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_folder_is_refused_in_one_line_and_leaves_nothing(
    runs, tmp_path, tamper, message
):
    other = Path(shutil.copytree(runs("whale")[1], tmp_path / "other"))
    tamper(other)
    with pytest.raises(SpikeError) as failed:
        import_model(other, tmp_path / "back")
    assert message in str(failed.value)
    assert "\n" not in str(failed.value)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


WEIGHTS = {
    "missing": (lambda w: w.popitem(), "missing"),
    "more": (lambda w: w.update({"x\ny": torch.zeros(1)}), "no such weight"),
    "shape": (lambda w: w.update({"model.norm.weight": torch.zeros(7)}), "needs F32"),
    "not a number": (lambda w: w["model.norm.weight"].fill_(float("nan")), "not finite"),
    "infinite": (
        lambda w: w["model.embed_tokens.weight"][3].fill_(float("inf")),
        "not finite",
    ),
    "type": (lambda w: w.update({"model.norm.weight": torch.zeros(24).double()}), "needs F32"),
}


@pytest.mark.parametrize(("tamper", "message"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_do_not_fit_are_refused(runs, tmp_path, tamper, message):
    other = Path(shutil.copytree(runs("whale")[1], tmp_path / "other"))
    (other / "spike_run.json").unlink()
    weights = load_file(other / "model.safetensors")
    tamper(weights)
    save_file(weights, other / "model.safetensors")
    with pytest.raises(SpikeError, match=message):
        import_model(other, tmp_path / "back")


def test_a_damaged_file_of_weights_is_refused(runs, tmp_path):
    other = Path(shutil.copytree(runs("plain")[1], tmp_path / "other"))
    (other / "spike_run.json").unlink()
    (other / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(SpikeError, match="cannot be read"):
        import_model(other, tmp_path / "back")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_type"),
        ({"rope_theta": 5.0}, "rope_theta: 10000.0 and 5.0"),
        ({"rope_theta": [5.0]}, r"rope_theta: 10000.0 and \[5.0\]"),
        ({"rope_theta": None, "rope_parameters": {"rope_type": "default"}}, "rope_theta: missing"),
        ({"layer_types": ["sliding_attention"]}, "layer_types"),
        ({"head_dim": None}, "head_dim: missing"),
        ({"hidden_size": 18}, "not of the model"),
    ],
)
def test_stock_models_that_do_something_else_are_refused(runs, tmp_path, changes, message):
    other = Path(shutil.copytree(runs("plain")[1], tmp_path / "other"))
    changed(other / "config.json", **changes)
    with pytest.raises(SpikeError, match=message):
        import_model(other, tmp_path / "back")


@pytest.mark.parametrize(
    "places",
    [
        {"rope_theta": 1e4, "rope_parameters": {"rope_type": "default"}},
        {"rope_theta": 1e4, "rope_parameters": {"rope_type": "default", "rope_theta": None}},
        {"rope_theta": 1e4, "rope_parameters": None},
        {"rope_theta": None, "rope_parameters": {"rope_theta": 1e4}},
    ],
)
def test_the_base_of_the_rotation_is_read_where_engines_write_it(runs, tmp_path, places):
    other = Path(shutil.copytree(runs("plain")[1], tmp_path / "other"))
    changed(other / "config.json", **places)
    assert import_model(other, tmp_path / "back").model.rope_base == 1e4


def test_a_run_folder_that_is_there_is_kept(runs, tmp_path):
    (tmp_path / "back").mkdir()
    (tmp_path / "back/notes.txt").write_text("kept")
    with pytest.raises(SpikeError, match="exists already"):
        import_model(runs("plain")[1], tmp_path / "back")


def test_trained_ids_go_out_as_suppressed_ones_and_come_back(tmp_path):
    trained = np.arange(400) % 5 != 0
    run = make_run(tmp_path / "run", KINDS["plain"], trained_ids=trained)
    export_model(run, tmp_path / "exported")
    generation = tmp_path / "exported/generation_config.json"
    suppressed = json.loads(generation.read_text())["suppress_tokens"]
    tokenizer = load_run(run).tokenizer
    unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    assert suppressed == sorted({*range(0, 400, 5)} | unused - {tokenizer.eos_id})
    import_model(tmp_path / "exported", tmp_path / "back")
    assert np.flatnonzero(~load_run(tmp_path / "back").trained_ids).tolist() == suppressed
    for number, wrong in enumerate(('{"suppress_tokens": [400]}', "[]", '{"suppress_tokens": 3}')):
        generation.write_text(wrong)
        import_model(tmp_path / "exported", tmp_path / f"back-{number}")
        assert load_run(tmp_path / f"back-{number}").trained_ids is None

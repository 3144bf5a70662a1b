"""Opening of causal language models: one model in every form gives one score."""

import json
import shutil

import pytest
import torch

from spike_lm.model.evaluation.causal_lm import SpikeLM, open_causal_lm
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import score_items
from spike_lm.model.huggingface import export_model
from spiketok.errors import SpikeError
from tests.model.evaluation.stock_models import write_stock_model
from tests.model.huggingface.conftest import KINDS, make_run

START = "the user and the other user eat an"
CHOICES = (" apple", " hut a day", " the")
ITEM = Item(tuple(Request(START, choice) for choice in CHOICES), CHOICES, 0, "f:1")
EMPTY = Item((Request("", "the user"), Request("", "the hut")), ("", ""), 0, "f:2")


def scores(lm, items=(ITEM, EMPTY)):
    return [found for _, found in score_items(lm, items)]


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("kind", ["plain", "golf", "whale"])
def test_an_exported_folder_scores_as_its_run(kind, tmp_path):
    run = make_run(tmp_path / "run", KINDS[kind])
    export_model(run, tmp_path / "exported")
    opened = open_causal_lm(tmp_path / "exported")
    assert isinstance(opened, SpikeLM)
    assert scores(opened) == scores(open_causal_lm(run))


@pytest.mark.parametrize("kind", ["plain", "golf"])
def test_the_code_of_an_exported_folder_scores_alike(transformers, kind, tmp_path):
    del transformers
    from spike_lm.model.huggingface.causal_lm import open_hugging_face

    export_model(make_run(tmp_path / "run", KINDS[kind]), tmp_path / "exported")
    theirs = open_hugging_face(tmp_path / "exported", trust_remote_code=True)
    assert theirs.shares_prefixes == (kind == "plain")
    ours = open_causal_lm(tmp_path / "exported")
    for found, expected in zip(scores(theirs), scores(ours), strict=True):
        assert [s.nats for s in found] == pytest.approx([s.nats for s in expected], abs=1e-4)
        assert [s.is_greedy for s in found] == [s.is_greedy for s in expected]


@pytest.mark.parametrize("kind", ["Llama", "GPT2", "Mistral", "Mamba"])
def test_stock_models_score_as_full_passes(transformers, kind, tmp_path):
    lm = open_causal_lm(write_stock_model(transformers, tmp_path / kind, kind))
    assert lm.shares_prefixes == (kind != "Mamba")
    for item, found in zip((ITEM, EMPTY), scores(lm), strict=True):
        for request, score in zip(item.requests, found, strict=True):
            context = lm.library_tokenizer.encode(request.context) or [lm.prefix_id]
            ids = lm.library_tokenizer.encode(request.continuation)
            with torch.inference_mode():
                table = lm.model(torch.tensor([context + ids])).logits[0].log_softmax(-1)
            rows = torch.arange(len(context) - 1, len(context) + len(ids) - 1)
            assert score.nats == pytest.approx(float(table[rows, ids].sum()), abs=1e-4)
            assert score.tokens == len(ids)
    assert scores(lm, (EMPTY, ITEM))[::-1] == scores(lm)


def test_a_folder_that_runs_code_is_refused(transformers, tmp_path):
    folder = write_stock_model(transformers, tmp_path / "model", "Llama")
    own = shutil.copytree(folder, tmp_path / "own")
    fields = json.loads((own / "config.json").read_text()) | {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    }
    (own / "config.json").write_text(json.dumps(fields))
    (own / "code.py").write_text("raise SystemExit('was run')")
    pickled = shutil.copytree(folder, tmp_path / "pickled")
    torch.save({}, pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"no tensors")
    for path, message in [
        (own, "code of its own; read it, and pass --trust-remote-code"),
        (pickled, "pytorch_model.bin: pickled weights can run code"),
        (bare, "has no .*safetensors; save the model again"),
        (damaged, "transformers cannot load it"),
    ]:
        with pytest.raises(SpikeError, match=message) as caught:
            open_causal_lm(path)
        assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_the_configuration_are_named(transformers, tmp_path):
    """transformers initialises missing weights at random, and leaves out those it does not know."""
    from safetensors.torch import load_file, save_file

    folder = write_stock_model(transformers, tmp_path / "model", "Llama")
    weights = load_file(folder / "model.safetensors")
    fields = json.loads((folder / "config.json").read_text())

    def changed(name, tensors=weights, **values):
        copy = shutil.copytree(folder, tmp_path / name)
        save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
        (copy / "config.json").write_text(json.dumps(fields | values))
        return copy

    lost = next(name for name in weights if name.endswith("gate_proj.weight"))
    fewer = {name: tensor for name, tensor in weights.items() if name != lost}
    for path, message in [
        (changed("fewer", fewer), f"has no weights for {lost} and 0 more; restore"),
        (changed("layers", num_hidden_layers=fields["num_hidden_layers"] + 1), "has no weights"),
        (changed("many", num_hidden_layers=10**9), "num_hidden_layers is 1000000000, but the f"),
        (changed("negative", num_hidden_layers=-1), "config.json: num_hidden_layers is -1"),
        (changed("context", max_position_embeddings=-5), "max_position_embeddings is -5"),
    ]:
        with pytest.raises(SpikeError, match=message) as caught:
            open_causal_lm(path)
        assert "\n" not in str(caught.value)
    more = open_causal_lm(changed("more", weights | {"other.weight": torch.zeros(2)}))
    assert more.unused_weights == ("other.weight",)
    assert open_causal_lm(folder).unused_weights == ()

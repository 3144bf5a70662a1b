"""What is in an exported folder."""

import json
import re

import pytest
import torch
from safetensors import safe_open

from spike_lm.model import load_config
from spike_lm.model.config.loader import config_fingerprint
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_parameters
from spike_lm.model.huggingface import export_model, import_model
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.folder import create_run, load_run
from spike_lm.model.training.checkpoint import RunPosition, TrainingTensors, save_checkpoint
from spiketok import BeseVocabulary, Tokenizer
from spiketok.errors import SpikeError
from tests.model.huggingface.conftest import KINDS, make_run
from tests.model.tiny import tiny_config


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_stock_class_is_used_where_it_can_be(runs, kind):
    _, folder = runs(kind)
    fields, stock = read(folder, "config.json"), kind in ("plain", "untied")
    assert fields["architectures"] == ["Qwen3ForCausalLM" if stock else "SpikeForCausalLM"]
    assert ("auto_map" in fields) == (folder / "spike_model.py").exists() == (not stock)
    assert fields["dtype"] == "float32"


def test_the_reason_is_named(runs, tmp_path):
    exported = {kind: export_model(runs(kind)[0], tmp_path / kind) for kind in KINDS}
    reasons = {
        "capped": ["model.logit_softcap"],
        "whale": ["spikewhale"],
        "golf": ["golf", "model.logit_softcap"],
    }
    for kind, wanted in {**reasons, "plain": [], "rare": ["spikewhale"]}.items():
        assert exported[kind].beyond_stock == wanted
    assert exported["whale"].left_out == ["mtp_heads", "jepa"]
    assert exported["golf"].left_out == ["mtp_heads"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_that_count_and_no_others(runs, kind):
    run, folder = runs(kind)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        names = list(file.keys())
        numbers = [file.get_tensor(name).numel() for name in names]
    model = load_run(run).model
    kept = sum(b.numel() for n, b in model.named_buffers() if n == "model.engram.projections")
    assert sum(numbers) == exported_parameters(model) + kept
    with safe_open(newest_checkpoint(run) / "model.safetensors", framework="pt") as file:
        in_the_run = [name for name in list(file.keys()) if name.startswith(("model.", "lm_head."))]
    assert sorted(names) == sorted(in_the_run)


def test_nothing_tells_where_the_run_its_data_and_teachers_lay(tmp_path):
    places = [f"data.path={tmp_path}/data", f'distill.teachers=["{tmp_path}/a", "{tmp_path}/b"]']
    run = make_run(tmp_path / "run", [*KINDS["whale"], *places])
    export_model(run, tmp_path / "exported")
    for file in (tmp_path / "exported").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
    import_model(tmp_path / "exported", tmp_path / "back")
    assert load_run(tmp_path / "back").config.distill.teachers == ("teacher-1", "teacher-2")


def test_the_card_has_the_numbers_of_the_records_and_no_others(runs):
    run, folder = runs("plain")
    card = (folder / "README.md").read_text()
    loaded = load_run(run)
    rows = dict(re.findall(r"^\| (\w[^|]+) \| ([^|]+) \|$", card, re.MULTILINE))
    fingerprint = rows.pop("config"), rows.pop("tokenizer"), rows.pop("data")
    assert fingerprint == tuple(
        f"`{loaded.fingerprints[name]}`" for name in ("config", "tokenizer", "data")
    )
    rows.pop("fingerprint")
    assert rows == {
        "parameters": f"{exported_parameters(loaded.model):,}",
        "vocabulary": "400",
        "context, tokens": "24",
        "steps": "8",
        "tokens trained on": "768",
        "training loss, bits per byte": "4.5000",
        "validation, bits per byte": "3.2500",
    }
    assert "trust_remote_code" not in card.split("tokenizer =")[0]
    assert "trust_remote_code=True" in (runs("golf")[1] / "README.md").read_text()


def test_generate_is_told_what_spike_generate_does(runs, tmp_path):
    run, folder = runs("plain")
    tokenizer = load_run(run).tokenizer
    fields = read(folder, "generation_config.json")
    assert fields["bos_token_id"] == fields["eos_token_id"] == tokenizer.eos_id
    assert read(folder, "config.json")["bos_token_id"] == tokenizer.eos_id
    assert (fields["do_sample"], fields["top_k"]) == (True, 0)
    unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    assert fields["suppress_tokens"] == sorted(unused - {tokenizer.eos_id})
    chat = make_run(tmp_path / "chat", KINDS["plain"])
    (chat / "metrics.jsonl").write_text('{"step":8,"reply_loss":4.5}\n')
    export_model(chat, tmp_path / "exported")
    fields = read(tmp_path / "exported", "generation_config.json")
    end = tokenizer.special_ids["<|im_end|>"]
    assert fields["eos_token_id"] == [tokenizer.eos_id, end]
    assert end not in fields["suppress_tokens"]
    assert tokenizer.special_ids["<bos>"] in fields["suppress_tokens"]


def test_two_exports_are_equal_and_a_folder_that_is_there_is_kept(runs, tmp_path):
    run, folder = runs("whale")
    export_model(run, tmp_path / folder.name)
    for file in folder.iterdir():
        assert (tmp_path / folder.name / file.name).read_bytes() == file.read_bytes()
    with pytest.raises(SpikeError, match="exists already"):
        export_model(run, folder)


def test_a_failure_leaves_nothing(runs, tmp_path):
    run = make_run(tmp_path / "run", KINDS["plain"])
    (run / "metrics.jsonl").write_text("{broken\n")
    with pytest.raises(SpikeError, match=r"metrics\.jsonl:1"):
        export_model(run, tmp_path / "exported")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_models_with_a_bese_tokenizer_go_out_without_its_class(tmp_path):
    config = tiny_config(*KINDS["golf"])
    tokenizer = Tokenizer(BeseVocabulary(merges=((20, 21),), vocab_size=41))
    lineage = {"tokenizer": tokenizer.fingerprint, "data": "d" * 64}
    create_run(tmp_path / "run", config, tokenizer, lineage)
    model = build_model(config, 41, eos_id=tokenizer.eos_id)
    prints = {"config": config_fingerprint(config), **lineage}
    position = RunPosition(step=8, samples=32, tokens=768, fingerprints=prints)
    save_checkpoint(tmp_path / "run", model, position, TrainingTensors())
    exported = export_model(tmp_path / "run", tmp_path / "exported")
    assert "tokenizer_config.json" not in exported.files
    assert "Only spike reads its BESE tokenizer" in (tmp_path / "exported/README.md").read_text()
    import_model(tmp_path / "exported", tmp_path / "back")
    back = load_run(tmp_path / "back")
    assert back.tokenizer.fingerprint == tokenizer.fingerprint
    ids = torch.arange(1, 20)[None]
    assert torch.equal(back.model(ids), load_run(tmp_path / "run").model(ids))


@pytest.mark.parametrize("preset", ["base", "escarda-86m-base", "bese-golf", "memory-golf"])
def test_presets_say_every_key_of_their_sections(preset):
    from spike_lm.model.huggingface.config_json import spike_fields

    config = load_config(preset)
    fields = json.loads(json.dumps(spike_fields(config, 16512, 3)))
    for name, section in fields["sections"].items():
        assert section.keys() == set(getattr(config, name).__struct_fields__)

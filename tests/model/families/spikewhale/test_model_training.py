import json

import numpy as np
import pytest
import torch

from spike_lm.model.families.build import build_model
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.training.activation_checkpointing import checkpoint_activations
from spike_lm.model.training.optimizers import build_optimizers
from tests.model.tiny import (
    VOCAB,
    WHALE_RARE,
    bytes_of_run,
    golf_config,
    open_batches,
    tiny_config,
    train_tiny,
    whale_config,
)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whale") / "run"
    train_tiny(folder, whale_config("averaging.ema_decay=0.5"))
    return folder


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_stopped_and_resumed_equals_uninterrupted(stop_at, whole_run, tmp_path):
    config, asked = whale_config("averaging.ema_decay=0.5"), iter(range(100))
    train_tiny(tmp_path, config, should_stop=lambda: next(asked) == stop_at)
    torch.rand(3)
    train_tiny(tmp_path, config, resume=True)
    ours, theirs = bytes_of_run(tmp_path), bytes_of_run(whole_run)
    last = {name for name in theirs if "step-00000008" in name}
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


def test_losses_are_reported_apart(whole_run):
    for line in metrics_of(whole_run):
        assert line["loss"] == pytest.approx(np.log(VOCAB), abs=0.5)
        assert line["mtp_loss"] == pytest.approx(np.log(VOCAB), abs=0.5)
        assert 0 < line["jepa_loss"] < 2
        assert line["z_loss"] == pytest.approx(np.log(VOCAB) ** 2, abs=3)
        assert "aux_loss" not in line


def test_parts_of_a_batch_add_up(tmp_path):
    for parts in (2, 4):
        # The load of experts is that of a part; its gradient would not add up.
        settings = (f"train.micro_batch_size={parts}", "spikewhale.moe_aux_loss_coef=0")
        train_tiny(tmp_path / str(parts), whale_config(*WHALE_RARE, *settings))
    for a, b in zip(*(metrics_of(tmp_path / parts) for parts in "24"), strict=True):
        assert {"loss", "mtp_loss", "jepa_loss", "z_loss", "aux_loss"} < a.keys()
        assert a["aux_loss"] == pytest.approx(2, abs=0.1)
        for name in ("loss", "mtp_loss", "jepa_loss", "z_loss"):
            assert a[name] == pytest.approx(b[name], rel=1e-4)


def test_with_a_mask_every_loss_is_that_of_the_replies(tmp_path):
    def masked(samples):
        for ids, _ in open_batches(samples):
            yield ids, ids % 2 == 0

    train_tiny(tmp_path, whale_config(), open_batches=masked, validation=None)
    names = {"reply_loss", "reply_mtp_loss", "reply_jepa_loss", "reply_z_loss", "reply_tokens"}
    for line in metrics_of(tmp_path):
        found = {name for name in line if "loss" in name or "reply" in name}
        assert found == names | {"train_reply_bits_per_byte"}


@pytest.mark.parametrize("overrides", [[], ["spikewhale.layout=published"], WHALE_RARE], ids=str)
def test_learns_one_batch_by_heart(overrides, tmp_path):
    batch = next(open_batches(0))

    def same_batch(samples):
        while True:
            yield batch

    config = whale_config(
        *overrides,
        "train.steps=60",
        "optimizer.adamw_learning_rate=0.03",
        "optimizer.muon_learning_rate=0.1",
        "checkpoint.every=60",
    )
    result = train_tiny(tmp_path, config, open_batches=same_batch, validation=batch)
    assert result.metrics["loss"] < 0.5 * np.log(VOCAB)
    assert result.metrics["validation_nats_per_token"] < 0.5 * np.log(VOCAB)


def rare_config(*overrides):
    return whale_config(*WHALE_RARE, *overrides)


@pytest.mark.parametrize("make", [tiny_config, golf_config, whale_config, rare_config])
def test_recomputed_blocks_train_to_the_same_weights(make, tmp_path):
    for value in ("false", "true"):
        train_tiny(tmp_path / value, make(f"train.activation_checkpointing={value}"))
    kept, again = (
        (newest_checkpoint(tmp_path / value) / "model.safetensors").read_bytes()
        for value in ("false", "true")
    )
    assert kept == again


def test_recomputed_blocks_do_run_again():
    model = build_model(tiny_config(), VOCAB, eos_id=3)
    runs = []
    model.layers[1].self_attn.register_forward_pre_hook(lambda *_: runs.append(1))
    checkpoint_activations(model)
    model(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    assert len(runs) == 2


def test_roles_of_parameters():
    config = whale_config(*WHALE_RARE, "optimizer.mtp_learning_rate=0.75")
    model = build_model(config, VOCAB, eos_id=3)
    adamw, muon = build_optimizers(model, config.optimizer)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tables, mtp, vectors = ({names[id(p)] for p in group["params"]} for group in adamw.param_groups)
    assert tables == {"model.embed_tokens.weight", "model.engram.table.weight"}
    assert mtp == {"mtp_heads.0.proj.weight", "mtp_heads.1.proj.weight"}
    assert {
        "model.hyper_connections.res_logits",
        "model.engram.gate.weight",
        "model.hrm_refine.up.weight",
    } < vectors
    assert {"model.layers.0.attn.derf.slope", "model.layers.0.token_gate", "jepa.gate"} < vectors
    matrices = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert {
        "model.layers.1.ffn.experts.2.up_proj.weight",
        "model.layers.0.attn.k_proj.weight",
    } < matrices
    assert tables | mtp | vectors | matrices == set(names.values()) - {"model.engram.compressor"}

"""A model small enough to train within a second, and data for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from spike_lm.model import Config, load_config
from spike_lm.model.config.schema import ModelConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.language_model import LanguageModel
from spike_lm.model.training.data import InitialWeights, TokenizerFacts, TrainingData
from spike_lm.model.training.trainer import TrainerCallbacks, TrainResult, train

VOCAB = 32
FACTS = TokenizerFacts(byte_lengths=np.arange(VOCAB), eos_id=3)

TINY = [
    "model.layers=2",
    "model.dim=16",
    "model.heads=4",
    "model.kv_heads=2",
    "model.head_dim=8",
    "model.ffn_dim=24",
    "model.context=12",
    "train.steps=8",
    "train.batch_size=4",
    "train.micro_batch_size=2",
    "train.device=cpu",
    "train.threads=1",
    "train.log_every=2",
    "validation.every=0",
    "sample.every=0",
    "checkpoint.every=4",
]

# Everything that the golf family knows, at once.
GOLF = [
    "model.layers=6",
    "model.logit_softcap=5",
    "golf.qk_gain_init=1.5",
    "golf.rope_dims=4",
    "golf.original_context=6",
    "golf.xsa_last_n=3",
    "golf.leaky_relu_slope=0.5",
    "golf.ln_scale=true",
    "golf.x0_mix=true",
    "golf.unet_skips=true",
    "golf.parallel_residual_last_n=2",
    "golf.recur_layers=[2, 3]",
    "golf.num_loops=3",
    "golf.recur_start=0.5",
    "golf.bigram_vocab_size=64",
    "golf.bigram_dim=4",
    "golf.smear_gate=true",
    "golf.ve_last_n=2",
    "golf.ve_dim=4",
    "golf.value_residual=true",
    "golf.memory_tokens=3",
    "golf.mtp_num_heads=2",
    "optimizer.muon_momentum_warmup=6",
    "optimizer.vector_weight_decay=0.1",
    "averaging.ema_decay=0.5",
    "averaging.ema_every=2",
    "averaging.swa_every=2",
    "averaging.swa_start_lr_ratio=0.8",
    "averaging.use=ema",
]

# What the SpikeWhale presets have on, with two heads that look ahead.
WHALE = [
    "model.dim=24",
    "model.kv_heads=1",
    "spikewhale.q_lora_rank=8",
    "spikewhale.o_lora_rank=8",
    "spikewhale.qk_rope_head_dim=4",
    "spikewhale.use_xsa=true",
    "spikewhale.hc_mult=2",
    "spikewhale.engram_table_size=16",
    "spikewhale.engram_compress_dim=8",
    "spikewhale.hrm_refine_steps=1",
    "spikewhale.hrm_refine_dim=8",
    "spikewhale.num_nextn_predict_layers=2",
    "spikewhale.jepa_horizon=2",
    "spikewhale.jepa_pred_dim=8",
    "spikewhale.zloss_coef=0.001",
]
# What they have off.
WHALE_RARE = [
    "spikewhale.use_derf=true",
    "spikewhale.use_value_embed=true",
    "spikewhale.moe_layers=[0, 1]",
    "spikewhale.num_hash_layers=1",
    "spikewhale.n_routed_experts=3",
]


def tiny_config(*overrides: str) -> Config:
    return load_config("base", [*TINY, *overrides])


def golf_config(*overrides: str) -> Config:
    return tiny_config(*GOLF, *overrides)


def whale_config(*overrides: str) -> Config:
    return tiny_config(*WHALE, *overrides)


def build_plain(
    shape: ModelConfig, vocab_size: int = VOCAB, *, seed: int = 0, device: str = "cpu"
) -> LanguageModel:
    """Return a Qwen3-shaped model of that shape."""
    config = msgspec.structs.replace(tiny_config(), model=shape)
    return build_model(config, vocab_size, eos_id=3, seed=seed, device=device)


def shaken(model: nn.Module) -> Any:
    """Move every weight a little, so that nothing is zero; the model is not to be trained."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.requires_grad_(False)


def open_batches(samples: int) -> Iterator[tuple[np.ndarray, None]]:
    """Yield batches [4, 13], without mask; each sequence is a pure function of its number."""
    while True:
        numbers = range(samples, samples + 4)
        rows = [np.random.default_rng(number).integers(0, VOCAB, 13) for number in numbers]
        yield np.stack(rows), None
        samples += 4


def train_tiny(folder: Path, config: Config | None = None, **changes: Any) -> TrainResult:
    """Train on `open_batches`, with the last windows as validation.

    Changes are of `train`, or of the attributes of its `data`, `tokenizer` and `callbacks`.
    """
    folder.mkdir(exist_ok=True)
    given = {"open_batches": open_batches, "lineage": {"tokenizer": "t", "data": "d"}} | changes

    def taken(*names: str) -> dict[str, Any]:
        return {name: given.pop(name) for name in names if name in given}

    given.setdefault("validation", next(open_batches(10_000)))
    facts = {"eos_id": FACTS.eos_id, "byte_lengths": FACTS.byte_lengths} | taken("byte_lengths")
    data = TrainingData(**taken("open_batches", "validation"), tokenizer=TokenizerFacts(**facts))
    callbacks = TrainerCallbacks(**taken("report", "should_stop", "sample"))
    if "weights" in given:
        given["initial"] = InitialWeights(**taken("weights", "trained_ids"))
    return train(config or tiny_config(), folder, data, callbacks=callbacks, **given)


def bytes_of_run(folder: Path) -> dict[str, object]:
    """Return what two equal runs must have in common."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content: dict[str, object] = {str(p.relative_to(folder)): p.read_bytes() for p in files}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert all(line.pop("tokens_per_second") > 0 and line.pop("time") > 0 for line in metrics)
    return content | {"metrics.jsonl": metrics}

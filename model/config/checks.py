"""Validation of a configuration: checks between keys, and type errors in plain words."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from spiketok.json_values import shown

from .quantization import parse_qat, quantize_problems
from .schema import Config, GolfConfig, choices_of
from .spikewhale import SpikeWhaleConfig

# Place → its problem; false where there is none.
Problems = dict[str, str | bool | int]
# Bits of an id's code; layers/engram.py, which needs torch, has the same number.
ID_BITS = 24
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a table",
    "null": "absent",
}


def problems_between_keys(config: Config) -> Problems:
    """Return the problem of each place, false where there is none."""
    model, train, schedule = config.model, config.train, config.schedule
    problems: Problems = {
        "model.heads": model.heads % model.kv_heads
        and f"{model.heads} is not divisible; make it a multiple of model.kv_heads = "
        f"{model.kv_heads}",
        "train.batch_size": train.batch_size % train.micro_batch_size
        and f"{train.batch_size} is not divisible; make it a multiple of "
        f"train.micro_batch_size = {train.micro_batch_size}",
        "schedule.decay_fraction": schedule.warmup_fraction + schedule.decay_fraction > 1
        and "more than 1 together with schedule.warmup_fraction; lower one of them",
        "averaging.use": _missing_mean(config),
        "distill.teachers": config.distill is not None
        and not config.distill.teachers
        and 'no teacher; name at least one run folder, as ["runs/large"]',
    }
    if config.golf:
        problems |= _golf_problems(config, config.golf)
    if config.spikewhale:
        problems |= _spikewhale_problems(config, config.spikewhale)
    if config.quantize:
        problems |= quantize_problems(config.quantize) or _unreached_rate(config)
    return problems


def type_problem(message: str, sections: Mapping[str, Any]) -> str:
    """Return a type error of msgspec in plain words: the place, its value and the legal ones.

    >>> type_problem("Expected `int` >= 1 - at `$.train.steps`", {"train": {"steps": 0}})
    'train.steps is 0; write a whole number >= 1'
    """
    problem, _, path = message.partition(" - at ")
    place = path.strip("`").removeprefix("$.")
    section, _, key = place.partition(".")
    value: Any = sections
    for step in re.findall(r"\w+", place):
        value = value[int(step)] if isinstance(value, list) else value.get(step)
    if choices := choices_of(section, key):
        return f"{place} is {shown(value)}; write one of {', '.join(choices)}"
    if not problem.startswith("Expected "):
        return f"{place}: {problem[:1].lower()}{problem[1:]}; correct it"
    return f"{place} is {shown(value)}; write {in_words(problem)}"


def in_words(problem: str) -> str:
    """Return the type and range that msgspec expected, in plain words.

    >>> in_words("Expected `int` >= 1, got `str`")
    'a whole number >= 1'
    """
    expected = problem.removeprefix("Expected ").partition(", got ")[0]
    for kind in re.findall(r"`([^`]+)`", expected):
        words = " or ".join(KINDS.get(one, one) for one in kind.split(" | "))
        expected = expected.replace(f"`{kind}`", words)
    return expected


def _missing_mean(config: Config) -> str | bool:
    """Return the problem that the mean for export is not kept; false if it is."""
    kept = config.averaging
    if kept is None:
        return False
    switches = {"ema": ("ema_decay", kept.ema_decay), "swa": ("swa_every", kept.swa_every)}
    key, value = switches.get(kept.use, ("", 1))
    return not value and f"{kept.use}, but averaging.{key} is 0; set it, or use another mean"


def _unreached_rate(config: Config) -> dict[str, str]:
    """Return the problem that the learning rates never fall to the start of QAT, by place."""
    start = parse_qat(config.quantize.qat) if config.quantize else None
    schedule = config.schedule
    lowest = 0.0 if schedule.decay_shape == "adaptive-cosine" else schedule.min_lr_ratio
    if not (schedule.decay_fraction or schedule.decay_steps):
        lowest = 1.0
    if start is None or start.kind != "rate" or lowest < start.value:
        return {}
    return {
        "quantize.qat": f"the learning rates never fall below {start.value}; lower "
        "schedule.min_lr_ratio or set a decay"
    }


def _golf_problems(config: Config, golf: GolfConfig) -> Problems:
    """Return the problems between the keys of a golf model, by place."""
    model, loop = config.model, golf.recur_layers
    problems: Problems = {
        "model.tie_embeddings": not model.tie_embeddings
        and "the golf family ties its tables; set it to true",
        "golf.rope_dims": golf.rope_dims > model.head_dim
        and f"{golf.rope_dims} is more than model.head_dim = {model.head_dim}; lower it",
        "golf.recur_layers": any(after != layer + 1 for layer, after in pairwise(loop))
        and "the layers are not consecutive; name layers that follow one another",
        "golf.bigram_vocab_size": golf.bigram_vocab_size == 1
        and "1 is too few; write 0 or at least 2",
        "golf.memory_tokens": golf.memory_tokens >= model.context
        and f"{golf.memory_tokens} leave nothing of model.context = {model.context}; lower it",
    }
    for key in ("xsa_last_n", "parallel_residual_last_n", "ve_last_n"):
        problems[f"golf.{key}"] = getattr(golf, key) > model.layers and (
            f"more than model.layers = {model.layers}; lower it"
        )
    if loop and max(loop) >= model.layers:
        problems["golf.recur_layers"] = _past_last_layer(max(loop), model.layers)
    return problems


def _past_last_layer(layer: int, layers: int) -> str:
    return f"{layer} is past the last layer, {layers - 1}; count layers from 0"


def _spikewhale_problems(config: Config, whale: SpikeWhaleConfig) -> Problems:
    """Return the problems between the keys of a SpikeWhaleLM, by place."""
    model, moe_layers = config.model, whale.moe_layers
    return {
        "spikewhale": config.golf is not None and "a model has one family; remove [golf]",
        "model.tie_embeddings": not model.tie_embeddings
        and "SpikeWhaleLM ties its tables; set it to true",
        "spikewhale.qk_rope_head_dim": whale.qk_rope_head_dim > model.head_dim
        and f"{whale.qk_rope_head_dim} is more than model.head_dim = {model.head_dim}; lower it",
        "spikewhale.engram_table_size": bool(whale.engram_table_size)
        and model.dim < ID_BITS
        and f"an engram needs model.dim ≥ {ID_BITS}; raise model.dim or write 0",
        "spikewhale.moe_layers": max(moe_layers, default=0) >= model.layers
        and _past_last_layer(max(moe_layers, default=0), model.layers),
        "spikewhale.num_experts_per_tok": whale.num_experts_per_tok > whale.n_routed_experts
        and f"{whale.num_experts_per_tok} is more than "
        f"spikewhale.n_routed_experts = {whale.n_routed_experts}; lower it",
    }

"""Estimates of a training's time and memory: from a few measured steps, or from arithmetic."""

import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from spiketok.cpu_count import available_cores

from ..config.schema import Config
from ..device import autocast, choose_device
from ..families.language_model import LanguageModel
from ..families.parameter_roles import role_of
from .compile import step_backbone
from .data import TokenizerFacts
from .state import start_run
from .step import train_step

# Largest number of floating-point operations for measured steps.
BUDGET = {"cpu": 2e11, "cuda": 2e13}
# Largest number of steps, within a second, after a first one that creates the optimisers' state.
MAX_STEPS = 3
FLOAT = 4
# Rows of the matrix product whose speed is measured where no step is.
ROWS = 2048
COUNTED = "matrix products and arrays that are counted, both lower bounds"


def estimated(
    config: Config, model: LanguageModel, flops_per_token: int, validation_windows: int | None
) -> dict[str, Any]:
    """Estimate a training: device, seconds, bytes of memory, and the source of the estimate.

    A few steps on random ids are measured where they are cheap. For large models, compiled graphs
    and teachers the time is that of matrix products of the model's shapes.

    Args:
        config: of the run.
        model: on the device `meta`.
        flops_per_token: of training, teachers included.
        validation_windows: number of windows that each validation scores.
    """
    device = choose_device(config.train.device)
    per_sequence = flops_per_token * config.model.context
    parts = 1
    if 2 * config.train.batch_size * per_sequence > BUDGET[device]:
        parts = config.train.batch_size // config.train.micro_batch_size
    flops = 2 * config.train.batch_size * per_sequence / parts
    if flops > BUDGET[device] or config.train.compile or config.distill:
        speed = product_speed(config, device)
        step_seconds = config.train.batch_size * per_sequence / speed
        memory, source = counted_memory(config, model), COUNTED
    else:
        part_seconds, memory = measured_step(config, model_ids(model), device, parts)
        step_seconds = part_seconds * parts
        source = "steps on random ids" if parts == 1 else f"1/{parts} of a step on random ids"
    windows = (validation_windows or 0) / config.train.batch_size
    every = config.validation.every or config.train.steps
    validations = -(-config.train.steps // every)
    trained = step_seconds * config.train.steps
    if config.schedule.seconds:
        trained = min(trained, config.schedule.seconds)
    return {
        "device": device,
        # Scoring takes the forward pass of a training step, a third of it.
        "estimated_seconds": trained + validations * windows * step_seconds / 3,
        "estimated_memory_bytes": memory,
        "estimated_from": source,
    }


def model_ids(model: LanguageModel) -> int:
    """Return the number of ids of a model."""
    return int(model.vocab_size)


def measured_step(config: Config, vocab_size: int, device: str, parts: int) -> tuple[float, int]:
    """Measure a step, or one of its equal parts: seconds and bytes of memory.

    On CPUs the memory is that of the whole process, libraries included.

    Args:
        config: of the run.
        vocab_size: number of ids.
        device: `cpu` or `cuda`.
        parts: number of equal parts of a batch, of which one is measured.
    """
    size = config.train.batch_size // parts
    config = replace(config, train=replace(config.train, batch_size=size))
    shape = (size, config.model.context + 1)
    ids = np.random.default_rng(0).integers(0, vocab_size, shape)
    with TemporaryDirectory() as folder:
        facts = TokenizerFacts(byte_lengths=np.zeros(vocab_size, np.int64), eos_id=0)
        run = start_run(config, Path(folder), facts, lineage={}, resume=False)
    precision = autocast(config.train, run.device)
    backbone = step_backbone(run, precision)
    train_step(run, (ids, None), 0.0, backbone=backbone, precision=precision)
    start, steps, seconds = time.perf_counter(), 0, 0.0
    while not steps or (steps < MAX_STEPS and seconds < 1):
        train_step(run, (ids, None), 0.0, backbone=backbone, precision=precision)
        steps, seconds = steps + 1, time.perf_counter() - start
    seconds /= steps
    if device == "cuda":
        return seconds, torch.cuda.max_memory_allocated()
    return seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def product_speed(config: Config, device: str) -> float:
    """Measure the floating-point operations per second of matrix products of the model's shapes."""
    torch.set_num_threads(config.train.threads or available_cores())
    width, hidden = config.model.dim, config.model.ffn_dim
    left = torch.ones(ROWS, width, device=device)
    right = torch.ones(width, hidden, device=device)
    with torch.no_grad(), autocast(config.train, device):
        left @ right
        wait(device)
        start, products = time.perf_counter(), 0
        while products < 3 or time.perf_counter() - start < 0.1:
            left @ right
            wait(device)
            products += 1
    return 2.0 * ROWS * width * hidden * products / (time.perf_counter() - start)


def wait(device: str) -> None:
    """Wait until a device has finished its work."""
    if device == "cuda":
        torch.cuda.synchronize()


def counted_memory(config: Config, model: LanguageModel) -> int:
    """Count the bytes of weights, gradients, optimiser states, averages and activations.

    A layer's activations per token for the backward pass are counted as ten vectors of the residual
    stream, four of the feed-forward network and three of queries, keys and values.
    """
    numbers = 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            muon = config.optimizer.muon and role_of(name).param_group == "matrix"
            numbers += parameter.numel() * (3 if muon else 4)
        else:
            numbers += parameter.numel()
    averaging, shape = config.averaging, config.model
    if averaging:
        kept = bool(averaging.ema_decay) + bool(averaging.swa_every)
        numbers += kept * sum(parameter.numel() for parameter in model.parameters())
    heads = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    row = 10 * shape.dim + 4 * shape.ffn_dim + 3 * heads
    kept_rows = (
        shape.dim * shape.layers + row
        if config.train.activation_checkpointing
        else row * shape.layers
    )
    return FLOAT * (numbers + config.train.micro_batch_size * shape.context * kept_rows)

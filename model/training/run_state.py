"""Holds everything that changes while training, and makes it from nothing or from a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from spiketok.errors import SpikeError

from ..config import Config
from ..configuration_file import config_fingerprint
from ..transformer import Transformer, build_transformer
from .checkpoint import load_training, load_weights, newest_checkpoint, read_state, save_checkpoint
from .device import available_threads, choose_device
from .optimizers import build_optimizers

METRICS = "metrics.jsonl"


@dataclass(slots=True, kw_only=True)
class RunState:
    """A run at some step."""

    config: Config
    folder: Path
    model: Transformer
    optimizers: list[torch.optim.Optimizer]
    device: str
    fingerprints: dict[str, str]
    step: int
    """Optimiser steps done."""

    @property
    def samples(self) -> int:
        """Sequences consumed."""
        return self.step * self.config.train.batch

    @property
    def tokens(self) -> int:
        """Tokens trained on."""
        return self.samples * self.config.model.context


def start_run(
    config: Config, folder: Path, vocab_size: int, lineage: Mapping[str, str], *, resume: bool
) -> RunState:
    """Return the run at its newest checkpoint, or at step 0 where there is none.

    Sets the number of threads and the random seed of torch for this process.

    Raises:
        SpikeError: there is a run and `resume` is false, or it was made from something else.
    """
    wanted = config.model.vocab_size
    if wanted not in (0, vocab_size):
        raise SpikeError(
            f"model.vocab_size: {wanted}, but the data has {vocab_size} ids; use 0 to follow it"
        )
    newest = newest_checkpoint(folder)
    if not resume and (newest or (folder / METRICS).exists()):
        raise SpikeError(f"{folder}: holds a run already; resume it or name another folder")
    torch.set_num_threads(config.train.threads or available_threads())
    torch.manual_seed(config.train.seed)
    device = choose_device(config.train.device)
    model = build_transformer(config.model, vocab_size, seed=config.train.seed, device=device)
    run = RunState(
        config=config,
        folder=folder,
        model=model,
        optimizers=build_optimizers(model, config.optimizer),
        device=device,
        fingerprints={"config": config_fingerprint(config), **lineage},
        step=0,
    )
    if newest:
        _restore(run, newest)
    return run


def save_run(run: RunState) -> None:
    """Write a checkpoint of the run as it is."""
    save_checkpoint(
        run.folder,
        run.model,
        run.optimizers,
        step=run.step,
        samples=run.samples,
        tokens=run.tokens,
        fingerprints=run.fingerprints,
        keep=run.config.checkpoint.keep,
    )


def _restore(run: RunState, checkpoint: Path) -> None:
    state = read_state(checkpoint)
    for what in sorted(run.fingerprints.keys() | state.fingerprints.keys()):
        if run.fingerprints.get(what) != state.fingerprints.get(what):
            raise SpikeError(
                f"{checkpoint}: made with another {what}; use that one or start a new run folder"
            )
    load_weights(checkpoint, run.model)
    load_training(checkpoint, run.model, run.optimizers)
    run.step = state.step
    if (state.samples, state.tokens) != (run.samples, run.tokens):
        raise SpikeError(f"{checkpoint}: samples or tokens do not fit its step; remove it to go on")

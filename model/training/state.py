"""Training state of a run: initialised, or restored from a checkpoint."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spiketok.cpu_count import available_cores
from spiketok.errors import SpikeError
from spiketok.fingerprints import distinct_prefixes

from ..config.loader import config_fingerprint
from ..config.schema import Config
from ..device import choose_device
from ..distributed import world_size
from ..families.build import build_model
from ..families.language_model import LanguageModel
from ..runs.checkpoint import load_averages, load_trained_ids, load_weights, read_state
from ..runs.checkpoint_folders import (
    advice,
    check_no_links_inside,
    newest_checkpoint,
)
from ..runs.metrics import METRICS
from ..runs.trained_ids import TrainedIds
from .activation_checkpointing import checkpoint_activations
from .checkpoint import RunPosition, TrainingTensors, load_training, save_checkpoint
from .data import InitialWeights, TokenizerFacts
from .distillation import Distillation, head_parameters, init_distillation
from .ema_swa import WeightAverages, averages_from_tensors, averages_to_tensors, init_averages
from .lr_schedule import share_of_run
from .optimizers import build_optimizers


@dataclass(slots=True, kw_only=True)
class RunState:
    """Training state of a run at some step."""

    config: Config
    folder: Path
    model: LanguageModel
    optimizers: list[torch.optim.Optimizer]
    averages: WeightAverages
    device: str
    fingerprints: dict[str, str]
    step: int
    """Optimiser steps done."""
    seconds: float | None
    """Seconds of training, where these measure the run and not the steps alone."""
    distillation: Distillation | None = None
    """Distillation from teachers, if any."""
    trained_ids: TrainedIds = None
    """Ids that were targets so far, here or in the run of the initial weights."""

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """All parameters that a step updates: the model's and the distillation's projection."""
        return [*self.model.parameters(), *head_parameters(self.distillation).values()]

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        out_of_time = (self.seconds or 0.0) >= (self.config.schedule.seconds or math.inf)
        return out_of_time or self.step >= self.config.train.steps

    @property
    def progress(self) -> float:
        """Share of the training that is done before the next step, 0 to 1."""
        config = self.config
        seconds = self.seconds or 0.0
        return share_of_run(self.step + 1, config.train.steps, config.schedule, seconds)

    @property
    def samples(self) -> int:
        """Sequences consumed."""
        return self.step * self.config.train.batch_size

    @property
    def tokens(self) -> int:
        """Tokens trained on."""
        return self.samples * self.config.model.context


def start_run(
    config: Config,
    folder: Path,
    tokenizer: TokenizerFacts,
    *,
    resume: bool,
    lineage: Mapping[str, str],
    teachers: Sequence[LanguageModel] = (),
    initial: InitialWeights | None = None,
) -> RunState:
    """Start a run, or resume it from its newest checkpoint.

    This sets the number of threads and the random seed of torch for this process.

    Args:
        config: of the run.
        folder: of the run.
        tokenizer: facts about the tokenizer of its data.
        resume: whether the folder may hold a run.
        lineage: fingerprints of the run's sources, by name.
        teachers: those that `distill.teachers` names, on the run's device.
        initial: weights from another run; None: random ones.

    Raises:
        SpikeError: there is a run and `resume` is false, or its fingerprints differ.
    """
    wanted, vocab_size = config.model.vocab_size, tokenizer.vocab_size
    if wanted not in (0, vocab_size):
        raise SpikeError(
            f"model.vocab_size: {wanted}, but the data has {vocab_size} ids; use 0 to follow it"
        )
    parts, ranks = config.train.batch_size // config.train.micro_batch_size, world_size()
    if parts % ranks:
        raise SpikeError(
            f"train.micro_batch_size: {parts} micro-batches of a batch cannot be divided among "
            f"{ranks} ranks; change it so that their number is a multiple of the ranks"
        )
    check_no_links_inside(folder)
    newest = newest_checkpoint(folder)
    if not resume and (newest or (folder / METRICS).exists()):
        raise SpikeError(f"{folder}: holds a run already; resume it or name another folder")
    torch.set_num_threads(config.train.threads or max(1, available_cores() // ranks))
    torch.manual_seed(config.train.seed)
    device = choose_device(config.train.device)
    seed, eos_id = config.train.seed, tokenizer.eos_id
    model = build_model(config, vocab_size, eos_id=eos_id, seed=seed, device=device)
    model.load_state_dict(initial.weights if initial else {}, strict=False)
    if config.train.activation_checkpointing:
        checkpoint_activations(model)
    distillation = init_distillation(config, model, teachers)
    beside = head_parameters(distillation).values()
    run = RunState(
        config=config,
        folder=folder,
        model=model,
        optimizers=build_optimizers(model, config.optimizer, beside),
        averages=init_averages(model, config.averaging),
        device=device,
        fingerprints={"config": config_fingerprint(config), **lineage},
        step=0,
        seconds=0.0 if config.schedule.seconds else None,
        distillation=distillation,
        trained_ids=_copied(initial.trained_ids) if initial else np.zeros(vocab_size, np.bool_),
    )
    if newest:
        _restore(run, newest)
    return run


def save_run(run: RunState) -> None:
    """Write a checkpoint of the run as it is."""
    save_checkpoint(
        run.folder,
        run.model,
        RunPosition(
            step=run.step,
            samples=run.samples,
            tokens=run.tokens,
            seconds=run.seconds,
            fingerprints=run.fingerprints,
        ),
        TrainingTensors(
            optimizers=run.optimizers,
            averages=averages_to_tensors(run.averages),
            beside=head_parameters(run.distillation),
            trained_ids=run.trained_ids,
        ),
        keep=run.config.checkpoint.keep,
    )


def _copied(trained_ids: TrainedIds) -> TrainedIds:
    return None if trained_ids is None else trained_ids.copy()


def _restore(run: RunState, checkpoint: Path) -> None:
    state = read_state(checkpoint)
    for name in sorted(run.fingerprints.keys() | state.fingerprints.keys()):
        theirs, ours = distinct_prefixes(
            state.fingerprints.get(name, ""), run.fingerprints.get(name, "")
        )
        if theirs != ours:
            raise SpikeError(
                f"{checkpoint}: its fingerprint of {name} ({theirs}) is not that of the resumed "
                f"run ({ours}); use the same {name}, or start a new run folder"
            )
    load_weights(checkpoint, run.model)
    load_training(checkpoint, run.model, run.optimizers, head_parameters(run.distillation))
    averages_from_tensors(run.averages, load_averages(checkpoint, run.model), run.device)
    run.trained_ids = load_trained_ids(checkpoint, run.model.vocab_size)
    run.step, run.seconds = state.step, state.seconds
    if (state.samples, state.tokens) != (run.samples, run.tokens):
        raise SpikeError(
            f"{checkpoint}: samples or tokens do not fit its step; {advice(checkpoint)}"
        )

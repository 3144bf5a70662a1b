"""Training loop: step, log, validate, sample, checkpoint, until the last step or a stop.

Equal configuration, data, kind of machine and torch give equal bytes, whether the run was
interrupted or not. The order of the data is a function of the samples consumed, and a checkpoint
has all other state that a step depends on.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spiketok.errors import SpikeError

from ..config.schema import Config
from ..device import autocast
from ..distributed import all_reduce_max, rank
from ..families.language_model import LanguageModel
from ..runs.metrics import METRICS, Metrics, append_metrics, cut_back_metrics, sync_metrics
from ..runs.trained_ids import TrainedIds
from ..scoring.bits_per_byte import bits_per_byte, validation_score
from .compile import step_backbone
from .data import Batch, InitialWeights, TokenizerFacts, TrainingData
from .ema_swa import averaged_weights
from .lr_schedule import lr_multiplier
from .state import RunState, save_run, start_run
from .step import target_ids, train_step


class Sample(NamedTuple):
    """Sample: a prompt and the text sampled after it during training."""

    prompt: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress report after each step."""

    step: int
    steps: int
    seconds: float | None
    """Seconds of training, where these measure the run."""
    metrics: Metrics
    """The numbers of the step, as in `metrics.jsonl`."""
    logged: bool
    """Whether they were logged there."""
    sample: Sample | None
    """Sampled text, if this step had one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerCallbacks:
    """Callbacks of the training loop.

    Attributes:
        report: called after each step, by the first rank.
        should_stop: called before each step; if true on any rank, a checkpoint is saved and
            training ends.
        sample: returns sampled text, given the model and the ids that were targets so far; None
            for no samples.
        tasks: returns the scores of evaluation tasks, given the model; None for no tasks.
    """

    report: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    sample: Callable[[LanguageModel, TrainedIds], Sample] | None = None
    tasks: Callable[[LanguageModel], Metrics] | None = None


SILENT = TrainerCallbacks()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """Result of a training call."""

    step: int
    """Steps done; less than the configured ones where the run was stopped or ran out of time."""
    finished: bool
    """Whether no step is left."""
    metrics: Metrics
    """The last line that this call logged; empty if no step was left to do."""


def train(
    config: Config,
    run_folder: Path,
    data: TrainingData,
    *,
    lineage: Mapping[str, str],
    teachers: Sequence[LanguageModel] = (),
    initial: InitialWeights | None = None,
    resume: bool = False,
    callbacks: TrainerCallbacks = SILENT,
) -> TrainResult:
    """Train to the configured step, with a checkpoint at the end.

    With several ranks (`distributed.py`), all make the same call with the same batches, and each
    computes its micro-batches of them. The first one writes, validates, samples and reports.

    Args:
        config: of the run; the caller handles `data` and the prompt of `sample`.
        run_folder: exists; `metrics.jsonl` and `checkpoints/` are written here.
        data: batches, validation windows, and facts about their tokenizer.
        lineage: fingerprints of the run's inputs; a checkpoint must have the same.
        teachers: those that `distill.teachers` names, in evaluation mode, on the run's device.
        initial: weights from another run; None: random ones.
        resume: continue from the newest checkpoint, or from the start where there is none.
        callbacks: functions that are called before and after steps.

    Raises:
        SpikeError: the folder holds a run and `resume` is false; its checkpoint is of another
            configuration, tokenizer, data or teachers; the batches end or do not fit; loss or
            gradient is not finite (the last checkpoint stays the newest).
    """
    run = start_run(
        config,
        run_folder,
        data.tokenizer,
        lineage=lineage,
        teachers=teachers,
        initial=initial,
        resume=resume,
    )
    precision = autocast(config.train, run.device)
    all_reduce_max(run.step, run.device)  # all ranks have read the folder before one writes to it
    first = rank() == 0
    backbone = step_backbone(run, precision)
    metrics_file = run_folder / METRICS
    _prepare(run, begun=initial is not None)
    batches, steps = data.open_batches(run.samples), config.train.steps
    metrics: Metrics = {}
    seconds, timed_tokens = 0.0, 0
    while not run.finished and not all_reduce_max(callbacks.should_stop(), run.device):
        batch = _next_batch(batches, run)
        lr_scale = lr_multiplier(run.step + 1, steps, config.schedule, run.seconds or 0.0)
        started = time.perf_counter()
        loss, norm, count, beside = train_step(
            run, batch, lr_scale, backbone=backbone, precision=precision
        )
        passed = time.perf_counter() - started
        seconds += passed
        if run.seconds is not None:
            run.seconds = all_reduce_max(run.seconds + passed, run.device)
        timed_tokens += config.train.batch_size * config.model.context
        validate = data.validation is not None and _due(config.validation.every, run)
        write = bool(callbacks.sample and config.sample.every) and _due(config.sample.every, run)
        score = config.tasks is not None and _due(config.tasks.every, run)
        due = validate or write or score or run.step == 1 or _due(config.train.log_every, run)
        if first:
            losses = _losses(run, batch, loss, count, beside, data.tokenizer)
            measured = _step_metrics(run, losses, norm, lr_scale, timed_tokens / seconds)
            written = None
            if due:
                seconds, timed_tokens, metrics = 0.0, 0, measured
                measured |= _validated(run, data) if validate else {}
                measured |= _scored(run, callbacks) if score else {}
                written = _written(run, callbacks) if write else None
                append_metrics(metrics_file, with_sample(measured, written))
            callbacks.report(_progress(run, measured, due, written))
        if run.step % config.checkpoint.every == 0:
            _checkpoint(run)
    _checkpoint(run)
    return TrainResult(step=run.step, finished=run.finished, metrics=metrics)


def _prepare(run: RunState, begun: bool) -> None:
    """Cut back the metrics after the step and save initial weights, on the first rank."""
    if rank():
        return
    cut_back_metrics(run.folder / METRICS, run.step)
    if begun:
        _checkpoint(run)


def _next_batch(batches: Iterator[Batch], run: RunState) -> Batch:
    try:
        return next(batches)
    except StopIteration:
        raise SpikeError(
            f"{run.folder}: the data ends before step {run.step + 1}; lower train.steps"
        ) from None


def _due(every: int, run: RunState) -> bool:
    """Return whether a task of every `every` steps, and of the last one, is due."""
    return run.finished or (every > 0 and run.step % every == 0)


def _progress(run: RunState, metrics: Metrics, logged: bool, sample: Sample | None) -> Progress:
    return Progress(
        step=run.step,
        steps=run.config.train.steps,
        seconds=run.seconds,
        metrics=metrics,
        logged=logged,
        sample=sample,
    )


def _losses(
    run: RunState,
    batch: Batch,
    loss: float,
    count: int,
    beside: Metrics,
    tokenizer: TokenizerFacts,
) -> Metrics:
    """Return the losses of a step; with a loss mask their names mark them as of replies alone.

    Bits per byte are those of the loss: all nats of the targets over their bytes.
    """
    size = int(tokenizer.byte_lengths[target_ids(run.model, batch)].sum())
    rate = number_or_nan(bits_per_byte(loss * count, size))
    score_name = tokenizer.score_name
    if batch[1] is None:
        return {"loss": loss, f"train_{score_name}": rate, **beside}
    replies = {f"reply_{name}": number for name, number in {"loss": loss, **beside}.items()}
    return {**replies, "reply_tokens": count, f"train_reply_{score_name}": rate}


def _step_metrics(
    run: RunState, loss: Metrics, norm: float, lr_scale: float, tokens_per_second: float
) -> Metrics:
    """Return a line of metrics; its learning rate is that of the blocks' matrices."""
    optimizer = run.config.optimizer
    full = optimizer.muon_learning_rate if optimizer.muon else optimizer.adamw_learning_rate
    return {
        "step": run.step,
        "time": time.time(),
        "tokens": run.tokens,
        **loss,
        "learning_rate": lr_scale * full,
        "gradient_norm": norm,
        "tokens_per_second": tokens_per_second,
    }


def _validated(run: RunState, data: TrainingData) -> Metrics:
    if data.validation is None:
        return {}
    (ids, mask), tokenizer = data.validation, data.tokenizer
    with averaged_weights(run.averages, run.model):
        score = validation_score(run.model, ids, tokenizer.byte_lengths, mask=mask)
    prefix = "validation" if mask is None else "validation_reply"
    return {
        f"{prefix}_{tokenizer.score_name}": number_or_nan(score.bits_per_byte),
        f"{prefix}_nats_per_token": score.nats / score.tokens,
    }


def _scored(run: RunState, callbacks: TrainerCallbacks) -> Metrics:
    if callbacks.tasks is None:
        return {}
    with averaged_weights(run.averages, run.model):
        return callbacks.tasks(run.model)


def number_or_nan(number: float | None) -> float:
    """Return a number as metrics have it: NaN, written as null, for None."""
    return math.nan if number is None else number


def with_sample(metrics: Metrics, sample: Sample | None) -> Mapping[str, int | float | str]:
    """Return a line of metrics, with the sampled text if there is one."""
    if sample is None:
        return metrics
    return {**metrics, "sample_prompt": sample.prompt, "sample": sample.text}


def _written(run: RunState, callbacks: TrainerCallbacks) -> Sample | None:
    if callbacks.sample is None:
        return None
    with averaged_weights(run.averages, run.model):
        return callbacks.sample(run.model, run.trained_ids)


def _checkpoint(run: RunState) -> None:
    """Sync the metrics and then a checkpoint to disk, on the first rank."""
    if rank():
        return
    sync_metrics(run.folder / METRICS)
    save_run(run)

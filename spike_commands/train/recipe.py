"""Training of a model on a shard folder, as `spike train` does it."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from datapipe import Windows, batches, open_stream, read_manifest
from spike_lm.model import Config
from spike_lm.model.distributed import process_group, rank
from spike_lm.model.runs.folder import create_run
from spike_lm.model.runs.lineage import INIT
from spike_lm.model.runs.metrics import METRICS, last_metrics
from spike_lm.model.training.data import Batch, InitialWeights, TrainingData, tokenizer_facts
from spike_lm.model.training.resume import advise_resuming, check_data, resumed_lineage
from spike_lm.model.training.sample import first_prompt, training_sampler
from spike_lm.model.training.teachers import open_teachers, teacher_fingerprints
from spike_lm.model.training.trainer import TrainerCallbacks, TrainResult
from spike_lm.model.training.trainer import train as train_model
from spike_lm.model.training.warm_start import load_starting_weights
from spiketok import Tokenizer, encode_chat, message
from spiketok.atomic_files import locked, make_folder
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..process import stop_on_signals
from ..results import some
from ..scored_bytes import window_yardstick
from .dry_run import checked_vocabulary
from .metric_loggers import check_loggers
from .progress import training_reports
from .task_scores import absolute_names, task_scorer

# Tokens of a split that are searched for a prompt, from its first position.
SEARCHED, FIRST = 1 << 16, np.array([0])


def train_run(
    config: Config,
    data_folder: Path,
    folder: Path,
    *,
    resume: bool = False,
    source: str = "a Config object",
    init: Path | None = None,
    with_xz: bool = True,
    show: Callbacks = SILENT,
    signals: stop_on_signals | None = None,
) -> dict[str, Any]:
    """Train a model on a shard folder into a run folder; under torchrun with all its processes.

    Args:
        config: of the run.
        data_folder: shards, as `write_shards` writes them.
        folder: the run folder to make, or to resume.
        resume: continue from the newest checkpoint of the folder.
        source: where the configuration is from, for a remark.
        init: a run whose weights a new run begins with.
        with_xz: also compress the validation windows with `xz -9`, for comparison.
        show: callbacks for progress and remarks, of the first process alone.
        signals: in effect while the model trains; a signal stops it after the current step.

    Returns:
        The object of `spike train --json` but for `run`, and `rank`, the number of this process.

    Raises:
        SpikeError: data, configuration, run and teachers do not fit each other, or a file cannot
            be read or written.
    """
    with process_group() as number:
        if number > 0:
            show, with_xz = SILENT, False
        check_loggers(config)
        data_folder = data_folder.absolute()
        found = _train(config, data_folder, folder, resume, source, init, with_xz, show, signals)
    return {**found, "rank": number}


def _train(
    config: Config,
    data_folder: Path,
    folder: Path,
    resume: bool,
    source: str,
    init: Path | None,
    with_xz: bool,
    show: Callbacks,
    signals: stop_on_signals | None,
) -> dict[str, Any]:
    """Open the data, train, and return the result."""
    stream = open_stream(data_folder, "train")
    tokenizer = Tokenizer.load(data_folder / "tokenizer.json")
    if resume:
        check_data(folder, data_folder, tokenizer, stream.fingerprint)
    checked_vocabulary(config, data_folder)
    length, batch = config.model.context, config.train.batch_size
    open_batches = partial(batches, stream, length, batch, config.data.shuffle_seed)
    teachers = open_teachers(config, tokenizer)
    check_length(data_folder, Windows(stream, length))  # before the run folder is made
    validation = validation_windows(config, data_folder, show.remark)
    facts = tokenizer_facts(tokenizer)
    # Each rank reads the tasks, so that all end alike where one is bad; the first one scores.
    scorer = task_scorer(config, tokenizer, show.remark)
    sampler = training_sampler(config, tokenizer, partial(chat_prompt, config, data_folder))
    initial, begun = starting_weights(init, config, tokenizer, show.remark)
    fingerprints = {"tokenizer": tokenizer.fingerprint, "data": stream.fingerprint}
    fingerprints |= {**begun, **teacher_fingerprints(teachers)}
    make_folder(folder)
    started = time.monotonic()
    with (
        locked(folder, show.remark) if rank() == 0 else nullcontext(),
        signals or nullcontext(),
        advise_resuming(folder),
        training_reports(config, folder, tokenizer.score_name, show) as report,
    ):
        if resume:
            fingerprints = resumed_lineage(folder, fingerprints, show.remark)
        elif rank() == 0:
            create_run(folder, with_absolute_paths(config, data_folder), tokenizer, fingerprints)
            show.remark(f"configuration: {source}")
        result = train_model(
            config,
            folder,
            TrainingData(open_batches=open_batches, validation=validation, tokenizer=facts),
            lineage=fingerprints,
            teachers=[teacher.model for teacher in teachers],
            initial=initial,
            resume=resume,
            callbacks=TrainerCallbacks(
                report=report,
                should_stop=lambda: signals is not None and signals.received > 0,
                sample=sampler,
                tasks=scorer,
            ),
        )
    ended = {"seconds": time.monotonic() - started, "stopped": not result.finished}
    score = reached(folder, result, tokenizer.score_name, masked=stream.masked)
    score |= window_yardstick(validation, tokenizer) if with_xz else {}
    return {"step": result.step, "tokens": result.step * batch * length, **score, **ended}


def starting_weights(
    start: Path | None, config: Config, tokenizer: Tokenizer, remark: Callable[[str], None]
) -> tuple[InitialWeights | None, dict[str, str]]:
    """Return a run's exported weights with its trained ids, and their fingerprint by its name.

    Args:
        start: the run to start from; None: nothing is returned.
        config: of the new run.
        tokenizer: of its data.
        remark: reports weights that one of both runs lacks.
    """
    if start is None:
        return None, {}
    chosen, run = load_starting_weights(start, config, tokenizer)
    if chosen.fresh:
        remark(f"{start} has no weights for {named(chosen.fresh)}; initialising them randomly")
    if chosen.unused:
        remark(f"{start} has weights that the configuration does not use: {named(chosen.unused)}")
    initial = InitialWeights(weights=chosen.weights, trained_ids=run.trained_ids)
    return initial, {INIT: run.digest}


def named(names: Sequence[str]) -> str:
    """Return names, not too many, as a list for people.

    >>> named(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d, …'
    """
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def chat_prompt(config: Config, data_folder: Path, tokenizer: Tokenizer) -> list[int]:
    """Return the ids before the reply of a conversation; none where the data has no loss mask.

    They are those of the configured prompt as a user's message. If there is none, they are the
    first prompt of the validation split that fits in half the context (of the training split where
    nothing is held out).
    """
    for split in ("validation", "train"):
        stream = open_stream(data_folder, split)
        if not stream.masked:
            continue
        if config.sample.prompt:
            messages = [message("user", config.sample.prompt)]
            ids: list[int] = encode_chat(tokenizer, messages, generation_prompt=True)[0].tolist()
            return ids
        size = min(stream.tokens, SEARCHED)
        row, mask = stream.read(FIRST, size)[0], stream.read_mask(FIRST, size)
        assert mask is not None  # noqa: S101 — the stream has one
        separator, most = stream.made_by.separator, config.model.context // 2
        if found := first_prompt(row, mask[0], separator, most):
            return found
    return []


def reached(folder: Path, result: TrainResult, score_name: str, masked: bool) -> dict[str, Any]:
    """Return losses and score of the last line of metrics; None where it has none.

    A run that was finished already has those of `metrics.jsonl`. Data with a loss mask has numbers
    of its own, over the replies alone, under names of their own.

    Args:
        folder: of the run.
        result: of the training.
        score_name: name of the score, such as `bits_per_byte`.
        masked: whether the data has a loss mask.
    """
    already_finished = result.finished and not result.metrics
    metrics = last_metrics(folder / METRICS, result.step) if already_finished else result.metrics
    names = ["loss", f"train_{score_name}", f"validation_{score_name}"]
    if masked:
        replies = [f"train_reply_{score_name}", f"validation_reply_{score_name}"]
        names += ["reply_loss", *replies]
    names += sorted(key for key in metrics if key.endswith("_loss") and key not in names)
    found = {name: metrics.get(name) for name in names}
    numbers = {name: value if value == value else None for name, value in found.items()}
    return {**numbers, "already_finished": already_finished}


def with_absolute_paths(config: Config, data_folder: Path) -> Config:
    """Return the configuration with absolute paths, so that a run resumes from any folder."""
    placed = replace(config, data=replace(config.data, path=str(data_folder)))
    if config.distill:
        teachers = tuple(str(Path(folder).absolute()) for folder in config.distill.teachers)
        placed = replace(placed, distill=replace(config.distill, teachers=teachers))
    if config.tasks:
        names, folder = absolute_names(config.tasks.names), Path(config.tasks.data).absolute()
        placed = replace(placed, tasks=replace(config.tasks, names=names, data=str(folder)))
    return placed


def no_validation(data_folder: Path, windows: Windows) -> str:
    """Return why the validation split has no window, and what to do."""
    documents = [split.documents for split in read_manifest(data_folder).splits.values()]
    if sum(documents) == 1 and windows.stream.masked:
        return "there is only one conversation; add others"
    if sum(documents) == 1:
        how = "shard it with --split-text if it is plain text, or shard more documents"
        return f"the text is one document; {how}"
    return (
        f"{data_folder} holds out {windows.stream.tokens:,} tokens, and a window has "
        f"{windows.length:,}; shard more text, or hold out more with spike shard --validation"
        f"{or_shorter(windows)}"
    )


def check_length(data_folder: Path, windows: Windows) -> None:
    """Check that the training split has at least one window.

    Raises:
        SpikeError: it has none.
    """
    if not windows.whole:
        raise SpikeError(
            f"{data_folder}: the train split has {some(windows.stream.tokens, 'token')}, too few "
            f"for one window of {windows.length:,}; shard more text{or_shorter(windows)}"
        )


def or_shorter(windows: Windows) -> str:
    """Return the advice of a context that fits in a split; none for a split without tokens."""
    tokens = windows.stream.tokens
    if not tokens:
        return ""
    return f", or shorten the window: --set model.context={1 << (tokens.bit_length() - 1)}"


def validation_windows(
    config: Config, data_folder: Path, remark: Callable[[str], None]
) -> Batch | None:
    """Read the configured number of windows, spread evenly over the validation split."""
    stream = open_stream(data_folder, "validation")
    windows = Windows(stream, config.model.context)
    wanted = min(config.validation.windows, windows.whole)
    if wanted == 0:
        if config.validation.windows:
            remark(f"no validation: {no_validation(data_folder, windows)}")
        return None
    chosen = windows.read(np.arange(wanted) * windows.whole // wanted)
    if chosen[1] is not None and not chosen[1][:, 1:].any():
        remark(f"no validation: {data_folder} holds out no reply in {wanted} windows")
        return None
    return chosen

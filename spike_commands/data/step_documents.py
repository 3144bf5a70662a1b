"""Documents of training steps, and the largest jumps of the loss, as `spike data at` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

from datapipe import WindowPart, read_manifest, window_documents
from spike_lm.model import Config
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.checkpoint_state import parse_state
from spike_lm.model.runs.lineage import read_config
from spike_lm.model.runs.metrics import METRICS, read_metrics
from spike_lm.model.training.resume import check_data
from spiketok import Tokenizer
from spiketok.errors import SpikeError

LOSSES = ("loss", "reply_loss")


@dataclass(frozen=True, slots=True)
class LossJump:
    """Rise of the loss between two logged steps.

    A line of metrics has the loss of its own step, on the weights after the step before.
    """

    step: int
    previous_step: int
    """The logged step before; updates of the steps between them also changed the weights."""
    loss: float
    previous_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """Training run and its data, checked to be those of its training."""

    run: Path
    data: Path
    config: Config
    tokenizer: Tokenizer
    lines: Sequence[Mapping[str, Any]]
    step: int
    """Steps that were trained."""


def open_trained(run: Path, data: Path | None = None) -> TrainedOn:
    """Open the configuration, metrics and shards of a run; no weights are read.

    Args:
        run: a run folder.
        data: its shards; None: where the run names them.

    Raises:
        SpikeError: the run has no data, or its shards are missing or others.
    """
    config = read_config(run)
    if not config.data.path:
        raise SpikeError(f"{run}: holds only weights and names no data; name the run of training")
    folder = data or Path(config.data.path)
    if data is None and not folder.exists():
        raise SpikeError(
            f"{folder}: does not exist, and {run} was trained on it; name the shards with --data"
        )
    manifest = read_manifest(folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    check_data(run, folder, tokenizer, manifest.fingerprint)
    lines = list(read_metrics(run / METRICS))
    checkpoint = newest_checkpoint(run)
    saved = parse_state(checkpoint).step if checkpoint else 0
    return TrainedOn(
        run=run,
        data=folder,
        config=config,
        tokenizer=tokenizer,
        lines=lines,
        step=max([saved, *(step_of(line) for line in lines)]),
    )


def documents_of_step(trained: TrainedOn, step: int) -> dict[str, Any]:
    """Return the documents that a training step used, window by window.

    All ranks and micro-batches of the step are meant: together they compute one batch.

    Args:
        trained: the run.
        step: from 1, as in metrics.jsonl.

    Raises:
        SpikeError: the run has no such step, or its shards are damaged.
    """
    if not 1 <= step <= trained.step:
        has = f"was trained for {trained.step:,} steps" if trained.step else "has no step yet"
        raise SpikeError(f"{trained.run}: {has}, so there is no step {step:,}; choose another one")
    config = trained.config
    size, length = config.train.batch_size, config.model.context
    samples = range((step - 1) * size, step * size)
    parts = window_documents(trained.data, length, samples, config.data.shuffle_seed)
    tokens = read_manifest(trained.data).splits["train"].tokens
    count = -(-tokens // length)
    return {
        "step": step,
        "loss": loss_of(trained.lines, step),
        "windows": size,
        "context": length,
        "micro_batch_size": config.train.micro_batch_size,
        "epoch": samples[0] // count,
        "documents": [_entry(trained.tokenizer, part, samples[0]) for part in parts],
    }


def loss_of(lines: Sequence[Mapping[str, Any]], step: int) -> float | None:
    """Return the loss of a step, of conversations over the replies; None where it is not logged."""
    return next((logged_loss(line) for line in lines if step_of(line) == step), None)


def step_of(line: Mapping[str, Any]) -> int:
    """Return the step of a line of metrics."""
    return int(line["step"])


def logged_loss(line: Mapping[str, Any]) -> float | None:
    """Return the loss of a line of metrics; None where it has none that is a number."""
    loss = next((line[key] for key in LOSSES if key in line), None)
    return float(loss) if isinstance(loss, int | float) and isfinite(loss) else None


def largest_jumps(trained: TrainedOn, most: int) -> list[LossJump]:
    """Return the largest rises of the loss from one logged step to the next, the largest first.

    Raises:
        SpikeError: fewer than two steps were logged.
    """
    losses = [
        (step_of(line), loss) for line in trained.lines if (loss := logged_loss(line)) is not None
    ]
    if len(losses) < 2:
        raise SpikeError(
            f"{trained.run / METRICS}: has {len(losses)} losses, too few for a jump; "
            "name a step with --step"
        )
    jumps = [
        LossJump(step, before, loss, previous)
        for (before, previous), (step, loss) in pairwise(losses)
        if loss > previous
    ]
    return sorted(jumps, key=lambda jump: jump.previous_loss - jump.loss)[:most]


def _entry(tokenizer: Tokenizer, part: WindowPart, first_sample: int) -> dict[str, Any]:
    """Return a part of a window as JSON; its text is without the separator."""
    ids = part.ids[:-1] if part.ids[-1] == tokenizer.eos_id else part.ids
    state = tokenizer.decode_on(part.tokens[: part.first_token], 0)[1]
    text = tokenizer.decode_on(ids, state)[0]
    masked = {} if part.loss_mask is None else {"trained_tokens": int(part.loss_mask.sum())}
    return {
        "window": part.sample - first_sample,
        "source": part.source,
        "row": part.row,
        "document": part.document,
        "first_token": part.first_token,
        "tokens": len(part.ids),
        **masked,
        "text": text.decode("utf-8", "replace"),
    }

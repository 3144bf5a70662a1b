"""Training curve of a run: tokens and losses from `metrics.jsonl`, and facts for a scaling law."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from spike_lm.model import Config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_parameters
from spike_lm.model.runs.lineage import CONFIG, TOKENIZER, no_run_folder, read_config
from spike_lm.model.runs.metrics import METRICS, read_metrics
from spike_lm.model.scoring.bits_per_byte import nats_to_bits
from spiketok import Tokenizer
from spiketok.errors import SpikeError

VALIDATION = "validation_nats_per_token"
# No training has more tokens.
LARGEST = 1e18
# Keys of the bytes' score beside each loss.
SCORES = {"loss": "train_bits_per_byte", VALIDATION: "validation_bits_per_byte"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Training curve of a run.

    Attributes:
        origin: the run or file.
        tokens: training tokens before each loss, [n].
        losses: nats per token, [n].
        bytes_per_token: of the text that was scored; None where the metrics have no bytes.
        parameters: of the exported model; None for a file without a run.
        warmup: share of the run in which the learning rate rises; None without a run.
        decays: whether the learning rate falls before the end; None without a run.
    """

    origin: Path
    tokens: NDArray[np.float64]
    losses: NDArray[np.float64]
    bytes_per_token: float | None
    parameters: int | None
    warmup: float | None
    decays: bool | None


def read_curve(path: Path, key: str = "loss") -> Curve:
    """Read the curve of a run folder, or of a `metrics.jsonl` with or without its run.

    Args:
        path: of either.
        key: `loss` or `validation_nats_per_token`.

    Raises:
        SpikeError: a file cannot be read, or has no such losses.
    """
    file = path / METRICS if path.is_dir() else path
    folder = file.parent if (file.parent / CONFIG).exists() else None
    if not file.exists():
        fault = f"no {METRICS}" if path.is_dir() else no_run_folder(path)
        raise SpikeError(f"{path}: {fault}; name a run that has trained")
    tokens, losses, bits = points_of(file, key)
    if not losses:
        raise SpikeError(f"{file}: no line has tokens and {key}; name the metrics of a training")
    config = read_config(folder) if folder else None
    return Curve(
        origin=path,
        tokens=np.array(tokens),
        losses=np.array(losses),
        # Each logged batch has the same number of tokens, so the means are those of all.
        bytes_per_token=nats_to_bits(float(np.mean(losses))) / float(np.mean(bits))
        if bits
        else None,
        parameters=parameters_of(folder, config) if folder and config else None,
        warmup=config.schedule.warmup_fraction if config else None,
        decays=decays(config) if config else None,
    )


def points_of(file: Path, key: str) -> tuple[list[float], list[float], list[float]]:
    """Return tokens, losses and bits per byte of the lines that have such a loss.

    The training loss of a step is measured before its update, so its D is that of the steps
    before. Bits per byte are empty unless every line has them.
    """
    tokens, losses, bits = [], [], []
    for line in read_metrics(file):
        step, consumed, loss, score = (
            line.get(name) for name in ("step", "tokens", key, SCORES[key])
        )
        if isinstance(step, int) and step > 0 and is_number(consumed) and is_number(loss):
            before = consumed * (step - 1) / step if key == "loss" else consumed
            tokens.append(float(before))
            losses.append(float(loss))
            bits += [float(score)] if is_number(score) else []
    return tokens, losses, bits if len(bits) == len(losses) else []


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of JSON is a number of tokens or nats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def bytes_per_token(losses: list[float], bits: list[float]) -> float | None:
    """Return the bytes per token of lines with a loss in nats per token and in bits per byte.

    All lines have equally many tokens, so their bytes are proportional to loss over bits.
    """
    if not bits or min(bits) <= 0:
        return None
    return float(
        np.mean([nats_to_bits(nats) / bit for nats, bit in zip(losses, bits, strict=True)])
    )


def parameters_of(folder: Path, config: Config) -> int:
    """Return the number of parameters of a run's exported model, embeddings included."""
    vocab_size = Tokenizer.load(folder / TOKENIZER).vocab_size
    return exported_parameters(build_model(config, vocab_size, eos_id=0, device="meta"))


def decays(config: Config) -> bool:
    """Return whether the learning rate falls before the end of the run."""
    schedule = config.schedule
    return schedule.min_lr_ratio < 1 and bool(schedule.decay_fraction or schedule.decay_steps)

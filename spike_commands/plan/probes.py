"""Probe runs of a plan: trained once each, kept in the plan's folder, and used again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from spike_lm.model import Config
from spike_lm.model.runs.checkpoint_folders import has_begun, newest_checkpoint
from spike_lm.model.runs.checkpoint_state import parse_state
from spike_lm.model.runs.metrics import METRICS, read_metrics
from spike_lm.model.scaling.design import ModelSize
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..process import stop_on_signals
from ..train.recipe import train_run
from .sizes import probe_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Finished probe run.

    Attributes:
        size: of the model.
        steps: of the training.
        tokens: D.
        nats_per_token: on the validation text.
        bits_per_byte: on the validation text.
        tokens_per_second: of training, median over its logged steps.
        run: name of its folder.
    """

    size: ModelSize
    steps: int
    tokens: int
    nats_per_token: float
    bits_per_byte: float
    tokens_per_second: float
    run: str


class Stopped(Exception):  # noqa: N818 — no error
    """A signal stopped the probes."""


def run_probes(
    planned: Sequence[tuple[ModelSize, Config]],
    data: Path,
    folder: Path,
    *,
    show: Callbacks = SILENT,
    signals: stop_on_signals | None = None,
) -> list[Probe]:
    """Train the probes that the folder lacks, and return all of them.

    Args:
        planned: size and configuration of each.
        data: shards.
        folder: of the probes' run folders.
        show: callbacks for progress and remarks.
        signals: a signal ends the probe after its step; a second call goes on with it.

    Raises:
        Stopped: a signal came.
        SpikeError: a probe diverged or cannot be written.
    """
    total = sum(config.train.steps * size.flops_per_token for size, config in planned)
    done, probes = 0.0, []
    with show.progress("probes", 100.0, "%") as report:
        for number, (size, config) in enumerate(planned, 1):
            name = probe_name(config)
            report(100 * done / total, f"probe {number} of {len(planned)}, {name}", True)
            run = folder / name
            if not is_finished(run, config):
                found = train_run(
                    config, data, run, resume=has_begun(run), with_xz=False, signals=signals
                )
                if found["stopped"]:
                    raise Stopped
            probes.append(read_probe(run, size, config))
            done += config.train.steps * size.flops_per_token
        report(100.0, "")
    return probes


def is_finished(run: Path, config: Config) -> bool:
    """Return whether a probe of an earlier call has done all its steps."""
    newest = newest_checkpoint(run)
    return newest is not None and parse_state(newest).step == config.train.steps


def read_probe(run: Path, size: ModelSize, config: Config) -> Probe:
    """Read the result of a finished probe.

    Raises:
        SpikeError: its metrics have no validation.
    """
    lines = list(read_metrics(run / METRICS))
    last = lines[-1] if lines else {}
    speeds = [line["tokens_per_second"] for line in lines[1:]]
    nats, bits = last.get("validation_nats_per_token"), last.get("validation_bits_per_byte")
    if not isinstance(nats, float) or not isinstance(bits, float):
        raise SpikeError(f"{run / METRICS}: has no validation; remove the folder {run}")
    return Probe(
        size=size,
        steps=config.train.steps,
        tokens=config.train.steps * config.train.batch_size * config.model.context,
        nats_per_token=nats,
        bits_per_byte=bits,
        tokens_per_second=median(float(speed) for speed in speeds if isinstance(speed, float)),
        run=run.name,
    )

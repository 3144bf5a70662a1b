"""Plan of a training from probe runs, as `spike plan` does it."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from datapipe import Windows, open_stream
from spike_lm.model import Config, config_fingerprint, dump_config
from spike_lm.model.families.build import build_model
from spike_lm.model.scaling.design import (
    FEWEST_STEPS,
    LENGTH_RATIOS,
    TOTAL,
    ModelSize,
    chosen_batch,
    chosen_widths,
    probe_lengths,
)
from spike_lm.model.scaling.planning import (
    Choice,
    ProbeFit,
    best_size,
    fit_probes,
    seconds_per_token,
)
from spike_lm.model.training.estimate import measured_step
from spiketok.atomic_files import write_durably
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..process import stop_on_signals
from ..scaling.recipe import interval_rows
from ..train.dry_run import checked_vocabulary
from .plan_file import PlanInputs, read_plan, write_plan
from .probes import Probe, Stopped, run_probes
from .sizes import check_family, run_config, sizes_of

# Seconds of the largest probe, and tokens of the validation, at most.
LONGEST_PROBE, VALIDATION_TOKENS = 180.0, 1 << 17
# Probes' time over that of the training; an option changes it.
PROBE_SHARE = 0.5


def plan_training(
    config: Config,
    data: Path,
    folder: Path,
    out: Path,
    *,
    minutes: float,
    probe_minutes: float | None = None,
    show: Callbacks = SILENT,
    signals: stop_on_signals | None = None,
) -> dict[str, Any] | None:
    """Choose size, batch, rates and tokens for a time, and predict the validation score.

    Args:
        config: base configuration of the plain family; widths, batch and steps are changed.
        data: shards, with a validation split.
        folder: of the plan: probes that it has are used again.
        out: TOML file to write.
        minutes: of the training.
        probe_minutes: of all probes; None: half of `minutes`. No probe takes more than 3.
        show: callbacks for progress and remarks.
        signals: a signal ends the probes after a step.

    Returns:
        The object of `spike plan --json`; None after a signal.

    Raises:
        SpikeError: the time is too short for probes, or data and configuration do not fit.
    """
    check_family(config)
    vocab_size, context = checked_vocabulary(config, data), config.model.context
    sizes = sizes_of(config, vocab_size)
    stream, windows = open_stream(data, "train"), validation_windows(data, context)
    budget = probe_minutes if probe_minutes is not None else PROBE_SHARE * minutes
    inputs = PlanInputs(
        data=stream.fingerprint,
        config=config_fingerprint(config),
        minutes=minutes,
        probe_minutes=budget,
    )
    speed = read_plan(folder, inputs)
    if speed is None:
        speed = measured_speed(config, vocab_size)
        write_plan(folder, inputs, speed)
    largest = speed * min(LONGEST_PROBE, 60 * budget / TOTAL)
    chosen = chosen_widths(sizes, speed * 60 * minutes)
    batch = chosen_batch(chosen, largest, context, config.train.batch_size)
    check_lengths(chosen, largest, batch * context, minutes)
    planned = [
        (length.size, run_config(config, length.size.dim, length.steps, batch, windows))
        for length in probe_lengths(chosen, largest, batch * context)
    ]
    try:
        probes = run_probes(planned, data, folder / "probes", show=show, signals=signals)
    except Stopped:
        return None
    fit = fit_probes(*arrays_of(probes))
    time_of = seconds_per_token(
        [probe.size for probe in probes], np.array([probe.tokens_per_second for probe in probes])
    )
    wide = [size for size in sizes if size.dim <= 2 * chosen[-1].dim]
    best = best_size(fit, wide, time_of, 60 * minutes)
    steps = max(1, round(best.tokens / (batch * context)))
    every = max(1, steps // 4)
    final = run_config(config, best.size.dim, steps, batch, windows, every=every)
    final = replace(final, data=replace(final.data, path=str(data.absolute())))
    found = plan_row(final, best, fit, probes, stream.tokens)
    write_durably(out, toml_of(final, found).encode())
    return {"config": str(out), "minutes": minutes, "probe_minutes": budget, **found}


def validation_windows(data: Path, context: int) -> int:
    """Return the windows of the validation: all, or as many as 131,072 tokens have.

    Raises:
        SpikeError: the shards have no validation text of a window.
    """
    whole = Windows(open_stream(data, "validation"), context).whole
    if not whole:
        raise SpikeError(
            f"{data}: has no validation text of {context} tokens, and a plan predicts its score; "
            "shard more text, or hold out more with spike shard --validation"
        )
    return min(whole, max(1, VALIDATION_TOKENS // context))


def measured_speed(config: Config, vocab_size: int) -> float:
    """Measure the floating-point operations per second of training steps of the base's width."""
    model = build_model(config, vocab_size, eos_id=0, device="meta")
    device = "cuda" if config.train.device == "cuda" else "cpu"
    seconds, _ = measured_step(config, vocab_size, device, 1)
    tokens = config.train.batch_size * config.model.context
    return model.flops_per_token() * tokens / seconds


def check_lengths(
    sizes: Sequence[ModelSize], largest: float, tokens_per_step: int, minutes: float
) -> None:
    """Check that the shortest probe has enough steps.

    Args:
        sizes: of the probes.
        largest: operations of the largest probe.
        tokens_per_step: of all probes.
        minutes: of the training to plan.

    Raises:
        SpikeError: it has too few.
    """
    steps = largest * LENGTH_RATIOS[-1] / sizes[-1].flops_per_token / tokens_per_step
    if steps < FEWEST_STEPS / 4:
        raise SpikeError(
            f"--minutes {minutes:g}: the shortest probe would have {steps:.0f} steps, at least "
            f"{FEWEST_STEPS // 4} needed; pass more minutes or --probe-minutes"
        )


def arrays_of(probes: Sequence[Probe]) -> tuple[Any, Any, Any]:
    """Return parameters, tokens and validation losses of probes, each [n]."""
    rows = [(probe.size.parameters, probe.tokens, probe.nats_per_token) for probe in probes]
    parameters, tokens, losses = np.array(rows, np.float64).T
    return parameters, tokens, losses


def plan_row(
    final: Config, best: Choice, fit: ProbeFit, probes: Sequence[Probe], train_tokens: int
) -> dict[str, Any]:
    """Return the results of a plan.

    Args:
        final: configuration of the planned training.
        best: its size and tokens.
        fit: of the probes.
        probes: all of them.
        train_tokens: of the training split.
    """
    tokens = final.train.steps * final.train.batch_size * final.model.context
    # All probes score the same validation text, so its bytes per token are one number.
    bits = statistics.fmean(probe.bits_per_byte / probe.nats_per_token for probe in probes)
    largest = max(probe.tokens * probe.size.flops_per_token for probe in probes)
    loss, interval = best.prediction.loss, best.prediction.interval
    return {
        "model": {
            "dim": final.model.dim,
            "layers": final.model.layers,
            "parameters": best.size.parameters,
        },
        "batch_size": final.train.batch_size,
        "steps": final.train.steps,
        "tokens": tokens,
        "epochs": tokens / train_tokens,
        "tokens_per_second": best.tokens_per_second,
        "muon_learning_rate": final.optimizer.muon_learning_rate,
        "adamw_learning_rate": final.optimizer.adamw_learning_rate,
        "predicted": {
            "bits_per_byte": loss * bits,
            "interval": [interval.low * bits, interval.high * bits],
            "nats_per_token": loss,
        },
        "compute_over_largest_probe": tokens * best.size.flops_per_token / largest,
        "law": {
            **asdict(fit.coupled.law),
            "r2": fit.coupled.r2,
            "noise": fit.coupled.noise,
            "intervals": interval_rows(fit.coupled.intervals),
        },
        "held_out_error": fit.held_out_error,
        "probes": [probe_row(probe) for probe in probes],
    }


def probe_row(probe: Probe) -> dict[str, Any]:
    """Return the result of a probe."""
    found = asdict(probe)
    size = found.pop("size")
    return {"dim": size["dim"], "parameters": size["parameters"], **found}


def toml_of(final: Config, found: dict[str, Any]) -> str:
    """Return the configuration as TOML, with the prediction as a comment."""
    predicted = found["predicted"]
    low, high = predicted["interval"]
    return (
        f"# Planned from {len(found['probes'])} probes; predicted validation score "
        f"{predicted['bits_per_byte']:.4f} bits per byte ({low:.4f} to {high:.4f}).\n\n"
        f"{dump_config(final)}"
    )

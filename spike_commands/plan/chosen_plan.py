"""Data and base configuration of a plan, and the plan."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spike_lm.model import load_config

from ..callbacks import Callbacks
from ..process import stop_on_signals
from .recipe import plan_training
from .sizes import check_family
from .text import shards_of_text


def planned(
    config_name: str,
    overrides: Sequence[str],
    data: Path | None,
    texts: Sequence[Path],
    folder: Path,
    out: Path,
    *,
    minutes: float,
    probe_minutes: float | None,
    vocab_size: int,
    validation: float,
    show: Callbacks,
    signals: stop_on_signals,
) -> dict[str, Any] | None:
    """Return the plan of a training; None after a signal.

    Args:
        config_name: of the base configuration.
        overrides: `section.key=value`.
        data: shards; None: made of the texts.
        texts: files and folders.
        folder: of the plan.
        out: TOML file to write.
        minutes: of the training.
        probe_minutes: of all probes.
        vocab_size: of the texts' tokenizer.
        validation: share of the texts to hold out.
        show: callbacks for progress and remarks.
        signals: a signal ends the probes after a step.
    """
    config = load_config(config_name, overrides)
    check_family(config)  # before the text is read
    shards = data or shards_of_text(
        texts, folder, vocab_size=vocab_size, validation=validation, show=show
    )
    with signals:
        return plan_training(
            config,
            shards,
            folder,
            out,
            minutes=minutes,
            probe_minutes=probe_minutes,
            show=show,
            signals=signals,
        )

"""Warm start: the run that `spike train --init` begins with, and what is not taken from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spiketok.errors import SpikeError

from ..console import remark

if TYPE_CHECKING:
    from torch import Tensor

    from spike_lm.model import Config
    from spike_lm.model.runs.trained_ids import TrainedIds
    from spiketok import Tokenizer

# The checkpoint that a run began with, as in its `state.json`.
INIT = "init"


def starting_weights(
    start: Path | None, config: "Config", tokenizer: "Tokenizer", quiet: bool
) -> tuple[dict[str, "Tensor"], dict[str, str], "TrainedIds"]:
    """Return a run's exported weights, their fingerprint under its name, and its trained ids.

    All three are empty without a run to start from.

    Raises:
        SpikeError: the run has another tokenizer than the data, or weights of other shapes.
    """
    from spike_lm.model.runs.folder import load_run
    from spike_lm.model.training.warm_start import choose_starting_weights

    if start is None:
        return {}, {}, None
    run = load_run(start)
    if run.tokenizer.fingerprint != tokenizer.fingerprint:
        raise SpikeError(
            f"{start}: its tokenizer is not the data's; "
            f"make shards with --tokenizer {start / 'tokenizer.json'}"
        )
    chosen = choose_starting_weights(
        config, tokenizer.vocab_size, run.model.state_dict(), str(start)
    )
    if chosen.fresh:
        remark(
            f"{start} has no weights for {named(chosen.fresh)}; initialising them randomly", quiet
        )
    if chosen.unused:
        remark(
            f"{start} has weights that the configuration does not use: {named(chosen.unused)}",
            quiet,
        )
    return chosen.weights, {INIT: run.digest}, run.trained_ids


def named(names: Sequence[str]) -> str:
    """Return names, not too many, as a list for people.

    >>> named(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d, …'
    """
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")

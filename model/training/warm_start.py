"""Warm start: initial weights of a new run from another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spiketok import Tokenizer
from spiketok.fingerprints import check_same_tokenizer

from ..config.schema import Config
from ..families.build import build_model
from ..families.parameter_roles import role_of
from ..runs.folder import Run, load_run
from ..runs.stored_weights import check_weights, described


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingWeights:
    """Initial weights of a run that come from another one."""

    weights: dict[str, Tensor]
    """Parameters and buffers, by name."""
    fresh: tuple[str, ...]
    """Weights for training only that the other run lacks; they are initialised at random."""
    unused: tuple[str, ...]
    """Weights for training only of the other run that this one lacks."""


def load_starting_weights(
    start: Path, config: Config, tokenizer: Tokenizer
) -> tuple[StartingWeights, Run]:
    """Return the initial weights of a run, and the run that they come from.

    Args:
        start: folder of the other run, or its artifact.
        config: of the new run.
        tokenizer: of its data.

    Raises:
        SpikeError: the other run has another tokenizer than the data, or weights of other shapes.
    """
    run = load_run(start)
    fix = f"make shards with --tokenizer {start / 'tokenizer.json'}"
    check_same_tokenizer(start, run.tokenizer.fingerprint, "the data", tokenizer.fingerprint, fix)
    vocab_size = tokenizer.vocab_size
    return choose_starting_weights(config, vocab_size, run.model.state_dict(), str(start)), run


def choose_starting_weights(
    config: Config, vocab_size: int, given: Mapping[str, Tensor], place: str
) -> StartingWeights:
    """Return the initial weights of a run, checked against its configuration before it begins.

    Modules for training only may be absent from either side.

    Args:
        config: of the new run; keys that do not affect shapes may have any value.
        vocab_size: number of ids.
        given: the other model's weights by name, of any shape.
        place: their source, for messages.

    Raises:
        SpikeError: a weight is missing, unknown or of another shape or dtype.
    """
    model = build_model(config, vocab_size, eos_id=0, device="meta")
    needed, found = described(model.state_dict()), described(given)
    fresh = [name for name in sorted(needed.keys() - found.keys()) if role_of(name).training_only]
    unused = [name for name in sorted(found.keys() - needed.keys()) if role_of(name).training_only]
    for name in unused:
        del found[name]
    for name in fresh:
        del needed[name]
    check_weights(found, needed, place, "use a configuration of the same shape")
    weights = {name: given[name] for name in needed}
    return StartingWeights(weights=weights, fresh=tuple(fresh), unused=tuple(unused))

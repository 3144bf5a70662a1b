"""Warm start: the weights that a new run takes from another one."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..config.schema import Config
from ..families.build import build_model
from ..families.parameters import AUXILIARY_MODULES
from ..runs.stored_weights import check_weights, described


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingWeights:
    """What a run begins with instead of freshly drawn numbers."""

    weights: dict[str, Tensor]
    """By name, parameters and what a model keeps beside them."""
    fresh: tuple[str, ...]
    """Weights that only training needs and the other run lacks; they are drawn."""
    unused: tuple[str, ...]
    """Weights of the other run that only training needed and this one lacks."""


def choose_starting_weights(
    config: Config, vocab_size: int, given: Mapping[str, Tensor], place: str
) -> StartingWeights:
    """Check that weights fit the model of a configuration, before anything is made.

    Heads that only training needs may be absent from either side.

    Args:
        config: of the run that is to begin; keys that say nothing of shapes may be any.
        vocab_size: number of ids.
        given: the other model's weights by name.
        place: where they are from, for messages.

    Raises:
        SpikeError: a weight is missing, unknown or of another shape or dtype.
    """
    model = build_model(config, vocab_size, separator=0, device="meta")
    needed, found = described(model.state_dict()), described(given)
    fresh = [name for name in sorted(needed.keys() - found.keys()) if _practised(name)]
    unused = [name for name in sorted(found.keys() - needed.keys()) if _practised(name)]
    for name in unused:
        del found[name]
    for name in fresh:
        del needed[name]
    check_weights(found, needed, place, "use a configuration of the same shape")
    weights = {name: given[name] for name in needed}
    return StartingWeights(weights=weights, fresh=tuple(fresh), unused=tuple(unused))


def _practised(name: str) -> bool:
    return name.partition(".")[0] in AUXILIARY_MODULES

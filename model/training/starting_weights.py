"""Chooses the weights that a new run takes over from another one."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spiketok.errors import SpikeError

from ..assembly import PRACTISING, build_model
from ..config import Config


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
        SpikeError: a weight is missing, unknown or of another shape.
    """
    model = build_model(config, vocab_size, separator=0, device="meta")
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    fresh, unused = [], []
    for name in sorted(wanted.keys() | given.keys()):
        practised = name.partition(".")[0] in PRACTISING
        if name not in given:
            if not practised:
                raise SpikeError(f"{place}: {name}: missing, and the config wants it")
            fresh.append(name)
        elif name not in wanted:
            if not practised:
                raise SpikeError(f"{place}: {name}: there, and the config has no place for it")
            unused.append(name)
        elif given[name].shape != wanted[name]:
            theirs, ours = list(given[name].shape), list(wanted[name])
            raise SpikeError(f"{place}: {name}: shape {theirs}, and the config wants {ours}")
    weights = {name: given[name] for name in wanted if name in given}
    return StartingWeights(weights=weights, fresh=tuple(fresh), unused=tuple(unused))

"""Builds the model that a configuration asks for, and says how large it is."""

from typing import TypeAlias

import torch

from .config import Config
from .golf import GolfTransformer, golf_flops_per_token, initialise_golf
from .transformer import Transformer, build_transformer, count_parameters, flops_per_token

Model: TypeAlias = Transformer | GolfTransformer


def build_model(
    config: Config, vocab_size: int, *, separator: int, seed: int = 0, device: str = "cpu"
) -> Model:
    """Return a freshly initialised model in float32 and evaluation mode; seeds decide its bytes.

    Args:
        config: its section `golf`, if there is one, chooses the family.
        vocab_size: number of ids.
        separator: the id between documents, over which embeddings do not look back.
        seed: of the initial weights.
        device: on `meta` the model has shapes and no numbers.
    """
    if config.golf is None:
        return build_transformer(config.model, vocab_size, seed=seed, device=device).eval()
    # The constructors of torch draw numbers that are thrown away; nobody else may notice.
    with torch.random.fork_rng(devices=[]), torch.device("meta" if device == "meta" else "cpu"):
        model = GolfTransformer(config.model, config.golf, vocab_size, separator)
    if device != "meta":
        initialise_golf(model, seed)
    return model.to(device).eval()


def exported_parameters(model: Model) -> int:
    """Return the number of weights without those that only training needs."""
    ahead = model.ahead if isinstance(model, GolfTransformer) else None
    return count_parameters(model) - (count_parameters(ahead) if ahead is not None else 0)


def training_flops(model: Model) -> int:
    """Return the floating-point operations to train on one token, as the model's family counts."""
    if isinstance(model, GolfTransformer):
        return golf_flops_per_token(model)
    return flops_per_token(model)

"""Model construction: the family that a configuration asks for, and its FLOPs."""

from typing import TypeAlias

import torch

from ..config.schema import Config
from .golf.model import GolfTransformer, golf_flops_per_token, init_golf_weights
from .qwen3.model import Transformer, build_transformer, flops_per_token
from .spikewhale.model import SpikeWhale, init_spikewhale_weights, spikewhale_flops_per_token

Model: TypeAlias = Transformer | GolfTransformer | SpikeWhale


def build_model(
    config: Config,
    vocab_size: int,
    *,
    eos_id: int,
    seed: int = 0,
    device: str = "cpu",
    init_weights: bool = True,
) -> Model:
    """Return a freshly initialised model in float32 and evaluation mode; seeds decide its bytes.

    Args:
        config: its section `golf` or `spikewhale`, if there is one, sets the family.
        vocab_size: number of ids.
        eos_id: the id between documents, over which embeddings do not look back.
        seed: of the initial weights.
        device: on `meta` the model has shapes and no numbers.
        init_weights: whether weights are initialised; if not, all must be replaced.
    """
    init_weights = init_weights and device != "meta"
    golf, whale = config.golf, config.spikewhale
    if golf is None and whale is None:
        return build_transformer(
            config.model, vocab_size, seed=seed, device=device, init_weights=init_weights
        ).eval()
    # The constructors of torch use random numbers; the global generator must not change.
    with torch.random.fork_rng(devices=[]), torch.device("meta" if device == "meta" else "cpu"):
        model: Model
        if golf is not None:
            model = GolfTransformer(config.model, golf, vocab_size, eos_id)
            if init_weights:
                init_golf_weights(model, seed)
        elif whale is not None:
            model = SpikeWhale(config.model, whale, vocab_size, eos_id)
            if init_weights:
                init_spikewhale_weights(model, seed)
    return model.to(device).eval()


def training_flops(model: Model) -> int:
    """Return the floating-point operations to train on one token, as the model's family counts."""
    if isinstance(model, GolfTransformer):
        return golf_flops_per_token(model)
    if isinstance(model, SpikeWhale):
        return spikewhale_flops_per_token(model)
    return flops_per_token(model)

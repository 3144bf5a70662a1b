"""Model construction: the family that a configuration describes."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..config.schema import Config
from .golf.model import GolfTransformer
from .language_model import LanguageModel
from .qwen3.model import Qwen3
from .spikewhale.model import SpikeWhaleLM


def build_model(
    config: Config,
    vocab_size: int,
    *,
    eos_id: int,
    seed: int = 0,
    device: str = "cpu",
    init_weights: bool = True,
) -> LanguageModel:
    """Build a model with initial weights, in float32 and evaluation mode.

    Args:
        config: its section `golf` or `spikewhale`, if there is one, sets the family.
        vocab_size: number of ids.
        eos_id: the separator of documents; embeddings do not read ids before it.
        seed: of the initial weights; equal seeds give equal bytes.
        device: on `meta` the model has shapes and no numbers.
        init_weights: whether weights are initialised; if not, all must be replaced.
    """
    on_meta = device == "meta"
    # The constructors of torch use random numbers; the global generator must not change.
    with (
        torch.random.fork_rng(devices=[]),
        _ShapesAlone() if on_meta else nullcontext(),
        torch.device("meta" if on_meta else "cpu"),
    ):
        model: LanguageModel
        if config.golf is not None:
            model = GolfTransformer(config.model, config.golf, vocab_size, eos_id)
        elif config.spikewhale is not None:
            model = SpikeWhaleLM(config.model, config.spikewhale, vocab_size, eos_id)
        else:
            model = Qwen3(config.model, vocab_size)
    if init_weights and not on_meta:
        model.init_weights(seed)
    return model.to(device).eval()


class _ShapesAlone(TorchFunctionMode):
    """Keeps torch from loading its compiler for functions on `meta`: a second of CPU time."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Initialise nothing; ranges and identities are on the CPU."""
        del types
        options = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else options["tensor"]
        if func in (torch.arange, torch.eye):
            return func(*args, **options | {"device": "cpu"})
        return func(*args, **options)

"""Weight checks: a file's tensors against a configuration, before a model takes memory."""

from collections.abc import Mapping

from torch import Tensor

from spiketok import Tokenizer
from spiketok.errors import SpikeError

from ..config.schema import Config
from ..families.build import build_model
from ..families.language_model import LanguageModel
from ..families.sections import fewest_weights

FIX = "take the file from its source again"


def model_of_shapes(config: Config, tokenizer: Tokenizer, stored: int, place: str) -> LanguageModel:
    """Return the model of a configuration on the device `meta`: shapes without numbers.

    Even there each module takes memory, so the number of layers and experts is first compared with
    that of the stored tensors.

    Args:
        config: of the model.
        tokenizer: sets the vocabulary size.
        stored: number of tensors in the file.
        place: the file, for the message.

    Raises:
        SpikeError: there are fewer tensors than modules that have one each.
    """
    if fewest_weights(config) > stored:
        raise SpikeError(f"{place}: fewer weights than its configuration has layers; {FIX}")
    return build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, device="meta")


def described(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Describe tensors, of any shape, by dtype and shape."""
    return {name: f"{weight.dtype} {list(weight.shape)}" for name, weight in weights.items()}


def check_weights(
    found: Mapping[str, str], needed: Mapping[str, str], place: str, fix: str = FIX
) -> None:
    """Compare weights by name and description: their shape, and the dtype where it matters.

    Args:
        found: name → description of the stored weights.
        needed: name → description of the configuration's.
        place: the file, for the message.
        fix: imperative that fixes it.

    Raises:
        SpikeError: one is missing, unexpected or of another description.
    """
    for name in sorted(found.keys() | needed.keys()):
        fault = None
        if name not in needed:
            fault = "unexpected; the configuration has no such weight"
        elif name not in found:
            fault = f"missing; the configuration needs {needed[name]}"
        elif found[name] != needed[name]:
            fault = f"{found[name]}, but the configuration needs {needed[name]}"
        if fault:
            raise SpikeError(f"{place}: {name!r:.200}: {fault}; {fix}")

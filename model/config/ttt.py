"""Test-time training (TTT) settings; no torch here."""

import math
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from spiketok.errors import SpikeError

from .checks import in_words
from .ranges import BelowOne, Count, CountOrZero, Rate

# Of adaptive-cosine: the multiple that the rate rises to, and the share of the chunks it takes.
PEAK, RISE = 3.0, 0.3


class TTTConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Score-first test-time training, as in openai/parameter-golf PR #851."""

    chunk: Count = 131_072
    """Number of scored targets, over all documents, after which the model learns from them."""
    epochs: Annotated[int, Meta(ge=0, le=1000)] = 4
    """Passes over a chunk; 0: no training."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW without decay, or SGD with a momentum of 0.9; either keeps its state over chunks."""
    rate: Rate = 1e-4
    """Full learning rate."""
    decay: Literal["adaptive-cosine", "none"] = "adaptive-cosine"
    """Schedule of the rate over the chunks; `adaptive-cosine` needs the number of chunks."""
    blocks: CountOrZero = 2
    """Number of last blocks whose matrices are trained."""
    vectors: bool = True
    """Whether the gains and other vectors of all blocks are trained."""
    rank: Annotated[int, Meta(ge=0, le=4096)] = 0
    """LoRA rank of the trained linear layers; 0: their whole matrices are trained."""
    polyak: BelowOne = 0.998
    """EMA decay per step of the weights that score; 0: the last weights score."""
    batch: Count = 64
    """Sequences per step."""
    by_bytes: bool = False
    """Whether a token's loss is weighted by its number of bytes; separators have none."""


def parse_ttt(text: str) -> TTTConfig:
    """Parse settings such as "chunk=8192,rank=8"; the empty text means the defaults.

    Raises:
        SpikeError: a setting is unknown, named twice or out of range.

    >>> parse_ttt("chunk=8192, vectors=false").chunk
    8192
    """
    values: dict[str, str] = {}
    for item in text.split(",") if text.strip() else []:
        name, _, value = (word.strip() for word in item.partition("="))
        if name not in TTTConfig.__struct_fields__:
            known = ", ".join(TTTConfig.__struct_fields__)
            raise SpikeError(f"test-time training has no `{name}`; name some of {known}")
        if name in values:
            raise SpikeError(f"test-time training: `{name}` is named twice; name it once")
        values[name] = value
    try:
        return msgspec.convert(values, TTTConfig, strict=False)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        choices = get_args(get_type_hints(TTTConfig)[name])
        expected = " or ".join(choices) if choices else in_words(problem)
        raise SpikeError(
            f"test-time training: {name} is {values.get(name)!r}; write {expected}"
        ) from None


def ttt_lr(settings: TTTConfig, chunk: int, chunks: int) -> float:
    """Return the learning rate of `chunk`, counted from 0, of `chunks`.

    For adaptive-cosine it is a cosine from 1 to 0 at the last chunk. A factor that rises from 1 to
    PEAK in the first chunks multiplies it.
    """
    if settings.decay == "none":
        return settings.rate
    cosine = 0.5 * (1.0 + math.cos(math.pi * chunk / (chunks - 1)))
    return settings.rate * cosine * (1.0 + (PEAK - 1.0) * min(1.0, chunk / (RISE * chunks)))

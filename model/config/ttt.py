"""Test-time training settings; no torch here."""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spiketok.errors import SpikeError

from .ranges import BelowOne, Count, CountOrZero, Rate

# Of adaptive-cosine: the multiple that the rate rises to, and in which share of the chunks.
PEAK, RISE = 3.0, 0.3


class TTTConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Score-first test-time training; all else is as in openai/parameter-golf #851."""

    chunk: Count = 131_072
    """Targets, of all documents in a row, after which the model learns from them."""
    epochs: Annotated[int, Meta(ge=0, le=1000)] = 4
    """Passes over a chunk; 0: it learns nothing."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW without decay, or SGD with a momentum of 0.9; either keeps its state over chunks."""
    rate: Rate = 1e-4
    """Full learning rate."""
    decay: Literal["adaptive-cosine", "none"] = "adaptive-cosine"
    """Change of the rate from chunk to chunk. All but `none` need the number of chunks."""
    blocks: CountOrZero = 2
    """Blocks whose matrices learn, the last ones."""
    vectors: bool = True
    """Whether gains and other vectors learn, those of all blocks."""
    rank: Annotated[int, Meta(ge=0, le=4096)] = 0
    """Rank of what is added to the blocks' linear layers (LoRA); 0: all of them learns."""
    polyak: BelowOne = 0.998
    """Share that the mean used for scoring keeps per step; 0: the last weights score."""
    batch: Count = 64
    """Sequences per step."""
    by_bytes: bool = False
    """Whether a token's loss counts as often as it has bytes, so that separators do not count."""


def parse_ttt(text: str) -> TTTConfig:
    """Read settings such as "chunk=8192,rank=8"; the empty text is the defaults.

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
            raise SpikeError(f"test-time training has no `{name}`; known: {known}")
        if name in values:
            raise SpikeError(f"test-time training: `{name}` is named twice")
        values[name] = value
    try:
        return msgspec.convert(values, TTTConfig, strict=False)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        raise SpikeError(f"test-time training: {name}={values.get(name)}: {problem}") from None


def chunk_rate(settings: TTTConfig, chunk: int, chunks: int) -> float:
    """Return the learning rate of `chunk`, counted from 0, of `chunks`.

    For adaptive-cosine it is a cosine from 1 to 0 at the last chunk, times a factor that rises
    from 1 to PEAK in the first chunks.
    """
    if settings.decay == "none":
        return settings.rate
    cosine = 0.5 * (1.0 + math.cos(math.pi * chunk / (chunks - 1)))
    return settings.rate * cosine * (1.0 + (PEAK - 1.0) * min(1.0, chunk / (RISE * chunks)))

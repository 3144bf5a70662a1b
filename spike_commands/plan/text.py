"""Shards of a plan's text: a tokenizer and shards in the plan's folder, made once."""

from collections.abc import Sequence
from pathlib import Path

from spiketok import LengthMaxSettings

from ..callbacks import SILENT, Callbacks
from ..data.recipe import shard_text
from ..tokenizer.recipe import train_tokenizer


def shards_of_text(
    inputs: Sequence[Path],
    folder: Path,
    *,
    vocab_size: int,
    validation: float,
    show: Callbacks = SILENT,
) -> Path:
    """Train a tokenizer on a text and shard it, unless a call before did.

    Args:
        inputs: files, folders and patterns.
        folder: of the plan; gets `tokenizer.json` and `data/`.
        vocab_size: of the tokenizer.
        validation: share of the documents to hold out from both.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: the text cannot be read, or the folder has shards of another text.
    """
    tokenizer, data = folder / "tokenizer.json", folder / "data"
    if not tokenizer.exists():
        settings = LengthMaxSettings(vocab_size=vocab_size, held_out=validation)
        folder.mkdir(parents=True, exist_ok=True)
        train_tokenizer(inputs, tokenizer, settings, show=show)
    # Shards that are finished are not written again; those of another text are refused.
    shard_text(inputs, tokenizer, data, validation=(validation, ()), show=show)
    return data

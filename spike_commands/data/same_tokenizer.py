"""Tokenizer check: shards and model must have the same tokenizer."""

from pathlib import Path

from spike_lm.model.runs.folder import Run
from spiketok.errors import SpikeError


def check_tokenizer(folder: Path, fingerprint: str, run: Run) -> None:
    """Compare the tokenizer of shards with the model's.

    Raises:
        SpikeError: they are not the same.
    """
    if fingerprint != run.tokenizer.fingerprint:
        raise SpikeError(
            f"{folder}: shards of another tokenizer than the model's; shard the text again with "
            "the model's tokenizer.json"
        )

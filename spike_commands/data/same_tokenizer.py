"""Tokenizer check: shards and model must have the same tokenizer."""

from pathlib import Path

from spike_lm.model.runs.folder import Run
from spiketok.fingerprints import check_same_tokenizer


def check_tokenizer(folder: Path, fingerprint: str, run: Run) -> None:
    """Compare the tokenizer of shards with the model's.

    Raises:
        SpikeError: they are not the same.
    """
    fix = "shard the text again with the model's tokenizer.json"
    check_same_tokenizer(folder, fingerprint, "the model", run.tokenizer.fingerprint, fix)

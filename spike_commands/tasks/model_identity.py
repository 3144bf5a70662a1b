"""Identity of an evaluated model: its step, its fingerprint, and the shards it was trained on."""

import hashlib
from pathlib import Path

from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.checkpoint_state import STATE, parse_state
from spike_lm.model.runs.lineage import LINEAGE, read_config
from spike_lm.model.runs.tensor_files import file_sha256
from spiketok.errors import SpikeError

from .saved_results import RESULTS

MANIFEST = "manifest.json"
# Endings of the files that decide the predictions of a folder for transformers.
DECIDING = {".json", ".safetensors", ".bin", ".model", ".txt", ".py"}


def is_run(path: Path) -> bool:
    """Return whether a path is a run folder."""
    return (path / LINEAGE).is_file()


def model_step(path: Path) -> int | None:
    """Return the step of a run's newest checkpoint; None for other models."""
    checkpoint = newest_checkpoint(path) if is_run(path) else None
    return parse_state(checkpoint).step if checkpoint else None


def model_fingerprint(path: Path) -> str:
    """Return the sha256 of what decides a model's predictions.

    Of a run it is that of the newest checkpoint's state, which has the digests of the weights; of
    an artifact that of the file; of another folder that of its files.
    """
    if path.is_file():
        return file_sha256(path)
    if is_run(path) and (checkpoint := newest_checkpoint(path)):
        return file_sha256(checkpoint / STATE)
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix in DECIDING and file.name != RESULTS:
            digest.update(f"{file.name}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()


def training_shards(path: Path) -> Path | None:
    """Return the shards that a run was trained on, if they are where the run expects them."""
    if not is_run(path):
        return None
    try:
        folder = Path(read_config(path).data.path)
    except SpikeError:
        return None
    return folder if (folder / MANIFEST).is_file() else None

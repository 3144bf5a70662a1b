"""Provenance of an exported run: `spike_run.json`, from which an import restores the run."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import read_regular

from ..runs.checkpoint_state import Count
from ..runs.tensor_files import tensors_sha256

FORMAT = 1
CONFIG, RECORD = "spike_config.toml", "spike_run.json"
WEIGHTS = "model.safetensors"
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Provenance record: the fields of `spike_run.json`."""

    format: int
    spike: str
    """Version of spike that exported the model."""
    step: Annotated[int, Meta(ge=0, le=99_999_999)]
    """Optimiser steps of the weights."""
    samples: Count
    """Sequences trained on."""
    tokens: Count
    """Tokens trained on."""
    fingerprints: dict[str, str]
    """Of the run's inputs: `config`, `tokenizer`, `data`."""
    left_out: list[str]
    """Modules for training only, which are not exported."""
    sha256: Sha256
    """Digest of the exported file of weights."""


def read_record(folder: Path) -> Record | None:
    """Read `spike_run.json`; None where there is none.

    Raises:
        SpikeError: it cannot be read, is of an unknown format, or belongs to other weights.
    """
    path = folder / RECORD
    if not os.path.lexists(path):
        return None
    with parse_failures(path, "export again"):
        record = msgspec.json.decode(read_regular(path), type=Record)
    if record.format != FORMAT:
        raise SpikeError(f"{path}: format {record.format} is not known; use a newer spike")
    if tensors_sha256(folder / WEIGHTS) != record.sha256:
        raise SpikeError(
            f"{folder / WEIGHTS}: not the weights of {RECORD}; remove {RECORD} and {CONFIG} to "
            "import them without provenance"
        )
    return record

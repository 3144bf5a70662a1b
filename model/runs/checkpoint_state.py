"""Checkpoint state: `state.json`, without the tensors beside it; nothing here loads torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from spiketok.errors import SpikeError, parse_failures, unreadable
from spiketok.regular_files import read_regular

from .checkpoint_folders import advice, checkpoint_folder

FORMAT = 1
STATE = "state.json"
Count = Annotated[int, Meta(ge=0)]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Checkpoint state: the fields of `state.json`."""

    format: int
    step: Count
    """Optimiser steps done."""
    samples: Count
    """Sequences consumed."""
    tokens: Count
    """Tokens trained on."""
    fingerprints: dict[str, str]
    """Of the run's inputs: `config`, `tokenizer`, `data` …"""
    sha256: dict[str, str]
    """File name → digest, of the two other files of the checkpoint."""
    seconds: Annotated[float, Meta(ge=0)] | None = None
    """Seconds of training, where these measure the run."""


def parse_state(folder: Path) -> State:
    """Read `state.json` alone.

    Raises:
        SpikeError: the format is unknown, or the file is missing, damaged or of another step.
    """
    path = folder / STATE
    with named(folder, STATE):
        data = read_regular(path)
    with parse_failures(path, advice(folder)):
        state = msgspec.json.decode(data, type=State)
    if state.format != FORMAT:
        raise SpikeError(f"{path}: format {state.format} is not known; use a newer spike")
    if checkpoint_folder(folder.parent.parent, state.step).name != folder.name:
        raise SpikeError(f"{path}: step {state.step} is not the folder's; {advice(folder)}")
    return state


@contextmanager
def named(folder: Path, name: str) -> Iterator[None]:
    """Name a file of a checkpoint in failures to read it.

    Raises:
        SpikeError: the block cannot read the file.
    """
    try:
        yield
    except FileNotFoundError:
        raise SpikeError(f"{folder / name}: missing; {advice(folder)}") from None
    except OSError as error:
        raise unreadable(folder / name, error) from None

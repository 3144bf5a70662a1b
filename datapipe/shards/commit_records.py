"""Commit protocol of shards: the JSON records that commit the files of a shard folder.

A shard counts as written when its commit record exists and its bytes have the record's digest;
anything else is written again. `writer.py` completes a file before it writes its record, and
`resume.py` compares both (docs/formats.md).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import UNSET, UnsetType

from spiketok.errors import SpikeError
from spiketok.regular_files import read_regular

from .json_files import parse

SPLITS: Final = ("train", "validation")
PLAN, TOKENIZER, MANIFEST, RECORDS = "plan.json", "tokenizer.json", "manifest.json", "records"
SHARD_NAME = re.compile(r"(train|validation)-[0-9]{6}-[0-9]{3,}\.arrow")
RECORD_NAME = re.compile(r"((train|validation)-[0-9]{6}-[0-9]{3,}|unit-[0-9]{6})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecord:
    """Commit record of a complete shard and its content; see docs/formats.md.

    `trained_tokens` is set where there is a loss mask.
    """

    plan: str
    file: str
    bytes: int
    documents: int
    tokens: int
    text_bytes: int
    digest: str
    ranges: list[str]
    trained_tokens: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """Commit record of a complete unit; `documents` counts those read, dropped ones included.

    `lost_bytes` is set where damaged compressed files ended early, `dropped_inputs` (name of an
    input → number of its records) where any was left out; see `Dropped`.
    """

    plan: str
    unit: int
    blocks: list[str]
    documents: int
    dropped: dict[str, int]
    lost_bytes: int | UnsetType = UNSET
    dropped_inputs: dict[str, int] | UnsetType = UNSET


def shard_name(split: str, unit: int, block: int) -> str:
    """Return the name of a shard.

    >>> shard_name("train", 3, 0)
    'train-000003-000.arrow'
    """
    return f"{split}-{unit:06d}-{block:03d}.arrow"


def block_record_path(folder: Path, shard: str) -> Path:
    """Return the path of a shard's record."""
    return folder / RECORDS / Path(shard).with_suffix(".json").name


def unit_record_path(folder: Path, unit: int) -> Path:
    """Return the path of a unit's record."""
    return folder / RECORDS / f"unit-{unit:06d}.json"


def read_block_record(path: Path) -> BlockRecord:
    """Read the record of a shard."""
    return parse(read_regular(path), BlockRecord, str(path))


def read_unit_record(path: Path) -> UnitRecord:
    """Read the record of a unit."""
    return parse(read_regular(path), UnitRecord, str(path))


def check_split(split: str) -> None:
    """Check the name of a split.

    Raises:
        SpikeError: there is no such split.
    """
    if split not in SPLITS:
        raise SpikeError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")

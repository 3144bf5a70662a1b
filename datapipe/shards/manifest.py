"""Manifest of a finished shard folder: built from its records, written last, checked when read."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import xxhash
from msgspec import UNSET, UnsetType

from spiketok.atomic_files import Disk, write_durably
from spiketok.errors import SpikeError, parse_failures, unreadable
from spiketok.path_contents import path_contents
from spiketok.regular_files import MAX_LISTING, read_regular

from .commit_records import (
    MANIFEST,
    PLAN,
    RECORD_NAME,
    RECORDS,
    SHARD_NAME,
    SPLITS,
    TOKENIZER,
    BlockRecord,
    block_record_path,
    read_block_record,
    read_unit_record,
    unit_record_path,
)
from .json_files import FIX, FORMAT, check_format, parse, to_json
from .plan import Plan
from .schema import TokenSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """Manifest entry of a shard: its record without the ranges; see `BlockRecord`."""

    file: str
    bytes: int
    documents: int
    tokens: int
    text_bytes: int
    digest: str
    trained_tokens: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Split: its shards in order, and their totals."""

    documents: int
    tokens: int
    text_bytes: int
    shards: list[ShardEntry]
    trained_tokens: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """Manifest entry of a file that is not a shard."""

    bytes: int
    xxh3_128: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Content of `manifest.json`; `documents` counts those read, dropped ones included.

    `lost_bytes` and `dropped_inputs` are the sums of those of the units, set where they are not 0.
    """

    format: int
    plan: str
    tokenizer: TokenSchema
    sources: list[str]
    splits: dict[str, Split]
    documents: int
    dropped: dict[str, int]
    files: dict[str, FileEntry]
    fingerprint: str
    lost_bytes: int | UnsetType = UNSET
    dropped_inputs: dict[str, int] | UnsetType = UNSET


def build_manifest(folder: Path, plan: Plan, tokens: TokenSchema) -> Manifest:
    """Collect the records of a folder whose units are all complete.

    Raises:
        SpikeError: the documents of a unit do not add up.
    """
    fingerprint = plan.fingerprint
    dropped: Counter[str] = Counter()
    inputs: Counter[str] = Counter()
    documents = lost_bytes = 0
    shards: dict[str, list[ShardEntry]] = {split: [] for split in SPLITS}
    for number in range(len(plan.units)):
        path = unit_record_path(folder, number)
        unit = read_unit_record(path)
        blocks = [read_block_record(block_record_path(folder, name)) for name in unit.blocks]
        written = sum(block.documents for block in blocks)
        if unit.documents != written + sum(unit.dropped.values()):
            fault = f"{unit.documents} documents were read, but {written} were written"
            raise SpikeError(f"{path}: {fault}; {FIX}")
        for block in blocks:
            shards[block.file.partition("-")[0]].append(entry(block))
        dropped.update(unit.dropped)
        inputs.update(unit.dropped_inputs or {})
        lost_bytes += unit.lost_bytes or 0
        documents += unit.documents
    manifest = Manifest(
        format=FORMAT,
        plan=fingerprint,
        tokenizer=tokens,
        sources=[source.name for source in plan.sources],
        splits={split: total(entries) for split, entries in shards.items()},
        documents=documents,
        dropped=dict(sorted(dropped.items())),
        files={name: file_entry(folder / name) for name in other_files(folder)},
        fingerprint="",
        lost_bytes=lost_bytes or UNSET,
        dropped_inputs=dict(sorted(inputs.items())) or UNSET,
    )
    return replace(manifest, fingerprint=signature(msgspec.to_builtins(manifest)))


def write_manifest(folder: Path, manifest: Manifest, disk: Disk) -> None:
    """Write `manifest.json`: from then on the folder is complete."""
    write_durably(folder / MANIFEST, to_json(manifest), disk)


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` and check its fingerprint and consistency.

    Raises:
        SpikeError: the folder is not complete, or the manifest is damaged or contradicts itself.
    """
    path = folder / MANIFEST
    try:
        data = read_regular(path, MAX_LISTING)
    except OSError as error:
        if os.path.lexists(path) or not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise unreadable(path, error) from None
        raise SpikeError(
            f"{folder}: {path_contents(folder)}; name a shard folder (spike shard makes and "
            "completes one)"
        ) from None
    manifest = parse(data, Manifest, str(path))
    check_format(manifest.format, str(path))
    # The text is checked too, so that every changed byte is noticed, even a blank.
    with parse_failures(path, FIX):
        content = msgspec.json.decode(data)
        unchanged = signature(content) == manifest.fingerprint and to_json(content) == data
    if not unchanged:
        raise SpikeError(f"{path}: is damaged: its content does not match its fingerprint; {FIX}")
    if fault := contradiction(manifest):
        raise SpikeError(f"{path}: {fault}; {FIX}")
    return manifest


def signature(content: dict[str, Any]) -> str:
    """Return the fingerprint of a manifest's JSON: sha256 without this key, sorted, no spaces."""
    rest = {key: value for key, value in content.items() if key != "fingerprint"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def contradiction(manifest: Manifest) -> str | None:
    """Return the contradiction in a manifest, or None."""
    if set(manifest.splits) != set(SPLITS):
        return f"the splits are {sorted(manifest.splits)}"
    entries = [shard for split in manifest.splits.values() for shard in split.shards]
    if len({shard.trained_tokens is UNSET for shard in entries}) > 1:
        return "some shards have a loss mask and others have none"
    for name, split in manifest.splits.items():
        for shard in split.shards:
            if not SHARD_NAME.fullmatch(shard.file):
                return f"{shard.file!r} is not the name of a shard"
        if split != total(split.shards):
            return f"the sums of {name} are wrong"
    for file in manifest.files:
        head, _, tail = file.rpartition("/")
        known = RECORD_NAME.fullmatch(tail) if head == RECORDS else file in (PLAN, TOKENIZER)
        if not known:
            return f"{file!r} is not the name of a file of a shard folder"
    written = sum(split.documents for split in manifest.splits.values())
    if manifest.documents != written + sum(manifest.dropped.values()):
        return "the documents do not add up"
    return None


def total(shards: list[ShardEntry]) -> Split:
    """Return a split of these shards with their totals."""
    return Split(
        documents=sum(shard.documents for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        text_bytes=sum(shard.text_bytes for shard in shards),
        shards=shards,
        trained_tokens=trained_tokens(shards),
    )


def trained_tokens(shards: list[ShardEntry]) -> int | UnsetType:
    """Return the number of tokens trained on by the loss masks; UNSET where there are none."""
    counts = [shard.trained_tokens for shard in shards if shard.trained_tokens is not UNSET]
    return sum(counts) if counts else UNSET


def entry(record: BlockRecord) -> ShardEntry:
    """Return the manifest entry of a shard."""
    return ShardEntry(**{name: getattr(record, name) for name in ShardEntry.__slots__})


def other_files(folder: Path) -> list[str]:
    """Return the names of the files that are neither shards nor the manifest, sorted."""
    records = (f"{RECORDS}/{path.name}" for path in (folder / RECORDS).iterdir())
    return sorted([PLAN, TOKENIZER, *records])


def file_entry(path: Path) -> FileEntry:
    """Return the size and digest of a file."""
    data = read_regular(path, MAX_LISTING)
    return FileEntry(bytes=len(data), xxh3_128=xxhash.xxh3_128_hexdigest(data))

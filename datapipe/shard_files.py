"""Describes the shards of a folder by its manifest and records, before any of them is opened."""

from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from spiketok.errors import SpikeError

from .manifest import Manifest, ShardEntry, entry
from .records import RECORDS, BlockRecord, block_record_path, read_block_record
from .shards import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """A shard as the manifest and its record describe it; no file is open.

    Attributes:
        path: of the file.
        size: its bytes.
        sums: hex digests of its ranges.
        documents: how many it holds.
        tokens: how many they have.
        masked: whether it has a loss mask.
        made_by: the tokenizer that it must name.
    """

    path: Path
    size: int
    sums: list[str]
    documents: int
    tokens: int
    masked: bool
    made_by: Tokens


def record_name(shard: ShardEntry) -> str:
    """Return the name of a shard's record, as in the manifest's `files`."""
    return f"{RECORDS}/{block_record_path(Path(), shard.file).name}"


def vouched_record(folder: Path, manifest: Manifest, shard: ShardEntry) -> BlockRecord:
    """Return the record of a shard.

    Raises:
        SpikeError: the manifest does not list it, or it contradicts the manifest.
    """
    path = block_record_path(folder, shard.file)
    if record_name(shard) not in manifest.files:
        raise SpikeError(
            f"{folder / shard.file}: the manifest lists no {record_name(shard)} that would vouch "
            "for it"
        )
    record = read_block_record(path)
    if entry(record) != shard or record.plan != manifest.plan:
        raise SpikeError(f"{path}: contradicts the manifest")
    return record


def shard_file(folder: Path, shard: ShardEntry, manifest: Manifest) -> ShardFile:
    """Return a shard with the sums of its record.

    Raises:
        SpikeError: its record is missing, malformed or contradicts the manifest.
    """
    record = vouched_record(folder, manifest, shard)
    return ShardFile(
        path=folder / shard.file,
        size=record.bytes,
        sums=record.ranges,
        documents=shard.documents,
        tokens=shard.tokens,
        masked=shard.trained_tokens is not UNSET,
        made_by=manifest.tokenizer,
    )

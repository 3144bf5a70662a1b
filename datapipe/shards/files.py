"""Shard files as the manifest and the records describe them, before any is opened."""

import os
from dataclasses import dataclass
from pathlib import Path

import xxhash
from msgspec import UNSET

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import read_regular

from .checked_file import AGAIN
from .checksums import size_damage
from .commit_records import RECORDS, BlockRecord, block_record_path, read_block_record
from .manifest import FileEntry, Manifest, ShardEntry, entry
from .schema import TokenSchema

REMAKE = "make it again with spike shard --overwrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """Shard as the manifest and its record describe it; no file is open.

    Attributes:
        path: of the file.
        size: its bytes.
        sums: hex digests of its byte ranges.
        documents: number of documents.
        tokens: number of tokens.
        masked: whether it has a loss mask.
        made_by: the tokenizer that it must name.
    """

    path: Path
    size: int
    sums: list[str]
    documents: int
    tokens: int
    masked: bool
    made_by: TokenSchema


def record_name(shard: ShardEntry) -> str:
    """Return the name of a shard's record, as in the manifest's `files`."""
    return f"{RECORDS}/{block_record_path(Path(), shard.file).name}"


def listed_record(folder: Path, manifest: Manifest, shard: ShardEntry) -> BlockRecord:
    """Return a shard's record, which the manifest must list.

    Raises:
        SpikeError: the manifest does not list it, or it contradicts the manifest.
    """
    path = block_record_path(folder, shard.file)
    if record_name(shard) not in manifest.files:
        raise SpikeError(
            f"{folder / shard.file}: the manifest does not list its {record_name(shard)}{AGAIN}"
        )
    record = read_block_record(path)
    if entry(record) != shard or record.plan != manifest.plan:
        raise SpikeError(f"{path}: contradicts the manifest{AGAIN}")
    return record


def shard_file(folder: Path, shard: ShardEntry, manifest: Manifest) -> ShardFile:
    """Return a shard with the checksums of its record.

    Raises:
        SpikeError: its record is missing, malformed or contradicts the manifest.
    """
    return recorded_shard(folder, listed_record(folder, manifest, shard), manifest.tokenizer)


def recorded_shard(folder: Path, record: BlockRecord, made_by: TokenSchema) -> ShardFile:
    """Return a shard as its record describes it."""
    return ShardFile(
        path=folder / record.file,
        size=record.bytes,
        sums=record.ranges,
        documents=record.documents,
        tokens=record.tokens,
        masked=record.trained_tokens is not UNSET,
        made_by=made_by,
    )


def shard_files(folder: Path, split: str, manifest: Manifest) -> list[ShardFile]:
    """Return the shards of a split; all files but their content are checked.

    Raises:
        SpikeError: a file is missing, damaged or of another size.
    """
    check_files(folder, manifest)
    shards = [shard_file(folder, shard, manifest) for shard in manifest.splits[split].shards]
    for shard in shards:
        check_size(shard)
    return shards


def source_name(manifest: Manifest, shard: ShardFile, source: int) -> str:
    """Return the name of a document's source, by its index in the manifest.

    Raises:
        SpikeError: the manifest has no such source.
    """
    if not 0 <= source < len(manifest.sources):
        raise SpikeError(f"{shard.path}: a document names an unknown source{AGAIN}")
    return manifest.sources[source]


def check_size(shard: ShardFile) -> None:
    """Check that a shard exists and has the size in its record.

    Raises:
        SpikeError: it does not, or cannot be read (see `unreadable`).
    """
    try:
        actual = shard.path.stat().st_size
    except FileNotFoundError:
        raise SpikeError(f"{shard.path}: is missing; {REMAKE}") from None
    except OSError as error:
        raise unreadable(shard.path, error) from None
    if damage := size_damage(shard.path, actual, shard.size):
        raise SpikeError(f"{damage}{AGAIN}")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check the files that are not shards.

    Raises:
        SpikeError: the first damage.
    """
    for name, file in manifest.files.items():
        if damaged_file(folder / name, file):
            raise SpikeError(f"{folder / name}: is missing or damaged; {REMAKE}")


def no_file(path: Path) -> str:
    """Return the fault of a path that is not a file."""
    return "is not a regular file" if os.path.lexists(path) else "is missing"


def damaged_file(path: Path, file: FileEntry) -> str | None:
    """Return the fault of a file that is not a shard, or None."""
    if not path.is_file():
        return no_file(path)
    size = path.stat().st_size
    if size != file.bytes:
        return f"has {size} bytes instead of {file.bytes}"
    data = read_regular(path, size)
    if xxhash.xxh3_128_hexdigest(data) != file.xxh3_128:
        return "is damaged: its checksum is not the manifest's"
    return None

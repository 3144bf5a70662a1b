"""Hugging Face `datasets`: shards as a `datasets.Dataset`."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec import UNSET

from spiketok.errors import SpikeError

from ..shards.commit_records import check_split
from ..shards.files import check_files
from ..shards.manifest import Manifest, read_manifest
from ..shards.schema import open_shard
from ..shards.verify import shard_damages

if TYPE_CHECKING:
    import datasets


def open_as_dataset(folder: Path, split: str = "train") -> "datasets.Dataset":
    """Open a split as a `datasets.Dataset` over the memory-mapped shards, without a copy.

    Raises:
        SpikeError: there is no such split, the folder is unfinished, or a shard does not
            match its manifest.
    """
    import datasets

    check_split(split)
    manifest = read_manifest(folder)
    check_shards(folder, split, manifest)
    masked = manifest.splits[split].trained_tokens is not UNSET
    schema = manifest.tokenizer.schema(masked)
    readers = [
        open_shard(folder / shard.file, manifest.tokenizer)
        for shard in manifest.splits[split].shards
    ]
    tables = [reader.read_all().select(schema.names) for reader in readers]
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return datasets.Dataset(table, fingerprint=manifest.fingerprint[:16])


def check_shards(folder: Path, split: str, manifest: Manifest) -> None:
    """Check every byte of a split.

    Raises:
        SpikeError: the first damage.
    """
    check_files(folder, manifest)
    for shard in manifest.splits[split].shards:
        for damage in shard_damages(folder, manifest, shard, set(manifest.files)):
            raise SpikeError(f"{damage}; make it again with spike shard --overwrite")

"""Inspect a shard folder: its totals, and single documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from spiketok import Tokenizer
from spiketok.duplicate_documents import CopyCounter
from spiketok.errors import SpikeError

from .checked_reader import ids_and_sizes, shard_document, shard_documents
from .commit_records import TOKENIZER
from .encoded_documents import Documents
from .files import shard_files, source_name
from .manifest import Manifest, read_manifest


def describe(folder: Path) -> dict[str, Any]:
    """Return the totals of a finished folder: documents, tokens, bytes, ratios, drops, sources."""
    manifest = read_manifest(folder)
    splits = manifest.splits.values()
    tokens = sum(split.tokens for split in splits)
    documents = sum(split.documents for split in splits)
    text_bytes = sum(split.text_bytes for split in splits)
    result: dict[str, Any] = {
        "fingerprint": manifest.fingerprint,
        "tokenizer": manifest.tokenizer.fingerprint,
        "vocab_size": manifest.tokenizer.vocab_size,
        "sources": len(manifest.sources),
        "documents_read": manifest.documents,
        "dropped": dict(manifest.dropped),
        **({"lost_bytes": manifest.lost_bytes} if manifest.lost_bytes else {}),
        **({"dropped_inputs": manifest.dropped_inputs} if manifest.dropped_inputs else {}),
        "documents": documents,
        "tokens": tokens,
        "text_bytes": text_bytes,
        # Without the separators, which have no bytes.
        "bytes_per_token": text_bytes / (tokens - documents) if tokens > documents else None,
        **count_copies(folder, manifest).as_members(),
        "shards": sum(len(split.shards) for split in splits),
        "shard_bytes": sum(shard.bytes for split in splits for shard in split.shards),
    }
    for name, split in manifest.splits.items():
        result[f"{name}_documents"] = split.documents
        result[f"{name}_tokens"] = split.tokens
        result[f"{name}_bytes"] = split.text_bytes
        if split.trained_tokens is not UNSET:
            result[f"{name}_trained_tokens"] = split.trained_tokens
    return result


def count_copies(folder: Path, manifest: Manifest) -> CopyCounter:
    """Count the documents that are exact copies of others; all copies are in one split."""
    copies = CopyCounter()
    for split in manifest.splits:
        for shard in shard_files(folder, split, manifest):
            for ids, sizes in ids_and_sizes(shard):
                copies.add_all(ids, sizes)
    return copies


def read_split(folder: Path, split: str) -> Iterator[Documents]:
    """Yield the documents of one split of a finished folder, a record batch at a time.

    Every byte is compared with its checksum before it is used.

    Raises:
        SpikeError: the folder is unfinished or damaged.
    """
    for shard in shard_files(folder, split, read_manifest(folder)):
        yield from shard_documents(shard)


def show_document(folder: Path, split: str, index: int) -> dict[str, Any]:
    """Return one document of a split: its origin, its counts and its text.

    Raises:
        SpikeError: there is no such document, or the shard is damaged.
    """
    manifest = read_manifest(folder)
    left = index
    for shard in shard_files(folder, split, manifest):
        if left >= shard.documents:
            left -= shard.documents
            continue
        document = shard_document(shard, left)
        source = source_name(manifest, shard, int(document.source[0]))
        mask = document.loss_mask
        trained = {} if mask is None else {"trained_tokens": int(np.count_nonzero(mask))}
        text = Tokenizer.load(folder / TOKENIZER).decode_bytes(document.tokens[:-1])
        return {
            "source": source,
            "row": int(document.row[0]),
            "id": bytes(document.ids[0]).hex(),
            "shard": shard.path.name,
            "bytes": int(document.n_bytes[0]),
            "tokens": len(document.tokens) - 1,
            **trained,
            "text": text.decode("utf-8", "replace"),
        }
    count = manifest.splits[split].documents
    raise SpikeError(f"{folder}: no document {index} in {split}; choose a number below {count}")

"""Longest repeats: the longest passages of a text that a split of shards repeats, and where."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiketok.errors import SpikeError

from .._overlap import RepeatFinder
from ..shards.checked_reader import shard_documents
from ..shards.commit_records import check_split
from ..shards.encoded_documents import Documents
from ..shards.files import ShardFile, shard_files, source_name
from ..shards.manifest import Manifest, read_manifest
from .shard_bytes import ShardBytes, tokenizer_of
from .training_overlap import BYTE_WINDOW

MAX_TEXT = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Passage of a text that a document repeats, byte for byte; it is as long as can be.

    Attributes:
        start: its first byte in the text.
        end: the byte after it.
        source: name of the file that the document is from.
        row: where the document begins in its source: the number of a record, or of a byte.
        document: number of the document in the split, as `spike data inspect --document` has it.
        place: its first byte in the document; special tokens have none.
    """

    start: int
    end: int
    source: str
    row: int
    document: int
    place: int


def longest_repeats(
    folder: Path,
    text: bytes,
    *,
    at_least: int = BYTE_WINDOW,
    most: int = 5,
    split: str = "train",
    report: Callable[[int], None] = lambda _: None,
) -> list[Repeat]:
    """Find the longest passages of a text that occur in a split of a shard folder.

    A passage that is part of a longer one is left out; of several places the first one is named.

    Args:
        folder: a finished shard folder, of text or of conversations.
        text: at most 16 MiB, in UTF-8; with a tokenizer that is not lossless, places are those of
            the text that it keeps.
        at_least: bytes of the shortest passage, from 1.
        most: number of passages to return.
        split: `train` or `validation`.
        report: called with the tokens of the split that have been searched.

    Returns:
        Passages, the longest first.

    Raises:
        SpikeError: the folder is unfinished or damaged, or the text is too long.
    """
    check_split(split)
    manifest = read_manifest(folder)
    shards = shard_files(folder, split, manifest)
    decoder = ShardBytes(tokenizer_of(folder, manifest))
    text = decoder.known(text)
    if len(text) > MAX_TEXT or at_least < 1:
        raise SpikeError(f"{len(text):,} bytes of text; choose at most {MAX_TEXT:,}, at_least > 0")
    finder = RepeatFinder(np.frombuffer(text, np.uint8), at_least)
    longest: dict[int, Repeat] = {}
    tokens = before = 0
    for shard in shards:
        for documents in shard_documents(shard):
            decoder.scan(finder, documents)
            for found in _located(finder, documents, decoder, manifest, shard, before):
                longest[found.end] = found
            tokens, before = tokens + len(documents.tokens), before + len(documents)
            report(tokens)
    return maximal(text, longest.values(), most)


def _located(
    finder: RepeatFinder,
    documents: Documents,
    decoder: ShardBytes,
    manifest: Manifest,
    shard: ShardFile,
    before: int,
) -> Iterator[Repeat]:
    """Yield the new passages of documents of a shard, after `before` others of the split."""
    new = finder.take()
    if not new:
        return
    ends = decoder.document_ends(documents)
    for end, length, position in new:
        number = int(np.searchsorted(ends, position - length, side="right"))
        yield Repeat(
            start=end - length,
            end=end,
            source=source_name(manifest, shard, int(documents.source[number])),
            row=int(documents.row[number]),
            document=before + number,
            place=position - length - (int(ends[number - 1]) if number else 0),
        )


def maximal(text: bytes, longest: Iterable[Repeat], most: int) -> list[Repeat]:
    """Return at most `most` passages of a text, the longest first, none part of one before."""
    kept: list[Repeat] = []
    for found in sorted(longest, key=lambda one: (one.start - one.end, one.start)):
        passage = text[found.start : found.end]
        if len(kept) == most:
            break
        if not any(passage in text[one.start : one.end] for one in kept):
            kept.append(found)
    return kept

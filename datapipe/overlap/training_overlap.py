"""Overlap of texts with a split of shards: how many of their windows occur in it, exactly.

Windows of ids are compared with the ids of the shards, windows of bytes with their decoded bytes,
across tokens. No window crosses a document, or a special token of a conversation. Longest match
may encode the same passage differently next to its ends, so windows of bytes find more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError
from spiketok.text_buffers import join

from .._overlap import WindowSet
from ..shards.checked_reader import shard_documents
from ..shards.commit_records import check_split
from ..shards.files import shard_files
from ..shards.manifest import read_manifest
from .shard_bytes import ShardBytes, tokenizer_of

# As in GPT-3's check (Brown et al., 2020, appendix C), which counts words.
TOKEN_WINDOW = 13
# As in the deduplication of Lee et al. (2022, arXiv:2107.06499).
BYTE_WINDOW = 50
MAX_BYTES = (1 << 32) - 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Overlap of one text with a training split; of several texts it is the sum.

    A text shorter than a window is one window of its own length; an empty text has none.

    Attributes:
        token_windows: windows of 13 ids of the shards' tokenizer.
        token_windows_seen: those that occur in the split.
        byte_windows: windows of 50 bytes.
        byte_windows_seen: those that occur in the split.
    """

    token_windows: int
    token_windows_seen: int
    byte_windows: int
    byte_windows_seen: int

    @property
    def is_seen(self) -> bool:
        """Whether any window was seen."""
        return self.token_windows_seen > 0 or self.byte_windows_seen > 0


def total_overlap(overlaps: Iterable[Overlap]) -> Overlap:
    """Return the sum of overlaps.

    >>> one = Overlap(token_windows=1, token_windows_seen=0, byte_windows=3, byte_windows_seen=2)
    >>> total_overlap([one, one]).byte_windows_seen
    4
    """
    rows = [
        (one.token_windows, one.token_windows_seen, one.byte_windows, one.byte_windows_seen)
        for one in overlaps
    ]
    return _overlap(np.array(rows, np.int64).reshape(-1, 4).sum(axis=0))


def training_overlap(
    folder: Path,
    texts: Sequence[bytes],
    *,
    split: str = "train",
    report: Callable[[int], None] = lambda _: None,
) -> list[Overlap]:
    """Count the windows of texts that occur in a split of a shard folder.

    Every byte of the shards is compared with its checksum. The memory needed grows with the texts
    (some 40 bytes for each byte), not with the shards. For an item of a multiple-choice task, pass
    the context and the right continuation as one text.

    Args:
        folder: a finished shard folder, of text or of conversations.
        texts: texts as they are scored, in UTF-8.
        split: `train` or `validation`.
        report: called with the tokens of the split that have been searched.

    Returns:
        The overlap of each text, in order.

    Raises:
        SpikeError: the folder is unfinished or damaged, or the texts have more than 4 GiB.
    """
    check_split(split)
    manifest = read_manifest(folder)
    shards = shard_files(folder, split, manifest)
    tokenizer = tokenizer_of(folder, manifest)
    decoder = ShardBytes(tokenizer)
    if sum(map(len, texts)) > MAX_BYTES:
        raise SpikeError("the texts have more than 4 GiB; check fewer texts at a time")
    ids, offsets = tokenizer.encode_batch(texts)
    of_tokens = WindowSet(ids, offsets[1:], TOKEN_WINDOW)
    data, ends = join(map(decoder.known, texts))
    of_bytes = WindowSet(data, ends[1:], BYTE_WINDOW)
    done = 0
    for shard in shards:
        for documents in shard_documents(shard):
            of_tokens.scan(documents.tokens, documents.ends)
            decoder.scan(of_bytes, documents)
            done += len(documents.tokens)
            report(done)
    counts = [count for windows in (of_tokens, of_bytes) for count in _counts(windows, len(texts))]
    return [_overlap(row) for row in np.stack(counts, axis=1)]


def _counts(windows: WindowSet, texts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each text its windows, and those seen, int64 [texts]."""
    number, seen = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    windows.count(number, seen)
    return number, seen


def _overlap(row: NDArray[np.int64]) -> Overlap:
    tokens, tokens_seen, size, size_seen = row.tolist()
    return Overlap(
        token_windows=tokens,
        token_windows_seen=tokens_seen,
        byte_windows=size,
        byte_windows_seen=size_seen,
    )

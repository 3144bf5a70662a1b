"""Documents of training windows: which documents each window has, and which of their tokens.

The order of windows is a function of seed and sample number, and the manifest has the tokens of
each shard. So only the record batches that the windows touch are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spiketok.errors import SpikeError

from ..shards.checked_reader import batch_metadata, open_summed, read_documents
from ..shards.commit_records import check_split
from ..shards.encoded_documents import Documents
from ..shards.files import ShardFile, shard_files, source_name
from ..shards.manifest import Manifest, read_manifest
from .windows import shuffled

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPart:
    """Part of a training window: consecutive tokens of one document.

    Attributes:
        sample: number of the window in the order of training, from 0.
        start: first token of the part in the window; token 0 of a window is no target.
        document: number of the document in the split.
        source: name of the file that the document is from.
        row: where the document begins in its source: the number of a record, or of a byte.
        first_token: first token of the part in the document.
        tokens: the document's tokens up to the end of the part; the separator is its last one.
        loss_mask: of the part, bool [len(ids)]; None where all tokens are trained on.
    """

    sample: int
    start: int
    document: int
    source: str
    row: int
    first_token: int
    tokens: Array
    loss_mask: npt.NDArray[np.bool_] | None

    @property
    def ids(self) -> Array:
        """The part's tokens, [n]."""
        return self.tokens[self.first_token :]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tokens of the stream from `first` to `stop` - 1, at `start` of a window."""

    sample: int
    start: int
    first: int
    stop: int


def window_documents(
    folder: Path, length: int, samples: Sequence[int], seed: int, split: str = "train"
) -> list[WindowPart]:
    """Return the parts of shuffled training windows, in the order of samples and tokens.

    The windows are those of `batches`; every byte that is read is compared with its checksum.

    Args:
        folder: a finished shard folder.
        length: targets of a window; a window has one token more.
        samples: numbers of windows in the order of training, from 0.
        seed: of the shuffle.
        split: `train` or `validation`.

    Raises:
        SpikeError: the folder is unfinished or damaged, or has less than one window.
    """
    check_split(split)
    manifest = read_manifest(folder)
    tokens = manifest.splits[split].tokens
    if not tokens // length:
        raise SpikeError(f"{folder}: {tokens} tokens are too few for one window of {length}")
    count = -(-tokens // length)
    order = shuffled(np.array(samples, np.int64), count, seed).tolist()
    pieces = [
        piece
        for sample, number in zip(samples, order, strict=True)
        for piece in _pieces(sample, (number * length - 1) % tokens, length + 1, tokens)
    ]
    parts: list[WindowPart] = []
    first = document = 0
    for shard in shard_files(folder, split, manifest):
        own = _touching(pieces, first, first + shard.tokens)
        if own:
            parts += _parts_of_shard(own, manifest, shard, first, document)
        first, document = first + shard.tokens, document + shard.documents
    return sorted(parts, key=lambda part: (part.sample, part.start))


def _touching(pieces: Sequence[_Piece], first: int, stop: int) -> list[_Piece]:
    return [piece for piece in pieces if piece.first < stop and piece.stop > first]


def _parts_of_shard(
    pieces: Sequence[_Piece], manifest: Manifest, shard: ShardFile, first: int, document: int
) -> Iterator[WindowPart]:
    """Yield the parts of pieces in a shard, after `first` tokens and `document` documents."""
    file = open_summed(shard)
    for number, metadata in enumerate(batch_metadata(file, shard.made_by)):
        stop = first + len(metadata.batch.column("tokens").values)
        if own := _touching(pieces, first, stop):
            documents = read_documents(file, metadata, number, shard)
            for piece in own:
                for part in _parts(piece, documents, first):
                    index = part.document
                    name = source_name(manifest, shard, int(documents.source[index]))
                    yield replace(part, document=document + index, source=name)
        first, document = stop, document + len(metadata.batch)


def _pieces(sample: int, first: int, size: int, tokens: int) -> Iterator[_Piece]:
    """Yield the pieces of a window of `size` tokens, which continues at the stream's beginning."""
    start = 0
    while start < size:
        taken = min(size - start, tokens - first)
        yield _Piece(sample, start, first, first + taken)
        start, first = start + taken, 0


def _parts(piece: _Piece, documents: Documents, before: int) -> Iterator[WindowPart]:
    """Yield the parts of a piece in a record batch, `before` tokens after the stream's first.

    Their `document` is an index in the batch, their `source` is empty.
    """
    first, stop = max(piece.first - before, 0), min(piece.stop - before, len(documents.tokens))
    index = int(np.searchsorted(documents.ends, first, side="right"))
    while first < stop:
        begin = int(documents.ends[index - 1]) if index else 0
        end = min(int(documents.ends[index]), stop)
        mask = documents.loss_mask
        yield WindowPart(
            sample=piece.sample,
            start=piece.start + before + first - piece.first,
            document=index,
            source="",
            row=int(documents.row[index]),
            first_token=first - begin,
            tokens=documents.tokens[begin:end],
            loss_mask=None if mask is None else mask[first:end] != 0,
        )
        first, index = end, index + 1

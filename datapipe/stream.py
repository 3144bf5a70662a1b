"""Opens a split of a shard folder as one long row of tokens, without copying it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spiketok.errors import SpikeError

from .manifest import Manifest, read_manifest
from .records import SPLITS
from .shards import Tokens, open_shard, read_batch
from .verify import damaged_file, shard_damages

LOSS_MASK = "loss_mask"
Array = np.ndarray[Any, np.dtype[Any]]


class TokenStream:
    """The tokens of memory-mapped record batches in a row, borders of batches and files unseen.

    Attributes:
        tokens: number of tokens.
        dtype: uint16 or uint32.
        made_by: the tokenizer that the shards name.
        fingerprint: of the manifest.
    """

    def __init__(self, batches: Sequence[Array], made_by: Tokens, fingerprint: str) -> None:
        self.made_by, self.fingerprint, self.dtype = made_by, fingerprint, made_by.dtype
        self._batches = [batch for batch in batches if len(batch)]
        # Batches are not neighbours in memory: each has a first token and an address of its own.
        self._firsts = np.cumsum([0] + [len(batch) for batch in self._batches])
        self.tokens = int(self._firsts[-1])

    def read(self, starts: npt.NDArray[np.int64], length: int) -> Array:
        """Return the `length` tokens from each start on, as [starts, length] of `dtype`.

        Raises:
            IndexError: a start is negative or too near the end.
            SpikeError: an id is outside the vocabulary: the shards have been damaged since.
        """
        starts = np.asarray(starts, dtype=np.int64)
        if starts.size and not 0 <= starts.min() <= starts.max() <= self.tokens - length:
            raise IndexError(f"tokens {starts.min()} to {starts.max() + length} of {self.tokens}")
        result = np.empty((len(starts), length), dtype=self.dtype)
        numbers = np.searchsorted(self._firsts, starts, side="right") - 1
        offsets = starts - self._firsts[numbers]
        for row, number, offset in zip(result, numbers.tolist(), offsets.tolist(), strict=True):
            piece = self._batches[number][offset : offset + length]
            row[: len(piece)] = piece
            if len(piece) < length:
                self._continue(row, len(piece), number + 1)
        if result.size and int(result.max()) >= self.made_by.vocab_size:
            raise SpikeError("a shard holds ids outside its vocabulary: run spike data verify")
        return result

    def _continue(self, row: Array, filled: int, number: int) -> None:
        while filled < len(row):
            piece = self._batches[number][: len(row) - filled]
            row[filled : filled + len(piece)] = piece
            filled, number = filled + len(piece), number + 1


def open_stream(folder: Path, split: str = "train", verify: bool = True) -> TokenStream:
    """Open the tokens of one split.

    Args:
        folder: a finished shard folder.
        split: `train` or `validation`.
        verify: read every byte of the split once and compare it with its checksums; without it
            only the manifest, the schemas and the borders of documents are checked.

    Raises:
        SpikeError: the folder is unfinished or damaged.
    """
    if split not in SPLITS:
        raise SpikeError(f"split {split!r}: must be one of {', '.join(SPLITS)}")
    manifest = read_manifest(folder)
    if verify:
        refuse_damage(folder, split, manifest)
    batches = []
    for shard in manifest.splits[split].shards:
        path = folder / shard.file
        reader = open_shard(path, manifest.tokenizer)
        if LOSS_MASK in reader.schema.names:
            raise SpikeError(f"{path}: has a {LOSS_MASK}, which would be lost; use a newer spike")
        numbers = range(reader.num_record_batches)
        found = [read_batch(reader, number, path).tokens for number in numbers]
        if sum(map(len, found)) != shard.tokens:
            raise SpikeError(f"{path}: does not hold the {shard.tokens} tokens of the manifest")
        batches += found
    return TokenStream(batches, manifest.tokenizer, manifest.fingerprint)


def refuse_damage(folder: Path, split: str, manifest: Manifest) -> None:
    """Raise the first damage of a split, if there is one."""
    whole = {name for name, file in manifest.files.items() if not damaged_file(folder / name, file)}
    for name in manifest.files:
        if name not in whole:
            raise SpikeError(
                f"{folder / name}: missing or damaged; spike shard --overwrite makes it anew"
            )
    for shard in manifest.splits[split].shards:
        for damage in shard_damages(folder, manifest, shard, whole):
            raise SpikeError(f"{damage}; spike shard --overwrite makes it anew")

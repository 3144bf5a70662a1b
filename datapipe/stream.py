"""Opens a split of a shard folder as one long row of tokens, without copying it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from spiketok.errors import SpikeError

from .manifest import Manifest, read_manifest
from .records import SPLITS
from .shards import LOSS_MASK, Tokens, open_shard, read_batch
from .verify import damaged_file, shard_damages

Array = np.ndarray[Any, np.dtype[Any]]


class TokenStream:
    """The tokens of memory-mapped record batches in a row, borders of batches and files unseen.

    Attributes:
        tokens: number of tokens.
        dtype: uint16 or uint32.
        made_by: the tokenizer that the shards name.
        fingerprint: of the manifest.
        masked: whether there is a loss mask.
    """

    def __init__(
        self,
        batches: Sequence[Array],
        made_by: Tokens,
        fingerprint: str,
        masks: Sequence[Array] = (),
    ) -> None:
        self.made_by, self.fingerprint, self.dtype = made_by, fingerprint, made_by.dtype
        self._batches = [batch for batch in batches if len(batch)]
        self._masks = [mask for mask in masks if len(mask)]
        self.masked = bool(self._masks)
        # Batches are not neighbours in memory: each has a first token and an address of its own.
        self._firsts = np.cumsum([0] + [len(batch) for batch in self._batches])
        self.tokens = int(self._firsts[-1])

    def read(self, starts: npt.NDArray[np.int64], length: int) -> Array:
        """Return `length` tokens from each start on, as [starts, length] of `dtype`.

        The stream is read as a ring: its first token follows its last one.

        Raises:
            IndexError: a start is negative or not below `tokens`.
            SpikeError: an id is outside the vocabulary: the shards have been damaged since.
        """
        result = self._gather(self._batches, starts, length, self.dtype)
        if result.size and int(result.max()) >= self.made_by.vocab_size:
            raise SpikeError("a shard holds ids outside its vocabulary: run spike data verify")
        return result

    def read_mask(self, starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_] | None:
        """Return which tokens of `read` are trained on, bool of its shape; None without a mask.

        Raises:
            IndexError: as `read`.
        """
        if not self.masked:
            return None
        return self._gather(self._masks, starts, length, np.dtype(np.uint8)).astype(np.bool_)

    def _gather(
        self,
        batches: Sequence[Array],
        starts: npt.NDArray[np.int64],
        length: int,
        dtype: np.dtype[Any],
    ) -> Array:
        starts = np.asarray(starts, dtype=np.int64)
        if starts.size and not 0 <= starts.min() <= starts.max() < self.tokens:
            raise IndexError(f"tokens {starts.min()} to {starts.max()} of {self.tokens}")
        result = np.empty((len(starts), length), dtype=dtype)
        numbers = np.searchsorted(self._firsts, starts, side="right") - 1
        offsets = starts - self._firsts[numbers]
        for row, number, offset in zip(result, numbers.tolist(), offsets.tolist(), strict=True):
            piece = batches[number][offset : offset + length]
            row[: len(piece)] = piece
            if len(piece) < length:
                go_on(batches, number + 1, row[len(piece) :])
        return result


def go_on(batches: Sequence[Array], number: int, row: Array) -> None:
    """Fill a row from the beginning of batch `number` on; the first batch follows the last."""
    while len(row):
        piece = batches[number % len(batches)][: len(row)]
        row[: len(piece)] = piece
        row, number = row[len(piece) :], number + 1


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
    batches, masks = [], []
    for shard in manifest.splits[split].shards:
        path = folder / shard.file
        reader = open_shard(path, manifest.tokenizer)
        found = [read_batch(reader, number, path) for number in range(reader.num_record_batches)]
        if sum(len(part.tokens) for part in found) != shard.tokens:
            raise SpikeError(f"{path}: does not hold the {shard.tokens} tokens of the manifest")
        batches += [part.tokens for part in found]
        masks += [part.loss_mask for part in found if part.loss_mask is not None]
        if len(masks) != (0 if shard.trained_tokens is UNSET else len(batches)):
            raise SpikeError(f"{path}: has a {LOSS_MASK} or has none, against the manifest")
    return TokenStream(batches, manifest.tokenizer, manifest.fingerprint, masks)


def refuse_damage(folder: Path, split: str, manifest: Manifest) -> None:
    """Raise the first damage of a split, if there is one."""
    whole = {name for name, file in manifest.files.items() if not damaged_file(folder / name, file)}
    for name in manifest.files:
        if name not in whole:
            raise SpikeError(
                f"{folder / name}: missing or damaged; spike shard --overwrite makes it again"
            )
    for shard in manifest.splits[split].shards:
        for damage in shard_damages(folder, manifest, shard, whole):
            raise SpikeError(f"{damage}; spike shard --overwrite makes it again")

"""Token stream: a split of a shard folder as one long sequence, read by position."""

import resource
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spiketok.errors import SpikeError

from .._reading import read_rows, unchecked_ranges
from ..shards.checked_file import SummedFile, range_count
from ..shards.checked_reader import open_runs
from ..shards.checksums import RANGE_BYTES
from ..shards.commit_records import check_split
from ..shards.files import ShardFile, shard_files
from ..shards.manifest import read_manifest
from ..shards.schema import TokenSchema

Array = np.ndarray[Any, np.dtype[Any]]
# Files that a process holds open beside shards: libraries, logs, pipes.
OTHER_FILES = 512
# How often the files' modification times are checked.
LOOK_SECONDS = 1.0
# The lines of the table that `read_rows` takes.
FIRST, DESCRIPTOR, RANGE, TOKENS_AT, MASK_AT = range(LINES := 5)


class TokenStream:
    """Tokens of shards as one sequence, across record batches and files.

    A shard is opened when its first token is read. Every range of a shard is compared with its
    checksum when it is first read in an epoch; `start_epoch` begins the next one. Shards that
    another program has written to are compared again within a second.

    Attributes:
        tokens: number of tokens.
        dtype: uint16 or uint32.
        made_by: the tokenizer that the shards name.
        fingerprint: of the manifest.
        masked: whether there is a loss mask.
    """

    def __init__(self, shards: Sequence[ShardFile], made_by: TokenSchema, fingerprint: str) -> None:
        self.made_by, self.fingerprint, self.dtype = made_by, fingerprint, made_by.dtype
        self.masked = any(shard.masked for shard in shards)
        self._shards = [shard for shard in shards if shard.tokens]
        self._files: list[SummedFile | None] = [None for _ in self._shards]
        sizes = [max(range_count(shard.size), 1) for shard in self._shards]
        self._first_ranges = list(accumulate(sizes, initial=0))
        self._unchecked = np.ones(self._first_ranges[-1], dtype=np.uint8)
        # The table for `read_rows`: a column for each shard that is not open yet, for each run of
        # the others, and for the end.
        self._runs = np.full((LINES, len(self._shards) + 1), -1, dtype=np.int64)
        self._runs[FIRST] = np.cumsum([0] + [shard.tokens for shard in self._shards])
        self._runs[RANGE] = self._first_ranges
        self.tokens = int(self._runs[FIRST, -1])
        self._looked = time.monotonic()

    def start_epoch(self) -> None:
        """Check the size of each open shard; compare all ranges again when they are first read.

        Raises:
            SpikeError: a shard has another size.
        """
        for file in filter(None, self._files):
            file.start_epoch()

    def read(self, starts: npt.NDArray[np.int64], length: int) -> Array:
        """Return the `length` tokens at each start, as [starts, length] of `dtype`.

        The stream is read as a ring: its first token follows its last one.

        Raises:
            IndexError: a start is negative or not below `tokens`.
            SpikeError: a shard is damaged, or has changed since the folder was opened.
        """
        result = self._gather(starts, length, self.dtype, TOKENS_AT)
        if result.size and int(result.max()) >= self.made_by.vocab_size:
            self.start_epoch()
            self._gather(starts, length, self.dtype, TOKENS_AT)  # names the range that changed
            raise SpikeError("a shard has ids outside its vocabulary; run spike data verify")
        return result

    def read_mask(self, starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_] | None:
        """Return the loss mask of the tokens of `read`, bool [starts, length]; None without one.

        Raises:
            IndexError: as `read`.
            SpikeError: as `read`.
        """
        if not self.masked:
            return None
        return self._gather(starts, length, np.dtype(np.uint8), MASK_AT).astype(np.bool_)

    def _gather(
        self, starts: npt.NDArray[np.int64], length: int, dtype: np.dtype[Any], line: int
    ) -> Array:
        starts = np.ascontiguousarray(starts, dtype=np.int64)
        result = np.empty((len(starts), length), dtype=dtype)
        if not result.size:
            return result
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            for file in filter(None, self._files):
                file.look_again()
        rows, width, done = result.view(np.uint8), dtype.itemsize, 0
        options = (line, self._unchecked, RANGE_BYTES, width)
        for number in unchecked_ranges(starts, self._runs, *options, rows.shape[1]):
            shard = self._shard_of(number)
            self._file(shard).compare(number - self._first_ranges[shard])
        while (done := read_rows(starts, self._runs, *options, rows, done)) < len(rows):
            self._fill(rows[done].data, int(starts[done]), width, line)
            done += 1
        return result

    def _fill(self, row: memoryview, start: int, width: int, line: int) -> None:
        """Fill the bytes of a row that spans several runs or is in a shard that is not open."""
        if not 0 <= start < self.tokens:
            raise IndexError(f"token {start} of {self.tokens}")
        while row:
            run = int(np.searchsorted(self._runs[FIRST], start, side="right")) - 1
            shard = self._shard_of(int(self._runs[RANGE, run]))
            if self._files[shard] is None:
                self._open(shard, run)
                continue
            first, stop = self._runs[FIRST, run : run + 2].tolist()
            taken = min(len(row), (stop - start) * width)
            at = int(self._runs[line, run]) + (start - first) * width
            self._file(shard).read(at, row[:taken])
            row, start = row[taken:], stop % self.tokens

    def _shard_of(self, range_number: int) -> int:
        return bisect_right(self._first_ranges, range_number) - 1

    def _file(self, shard: int) -> SummedFile:
        file = self._files[shard]
        assert file is not None  # noqa: S101 — its runs are known only once it is open
        return file

    def _open(self, shard: int, column: int) -> None:
        """Open a shard and replace its column by its runs."""
        first, stop = self._first_ranges[shard : shard + 2]
        file, runs = open_runs(self._shards[shard], self._unchecked[first:stop])
        columns = np.empty((LINES, len(runs)), dtype=np.int64)
        before = accumulate((run.tokens for run in runs[:-1]), initial=0)
        columns[FIRST] = self._runs[FIRST, column] + list(before)
        columns[DESCRIPTOR], columns[RANGE] = file.descriptor, first
        columns[TOKENS_AT] = [run.tokens_at for run in runs]
        columns[MASK_AT] = [run.mask_at for run in runs]
        self._runs = np.concatenate(
            (self._runs[:, :column], columns, self._runs[:, column + 1 :]), axis=1
        )
        self._files[shard] = file


def open_stream(folder: Path, split: str = "train") -> TokenStream:
    """Open the tokens of one split.

    The manifest, the records and the sizes of the shards are checked now, the content of the shards
    when it is read.

    Args:
        folder: a finished shard folder.
        split: `train` or `validation`.

    Raises:
        SpikeError: the folder is unfinished, or one of these is damaged or missing.
    """
    check_split(split)
    manifest = read_manifest(folder)
    shards = shard_files(folder, split, manifest)
    allow_open_files(sum(len(each.shards) for each in manifest.splits.values()))
    return TokenStream(shards, manifest.tokenizer, manifest.fingerprint)


def allow_open_files(count: int) -> None:
    """Raise the limit of open files to fit `count` more, up to the process's hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = count + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

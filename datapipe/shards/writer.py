"""Shard writer: documents in; Arrow files, checksums and records out."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType

from spiketok.atomic_files import Disk, durable_file, write_durably

from .checksums import ContentSum, SummingFile
from .commit_records import BlockRecord, block_record_path, shard_name
from .encoded_documents import Documents, concatenate, cut_by_tokens
from .json_files import to_json
from .schema import record_batch

BATCH_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDestination:
    """Output location of the shards of one unit.

    Attributes:
        folder: the shard folder.
        plan: fingerprint of the plan.
        unit: number of the unit.
        schema: of the shards, metadata included.
        shard_tokens: a shard ends with the document that brings it to this number of tokens.
        disk: the file operations.
    """

    folder: Path
    plan: str
    unit: int
    schema: pa.Schema
    shard_tokens: int
    disk: Disk


class OpenShard:
    """Shard being written; `commit` writes its name and its record."""

    def __init__(self, target: ShardDestination, name: str) -> None:
        self.target, self.name = target, name
        self.documents, self.tokens, self.text_bytes = 0, 0, 0
        self.trained_tokens: int | UnsetType = UNSET
        self._content = ContentSum()
        self._pending: list[Documents] = []
        self._room = BATCH_TOKENS
        self.stack = ExitStack()
        self._file = SummingFile(
            self.stack.enter_context(durable_file(target.folder / name, target.disk))
        )
        self._writer = self.stack.enter_context(
            pa.ipc.new_file(pa.PythonFile(self._file, "w"), target.schema)
        )

    def add(self, documents: Documents) -> None:
        """Append documents; record batches depend on the token count alone."""
        for part, full in cut_by_tokens(documents, self._room, BATCH_TOKENS):
            self._pending.append(part)
            self._room -= len(part.tokens)
            if full:
                self._write_batch()
        self.documents += len(documents)
        self.tokens += len(documents.tokens)
        self.text_bytes += int(documents.n_bytes.sum())
        if documents.loss_mask is not None:
            trained = int(np.count_nonzero(documents.loss_mask))
            self.trained_tokens = (self.trained_tokens or 0) + trained

    def _write_batch(self) -> None:
        documents = concatenate(self._pending)
        self._writer.write_batch(record_batch(documents, self.target.schema))
        self._content.update(documents)
        self._pending, self._room = [], BATCH_TOKENS

    def commit(self) -> None:
        """Complete the file, then write its commit record."""
        if self._pending:
            self._write_batch()
        self.stack.close()
        target = self.target
        record = BlockRecord(
            plan=target.plan,
            file=self.name,
            bytes=self._file.sums.size,
            documents=self.documents,
            tokens=self.tokens,
            text_bytes=self.text_bytes,
            digest=self._content.hexdigest(),
            ranges=self._file.sums.digests(),
            trained_tokens=self.trained_tokens,
        )
        path = block_record_path(target.folder, self.name)
        write_durably(path, to_json(record), target.disk)


class ShardWriter:
    """Writer of the shards of one split of one unit; it commits each as soon as it is full.

    As a context manager it removes the unfinished shard when its block fails. `blocks` counts the
    committed shards, those of earlier runs included.
    """

    def __init__(self, target: ShardDestination, split: str, blocks: int) -> None:
        self._target, self._split, self.blocks = target, split, blocks
        self._open: OpenShard | None = None

    def add(self, documents: Documents) -> None:
        """Append documents."""
        size = self._target.shard_tokens
        room = size - self._open.tokens if self._open else size
        for part, full in cut_by_tokens(documents, room, size):
            if self._open is None:
                name = shard_name(self._split, self._target.unit, self.blocks)
                self._open = OpenShard(self._target, name)
            self._open.add(part)
            if full:
                self.commit()

    def commit(self) -> None:
        """Commit the shard that is open, if one is."""
        if self._open is not None:
            self._open.commit()
            self._open = None
            self.blocks += 1

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            self._open.stack.__exit__(kind, error, trace)

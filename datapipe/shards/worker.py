"""Shard worker: read, split and encode the ranges of one unit, and commit its shards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from msgspec import UNSET

from spiketok import Tokenizer
from spiketok.atomic_files import write_durably
from spiketok.errors import SpikeError
from spiketok.holdout import HeldOut

from ..sources.bad_records import Dropped
from ..sources.files import Source
from ..sources.source_range import SourceRange
from .chat_encoding import encode_conversations
from .checked_reader import ids_and_sizes
from .commit_records import SPLITS, BlockRecord, UnitRecord, shard_name, unit_record_path
from .encoded_documents import ID_BYTES, Documents, document_ids, encode_documents
from .files import recorded_shard
from .json_files import to_json
from .plan import Plan
from .resume import Committed
from .schema import token_schema_of
from .splits import ALSO_IN_VALIDATION, read_documents
from .writer import ShardDestination, ShardWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """State that all units of a run share.

    Attributes:
        plan: the units to process.
        sources: the paths of the plan's sources.
        held_out: the documents that are not for training.
        tokenizer: the encoder.
        threads: for the encoder, in each unit.
        progress: called with the number of newly read bytes of input, from any thread; it may
            raise to stop the work.
    """

    plan: Plan
    sources: list[Source]
    held_out: HeldOut
    tokenizer: Tokenizer
    threads: int
    progress: Callable[[int], None]


def process_unit(work: WorkerContext, target: ShardDestination, committed: Committed) -> None:
    """Write the shards of a unit that are not committed yet, then the unit's record.

    Args:
        work: the state that all units share.
        target: output location of this unit's shards.
        committed: the shards of an earlier run. Their documents are read again, since the rest
            depends on them, but not encoded.
    """
    dropped = Dropped()
    documents = 0
    done = {split: committed_ids(work, target.folder, committed[split]) for split in SPLITS}
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(ShardWriter(target, split, len(committed[split])))
            for split in SPLITS
        }
        for source, batch in read_unit(work, target.unit, dropped):
            ids = document_ids(batch.column("text"))
            masks = masks_of(work, source, ids, dropped)
            documents += int(np.count_nonzero(masks))
            for split, chosen in zip(SPLITS, masks, strict=True):
                numbers = np.flatnonzero(chosen)
                skipped = min(len(done[split]), len(numbers))
                same = np.array_equal(done[split][:skipped], ids[numbers[:skipped]])
                check_unchanged(same, work.sources[source])
                done[split], part = done[split][skipped:], numbers[skipped:]
                if len(part):
                    writers[split].add(encode(work, choose(batch, part), ids[part], source))
            del batch
        check_unchanged(
            not any(map(len, done.values())), work.sources[work.plan.units[target.unit][-1][0]]
        )
        for writer in writers.values():
            writer.commit()
    record = UnitRecord(
        plan=target.plan,
        unit=target.unit,
        blocks=[
            shard_name(split, target.unit, block)
            for split in SPLITS
            for block in range(writers[split].blocks)
        ],
        documents=documents + sum(dropped.values()),
        dropped=dict(sorted(dropped.items())),
        lost_bytes=dropped.lost_bytes or UNSET,
        dropped_inputs=dict(sorted(dropped.inputs.items())) or UNSET,
    )
    write_durably(unit_record_path(target.folder, target.unit), to_json(record), target.disk)


def committed_ids(work: WorkerContext, folder: Path, records: list[BlockRecord]) -> np.ndarray:
    """Return the names of the documents that are committed, in order: [n, 16] uint8."""
    names = [np.empty((0, ID_BYTES), np.uint8)]
    for record in records:
        shard = recorded_shard(folder, record, token_schema_of(work.tokenizer))
        names += [ids for ids, _ in ids_and_sizes(shard)]
    return np.concatenate(names)


def check_unchanged(same: bool, source: Source) -> None:
    """Check that the documents are those that were committed.

    Raises:
        SpikeError: they are not the `same`.
    """
    if not same:
        raise SpikeError(
            f"{source.shown}: has changed since its shards were started; use --overwrite"
        )


def read_unit(
    work: WorkerContext, unit: int, dropped: Dropped
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the documents of a unit: (index of the source, batch)."""
    for index, start, stop in work.plan.units[unit]:
        part, settings = SourceRange(work.sources[index], start, stop), work.plan.settings
        for batch in read_documents(part, settings, dropped, work.progress):
            yield index, batch
            del batch


def encode(work: WorkerContext, batch: pa.RecordBatch, ids: np.ndarray, source: int) -> Documents:
    """Encode the documents of a batch, or its conversations.

    Args:
        work: the state that all units share.
        batch: the documents, n of them.
        ids: uint8 [n, 16], their names.
        source: index into the plan's sources.
    """
    if work.plan.settings.chat:
        return encode_conversations(work.tokenizer, batch, ids, source, work.threads)
    texts, rows = batch.column("text"), batch.column("row").to_numpy()
    return encode_documents(work.tokenizer, texts, rows, ids, source, work.threads)


def split_masks(ids: np.ndarray, held_out: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of the training and the validation documents, two bool [n]."""
    is_out = np.array([bytes(name) in held_out for name in ids], dtype=bool)
    return ~is_out, is_out


def masks_of(
    work: WorkerContext, source: int, ids: np.ndarray, dropped: Dropped
) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of a source's training and validation documents, two bool [n].

    Where validation files are named, documents of the inputs that are also there are left out and
    counted as dropped.

    Args:
        work: the state that all units share.
        source: index into the plan's sources.
        ids: uint8 [n, 16], the names of the documents.
        dropped: counts of the documents left out, added to.
    """
    train, validation = split_masks(ids, work.held_out)
    if work.plan.sources[source].split:
        return np.zeros_like(train), np.ones_like(train)
    if work.held_out.named:
        if copies := int(np.count_nonzero(validation)):
            dropped[ALSO_IN_VALIDATION] += copies
            dropped.inputs[work.sources[source].name] += copies
        return train, np.zeros_like(train)
    return train, validation


def choose(batch: pa.RecordBatch, part: np.ndarray) -> pa.RecordBatch:
    """Return the documents of the numbers [n]; all of them without a copy."""
    return batch if len(part) == len(batch) else batch.take(pa.array(part))

"""Does one unit of work: reads its ranges, splits and encodes the documents, commits the shards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from msgspec import UNSET

from spiketok import Tokenizer
from spiketok.durable import write_durably
from spiketok.errors import SpikeError
from spiketok.held_out import is_held_out

from .chat_encoding import encode_conversations
from .chat_reading import read_conversations
from .documents import (
    ID_BYTES,
    Documents,
    document_ids,
    encode_documents,
)
from .faults import Dropped
from .json_files import to_json
from .plan import Plan
from .reading import read_range
from .records import SPLITS, BlockRecord, UnitRecord, shard_name, unit_record_path
from .resume import Committed
from .shard_writer import ShardWriter, Target
from .shards import open_shard, read_batch, tokens_of
from .sources import Source
from .text_pieces import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all units of a run share.

    Attributes:
        plan: what is to be done.
        sources: where the plan's sources are.
        tokenizer: the encoder.
        threads: for the encoder, in each unit.
        progress: hears how many bytes of the input files are newly done, from any thread; it may
            raise to stop the work.
    """

    plan: Plan
    sources: list[Source]
    tokenizer: Tokenizer
    threads: int
    progress: Callable[[int], None]


def do_unit(work: Work, target: Target, committed: Committed) -> None:
    """Write the shards of a unit that are not committed yet, then the unit's record.

    Args:
        work: what all units share.
        target: where this unit's shards go.
        committed: what an earlier run has finished. Its documents are read again, for the rest
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
            documents += len(batch)
            ids = document_ids(batch.column("text"))
            for split, chosen in zip(SPLITS, split_masks(ids, work.plan), strict=True):
                found = np.flatnonzero(chosen)
                skipped = min(len(done[split]), len(found))
                same = np.array_equal(done[split][:skipped], ids[found[:skipped]])
                refuse_change(same, work.sources[source])
                done[split], part = done[split][skipped:], found[skipped:]
                if len(part):
                    writers[split].add(encode(work, choose(batch, part), ids[part], source))
        refuse_change(
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
    )
    write_durably(unit_record_path(target.folder, target.unit), to_json(record), target.disk)


def committed_ids(work: Work, folder: Path, records: list[BlockRecord]) -> np.ndarray:
    """Return the names of the documents that are committed, in order: [n, 16] uint8."""
    names = [np.empty((0, ID_BYTES), np.uint8)]
    for record in records:
        path = folder / record.file
        reader = open_shard(path, tokens_of(work.tokenizer))
        numbers = range(reader.num_record_batches)
        names += [read_batch(reader, number, path).ids for number in numbers]
    return np.concatenate(names)


def refuse_change(same: bool, source: Source) -> None:
    """Refuse to go on where the documents are not those that were committed."""
    if not same:
        raise SpikeError(f"{source.path}: has changed since its shards were begun; use --overwrite")


def read_unit(work: Work, unit: int, dropped: Dropped) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the documents of a unit: (index of the source, batch)."""
    settings = work.plan.settings
    for index, start, stop in work.plan.units[unit]:
        if settings.chat:
            batches = read_conversations(
                work.sources[index],
                start,
                stop,
                settings.chat.parse_markers,
                settings.chat.ignored_keys or (),
                settings.errors,
                dropped,
                work.progress,
            )
        else:
            batches = read_range(
                work.sources[index],
                start,
                stop,
                settings.text_field,
                settings.errors,
                dropped,
                work.progress,
                settings.split_text or NONE,
            )
        for batch in batches:
            yield index, batch


def encode(work: Work, batch: pa.RecordBatch, ids: np.ndarray, source: int) -> Documents:
    """Encode the documents of a batch, whichever of the two readers it comes from."""
    if work.plan.settings.chat:
        return encode_conversations(work.tokenizer, batch, ids, source, work.threads)
    texts, rows = batch.column("text"), batch.column("row").to_numpy()
    return encode_documents(work.tokenizer, texts, rows, ids, source, work.threads)


def split_masks(ids: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Tell which documents go to training and which to validation, as two bool [n]."""
    fraction = plan.settings.validation
    held_out = np.array([is_held_out(bytes(name), fraction) for name in ids], dtype=bool)
    return ~held_out, held_out


def choose(batch: pa.RecordBatch, part: np.ndarray) -> pa.RecordBatch:
    """Return some of the documents; all of them without a copy."""
    return batch if len(part) == len(batch) else batch.take(pa.array(part))

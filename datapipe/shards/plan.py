"""Shard plan: units of work that depend on nothing but the inputs and the settings."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import xxhash
from msgspec import UNSET, UnsetType

from spiketok.errors import SpikeError
from spiketok.holdout import NAMES, HeldOut, held_out_of
from spiketok.regular_files import open_regular

from ..sources.bad_records import MAX_RECORD
from ..sources.chat_reader import check_kind
from ..sources.files import Source
from ..sources.lines import COMPRESSIONS, check_compression
from ..sources.parquet import check_column, open_parquet
from ..sources.text_splitting import AUTO, NONE
from .json_files import FORMAT, to_json
from .settings import ShardSettings, check_settings, reading
from .splits import document_names

UNIT_BYTES = 32 << 20
MAX_UNITS = 4096
# A guess that only balances the units: bytes of text per byte of a compressed file.
EXPANSION = 3
SAMPLE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSource:
    """Source in a plan: its name, size and a sample of its content.

    `split` is `validation` where the source was named for that.
    """

    name: str
    kind: str
    bytes: int
    sample: str
    split: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Content of `plan.json`; `units` holds [source, start, stop] lists.

    `held_out_below` is `HeldOut.below` as 16 hex digits, where the fraction alone would leave
    training or validation without a document.
    """

    format: int
    tokenizer: str
    settings: ShardSettings
    sources: list[PlannedSource]
    units: list[list[tuple[int, int, int]]]
    held_out_below: str | UnsetType = UNSET

    @property
    def held_out(self) -> HeldOut:
        """Documents of the sources that go to validation by their content."""
        if self.held_out_below is UNSET:
            return HeldOut(ceil(self.settings.validation * NAMES))
        return HeldOut(int(self.held_out_below, 16))

    def to_json(self) -> bytes:
        """Return the content of `plan.json`."""
        return to_json(self)

    @property
    def fingerprint(self) -> str:
        """sha256 of `plan.json`."""
        return hashlib.sha256(self.to_json()).hexdigest()


def make_plan(
    sources: Sequence[Source],
    tokenizer: str,
    settings: ShardSettings,
    validation: Sequence[Source] = (),
) -> Plan:
    """Plan the sharding of sources.

    Args:
        sources: the inputs; read until both splits have a document.
        tokenizer: its fingerprint.
        settings: of the shards.
        validation: the files of the validation split, instead of `settings.validation`.

    Raises:
        SpikeError: a setting is out of range, or a parquet file cannot be read.
    """
    check_settings(settings)
    if not sources:
        fault = "each input is also a file of --validation" if validation else "no input files"
        raise SpikeError(f"there is nothing to shard: {fault}; name other files")
    every = [*sources, *validation]
    if settings.chat:
        for source in every:
            check_kind(source)
    for source in every:
        check_compression(source)
    has_text = any(source.kind.startswith("txt") for source in every)
    split = (settings.split_text or AUTO) if has_text and not settings.chat else UNSET
    fraction = 0.0 if validation else settings.validation
    settings = replace(settings, split_text=split, validation=fraction)
    held_out = held_out_of(document_names(sources, settings), fraction)
    weights = [source.bytes * expansion(source) for source in every]
    unit_bytes = max(UNIT_BYTES, sum(weights) // MAX_UNITS)
    column = None if settings.chat else settings.text_field
    planned = [planned_source(source) for source in every]
    named = [replace(source, split="validation") for source in planned[len(sources) :]]
    return Plan(
        format=FORMAT,
        tokenizer=tokenizer,
        settings=settings,
        sources=planned[: len(sources)] + named,
        units=list(group(pieces(every, unit_bytes, column), unit_bytes)),
        **held_out.record(fraction),
    )


def planned_source(source: Source) -> PlannedSource:
    """Return the plan's entry of a source."""
    return PlannedSource(
        name=source.name, kind=source.kind, bytes=source.bytes, sample=sample(source)
    )


def expansion(source: Source) -> int:
    """Return the approximate bytes of text per byte of a source's file."""
    return EXPANSION if source.kind in COMPRESSIONS or source.kind == "parquet" else 1


def pieces(
    sources: Sequence[Source], unit_bytes: int, text_field: str | None
) -> Iterator[tuple[int, int, int, int]]:
    """Split sources into the smallest pieces that can be read: (source, start, stop, bytes).

    `text_field` is None where the records are conversations.
    """
    for index, source in enumerate(sources):
        if source.kind == "jsonl" and source.bytes > unit_bytes:
            for start in range(0, source.bytes, unit_bytes):
                stop = min(start + unit_bytes, source.bytes)
                yield index, start, stop, stop - start
        elif source.kind == "parquet":
            with open_parquet(source) as file:
                if text_field is not None:
                    check_column(source, file.schema_arrow, text_field)
                for row_group in range(file.num_row_groups):
                    weight = file.metadata.row_group(row_group).total_byte_size
                    yield index, row_group, row_group + 1, weight
        else:
            yield index, 0, -1, source.bytes * expansion(source)


def group(
    cut: Iterator[tuple[int, int, int, int]], unit_bytes: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Join neighbouring pieces into units of at most `unit_bytes`, unless one alone has more."""
    unit: list[tuple[int, int, int]] = []
    weight = 0
    for source, start, stop, bytes_ in cut:
        if unit and weight + bytes_ > unit_bytes:
            yield unit
            unit, weight = [], 0
        if unit and unit[-1][0] == source and unit[-1][2] == start:
            unit[-1] = (source, unit[-1][1], stop)
        else:
            unit.append((source, start, stop))
        weight += bytes_
    if unit:
        yield unit


def sample(source: Source) -> str:
    """Return the xxh3-64 of the first, middle and last 64 KiB of a file.

    It notices most changes of a file that keep its size; it does not prove that there are none.
    """
    digest = xxhash.xxh3_64()
    last = max(source.bytes - SAMPLE_BYTES, 0)
    with open_regular(source.path) as file:
        for position in (0, last // 2, last):
            file.seek(position)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def difference(old: Plan, new: Plan) -> str:
    """Describe in a few words how two plans differ."""
    if old.tokenizer != new.tokenizer:
        return "the tokenizer differs"
    for name in ("text_field", "errors", "validation", "shard_tokens"):
        before, now = getattr(old.settings, name), getattr(new.settings, name)
        if before != now:
            return f"{name} was {before!r} and is now {now!r}"
    if old.settings.split_text != new.settings.split_text:
        before, now = (plan.settings.split_text or NONE for plan in (old, new))
        return f"split_text was {before!r} and is now {now!r}"
    if old.settings.max_record != new.settings.max_record:
        before, now = (plan.settings.max_record or MAX_RECORD for plan in (old, new))
        return f"max_record was {before} and is now {now}"
    if old.settings.chat != new.settings.chat:
        before, now = (reading(plan.settings.chat) for plan in (old, new))
        return f"records were read as {before} and are now read as {now}"
    names = [source.name for source in old.sources], [source.name for source in new.sources]
    if names[0] != names[1]:
        return changed_inputs(*names)
    for before, now in zip(old.sources, new.sources, strict=True):
        if before != now:
            return f"{now.name} has changed"
    if old.held_out_below != new.held_out_below:
        return "other documents are held out"
    return "the units of work differ"


def changed_inputs(before: Sequence[str], now: Sequence[str]) -> str:
    """Describe how two lists of input files differ, by a name where there is one.

    >>> changed_inputs(["a.txt"], ["b.txt"]), changed_inputs(["a", "b"], ["b", "a"])
    ('the inputs differ: a.txt is missing, b.txt is new', 'the inputs are in another order')
    """
    old_names, new_names = {*before}, {*now}
    gone = next((name for name in before if name not in new_names), None)
    new = next((name for name in now if name not in old_names), None)
    parts = [f"{gone} is missing"] if gone else []
    parts += [f"{new} is new"] if new else []
    return (
        f"the inputs differ: {', '.join(parts)}" if parts else ("the inputs are in another order")
    )

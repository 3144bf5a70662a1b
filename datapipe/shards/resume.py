"""Resume: find what an interrupted run has finished, and remove the rest."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from spiketok.atomic_files import PARTIAL, partial_path
from spiketok.errors import SpikeError

from .checksums import damaged_ranges
from .commit_records import (
    MANIFEST,
    PLAN,
    RECORD_NAME,
    RECORDS,
    SHARD_NAME,
    SPLITS,
    TOKENIZER,
    BlockRecord,
    block_record_path,
    read_block_record,
    read_unit_record,
    shard_name,
    unit_record_path,
)

# Split → records of the shards that a unit has finished, in order.
Committed: TypeAlias = dict[str, list[BlockRecord]]


def unknown_files(folder: Path, whole: bool) -> list[str]:
    """Return the names in a folder that no run of spike wrote.

    Args:
        folder: the future shard folder.
        whole: return all names, except that of a plan's unfinished write: without a plan no file
            is spike's.
    """
    if whole:
        plan = partial_path(folder / PLAN).name
        return sorted(path.name for path in folder.iterdir() if path.name != plan)
    return sorted(
        path.relative_to(folder).as_posix()
        for path in contents(folder)
        if not is_shard_file(path, folder)
    )


def contents(folder: Path) -> list[Path]:
    """Return the paths in a shard folder, those of its records first."""
    records = folder / RECORDS
    return [*(records.iterdir() if records.is_dir() else []), *folder.iterdir()]


def is_shard_file(path: Path, folder: Path) -> bool:
    """Return whether the name of a file in a shard folder, or of a record, is one of spike's."""
    name = path.name
    if name.startswith(".") and name.endswith(PARTIAL):
        name = name[1 : -len(PARTIAL)]
    if path.parent != folder:
        return bool(RECORD_NAME.fullmatch(name))
    return name in (PLAN, TOKENIZER, MANIFEST, RECORDS) or bool(SHARD_NAME.fullmatch(name))


def clear(folder: Path) -> None:
    """Remove all files of spike: first the manifest and the records, last the plan."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in contents(folder):
        if path.name not in (RECORDS, PLAN) and is_shard_file(path, folder):
            path.unlink()
    (folder / PLAN).unlink(missing_ok=True)


@contextmanager
def resumable(folder: Path, made: bool) -> Iterator[None]:
    """Guard work in a folder: on failure leave it resumable and report so, or leave nothing.

    Args:
        folder: the shard folder.
        made: the folder is new: without any finished shard it is removed too.

    Raises:
        SpikeError: the error of the work, with a remark on the finished shards.
    """
    try:
        yield
    except BaseException as error:
        if any(folder.glob("*.arrow")):
            if isinstance(error, SpikeError):
                raise SpikeError(
                    f"{error} (finished shards stay in {folder}: with the same inputs the same "
                    "command continues from there, --overwrite starts again)"
                ) from error
            raise
        clear(folder)
        with suppress(OSError):  # something else is in there
            for path in [folder / RECORDS, *([folder] if made else [])]:
                if path.exists():
                    path.rmdir()
        raise


def remove_uncommitted(folder: Path, plan: str, units: int) -> dict[int, Committed]:
    """Remove files without a valid record; return the committed shards of each unfinished unit."""
    keep = {folder / PLAN, folder / TOKENIZER, folder / RECORDS}
    unfinished: dict[int, Committed] = {}
    for unit in range(units):
        committed = committed_blocks(folder, plan, unit)
        names = [record.file for split in SPLITS for record in committed[split]]
        if is_complete(folder, plan, unit, names):
            keep.add(unit_record_path(folder, unit))
        else:
            unfinished[unit] = committed
        for name in names:
            keep |= {folder / name, block_record_path(folder, name)}
    for path in [*folder.iterdir(), *(folder / RECORDS).iterdir()]:
        if path not in keep and is_shard_file(path, folder):
            path.unlink()
    return unfinished


def committed_blocks(folder: Path, plan: str, unit: int) -> Committed:
    """Return the records of a unit's committed shards: in each split those before the first gap."""
    committed: Committed = {split: [] for split in SPLITS}
    for split, records in committed.items():
        while record := committed_block(folder, plan, shard_name(split, unit, len(records))):
            records.append(record)
    return committed


def committed_block(folder: Path, plan: str, name: str) -> BlockRecord | None:
    """Return the record of a shard if both exist and every byte matches."""
    try:
        record = read_block_record(block_record_path(folder, name))
        if (record.plan, record.file) != (plan, name):
            return None
        damages = damaged_ranges(folder / name, record.bytes, record.ranges)
        return None if any(damages) else record
    except (FileNotFoundError, SpikeError):
        return None


def is_complete(folder: Path, plan: str, unit: int, blocks: list[str]) -> bool:
    """Return whether a unit's record exists and names exactly the committed shards.

    Args:
        folder: the shard folder.
        plan: fingerprint of the plan.
        unit: number of the unit.
        blocks: names of the committed shards.
    """
    try:
        record = read_unit_record(unit_record_path(folder, unit))
    except (FileNotFoundError, SpikeError):
        return False
    return (record.plan, record.unit, record.blocks) == (plan, unit, blocks)

"""Verify every byte of a finished shard folder; report each damage and its place."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

from spiketok.errors import SpikeError
from spiketok.regular_files import MAX_LISTING, read_regular

from .checked_file import AGAIN
from .checked_reader import shard_documents
from .checksums import ContentSum, damaged_ranges
from .commit_records import MANIFEST, PLAN, RECORDS
from .files import ShardFile, damaged_file, no_file, record_name, shard_file
from .manifest import Manifest, ShardEntry, read_manifest
from .schema import open_shard

ADVICE = "restore it from a copy or shard again with --overwrite"


def verify_folder(folder: Path, report: Callable[[int], None] = lambda _: None) -> list[str]:
    """Return a message for each damage of a shard folder; none means that it is whole.

    Shards are checked by the checksums of their ranges and by the digest of their content, the
    other files by theirs, the manifest by its own. Missing and unexpected files are damages too.
    `report` is called after each shard with the bytes of shards checked so far.
    """
    try:
        manifest = read_manifest(folder)
    except SpikeError as error:
        return [with_advice(str(error))]
    return list(map(with_advice, damages(folder, manifest, report)))


def with_advice(damage: str) -> str:
    """Append the fix to a message without one; errors of readers have one, except for shards.

    >>> with_advice("a.arrow: is missing")
    'a.arrow: is missing; restore it from a copy or shard again with --overwrite'
    >>> with_advice("a: unexpected; remove it")
    'a: unexpected; remove it'
    """
    damage = damage.removesuffix(AGAIN)
    return damage if "; " in damage else f"{damage}; {ADVICE}"


def damages(folder: Path, manifest: Manifest, report: Callable[[int], None]) -> Iterator[str]:
    """Yield the differences between a folder and its manifest."""
    whole, done = set(), 0
    for name, file in manifest.files.items():
        if fault := damaged_file(folder / name, file):
            yield f"{folder / name}: {fault}"
        else:
            whole.add(name)
    if PLAN not in manifest.files:
        yield f"{folder / MANIFEST}: does not list {PLAN}"
    elif (
        PLAN in whole
        and sha256(read_regular(folder / PLAN, MAX_LISTING)).hexdigest() != manifest.plan
    ):
        yield f"{folder / PLAN}: is not the plan that the manifest names"
    expected = {MANIFEST, RECORDS, *manifest.files}
    for split in manifest.splits.values():
        for shard in split.shards:
            expected.add(shard.file)
            yield from shard_damages(folder, manifest, shard, whole)
            done += shard.bytes
            report(done)
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).as_posix() not in expected:
            yield f"{path}: is not in the manifest; remove it"


def shard_damages(
    folder: Path, manifest: Manifest, shard: ShardEntry, whole: set[str]
) -> Iterator[str]:
    """Yield the damages of a shard.

    Args:
        folder: the shard folder.
        manifest: of the folder.
        shard: its entry in the manifest.
        whole: names of undamaged files; a shard whose record is not among them is not checked.
    """
    path = folder / shard.file
    if not path.is_file():
        yield f"{path}: {no_file(path)}"
        return
    name = record_name(shard)
    if name in manifest.files and name not in whole:
        return
    try:
        file = shard_file(folder, shard, manifest)
    except SpikeError as error:
        yield str(error)
        return
    ranges = list(damaged_ranges(path, file.size, file.sums))
    yield from ranges
    if not ranges and (damage := content_damage(file, manifest, shard)):
        yield damage


def content_damage(shard: ShardFile, manifest: Manifest, expected: ShardEntry) -> str | None:
    """Read a shard independently and compare it with the manifest; None if equal."""
    content, batches, documents, tokens, text_bytes, trained = ContentSum(), 0, 0, 0, 0, 0
    try:
        for part in shard_documents(shard):
            if part.source.size and not 0 <= part.source.min() <= part.source.max() < len(
                manifest.sources
            ):
                return f"{shard.path}: batch {batches}: names a source that is not in the manifest"
            content.update(part)
            batches += 1
            documents += len(part)
            tokens += len(part.tokens)
            text_bytes += int(part.n_bytes.sum())
            if part.loss_mask is not None:
                trained += int(np.count_nonzero(part.loss_mask))
        if open_shard(shard.path, shard.made_by).num_record_batches != batches:
            return f"{shard.path}: its footer does not list its {batches} record batches"
    except SpikeError as error:
        return str(error)
    actual = (documents, tokens, text_bytes, content.hexdigest(), trained)
    if actual != (
        *(expected.documents, expected.tokens, expected.text_bytes, expected.digest),
        expected.trained_tokens or 0,
    ):
        return f"{shard.path}: its content differs from the manifest"
    return None

"""Shard build: inputs to a shard folder; it resumes after an interrupted run."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from spiketok import Tokenizer
from spiketok.atomic_files import DISK, Disk, locked, make_folder, write_durably
from spiketok.chat.chatml import marker_ids
from spiketok.cpu_count import available_cores
from spiketok.errors import SpikeError, write_fix
from spiketok.holdout import HeldOut
from spiketok.regular_files import MAX_LISTING, append_regular, check_no_links, read_regular
from spiketok.remote_paths import remote_fault
from spiketok.tokenizer_file import read_tokenizer_file

from ..sources.bad_records import EMPTY
from ..sources.empty_files import FIX, check_not_all_empty, without_documents
from ..sources.files import Source
from ..sources.reader import ignore
from .commit_records import MANIFEST, PLAN, RECORDS, TOKENIZER
from .input_changes import forget_units, modified_after, refused_changes
from .json_files import parse
from .manifest import Manifest, build_manifest, read_manifest, write_manifest
from .plan import Plan, difference, expansion, make_plan
from .resume import clear, contents, resumable, unknown_files
from .schema import token_schema_of
from .settings import ShardSettings
from .splits import document_names
from .units import process_units
from .verify import verify_folder

# Less than the mean bytes per token of any corpus: only runs that must fail raise an error.
BYTES_PER_TOKEN = 8


def write_shards(
    sources: Sequence[Source],
    tokenizer_path: Path,
    out: Path,
    settings: ShardSettings,
    *,
    validation: Sequence[Source] = (),
    workers: int = 0,
    overwrite: bool = False,
    report: Callable[[int], None] = ignore,
    remark: Callable[[str], None] = ignore,
    disk: Disk = DISK,
) -> Manifest:
    """Encode sources into the shard folder `out`; complete it if it exists.

    Args:
        sources: the input files.
        tokenizer_path: the tokenizer; a copy goes into the folder.
        out: the folder, created if it is missing. A line about the run goes to `out` + `.log`.
        settings: of the shards.
        validation: the files of the validation split, instead of a fraction of the documents.
        workers: number of units processed at a time; 0: one per core that is allowed. The result
            does not depend on it.
        overwrite: replace a folder of another plan instead of raising.
        report: called with the bytes of the input files done so far.
        remark: called with messages that are not errors.
        disk: the file operations.

    Raises:
        SpikeError: an input is broken, the tokenizer lacks the markers of conversations, the disk
            is full, there is no document, or `out` is not a shard folder. Finished shards stay, and
            the same call resumes there; where there are none, nothing is left.
    """
    started = time.time()
    if fault := remote_fault(str(out)):
        raise SpikeError(fault)
    if out.exists() and not out.is_dir():
        raise SpikeError(f"{out}: is not a folder; choose another --out")
    every = [*sources, *validation]
    check_not_all_empty(every)
    tokenizer = Tokenizer.load(tokenizer_path)
    if settings.chat:
        marker_ids(tokenizer.special_ids)
    # Read before anything is removed: the file may be in the folder that is overwritten.
    tokenizer_file = read_tokenizer_file(tokenizer_path)
    plan = make_plan(sources, tokenizer.fingerprint, settings, validation)
    held_out = held_out_by(plan, every)
    workers = workers or available_cores()
    made = not out.exists()
    with os_errors_as_spike_error(out):
        make_folder(out, disk)
        with locked(out, remark):
            newer = modified_after(out / PLAN, every)
            if not prepare(out, plan, overwrite):
                for index in newer[:1]:
                    remark(
                        f"{every[index].shown}: modified after {out} was made, and only its size "
                        "and samples were compared; pass --overwrite to read it again"
                    )
                return read_manifest(out)
            forget_units(plan, newer, out)
            with resumable(out, made), os_errors_as_spike_error(out):
                check_space(out, every, token_schema_of(tokenizer).dtype.itemsize)
                write_durably(out / PLAN, plan.to_json(), disk)
                write_durably(out / TOKENIZER, tokenizer_file, disk)
                make_folder(out / RECORDS, disk)
                with refused_changes(every, plan, out):
                    process_units(plan, every, held_out, tokenizer, out, workers, report, disk)
                manifest = build_manifest(out, plan, token_schema_of(tokenizer))
                check_not_empty(manifest, every, settings)
                write_manifest(out, manifest, disk)
    write_log(out, manifest, workers, time.time() - started)
    return manifest


@contextmanager
def os_errors_as_spike_error(out: Path) -> Iterator[None]:
    """Convert an OSError of the disk to a SpikeError.

    Raises:
        SpikeError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or out
        fault = f"{place}: {error.strerror or error}"
        raise SpikeError(f"{fault}; {write_fix(error)}") from error


def check_not_empty(manifest: Manifest, sources: Sequence[Source], settings: ShardSettings) -> None:
    """Check that there is a document in some shard.

    Raises:
        SpikeError: there is none (see `without_documents`).
    """
    if any(split.documents for split in manifest.splits.values()):
        return
    empty = settings.errors == "strict" or not {*manifest.dropped} - {EMPTY}
    fix = FIX if empty else "pass --errors strict to see the first broken one"
    raise without_documents(sources, manifest.dropped, fix)


def prepare(out: Path, plan: Plan, overwrite: bool) -> bool:
    """Prepare a folder for a plan; return False if it is complete and undamaged already.

    Raises:
        SpikeError: the folder has other files, or links, or without `overwrite` shards of another
            plan or damaged ones.
    """
    path = out / PLAN
    present = read_regular(path, MAX_LISTING) if os.path.lexists(path) else None
    if foreign := unknown_files(out, whole=present is None and not overwrite):
        raise SpikeError(f"{out}: is not a shard folder, it has {foreign[0]!r}; choose another")
    unfinished = present == plan.to_json() and not overwrite
    if unfinished and (out / MANIFEST).exists():
        for damage in verify_folder(out):
            raise SpikeError(damage)
        return False
    if present is not None and not unfinished and not overwrite:
        fault = f"was made by another plan: {difference(parse(present, Plan, str(path)), plan)}"
        raise SpikeError(f"{out}: {fault}; use --overwrite or another folder")
    check_no_links(contents(out))
    if not unfinished:
        clear(out)
    return True


def check_space(out: Path, sources: Sequence[Source], token_bytes: int) -> None:
    """Check that the disk has room for the shards, by a low estimate.

    Raises:
        SpikeError: it has not.
    """
    text_bytes = sum(source.bytes * expansion(source) for source in sources)
    present = sum(path.stat().st_size for path in out.glob("*.arrow"))
    needed = text_bytes * token_bytes // BYTES_PER_TOKEN - present
    free = shutil.disk_usage(out).free
    if free < needed:
        raise SpikeError(
            f"{out}: about {needed:,} bytes are needed and {free:,} bytes are free;"
            " make room or choose another disk"
        )


def held_out_by(plan: Plan, sources: Sequence[Source]) -> HeldOut:
    """Return the documents held out from training: by their content, or those of files.

    Raises:
        SpikeError: files are named and one of the splits would have no document.
    """
    count = sum(not source.split for source in plan.sources)
    if count == len(sources):
        return plan.held_out
    names = frozenset(document_names(sources[count:], plan.settings))
    if not names:
        raise SpikeError("the files of --validation have no document; name others")
    if all(name in names for name in document_names(sources[:count], plan.settings)):
        fault = "each document of the inputs is also in a file of --validation"
        raise SpikeError(f"the training split is empty: {fault}; name other files")
    return HeldOut(0, names)


def write_log(out: Path, manifest: Manifest, workers: int, seconds: float) -> None:
    """Append a line about a run to the log beside its folder, which must not contain it.

    Args:
        out: the shard folder.
        manifest: of the folder.
        workers: number of units processed at a time.
        seconds: duration of the run.
    """
    line = {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 3),
        "workers": workers,
        "documents": manifest.documents,
        "text_bytes": sum(split.text_bytes for split in manifest.splits.values()),
        "manifest": manifest.fingerprint,
    }
    # The folder may be the only place where writing is allowed.
    with suppress(OSError, SpikeError), append_regular(Path(f"{out.resolve()}.log")) as log:
        log.write(json.dumps(line).encode() + b"\n")

"""Shard build: inputs to a shard folder; it resumes after an interrupted run."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
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
from .resume import Committed, clear, contents, remove_uncommitted, resumable, unknown_files
from .schema import token_schema_of
from .settings import ShardSettings
from .splits import document_names
from .verify import verify_folder
from .worker import WorkerContext, process_unit
from .writer import ShardDestination

# Fewer bytes a token than any corpus has on average: only hopeless runs raise an error.
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
    """Encode sources into the shard folder `out`; complete it if it is there already.

    Args:
        sources: the input files.
        tokenizer_path: the tokenizer; a copy goes into the folder.
        out: the folder, made if it is missing. A line about the run goes to `out` + `.log`.
        settings: of the shards.
        validation: the files of the validation split, instead of a fraction of the documents.
        workers: units of work done at a time; 0: one per core that is allowed. The result is
            the same.
        overwrite: replace a folder of another plan instead of raising.
        report: called with the bytes of the input files done so far.
        remark: called with messages that are no failures.
        disk: the file operations.

    Raises:
        SpikeError: an input is broken, the tokenizer lacks what conversations need, the disk is
            full, there is no document, or `out` is something else. Finished shards stay,
            and the same call resumes there; where there are none, nothing is left.
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
                        "and samples were compared; --overwrite reads it again"
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
    """Convert the disk's OSErrors to one SpikeError."""
    try:
        yield
    except OSError as error:
        place = error.filename or out
        what = f"{place}: {error.strerror or error}"
        raise SpikeError(f"{what}; {write_fix(error)}") from error


def check_not_empty(manifest: Manifest, sources: Sequence[Source], settings: ShardSettings) -> None:
    """Raise SpikeError for shards without a document."""
    if any(split.documents for split in manifest.splits.values()):
        return
    empty = settings.errors == "strict" or not {*manifest.dropped} - {EMPTY}
    fix = FIX if empty else "pass --errors strict to see the first broken one"
    raise without_documents(sources, manifest.dropped, fix)


def prepare(out: Path, plan: Plan, overwrite: bool) -> bool:
    """Prepare a folder for a plan; return False if it is complete and whole already.

    Raises:
        SpikeError: the folder holds other things, or links, or shards of another plan or damaged
            ones without `overwrite`.
    """
    path = out / PLAN
    present = read_regular(path, MAX_LISTING) if os.path.lexists(path) else None
    if foreign := unknown_files(out, whole=present is None and not overwrite):
        raise SpikeError(f"{out}: not a shard folder, it holds {foreign[0]!r}; choose another")
    unfinished = present == plan.to_json() and not overwrite
    if unfinished and (out / MANIFEST).exists():
        for damage in verify_folder(out):
            raise SpikeError(damage)
        return False
    if present is not None and not unfinished and not overwrite:
        what = difference(parse(present, Plan, str(path)), plan)
        raise SpikeError(f"{out}: made by another plan: {what}; use --overwrite or another folder")
    check_no_links(contents(out))
    if not unfinished:
        clear(out)
    return True


def check_space(out: Path, sources: Sequence[Source], token_bytes: int) -> None:
    """Check that the disk has room for the shards, by a low estimate."""
    text_bytes = sum(source.bytes * expansion(source) for source in sources)
    there = sum(path.stat().st_size for path in out.glob("*.arrow"))
    needed = text_bytes * token_bytes // BYTES_PER_TOKEN - there
    free = shutil.disk_usage(out).free
    if free < needed:
        raise SpikeError(
            f"{out}: about {needed:,} bytes are needed and {free:,} bytes are free;"
            " make room or choose another disk"
        )


def process_units(
    plan: Plan,
    sources: list[Source],
    held_out: HeldOut,
    tokenizer: Tokenizer,
    out: Path,
    workers: int,
    report: Callable[[int], None],
    disk: Disk,
) -> None:
    """Process the units that are not complete, `workers` at a time; the first failure stops all."""
    fingerprint = plan.fingerprint
    unfinished = remove_uncommitted(out, fingerprint, len(plan.units))
    progress = Progress(report, finished_bytes(plan, unfinished))
    work = WorkerContext(
        plan=plan,
        sources=sources,
        held_out=held_out,
        tokenizer=tokenizer,
        threads=max(1, workers // max(len(unfinished), 1)),
        progress=progress.add,
    )
    schema = token_schema_of(tokenizer).schema(masked=bool(plan.settings.chat))

    def do(unit: int) -> None:
        progress.add(0)
        target = ShardDestination(
            folder=out,
            plan=fingerprint,
            unit=unit,
            schema=schema,
            shard_tokens=plan.settings.shard_tokens,
            disk=disk,
        )
        process_unit(work, target, unfinished[unit])

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="shard") as pool:
        try:
            futures = [pool.submit(do, unit) for unit in unfinished]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            progress.stop = True
    raise_first_failure(futures)


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
        raise SpikeError("the files of --validation hold no document; name others")
    if all(name in names for name in document_names(sources[:count], plan.settings)):
        what = "each document of the inputs is also in a file of --validation; name other files"
        raise SpikeError(f"the training split is empty: {what}")
    return HeldOut(0, names)


class StoppedError(Exception):
    """Ends a unit because another one failed."""


class Progress:
    """Progress of all units: counts bytes, and stops them all when one has failed."""

    def __init__(self, report: Callable[[int], None], done: int) -> None:
        self.stop = False
        self._report, self._done, self._lock = report, done, threading.Lock()

    def add(self, amount: int) -> None:
        """Report more bytes done.

        Raises:
            StoppedError: the run must end.
        """
        if self.stop:
            raise StoppedError
        with self._lock:
            self._done += amount
            self._report(self._done)


def finished_bytes(plan: Plan, unfinished: dict[int, Committed]) -> int:
    """Return the bytes of jsonl, txt and whole files that the complete units cover."""
    done = 0
    for number, unit in enumerate(plan.units):
        if number not in unfinished:
            for index, start, stop in unit:
                source = plan.sources[index]
                if stop < 0:
                    done += source.bytes
                elif source.kind == "jsonl":
                    done += stop - start
    return done


def raise_first_failure(futures: Sequence[Future[None]]) -> None:
    """Raise the first cause of a failed run, not the errors that follow from it."""
    for future in futures:
        error = future.exception()
        if error is not None and not isinstance(error, StoppedError):
            raise error


def write_log(out: Path, manifest: Manifest, workers: int, seconds: float) -> None:
    """Append a line about a run to the log beside its folder, which must not contain it."""
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

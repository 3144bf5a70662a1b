"""Units of a shard build: processed by threads, which the first failure stops."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from spiketok import Tokenizer
from spiketok.atomic_files import Disk
from spiketok.holdout import HeldOut

from ..sources.files import Source
from .plan import Plan
from .resume import Committed, remove_uncommitted
from .schema import token_schema_of
from .worker import WorkerContext, process_unit
from .writer import ShardDestination


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
    """Process the units that are not complete; the first failure stops all.

    Args:
        plan: the units.
        sources: the paths of the plan's sources.
        held_out: the documents that are not for training.
        tokenizer: the encoder.
        out: the shard folder.
        workers: number of units processed at a time.
        report: called with the bytes of the input files done so far.
        disk: the file operations.

    Raises:
        SpikeError: an input is broken or has changed.
        OSError: the disk refused a file.
    """
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
            StoppedError: another unit has failed.
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
    """Raise the first error of the units, unless it is that of a unit that another one stopped.

    Raises:
        Exception: the `error` of a unit.
    """
    for future in futures:
        error = future.exception()
        if error is not None and not isinstance(error, StoppedError):
            raise error

"""Resume checks: the fingerprints of a run against those of its data and teachers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from spiketok import Tokenizer
from spiketok.errors import SpikeError, write_fix
from spiketok.fingerprints import check_same_tokenizer, distinct_prefixes

from ..runs.checkpoint_folders import has_begun, newest_checkpoint
from ..runs.lineage import INIT, LINEAGE, TOKENIZER, read_lineage


def check_data(folder: Path, data_folder: Path, tokenizer: Tokenizer, data: str) -> None:
    """Check that the shards for a run are those that it was trained on.

    Args:
        folder: of the run.
        data_folder: of the shards.
        tokenizer: of the shards.
        data: fingerprint of the shards.

    Raises:
        SpikeError: they are of another tokenizer or other text, or the run's own tokenizer file is
            missing or damaged.
    """
    known, own = read_lineage(folder).fingerprints, folder / TOKENIZER
    recorded = known.get("tokenizer", "")
    fault = tokenizer_fault(own, recorded)
    if recorded != tokenizer.fingerprint and not tokenizer_fault(own, tokenizer.fingerprint):
        ours, theirs = distinct_prefixes(recorded, tokenizer.fingerprint)
        raise SpikeError(
            f"{folder / LINEAGE}: its fingerprint of the tokenizer ({ours}) is neither that of "
            f"{own} nor that of {data_folder} ({theirs}); restore it from a copy"
        )
    source = f"that tokenizer ({own} is {fault})" if fault else own
    fix = f"name shards made with {source} (--data)"
    check_same_tokenizer(data_folder, tokenizer.fingerprint, folder, recorded, fix)
    if fault:
        raise SpikeError(f"{own}: {fault}; copy {data_folder / TOKENIZER} there")
    former, now = distinct_prefixes(known.get("data", ""), data)
    if former != now:
        raise SpikeError(
            f"{data_folder}: shards of other text ({now}) than in {folder / LINEAGE} ({former}); "
            "name those shards (--data), or restore that file if it is damaged"
        )


def tokenizer_fault(path: Path, fingerprint: str) -> str:
    """Return the fault of a run's tokenizer file in words; empty if it is the one recorded."""
    if not path.exists():
        return "missing"
    try:
        own = Tokenizer.load(path).fingerprint
    except SpikeError:
        return "damaged"
    return "" if own == fingerprint else "not the tokenizer of the run's training"


def resumed_lineage(
    folder: Path, fingerprints: Mapping[str, str], remark: Callable[[str], None]
) -> dict[str, str]:
    """Return fingerprints with that of a run's initial weights, if they are from another run.

    Raises:
        SpikeError: the run was stopped before it had saved these weights, or it had other teachers.
    """
    known = read_lineage(folder).fingerprints
    for name in sorted(known.keys() - {INIT}):
        former, now = distinct_prefixes(known[name], fingerprints.get(name, "none"))
        if former != now:
            raise SpikeError(
                f"{folder}: trained with {name} {former}, not {now}; name the former "
                "with --set distill.teachers=…"
            )
    if newest_checkpoint(folder) is None:
        if INIT in known:
            raise SpikeError(f"{folder}: no checkpoint yet; start it again with --init and --out")
        remark(f"{folder} has no checkpoint; it begins again at step 0")
    return {**fingerprints, **{name: known[name] for name in known if name == INIT}}


@contextmanager
def advise_resuming(folder: Path) -> Iterator[None]:
    """Add to write errors how to resume, if the run has begun and cannot start again.

    Raises:
        SpikeError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        if not error.errno or isinstance(error, BrokenPipeError) or not has_begun(folder):
            raise
        fix = write_fix(error, f"go on with: spike train --resume {quote(str(folder))}")
        message = f"{error.filename or folder}: {error.strerror}; {fix}"
        raise SpikeError(message) from error

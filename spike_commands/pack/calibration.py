"""GPTQ calibration: the text that `spike pack --method gptq` reads."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiketok.errors import SpikeError
from spiketok.path_contents import path_contents

from ..console import progress_bar
from ..data.same_tokenizer import check_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from spike_lm.model.runs.folder import Run

# Tokens to read if no number of sequences is given, and tokens read at once.
TOKENS, AT_ONCE = 1 << 15, 1 << 13


def run_hessians(
    run: "Run",
    names: Collection[str],
    *,
    data_folder: Path | None = None,
    own: bool = False,
    sequences: int | None = None,
    quiet: bool = False,
) -> "dict[str, Tensor]":
    """Return the Hessians of a run's matrices, as `gather_hessians` does.

    Args:
        run: from `load_run`.
        names: of the matrices.
        data_folder: shards; None: those that the run was trained on.
        own: read text that the model generates, and no shards.
        sequences: how many, each as long as the context; None: as many as hold 32,768 tokens.
        quiet: no progress.

    Raises:
        SpikeError: there are no shards, they are of another tokenizer, or others than the run's
            and no option names them.
    """
    from spike_lm.model.quantization.hessian import gather_hessians

    context = run.config.model.context
    wanted = sequences or -(-TOKENS // context)
    batch = max(1, AT_ONCE // context)
    if own:
        count, batches = wanted, _own_texts(run, wanted, batch)
    else:
        count, batches = _windows(run, data_folder, wanted, batch)
    with progress_bar("read", count, "sequences", quiet) as report:

        def read() -> Iterator[Any]:
            done = 0
            for ids in batches:
                yield ids
                done += len(ids)
                report(done, "")

        return gather_hessians(run.model, read(), names)


def _windows(
    run: "Run", data_folder: Path | None, wanted: int, batch: int
) -> tuple[int, Iterator[Any]]:
    """Return the number of windows to read of the training split, and these, evenly spread."""
    import numpy as np

    from datapipe import Windows, open_stream

    folder = data_folder or Path(run.config.data.path)
    if not (folder / "manifest.json").exists():
        raise SpikeError(
            f"{folder}: {path_contents(folder)}; gptq reads shards: name them by --data, or take "
            "--calibrate-on-samples or --method rtn"
        )
    stream = open_stream(folder, "train")
    if stream.fingerprint != run.fingerprints.get("data") and data_folder is None:
        raise SpikeError(f"{folder}: not the data of the run; name it by --data")
    check_tokenizer(folder, stream.made_by.fingerprint, run)
    windows = Windows(stream, run.config.model.context)
    count = min(wanted, windows.count)
    chosen = np.arange(count) * windows.count // max(count, 1)
    firsts = range(0, count, batch)
    return count, (windows.read(chosen[at : at + batch])[0][:, :-1] for at in firsts)


def _own_texts(run: "Run", wanted: int, batch: int) -> Iterator[Any]:
    """Yield text that the model generates, the same each time; each batch has its own seed."""
    from spike_lm.model.quantization.calibration_text import own_text
    from spike_lm.model.runs.trained_ids import unseen_ids

    tokenizer = run.tokenizer
    eos_id = tokenizer.eos_id
    unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    for first in range(0, wanted, batch):
        yield own_text(
            run.model,
            sequences=min(batch, wanted - first),
            length=run.config.model.context,
            eos_id=eos_id,
            banned_ids=(unused - {eos_id}) | unseen_ids(run.trained_ids),
            seed=first,
        )

"""GPTQ calibration: the text that `spike pack --method gptq` reads."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datapipe import Windows, open_stream
from spike_lm.model.quantization.calibration_text import sample_calibration_texts
from spike_lm.model.quantization.hessian import gather_hessians
from spike_lm.model.runs.folder import Run
from spike_lm.model.runs.trained_ids import unseen_ids
from spiketok.errors import SpikeError
from spiketok.path_contents import path_contents

from ..callbacks import SILENT, Callbacks
from ..data.same_tokenizer import check_tokenizer

# Tokens to read if no number of sequences is given, and tokens read at once.
TOKENS, AT_ONCE = 1 << 15, 1 << 13


def run_hessians(
    run: Run,
    names: Collection[str],
    *,
    data_folder: Path | None = None,
    own: bool = False,
    sequences: int | None = None,
    show: Callbacks = SILENT,
) -> dict[str, Tensor]:
    """Return the Hessians [inputs, inputs] of a run's matrices, as `gather_hessians` does.

    Args:
        run: from `load_run`.
        names: of the matrices.
        data_folder: shards; None: those that the run was trained on.
        own: read text that the model generates, and no shards.
        sequences: how many, each as long as the context; None: as many as hold 32,768 tokens.
        show: callbacks for progress.

    Raises:
        SpikeError: there are no shards, they are of another tokenizer, or others than the run's
            and no option names them.
    """
    context = run.config.model.context
    wanted = sequences or -(-TOKENS // context)
    batch = max(1, AT_ONCE // context)
    if own:
        tokenizer = run.tokenizer
        unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
        count, batches = (
            wanted,
            sample_calibration_texts(
                run.model,
                sequences=wanted,
                batch=batch,
                length=context,
                eos_id=tokenizer.eos_id,
                banned_ids=(unused - {tokenizer.eos_id}) | unseen_ids(run.trained_ids),
            ),
        )
    else:
        count, batches = _windows(run, data_folder, wanted, batch)
    with show.progress("read", count, "sequences") as report:

        def read() -> Iterator[Any]:
            done = 0
            for ids in batches:
                yield ids
                done += len(ids)
                report(done, "")

        return gather_hessians(run.model, read(), names)


def _windows(
    run: Run, data_folder: Path | None, wanted: int, batch: int
) -> tuple[int, Iterator[Any]]:
    """Return the number of windows to read of the training split, and these, evenly spread."""
    folder = data_folder or Path(run.config.data.path)
    if not (folder / "manifest.json").exists():
        raise SpikeError(
            f"{folder}: {path_contents(folder)}; name the shards for gptq with --data, or use "
            "--calibrate-on-samples or --method rtn"
        )
    stream = open_stream(folder, "train")
    if stream.fingerprint != run.fingerprints.get("data") and data_folder is None:
        raise SpikeError(
            f"{folder}: is not the data of the run; if it should be read, name it with --data"
        )
    check_tokenizer(folder, stream.made_by.fingerprint, run)
    windows = Windows(stream, run.config.model.context)
    count = min(wanted, windows.count)
    chosen = np.arange(count) * windows.count // max(count, 1)
    firsts = range(0, count, batch)
    return count, (windows.read(chosen[at : at + batch])[0][:, :-1] for at in firsts)

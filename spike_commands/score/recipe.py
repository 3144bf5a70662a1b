"""Scoring of text under a model, as `spike eval` does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spike_lm.model.artifact.open import open_run
from spike_lm.model.config.mixing import PredictorSettings
from spike_lm.model.config.ttt import TTTConfig
from spike_lm.model.device import choose_device
from spike_lm.model.distributed import process_group
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.compiled_windows import compile_full_windows
from spike_lm.model.scoring.sliding_windows import WindowConfig, default_windows

from ..callbacks import SILENT, Callbacks
from .network_score import reply_score, text_score
from .predictor import predictor_spec
from .predictor_score import predictor_score, proof, published_score
from .text import ScoredText, scored_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Options of `spike eval`, which is where they are described.

    Attributes:
        chats: files of conversations, instead of texts.
        data_folder: shards, instead of files.
        reads: how inputs are read.
        of_texts: whether there is an option that shards of replies do not have.
        context: tokens per window; 0: as many as the model was trained with.
        stride: tokens by which windows move on; 0: half a window.
        batch_windows: windows in a pass.
        reset: each document is read for itself.
        compiled: compile full windows first.
        settings: parts on the network; None: the network by itself.
        ttt: settings of test-time training; None: the network stays as it is.
        counts_folder: shards whose n-grams are counted first.
        method: a record's rule instead of a score.
        prove: also compress each text to its score, and back.
        by: also score each `file` or `source` by itself.
        device: auto, cpu or cuda.
        with_xz: also compress the text with `xz -9`, for comparison.
    """

    chats: Sequence[Path] = ()
    data_folder: Path | None = None
    reads: Mapping[str, Any] = field(default_factory=dict)
    of_texts: bool = False
    context: int = 0
    stride: int = 0
    batch_windows: int = 32
    reset: bool = True
    compiled: bool = False
    settings: PredictorSettings | None = None
    ttt: TTTConfig | None = None
    counts_folder: Path | None = None
    method: str | None = None
    prove: bool = False
    by: str | None = None
    device: str = "auto"
    with_xz: bool = True


USUAL = Scoring()


def evaluate_run(
    run: Path,
    texts: Sequence[Path] = (),
    how: Scoring = USUAL,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Score files or shards under a model; under torchrun the processes share the work.

    Args:
        run: a run folder or an artifact.
        texts: files of text; none where `how` names conversations or shards.
        how: the options.
        show: callbacks for progress and remarks, of the first process alone.

    Returns:
        The object of `spike eval --json`, and `rank`, the number of this process.

    Raises:
        SpikeError: an input cannot be read, or does not fit the model.
    """
    with process_group() as rank:
        if rank > 0:
            show = SILENT
        loaded = open_run(run, choose_device(how.device))
        windows = default_windows(
            loaded.model,
            how.context,
            how.stride,
            batch_windows=how.batch_windows,
            reset=how.reset,
        )
        if how.compiled:
            compile_full_windows(loaded.model, windows)
        text = scored_text(loaded, texts, how.chats, how.data_folder, how.of_texts, how.reads, show)
        found = score_text(loaded, text, windows, how, with_xz=how.with_xz and rank == 0, show=show)
    shape = {"context": windows.context, "stride": windows.stride}
    return {"run": str(run), "step": loaded.step, **found, **shape, "rank": rank}


def score_text(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    how: Scoring,
    *,
    with_xz: bool,
    show: Callbacks,
) -> dict[str, Any]:
    """Score an encoded text in the way that the options ask for.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        how: the options.
        with_xz: also compute the xz baseline.
        show: callbacks for progress and remarks.
    """
    shown: dict[str, Any] = {"with_xz": with_xz, "show": show}
    if text.masks is not None:
        return reply_score(loaded, text, windows, by=how.by, **shown)
    if how.method:
        return published_score(loaded, text, windows, show)
    settings = how.settings or PredictorSettings()
    spec = predictor_spec(loaded, settings, how.counts_folder, how.ttt, show)
    if how.settings:
        found = predictor_score(loaded, text, windows, spec, **shown)
    else:
        found = text_score(loaded, text, windows, spec, by=how.by, **shown)
    found["reset"] = how.reset
    return found | (proof(loaded, text, windows, spec, found, show) if how.prove else {})

"""Lossless compression of a file with a model's predictions, as `spike compress` does it."""

import time
from pathlib import Path
from typing import Any

import torch

from spike_lm.model.artifact.open import open_run
from spike_lm.model.config.mixing import PredictorSettings
from spike_lm.model.config.ttt import TTTConfig
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.sliding_windows import default_windows
from spike_lm.model.text_compression.compressed_file import (
    check_claims,
    check_header,
    compress,
    decompress,
)
from spike_lm.model.text_compression.compressed_header import read_header
from spiketok.atomic_files import write_durably
from spiketok.errors import SettingError, SpikeError
from spiketok.regular_files import read_given

from ..callbacks import SILENT, Callbacks
from ..output_paths import check_new
from ..results import some
from ..xz_baseline import yardstick
from .predictor import predictor_spec


def compress_file(
    file: Path,
    model_path: Path,
    out: Path,
    *,
    context: int = 0,
    stride: int = 0,
    settings: PredictorSettings | None = None,
    ttt: TTTConfig | None = None,
    counts_folder: Path | None = None,
    with_xz: bool = True,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Compress a file with the predictions of a model.

    Args:
        file: any file.
        model_path: a run folder or an artifact.
        out: the file to write; must not exist.
        context: tokens per window; 0: as many as the model was trained with.
        stride: tokens by which windows move on; 0: half a window.
        settings: parts on the network; None: the network by itself.
        ttt: settings of test-time training; None: the network stays as it is.
        counts_folder: shards whose n-grams are counted first.
        with_xz: also compress the file with `xz -9`, for comparison.
        show: callbacks for progress.

    Returns:
        The object of `spike compress --json`.

    Raises:
        SpikeError: a file cannot be read or written, or the tokenizer loses text.
    """
    loaded = open_model(model_path, out)
    text = read_given(file)
    spec = predictor_spec(loaded, settings or PredictorSettings(), counts_folder, ttt, show)
    started = time.monotonic()
    with show.progress("compress", max(1, len(text)), "bytes") as report:
        data = compress(
            loaded,
            text,
            default_windows(loaded.model, context, stride),
            spec,
            # The first tokens may have no bytes.
            report=lambda _, done, size: report(
                done, f"{8 * size / max(1, done):.3f} bits per byte"
            ),
        )
    write_durably(out, data)
    return {
        "out": str(out),
        "bytes": len(text),
        "compressed_bytes": len(data),
        "bits_per_byte": 8 * len(data) / len(text) if text else None,
        "seconds": time.monotonic() - started,
        **(yardstick([text]) if with_xz else {}),
    }


def decompress_file(
    file: Path,
    model_path: Path,
    out: Path,
    *,
    counts_folder: Path | None = None,
    max_bytes: int = 1 << 30,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Restore a file that `compress_file` has made, checked by its sha256.

    Args:
        file: the compressed one.
        model_path: the very same model.
        out: the file to write; must not exist.
        counts_folder: the very same shards, where n-grams were counted first.
        max_bytes: the largest text to write.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike decompress --json`.

    Raises:
        SpikeError: the file is damaged, of another model, or larger than allowed.
        SettingError: shards are named and no part uses their counts.
    """
    loaded = open_model(model_path, out)
    data = read_given(file)
    started = time.monotonic()
    try:
        header, coded = read_header(data)
        check_header(loaded, header)
        check_claims(loaded, header, len(coded))
        if header.bytes > max_bytes:
            raise SpikeError(
                f"claims {some(header.bytes, 'byte')} of text; to write them, pass "
                f"--max-bytes {header.bytes}"
            )
        claims = f"{some(header.tokens, 'token')}, {some(header.bytes, 'byte')} of text"
        show.remark(f"{file}: {claims}")
        if counts_folder and not header.predictor.has("ngram"):
            raise SettingError("--counts", "the file needs no n-gram counts; leave --counts out")
        spec = predictor_spec(loaded, header.predictor, counts_folder, header.ttt, show)
        with show.progress("decompress", max(1, header.tokens), "tokens") as report:
            text = decompress(loaded, data, spec, report=lambda done, _: report(done, ""))
    except SettingError:
        raise
    except SpikeError as error:
        raise SpikeError(f"{file}: {error}") from None
    write_durably(out, text)
    return {"out": str(out), "bytes": len(text), "seconds": time.monotonic() - started}


def open_model(path: Path, out: Path) -> Run:
    """Open a model for deterministic predictions."""
    check_new(out, "--out")
    # Sums are split among threads, so their number affects the result.
    torch.set_num_threads(1)
    return open_run(path)

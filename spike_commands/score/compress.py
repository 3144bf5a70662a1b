"""`spike compress` and `spike decompress`: lossless compression with a model's predictions."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spiketok.atomic_files import write_durably
from spiketok.errors import SpikeError
from spiketok.regular_files import read_given

from ..console import OUTPUT, PATH, check_new, common_options, progress_bar, remark
from ..result_rows import compression_rows
from ..results import lasted, print_result, result_options, some
from ..xz_baseline import yardstick
from .predictor_options import (
    begin,
    check_predictor,
    chosen_settings,
    counts_option,
    predictor_options,
    ttt_config,
    ttt_option,
)
from .window_options import stride_option, window_option

if TYPE_CHECKING:
    from spike_lm.model.runs.folder import Run

model_option = click.option(
    "-m", "--model", "model_path", type=PATH, required=True, help="A run folder or an artifact."
)
out_option = click.option(
    "-o", "--out", type=OUTPUT, required=True, help="The file to write; must not be there."
)


@click.command()
@click.argument("file", type=PATH)
@model_option
@out_option
@window_option
@stride_option
@predictor_options
@ttt_option
@result_options
@common_options
def compress(
    file: Path,
    model_path: Path,
    out: Path,
    context: int,
    stride: int,
    parts: str | None,
    without_network: bool,
    counts_folder: Path | None,
    ttt: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compress any FILE with the predictions of a model.

    FILE is compressed as the bytes it holds, whatever its kind: of records and of compressed files,
    too, so that decompressing gives the same file. Beside a header of some 650 bytes the result has
    the size that `spike eval` reports with the same windows and parts. It can be read
    again with the very same model and counts, on the same kind of processor, with the same versions
    of spike and torch; its header names them and has a checksum of some predictions, and others are
    refused.

    \b
    Examples:
      spike compress book.txt -m runs/base -o book.spikez
      spike decompress book.spikez -m runs/base -o book-again.txt
      spike compress book.txt -m base.spike --with all -o book.spikez
    """
    settings, learns = chosen_settings(parts, without_network), ttt_config(ttt)
    check_predictor(parts, without_network, counts_folder, ttt)
    from spike_lm.model.config.mixing import PredictorSettings
    from spike_lm.model.text_compression.compressed_file import compress as compress_text

    loaded = open_model(model_path, out)
    context = context or loaded.config.model.context
    text = read_given(file)
    start = begin(loaded, settings or PredictorSettings(), counts_folder, quiet, learns)
    started = time.monotonic()
    with progress_bar("compress", max(1, len(text)), "bytes", quiet) as show:
        data = compress_text(
            loaded,
            text,
            start,
            context=context,
            stride=stride or max(1, context // 2),
            report=lambda _, done, size: show(done, f"{8 * size / done:.3f} bits per byte"),
        )
    write_durably(out, data)
    seconds = time.monotonic() - started
    result = {
        "out": str(out),
        "bytes": len(text),
        "compressed_bytes": len(data),
        "bits_per_byte": 8 * len(data) / len(text) if text else None,
        "seconds": seconds,
        **yardstick([text], quiet),
    }
    counts = () if counts_folder is None else ("--counts", counts_folder)
    following = ("spike", "decompress", out, "-m", model_path, *counts, "-o", f"{out}.txt")
    print_result(result, as_json, compression_rows(result), following)


@click.command()
@click.argument("file", type=PATH)
@model_option
@out_option
@counts_option
@click.option(
    "--max-bytes",
    type=click.IntRange(0),
    default=1 << 30,
    show_default=True,
    help="The largest text to write.",
)
@result_options
@common_options
def decompress(
    file: Path,
    model_path: Path,
    out: Path,
    counts_folder: Path | None,
    max_bytes: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Give back what `spike compress` was given, checked by its sha256.

    The parts are those that the file names. How much work it claims to be is said first; a claim
    that the size of the file does not allow, or above --max-bytes, is refused.

    \b
    Examples:
      spike decompress book.spikez -m runs/base -o book.txt
      spike decompress book.spikez -m runs/base --counts data/ -o book.txt
    """
    from spike_lm.model.text_compression.compressed_file import (
        check_claims,
        check_header,
        read_header,
    )
    from spike_lm.model.text_compression.compressed_file import decompress as decompress_text

    loaded = open_model(model_path, out)
    data = read_given(file)
    started = time.monotonic()
    try:
        header, coded = read_header(data)
        check_header(loaded, header)
        check_claims(loaded, header, len(coded))
        if header.bytes > max_bytes:
            raise SpikeError(
                f"claims {some(header.bytes, 'byte')} of text; if you trust it, take "
                f"--max-bytes {header.bytes}"
            )
        claims = f"{some(header.tokens, 'token')}, {some(header.bytes, 'byte')} of text"
        remark(f"{file}: {claims}", quiet)
        start = begin(loaded, header.predictor, counts_folder, quiet, header.ttt)
        with progress_bar("decompress", max(1, header.tokens), "tokens", quiet) as show:
            text = decompress_text(loaded, data, start, report=lambda done, _: show(done, ""))
    except SpikeError as error:
        raise SpikeError(f"{file}: {error}") from None
    write_durably(out, text)
    seconds = time.monotonic() - started
    rows = {
        "file": f"{out}, {some(len(text), 'byte')}",
        "checked": "equal to the compressed text by its sha256",
        "time": lasted(seconds),
    }
    print_result({"out": str(out), "bytes": len(text), "seconds": seconds}, as_json, rows)


def open_model(path: Path, out: Path) -> "Run":
    """Open a model for deterministic predictions."""
    import torch

    from spike_lm.model.artifact.open import open_run

    check_new(out, "--out")
    # Sums are split among threads, so their number affects the result.
    torch.set_num_threads(1)
    return open_run(path)

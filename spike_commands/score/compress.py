"""`spike compress` and `spike decompress`: lossless compression with a model's predictions."""

from pathlib import Path

import click

from spiketok.errors import SettingError

from ..console import OUTPUT, PATH, callbacks, common_options
from ..result_rows import compression_rows
from ..results import lasted, print_result, result_options, some
from .predictor_options import (
    check_predictor,
    counts_option,
    predictor_options,
    ttt_option,
)
from .window_options import stride_option, window_option

model_option = click.option(
    "-m", "--model", "model_path", type=PATH, required=True, help="Run folder or artifact."
)
out_option = click.option(
    "-o", "--out", type=OUTPUT, required=True, help="File to write; must not exist."
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
    """Compress any FILE by arithmetic coding with the predictions of a model.

    The bytes of FILE are compressed as they are, in any format, and decompress to the same file.
    The result has the size that `spike eval` reports with the same windows and parts, plus a
    header of some 650 bytes. Decompressing needs the same model and counts, the same kind of
    processor, and the same versions of spike and torch. The header names them and has a checksum of
    some predictions; anything else is rejected.

    \b
    Examples:
      spike compress book.txt -m runs/base -o book.spikez
      spike decompress book.spikez -m runs/base -o book-again.txt
      spike compress book.txt -m base.spike --with all -o book.spikez
    """
    from .predictor_settings import chosen_settings, ttt_config

    settings = chosen_settings(parts, without_network, counts_folder)
    learns = ttt_config(ttt)
    check_predictor(parts, without_network, counts_folder, ttt)
    from .compression import compress_file

    result = compress_file(
        file,
        model_path,
        out,
        context=context,
        stride=stride,
        settings=settings,
        ttt=learns,
        counts_folder=counts_folder,
        with_xz=not quiet,
        show=callbacks(quiet),
    )
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
    help="Largest text to write, in bytes.",
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
    """Restore a file that `spike compress` compressed, and check its sha256.

    The file names the windows and parts it was compressed with, and the numbers of tokens and
    bytes, which are printed first. Numbers above --max-bytes, or too large for the size of the
    file, are rejected.

    \b
    Examples:
      spike decompress book.spikez -m runs/base -o book.txt
      spike decompress book.spikez -m runs/base --counts data/ -o book.txt
    """
    from .compression import decompress_file

    try:
        found = decompress_file(
            file,
            model_path,
            out,
            counts_folder=counts_folder,
            max_bytes=max_bytes,
            show=callbacks(quiet),
        )
    except SettingError as error:
        raise click.UsageError(f"{error.setting} {error.fault}") from None
    rows = {
        "file": f"{out}, {some(found['bytes'], 'byte')}",
        "checked": "equal to the compressed text by its sha256",
        "time": lasted(found["seconds"]),
    }
    print_result(found, as_json, rows)

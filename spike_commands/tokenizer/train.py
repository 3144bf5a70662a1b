"""`spike tokenizer train`: train a vocabulary on a corpus."""

from pathlib import Path
from typing import Any

import click

from spiketok.errors import SettingError

from ..console import (
    OUTPUT,
    PATH,
    Fraction,
    callbacks,
    common_options,
    ext_option,
    text_field_option,
)
from ..data.input_options import (
    ShareOrFile,
    max_record_option,
    share_or_files,
    split_text_option,
)
from ..data.reading_options import errors_option
from ..result_rows import after_tokenizer, tokenizer_rows
from ..results import print_result, result_options
from .train_options import LENGTH_MAX_ALONE, check_options, option_of


@click.command(short_help="Train a vocabulary on a corpus.")
@click.argument("corpora", nargs=-1, required=True, type=PATH)
@click.option(
    "--vocab",
    type=int,
    help="Vocabulary size, special tokens included.  [default: 16512; for bese 288]",
)
@click.option(
    "--out",
    type=OUTPUT,
    default=Path("tokenizer.json"),
    show_default=True,
    help="File to write.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["length-max", "bese"]),
    default="length-max",
    show_default=True,
    help="length-max: longest match; bese: merges over 40 base ids, for very small vocabularies, "
    "without chat markers.",
)
@click.option(
    "--alphabet",
    type=click.Choice(["bese", "bese-published"]),
    default="bese",
    show_default=True,
    help="Alphabet of algorithm bese; bese-published maps some different texts to the same ids.",
)
@click.option(
    "--special-tokens",
    "specials",
    type=click.Choice(["chatml", "minimal"]),
    default="chatml",
    show_default=True,
    help="chatml: a block of 128 ids for chat, reasoning and tools; minimal: pad, unk, bos, eos.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    help="max: several times the time for about 1 % fewer tokens.",
)
@click.option(
    "--objective",
    type=click.Choice(["tokens", "freq-length", "frequency"]),
    default="tokens",
    show_default=True,
    help="tokens: fewest tokens of the encoder; freq-length, frequency: one merge at a time.",
)
@click.option(
    "--boundary",
    type=click.Choice(["none", "word", "line"]),
    default="none",
    show_default=True,
    help="Boundaries that entries do not cross. none: fewest tokens; word: GPT-4-like words.",
)
@click.option("--pattern", help="Words of --boundary word, as a regular expression.")
@click.option(
    "--two-stage",
    type=Fraction(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the entries that is chosen first, inside words; the others are free.",
)
@click.option(
    "--digits",
    type=click.Choice(["free", "split", "group3"]),
    default="free",
    show_default=True,
    help="split: single digits; group3: up to three digits, without other characters.",
)
@click.option(
    "--min-frequency",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Leave out entries that are used less often; reserve their ids.",
)
@click.option(
    "--max-token-bytes",
    type=click.IntRange(2, 255),
    default=24,
    show_default=True,
    help="Longest entry in bytes.",
)
@click.option(
    "--validation",
    "held_out",
    type=ShareOrFile(0, 0.5),
    multiple=True,
    callback=share_or_files,
    metavar="FRACTION|FILE",
    help="Held-out text, for measurement only: a fraction of the documents, chosen by hash, or a "
    "file, folder or pattern, which may be repeated.  [default: 0.01]",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Memory limit in MiB; a corpus larger than about an eighth of it is sampled. Python, its "
    "libraries and buffers take some 150 MiB more, and twice the largest record.",
)
@text_field_option
@ext_option
@split_text_option(default="auto")
@max_record_option
@errors_option
@click.option(
    "--threads",
    type=click.IntRange(0, 256),
    default=0,
    show_default=True,
    help="Threads. 0: one per allowed core.",
)
@result_options
@common_options
@click.pass_context
def train(
    context: click.Context,
    /,
    corpora: tuple[Path, ...],
    out: Path,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train the vocabulary that encodes CORPORA in the fewest tokens.

    CORPORA are files of text, jsonl (also .gz, .zst), parquet, arrow, csv or json, folders of them,
    quoted patterns, or - for standard input. A named file of unknown format is read as plain text.
    Any number of threads writes the same file.

    \b
    Examples:
      spike tokenizer train corpus/ --vocab 16512
      spike tokenizer train docs/ 'src/**/*.py' --ext md,rst
      spike tokenizer train books.jsonl.zst --vocab 4096 --special-tokens minimal --out small.json
      spike tokenizer train corpus/ --algorithm bese --vocab 288
    """
    from .recipe import settings_of, train_tokenizer

    check_options(context, options["algorithm"])
    options["held_out"], held_out_files = options["held_out"] or (0.01, ())
    try:
        settings = settings_of(options, LENGTH_MAX_ALONE)
    except SettingError as error:
        raise click.UsageError(f"{option_of(error.setting)}: {error.fault}") from None
    reads = ("text_field", "errors", "split_text", "extensions", "max_record", "threads")
    found = train_tokenizer(
        corpora,
        out,
        settings,
        held_out_files=held_out_files,
        show=callbacks(quiet),
        **{name: options[name] for name in reads},
    )
    found = {"file": str(out), **found}
    print_result(found, as_json, tokenizer_rows(out, found), after_tokenizer(out, found))

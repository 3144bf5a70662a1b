"""`spike tokenizer compare`: tokens and speed of several tokenizers on the same text."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..console import PATH, callbacks, common_options, ext_option, text_field_option
from ..data.reading_options import as_option
from ..results import is_verbose, print_lines, print_result, result_options, table_lines
from ..visible import visible

SHOWN_GROUPS = 40


@click.command(short_help="Compare tokens and speed of tokenizers.")
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    type=PATH,
    help="Text to encode: file, folder, pattern or -, as for spike shard; may be repeated.",
)
@click.option(
    "--by",
    multiple=True,
    help="Also report for each value of this column, or by `file`; may be repeated.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Timed passes of each tokenizer; the median is reported.",
)
@click.option(
    "--longest",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Longest tokens in the text to report, with --json, --verbose or this option.",
)
@text_field_option
@ext_option
@as_option
@result_options
@common_options
@click.pass_context
def compare(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    texts: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Encode the same text with each tokenizer of FILES, on one thread.

    FILES are tokenizer files of spike or Hugging Face, SentencePiece .model files, or
    tiktoken:NAME (its ranks must be on this machine). Documents are split into pieces of at most
    64 KiB, at line ends if there are any.

    \b
    Examples:
      spike tokenizer compare tokenizer.json bpe.json --text held.txt --json
      spike tokenizer compare tokenizer.json llama.model --text udhr.jsonl.gz --by code
    """
    from .comparison import compare_tokenizers

    rows = compare_tokenizers(files, texts, show=callbacks(quiet), **options)
    if as_json:
        print_result({"tokenizers": rows}, as_json)
        return
    print_lines(tables_of(rows, is_verbose() or was_said(context, "longest")))


def was_said(context: click.Context, option: str) -> bool:
    """Return whether an option was given on the command line."""
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def tables_of(rows: Sequence[Mapping[str, Any]], with_longest: bool) -> Iterator[str]:
    """Yield the results as lines for people; tokenizers go by their number after the first table.

    Args:
        rows: the results, a tokenizer each.
        with_longest: also the longest tokens of the text, and how many tokens there are.
    """
    first = rows[0]["tokens"]
    heading = ["", "bytes/token", "vs first", "MB/s", "ids", "lossless", "tokenizer"]
    cells = [
        [
            str(number),
            ratio(row["bytes_per_token"]),
            f"{100 * row['tokens'] / first:.1f} %" if first else "–",
            f"{row['encode_mb_per_s']:.1f}",
            f"{row['vocab_size']:,}",
            "yes" if row["lossless"] else "no",
            row["name"],
        ]
        for number, row in enumerate(rows, 1)
    ]
    yield from table_lines(heading, cells)
    if with_longest and any(row["longest"] for row in rows):
        yield from ("", "longest tokens in the text", *longest_lines(rows))
    for column in rows[0]["by"]:
        yield from ("", f"bytes/token by {column}")
        yield from group_lines(column, [row["by"][column] for row in rows])


def longest_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the longest tokens that occur in the text, of each tokenizer."""
    cells = [
        [
            str(number),
            f"{token['bytes']:,}",
            f"{token['uses']:,}",
            str(token["id"]),
            visible(token["text"].encode()),
        ]
        for number, row in enumerate(rows, 1)
        for token in row["longest"]
    ]
    return table_lines(["", "bytes", "uses", "id", "token"], cells)


def group_lines(column: str, results: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield bytes per token of each tokenizer for each value of a column, most text first."""
    shown = results[0][:SHOWN_GROUPS]
    heading = ["bytes", *map(str, range(1, len(results) + 1)), column]
    cells = [
        [
            f"{group['bytes']:,}",
            *(ratio(groups[place]["bytes_per_token"]) for groups in results),
            "–" if group["value"] is None else visible(group["value"].encode()),
        ]
        for place, group in enumerate(shown)
    ]
    yield from table_lines(heading, cells)
    if len(results[0]) > len(shown):
        yield f"… {len(results[0]) - len(shown):,} more with less text; --json prints all of them"


def ratio(value: float | None) -> str:
    """Return bytes per token as text; there is none where there are no tokens.

    >>> ratio(4.20001), ratio(None)
    ('4.2000', '–')
    """
    return "–" if value is None else f"{value:.4f}"

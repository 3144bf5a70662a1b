"""`spike tokenizer compare`: tokens and speed of several tokenizers on the same text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .console import (
    PATH,
    common_options,
    ext_option,
    json_option,
    print_result,
    progress_bar,
    remark,
    text_field_option,
    warn_skipped,
)
from .visible import visible

SHOWN_GROUPS = 40


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    type=PATH,
    help="Corpus files or folders to encode; may be given more than once.",
)
@click.option(
    "--by",
    multiple=True,
    help="Also tell results by a column with text, or by `file`; may be repeated.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How often each tokenizer is timed; the median is told.",
)
@click.option(
    "--longest",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="How many of the longest tokens in the text are told.",
)
@text_field_option
@ext_option
@json_option
@common_options
def compare(
    files: tuple[Path, ...], texts: tuple[Path, ...], as_json: bool, quiet: bool, **options: Any
) -> None:
    """Encode the same text with each tokenizer of FILES, on one thread.

    FILES are tokenizer files of spike or of Hugging Face, SentencePiece .model files, or
    tiktoken:NAME where its ranks are on this machine. Documents are cut into pieces of at most
    64 KiB, at line ends where there are any.

    \b
    Examples:
      spike tokenizer compare tokenizer.json bpe.json --text held.txt --json
      spike tokenizer compare tokenizer.json llama.model --text udhr.jsonl.gz --by code
    """
    from datapipe import counted, find_sources, text_endings
    from spiketok.errors import SpikeError

    from .any_tokenizer import open_any
    from .compared_text import read_pieces
    from .measuring import measure

    sources, skipped = find_sources(texts, text_endings(options["extensions"]))
    warn_skipped(skipped, quiet)
    pieces, dropped = read_pieces(sources, options["text_field"], options["by"])
    if dropped:
        remark(f"left out {dropped.total():,} records: {counted(dropped)}", quiet)
    if not pieces.texts:
        raise SpikeError(f"{texts[0]}: there is no text to encode; name other files")
    peers = [open_any(file) for file in files]
    passes, rows = options["passes"], []
    with progress_bar("compare", len(peers) * (passes + 1), "passes", quiet) as report:
        for number, peer in enumerate(peers):

            def advance(done: int, number: int = number, name: str = peer.name) -> None:
                report(number * (passes + 1) + done, name)

            rows.append(measure(peer, pieces, passes, options["longest"], advance))
    if as_json:
        print_result({"tokenizers": rows}, as_json)
    else:
        print_table(rows)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the results for people; tokenizers go by their number after the first table."""
    click.echo(
        f"{'':>3}{'bytes/token':>12}{'tokens':>14}{'MB/s':>9}{'ids':>9}{'unused':>9}"
        f"{'lossless':>10}  name"
    )
    for number, row in enumerate(rows, 1):
        click.echo(
            f"{number:>3}{ratio(row['bytes_per_token']):>12}{row['tokens']:>14,}"
            f"{row['encode_mb_per_s']:>9.1f}{row['vocab_size']:>9,}{row['unused']:>9,}"
            f"{'yes' if row['lossless'] else 'no':>10}  {row['name']}"
        )
    print_longest(rows)
    for column in rows[0]["by"]:
        print_groups(column, [row["by"][column] for row in rows])


def print_longest(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the longest tokens that occur in the text."""
    if not any(row["longest"] for row in rows):
        return
    click.echo(f"\nlongest tokens in the text\n{'':>3}{'bytes':>7}{'uses':>13}{'id':>9}  token")
    for number, row in enumerate(rows, 1):
        for token in row["longest"]:
            click.echo(
                f"{number:>3}{token['bytes']:>7,}{token['uses']:>13,}{token['id']:>9}"
                f"  {visible(token['text'].encode())}"
            )


def print_groups(column: str, results: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Print bytes per token of each tokenizer for each value of a column, most text first."""
    shown = results[0][:SHOWN_GROUPS]
    heading = "".join(f"{number:>9}" for number in range(1, len(results) + 1))
    click.echo(f"\nbytes/token by {column}\n{'bytes':>14}{heading}  {column}")
    for place, group in enumerate(shown):
        ratios = "".join(f"{ratio(groups[place]['bytes_per_token']):>9}" for groups in results)
        value = "–" if group["value"] is None else visible(group["value"].encode())
        click.echo(f"{group['bytes']:>14,}{ratios}  {value}")
    if len(results[0]) > len(shown):
        click.echo(f"  … {len(results[0]) - len(shown):,} more with less text; --json has them all")


def ratio(value: float | None) -> str:
    """Write bytes per token; there is none where there are no tokens.

    >>> ratio(4.20001), ratio(None)
    ('4.2000', '–')
    """
    return "–" if value is None else f"{value:.4f}"

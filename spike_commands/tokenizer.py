"""`spike tokenizer`: the group, and its short commands: inspect, encode and decode."""

from collections.abc import Iterator
from pathlib import Path

import click

from .comparison import compare
from .console import (
    PATH,
    common_options,
    json_option,
    print_result,
    standard_input,
    tokenizer_option,
)
from .tokenizer_training import summary, train
from .view import view


@click.group()
def tokenizer() -> None:
    """Train a tokenizer; encode and decode with it."""


tokenizer.add_command(train)
tokenizer.add_command(compare)
tokenizer.add_command(view)


@tokenizer.command()
@click.argument("file", type=PATH)
@json_option
@common_options
def inspect(file: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001
    """Tell what a tokenizer FILE holds.

    \b
    Example:
      spike tokenizer inspect tokenizer.json --json
    """
    from spiketok import Tokenizer

    print_result(summary(Tokenizer.load(file)), as_json)


@tokenizer.command()
@click.argument("text", required=False)
@tokenizer_option
@click.option(
    "--allow-special", is_flag=True, help="Read names such as <eos> in the text as special tokens."
)
@json_option
@common_options
def encode(
    text: str | None,
    tokenizer_path: Path,
    allow_special: bool,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Print the ids of TEXT, or of standard input.

    \b
    Examples:
      spike tokenizer encode "hello world"
      spike tokenizer encode --json < book.txt
    """
    from spiketok import Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    data = standard_input() if text is None else text.encode("utf-8", "surrogateescape")
    ids = loaded.encode(data, allow_special=allow_special)
    if not as_json:
        click.echo(" ".join(map(str, ids.tolist())))
        return
    pieces, state = [], 0
    for token in ids.tolist():
        added, state = loaded.decode_on([token], state)
        pieces.append(added.decode("utf-8", "replace"))
    print_result(
        {"bytes": len(data), "tokens": len(ids), "ids": ids.tolist(), "pieces": pieces}, as_json
    )


@tokenizer.command()
@click.argument("ids", nargs=-1, type=int)
@tokenizer_option
@common_options
def decode(ids: tuple[int, ...], tokenizer_path: Path, quiet: bool) -> None:  # noqa: ARG001
    """Print the bytes that IDS stand for; without IDS they are read from standard input.

    \b
    Examples:
      spike tokenizer decode 108 105
      spike tokenizer encode "round trip" | spike tokenizer decode
    """
    from spiketok import Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    text = loaded.decode_bytes(list(ids or ids_from(standard_input().decode("ascii", "replace"))))
    click.echo(text, nl=False)


def ids_from(text: str) -> Iterator[int]:
    """Read whitespace-separated ids; a word that is no number is a usage error."""
    for word in text.split():
        if not word.isascii() or not word.isdecimal():
            raise click.UsageError(f"standard input: {word[:40]!r} is not a token id")
        yield int(word)

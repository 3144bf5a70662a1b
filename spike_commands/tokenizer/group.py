"""`spike tokenizer`: the group, and its short commands: inspect, encode and decode."""

import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from spiketok.errors import SpikeError

from ..console import PATH, common_options, json_option, remark, standard_input, tokenizer_option
from ..result_rows import tokenizer_rows
from ..results import print_result, result_options
from ..visible import print_text
from .compare import compare
from .train import train
from .view import view

# Python cannot read a number of very many.
MAX_DIGITS = 40


@click.group()
def tokenizer() -> None:
    """Train, use and compare tokenizers."""


tokenizer.add_command(train)
tokenizer.add_command(compare)
tokenizer.add_command(view)


@tokenizer.command(short_help="Show the contents of a tokenizer file.")
@click.argument("file", type=PATH)
@result_options
@common_options
def inspect(file: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001
    """Show the contents of tokenizer FILE.

    \b
    Example:
      spike tokenizer inspect tokenizer.json --json
    """
    from .recipe import inspect_tokenizer

    found = inspect_tokenizer(file)
    print_result(found, as_json, tokenizer_rows(file, found))


@tokenizer.command(short_help="Print the token ids of a text.")
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
    quiet: bool,
) -> None:
    """Print the token ids of TEXT, or of standard input.

    \b
    Examples:
      spike tokenizer encode "hello world"
      spike tokenizer encode --json < book.txt
    """
    from spiketok import StreamDecoder, Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    data = standard_input() if text is None else text.encode("utf-8", "surrogateescape")
    ids = loaded.encode(data, allow_special=allow_special)
    if text is not None and (why := misread(text)):
        remark(why, quiet)
    if not as_json:
        click.echo(" ".join(map(str, ids.tolist())))
        return
    decoder = StreamDecoder(loaded)
    pieces = [decoder.add(token) for token in ids.tolist()]
    if tail := decoder.finish():  # a character that was begun
        pieces[-1] += tail
    print_result(
        {"bytes": len(data), "tokens": len(ids), "ids": ids.tolist(), "pieces": pieces}, as_json
    )


@tokenizer.command(short_help="Print the text of token ids.")
@click.argument("ids", nargs=-1, type=int)
@tokenizer_option
@common_options
def decode(ids: tuple[int, ...], tokenizer_path: Path, quiet: bool) -> None:
    """Print the text of IDS, or of the ids on standard input.

    Standard input has numbers separated by blanks, or the output of encode --json.

    \b
    Examples:
      spike tokenizer decode 108 105
      spike tokenizer encode "round trip" | spike tokenizer decode
    """
    from spiketok import Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    wanted = list(ids or ids_from(standard_input().decode("utf-8", "replace")))
    for place, token in enumerate(wanted):
        if not 0 <= token < loaded.vocab_size:
            raise SpikeError(
                f"id {token} at position {place} is not below the vocabulary size "
                f"{loaded.vocab_size}; use the tokenizer that made the ids"
            )
    print_text(loaded.decode_bytes(wanted).decode("utf-8", "surrogateescape"), end="")
    if reserved := sorted({*wanted} & {*loaded.vocabulary.reserved_ids}):
        shown = ", ".join(map(str, reserved[:5])) + (", …" if len(reserved) > 5 else "")
        remark(f"reserved ids have no text: {shown}", quiet)


def misread(text: str) -> str | None:
    """Return why TEXT is most likely not the text that is meant; None without a sign of that."""
    how = "leave TEXT out to encode standard input; name the tokenizer with --tokenizer"
    with suppress(OSError, ValueError):  # a long text is no name
        if Path(text).is_file():
            return f"TEXT is encoded, not the file of that name: {text}; {how}"
    with suppress(OSError, ValueError, AttributeError):  # no standard input
        status = os.fstat(sys.stdin.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return f"TEXT is encoded, not standard input; {how}"
    return None


def ids_from(text: str) -> Sequence[int]:
    """Read ids between blanks, or in the object of `encode --json`.

    Raises:
        UsageError: there is anything else.
    """
    if text.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            found = json.loads(text).get("ids")
            if isinstance(found, list) and all(type(token) is int for token in found):
                return found
        raise click.UsageError(
            "standard input: the JSON object has no list 'ids' of token ids; add it"
        )
    words = text.split()
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < MAX_DIGITS):
            raise click.UsageError(
                f"standard input: {word[:40]!r} is not a token id; separate ids by blanks"
            )
    return list(map(int, words))

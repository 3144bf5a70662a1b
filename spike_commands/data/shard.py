"""`spike shard`: text to token shards."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..console import (
    OUTPUT,
    PATH,
    callbacks,
    common_options,
    ext_option,
    ignore_key_option,
    remark,
    tokenizer_option,
)
from ..result_rows import after_sharding, shard_rows
from ..results import print_result, result_options
from .input_options import ShareOrFile, max_record_option, share_or_files, split_text_option


@click.command()
@click.argument("inputs", nargs=-1, type=PATH)
@tokenizer_option
@click.option(
    "--out",
    type=OUTPUT,
    default=Path("data"),
    show_default=True,
    help="The folder to fill.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    default=0,
    show_default=True,
    help="0: one per allowed core.",
)
@click.option(
    "--validation",
    type=ShareOrFile(0, 0.5),
    multiple=True,
    callback=share_or_files,
    metavar="FRACTION|FILE",
    help="The validation split: a fraction of documents, chosen by content, or a file, folder or "
    "pattern, which may be repeated.  [default: 0.01; where the tokenizer was trained on the same "
    "inputs and held out files, those]",
)
@click.option(
    "--format",
    "record_format",
    type=click.Choice(["text", "chat"]),
    default="text",
    show_default=True,
    help="chat: each record of INPUTS is a conversation (JSON Lines, JSON arrays, parquet, Arrow); "
    "see docs/chat.md. The tokenizer must be a length-max one with --special-tokens chatml.",
)
@click.option(
    "--parse-markers",
    is_flag=True,
    help="chat: read <think>, <tool_call> and solution markers in what assistants say.",
)
@ignore_key_option
@ext_option
@split_text_option(default=None)
@max_record_option
@click.option("--text-field", help="Column with the text; else as the tokenizer was trained.")
@click.option(
    "--errors",
    type=click.Choice(["strict", "replace", "skip"]),
    help="What to do with a broken record; else as the tokenizer was trained.",
)
@click.option(
    "--shard-tokens",
    type=click.IntRange(1),
    default=1 << 26,
    show_default=True,
    help="A shard ends with the document that brings it to this many tokens.",
)
@click.option(
    "--overwrite", is_flag=True, help="Begin again, whatever the folder holds of earlier shards."
)
@result_options
@common_options
def shard(
    inputs: tuple[Path, ...],
    tokenizer_path: Path,
    out: Path,
    record_format: str,
    extensions: tuple[str, ...],
    parse_markers: bool,
    ignored_keys: tuple[str, ...],
    workers: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Write INPUTS as token shards; run again after a crash, it goes on where it stopped.

    INPUTS are what spike tokenizer train reads; without them, those that the tokenizer was trained
    on: files in its folder, and others where they still are that text (else it asks first).

    The folder's bytes are the same for any number of workers.

    \b
    Examples:
      spike shard --out data/
      spike shard corpus/ --validation held-out.txt --out data/
      spike shard corpus/ extra.jsonl.gz --tokenizer tokenizer.json --out data/ --workers 2
      spike shard --format chat conversations.jsonl --out chats/
    """
    of_chats = record_format == "chat"
    if of_chats:
        check_chat_options(inputs, options)
    elif parse_markers or ignored_keys:
        raise click.UsageError("--parse-markers and --ignore-key go with --format chat")
    from .recipe import chat_settings, shard_text

    if of_chats:
        options["chat"] = chat_settings(parse_markers, ignored_keys)
    terminal = sys.stdin is not None and sys.stdin.isatty()
    made = shard_text(
        inputs,
        tokenizer_path,
        out,
        extensions=extensions,
        workers=workers,
        overwrite=overwrite,
        show=callbacks(quiet),
        ask=partial(click.confirm, default=False, err=True) if terminal else None,
        **options,
    )
    following = after_sharding(out, made.found, made.algorithm)
    rows = shard_rows(out, made.found)
    print_result({"folder": str(out), **made.found}, as_json, rows, following)
    for note in made.notes:
        remark(note, quiet)


def check_chat_options(inputs: tuple[Path, ...], options: dict[str, Any]) -> None:
    """Check for options that make no sense for conversations."""
    if options["text_field"] or options["split_text"]:
        raise click.UsageError("--text-field and --split-text go with --format text")
    if not inputs:
        raise click.UsageError("say which files of conversations: spike shard --format chat INPUT…")
    options["text_field"] = "text"

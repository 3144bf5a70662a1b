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
    help="Output folder.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    default=0,
    show_default=True,
    help="Worker processes. 0: one per allowed core.",
)
@click.option(
    "--validation",
    type=ShareOrFile(0, 0.5),
    multiple=True,
    callback=share_or_files,
    metavar="FRACTION|FILE",
    help="Validation split: a fraction of the documents, chosen by hash, or a file, folder or "
    "pattern, which may be repeated.  [default: the tokenizer's held-out files if the inputs are "
    "the same, else 0.01]",
)
@click.option(
    "--format",
    "record_format",
    type=click.Choice(["text", "chat"]),
    default="text",
    show_default=True,
    help="chat: each record of INPUTS is a conversation (JSON Lines, JSON arrays, parquet, Arrow); "
    "see docs/chat.md. Needs a length-max tokenizer with --special-tokens chatml.",
)
@click.option(
    "--parse-markers",
    is_flag=True,
    help="chat: read <think>, <tool_call> and solution markers in assistants' messages.",
)
@ignore_key_option
@ext_option
@split_text_option(default=None)
@max_record_option
@click.option("--text-field", help="Column that holds the text.  [default: as for the tokenizer]")
@click.option(
    "--errors",
    type=click.Choice(["strict", "replace", "skip"]),
    help="Broken records. strict: stop; replace: U+FFFD for bytes that are not UTF-8; skip: leave "
    "them out.  [default: as for the tokenizer]",
)
@click.option(
    "--shard-tokens",
    type=click.IntRange(1),
    default=1 << 26,
    show_default=True,
    help="Tokens per shard; the document that reaches this number ends it.",
)
@click.option("--overwrite", is_flag=True, help="Replace shards that the folder already holds.")
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
    """Write INPUTS as token shards; after a crash, run the same command again to resume.

    INPUTS are files, folders and patterns as for spike tokenizer train. Without INPUTS, those that
    the tokenizer was trained on are read: files in its folder, and other files if their text is
    unchanged (else you are asked first). Any number of workers writes the same bytes.

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
        raise click.UsageError(
            "--parse-markers and --ignore-key go with --format chat; add it or leave them out"
        )
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
    """Check for options that make no sense for conversations.

    Raises:
        UsageError: an option is for text, or no input is named.
    """
    if options["text_field"] or options["split_text"]:
        raise click.UsageError(
            "--text-field and --split-text go with --format text; leave them out"
        )
    if not inputs:
        raise click.UsageError(
            "no conversations are named; name them: spike shard --format chat INPUT…"
        )
    options["text_field"] = "text"

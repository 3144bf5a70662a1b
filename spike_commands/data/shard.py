"""`spike shard`: text to token shards."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import (
    OUTPUT,
    PATH,
    common_options,
    ext_option,
    ignore_key_option,
    progress_bar,
    remark,
    tokenizer_option,
    warn_skipped,
)
from ..holdout_advice import short_split, undivided
from ..result_rows import after_sharding, shard_rows
from ..results import print_result, result_options
from .input_options import (
    ShareOrFile,
    as_trained,
    max_record_option,
    remark_copies,
    remark_marker,
    share_or_files,
    split_text_option,
    words_of,
)
from .trained_inputs import check_trained_on, held_out_files, trained_inputs

if TYPE_CHECKING:
    from datapipe import ChatSettings, Source


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
    from datapipe import ShardSettings, describe, find_sources, write_shards
    from datapipe.sources.files import text_endings, without
    from spiketok import Tokenizer

    vocabulary = Tokenizer.load(tokenizer_path).vocabulary
    if record_format == "chat":
        options["chat"] = chat_settings(parse_markers, ignored_keys)
        check_chat_options(inputs, options)
    elif parse_markers or ignored_keys:
        raise click.UsageError("--parse-markers and --ignore-key go with --format chat")
    given, inputs = inputs, inputs or trained_inputs(tokenizer_path, vocabulary, out)
    options |= as_trained(options, vocabulary.settings)
    usual = held_out_files(tokenizer_path, vocabulary) if inputs == vocabulary.inputs else ()
    options["validation"], files = options["validation"] or (0.0 if usual else 0.01, usual)
    remark_what_was_seen(tokenizer_path, vocabulary, inputs, options, files, quiet)
    endings = text_endings(extensions or words_of(vocabulary.settings.get("ext")))
    of_chats = record_format == "chat"
    sources, skipped = find_sources(inputs, endings, of_chats)
    warn_skipped(skipped, quiet, of_chats)
    validation = find_sources(files, endings, of_chats)[0] if files else []
    every = [*without(sources, validation), *validation] if files == usual else sources
    unnamed = without(every, sources) if given else every
    check_trained_on(tokenizer_path, vocabulary, unnamed, every, options, quiet)
    sources = without(sources, validation)
    if not of_chats:
        remark_marker(sources, options["split_text"], quiet)
    total = sum(source.bytes for source in (*sources, *validation)) / 1e6
    with progress_bar("shard", total, "MB", quiet) as report:
        write_shards(
            sources,
            tokenizer_path,
            out,
            ShardSettings(**options),
            validation=validation,
            workers=workers,
            overwrite=overwrite,
            report=lambda bytes_done: report(bytes_done / 1e6, ""),
            remark=lambda message: remark(message, quiet),
        )
    found = describe(out)
    following = after_sharding(out, found, vocabulary.algorithm)
    print_result({"folder": str(out), **found}, as_json, shard_rows(out, found), following)
    remark_copies(found["copied_bytes"], found["text_bytes"], quiet)
    remark_splits(out, sources, found, options["validation"] if not files else None, quiet)


def remark_what_was_seen(
    tokenizer_path: Path,
    vocabulary: Any,
    inputs: Sequence[Path],
    options: Mapping[str, Any],
    files: Sequence[Path],
    quiet: bool,
) -> None:
    """Print a remark if the tokenizer was trained on text that now becomes validation."""
    trained, settings = [path.resolve() for path in vocabulary.inputs], vocabulary.settings
    kept = [path.resolve() for path in held_out_files(tokenizer_path, vocabulary)]
    for file in files:
        above = {file.resolve(), *file.resolve().parents}
        if above & set(trained) and not above & set(kept):
            how = f"spike tokenizer train --validation {file} keeps it from that"
            remark(f"the tokenizer was trained on {file}; {how}", quiet)
    seen_from = settings.get("held_out")
    if files or inputs != vocabulary.inputs or not isinstance(seen_from, int | float):
        return  # the file may come from anyone
    if options["validation"] > seen_from:
        remark(
            f"validation takes {options['validation']} of the documents and the tokenizer held out "
            f"{seen_from}, so it has seen some of the text for validation",
            quiet,
        )
    elif options["validation"] and options["split_text"] != settings.get("split_text", "none"):
        remark(
            "the tokenizer was trained on text that was split otherwise, so it has seen some of the"
            " text for validation",
            quiet,
        )


def remark_splits(
    out: Path,
    sources: "Sequence[Source]",
    found: Mapping[str, Any],
    fraction: float | None,
    quiet: bool,
) -> None:
    """Print a remark if a split is empty or too short; `fraction` is None for held-out files."""
    if fraction and not found["validation_documents"]:
        remark(no_validation(sources, found), quiet)
    if advice := short_split(out, found, fraction is not None):
        remark(advice, quiet)


def no_validation(sources: "Sequence[Source]", found: Mapping[str, Any]) -> str:
    """Return the remark that there is no validation split, why, and what helps."""
    why = undivided(sources, found["text_bytes"], "shard it")
    if found["documents"] > 1:
        why = "all documents are copies of one; add other documents"
    elif "train_trained_tokens" in found:
        why = "there is one conversation; shard more of them"
    return f"no validation: {why}"


def chat_settings(parse_markers: bool, ignored_keys: tuple[str, ...]) -> "ChatSettings":
    """Return how conversations are read."""
    from msgspec import UNSET

    from datapipe import ChatSettings

    ignored = tuple(sorted(set(ignored_keys)))
    return ChatSettings(parse_markers=parse_markers, ignored_keys=ignored or UNSET)


def check_chat_options(inputs: tuple[Path, ...], options: dict[str, Any]) -> None:
    """Check for options that make no sense for conversations."""
    if options["text_field"] or options["split_text"]:
        raise click.UsageError("--text-field and --split-text go with --format text")
    if not inputs:
        raise click.UsageError("say which files of conversations: spike shard --format chat INPUT…")
    options["text_field"] = "text"

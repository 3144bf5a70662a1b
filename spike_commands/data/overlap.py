"""`spike data overlap`: how much of a text occurs in the training split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..console import PATH, callbacks, common_options
from ..results import print_result, result_options, some, table_lines
from .reading_options import reading_options

# Sources in the table; --verbose and --json have all of them.
SHOWN = 10


@click.command(short_help="Count the windows of texts that the training split has.")
@click.argument("folder", type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="Text to look for: files, folders, patterns, or - for standard input.",
)
@click.option(
    "--tasks",
    metavar="NAME,…",
    help="Tasks to look for, as spike eval --tasks takes them, instead of --text.",
)
@click.option(
    "--data",
    "task_data",
    type=PATH,
    default=Path("tasks"),
    show_default=True,
    help="--tasks: folder of the tasks' files.",
)
@click.option("--from-hub", is_flag=True, help="--tasks: read them from the Hugging Face hub.")
@reading_options
@click.argument("more", nargs=-1, metavar="", type=PATH)
@click.option(
    "--split",
    type=click.Choice(["train", "validation"]),
    default="train",
    show_default=True,
    help="Split to search.",
)
@result_options
@common_options
def overlap(
    folder: Path,
    texts: tuple[Path, ...],
    more: tuple[Path, ...],
    tasks: str | None,
    task_data: Path,
    from_hub: bool,
    split: str,
    as_json: bool,
    quiet: bool,
    **reads: Any,
) -> None:
    """Count the windows of texts that occur in the training split of a shard FOLDER.

    A window has 13 tokens of the shards' tokenizer, or 50 bytes. The search is exact: every window
    found was compared, and none is missed. Windows of bytes cross tokens, no window crosses
    documents or messages. Longest match may encode a passage differently next to its ends, so bytes
    find more than tokens. A text shorter than a window is one window of its own length.

    --text reads files as spike eval does: each record, each plain text file is one text. The model
    has learned a text by heart if its windows are in the training split; a few windows of common
    phrases are usual. --tasks looks for the items of evaluation tasks, each as one text: the
    context and the right continuation.

    \b
    Examples:
      spike data overlap data/ --text wiki.test.raw
      spike data overlap data/ --text questions.jsonl --text-field question --json
      spike data overlap data/ --text held-out/*.txt -v
      spike data overlap data/ --tasks seeds --data tasks/
    """
    if (tasks is None) == (not texts):
        raise click.UsageError(
            "name either a text or tasks: spike data overlap SHARDS --text FILE or --tasks NAME,…"
        )
    from .text_overlap import overlap_of_files, overlap_of_tasks

    if tasks is None:
        found = overlap_of_files(folder, (*texts, *more), split, callbacks(quiet), **reads)
    else:
        names = tasks.split(",")
        hub = None
        if from_hub:
            from ..tasks.hub import hub_rows  # imports datasets

            hub = hub_rows
        found = overlap_of_tasks(folder, names, task_data, split, callbacks(quiet), hub)
    print_result(found, as_json, overlap_rows(found))


def overlap_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of an overlap: the totals, and the sources of which most was seen."""
    rows = {
        "shards": f"{found['folder']}, {found['split']}, {some(found['tokens'], 'token')}",
        "texts": f"{found['texts']:,}, {found['texts_seen']:,} with a window seen",
        "tokens": windows_phrase(found, "token"),
        "bytes": windows_phrase(found, "byte"),
    }
    if len(found["sources"]) > 1:
        most = sorted(found["sources"], key=lambda one: -(one["byte_share"] or 0.0))[:SHOWN]
        cells = [
            [one["source"], f"{one['texts']:,}", percent(one, "token"), percent(one, "byte")]
            for one in most
        ]
        left = len(found["sources"]) - len(most)
        more = [f"… and {some(left, 'other')}"] if left else []
        table = table_lines(["source", "texts", "tokens seen", "bytes seen"], cells)
        rows["sources"] = "\n".join([*table, *more])
    return rows


def windows_phrase(found: Mapping[str, Any], kind: str) -> str:
    """Return the phrase of the windows seen, of tokens or bytes."""
    windows, seen = found[f"{kind}_windows"], found[f"{kind}_windows_seen"]
    size = found[f"{kind}_window"]
    return f"{seen:,} of {windows:,} windows of {size} {kind}s seen, {percent(found, kind)}"


def percent(found: Mapping[str, Any], kind: str) -> str:
    """Return the share of windows seen for people.

    >>> percent({"byte_share": 0.123}, "byte"), percent({"byte_share": None}, "byte")
    ('12.30 %', '–')
    """
    part = found[f"{kind}_share"]
    return "–" if part is None else f"{100 * part:.2f} %"

"""`spike compare`: differences of two runs, with intervals."""

import shutil
from pathlib import Path

import click

from ..console import PATH, callbacks, common_options, device_option, tune_malloc
from ..results import print_lines, print_result, result_options


@click.command(short_help="Compare two runs: keys, scores, items.")
@click.argument("first", type=PATH, metavar="A")
@click.argument("second", type=PATH, metavar="B")
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="Text to score with both models: file, folder or pattern; may be repeated.",
)
@click.option(
    "--split-text",
    default="auto",
    show_default=True,
    help="--text: how a text becomes documents, as in spike shard.",
)
@click.option(
    "--items",
    nargs=2,
    type=PATH,
    help="Files of spike eval --items, of A and of B: compares single items of tasks.",
)
@device_option
@result_options
@common_options
def compare(
    first: Path,
    second: Path,
    texts: tuple[Path, ...],
    split_text: str,
    items: tuple[Path, Path] | None,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare two runs A and B: configuration, lineage and scores; differences are B minus A.

    Validation scores are compared after the same number of tokens. With --text both models score
    the same documents; the interval of the difference is a paired bootstrap over documents. Where
    it holds 0 the models cannot be distinguished by this text. With --items the answers to the
    same items of tasks are compared, also by McNemar's exact test.

    \b
    Examples:
      spike compare runs/base runs/wide
      spike compare runs/base runs/wide --text held.txt --split-text 4096
      spike compare runs/base runs/wide --items base.jsonl wide.jsonl
    """
    from .run_comparison import compare_runs

    found = compare_runs(first, second)
    if texts:
        from .text_comparison import compare_on_text

        tune_malloc()
        found["text"] = compare_on_text(
            (first, second), texts, split_text, device, callbacks(quiet)
        )
    if items:
        from .item_comparison import compare_items, read_item_file

        both = zip(items, (first, second), strict=True)
        found["items"] = compare_items(*(read_item_file(file, run) for file, run in both))
    if as_json:
        print_result(found, as_json)
        return
    from .comparison_rows import comparison_lines

    print_lines(comparison_lines(found, shutil.get_terminal_size().columns))

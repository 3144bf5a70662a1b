"""`spike demo`: the whole pipeline on text that every machine with Python has."""

from pathlib import Path

import click

from .console import OUTPUT, common_options


@click.command()
@click.option(
    "--folder",
    type=OUTPUT,
    default=Path("spike-demo"),
    show_default=True,
    help="Output folder; must be empty or new.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a value of the configuration, as for spike train.",
)
@common_options
def demo(folder: Path, overrides: tuple[str, ...], quiet: bool) -> None:
    """Train and score a small model of Python code in a few minutes, and print every command.

    The corpus is the source code of Python's standard library and the help topics of pydoc. 3 % of
    the documents are held out from the tokenizer and the model, and scored at the end.

    \b
    Example:
      spike demo
    """
    from .demo_steps import run_demo

    run_demo(folder, overrides, quiet)

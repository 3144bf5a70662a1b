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
    help="Where everything is written; must not hold an earlier demo.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="As for spike train."
)
@common_options
def demo(folder: Path, overrides: tuple[str, ...], quiet: bool) -> None:
    """Train and score a small model of Python code in a few minutes, every step shown.

    The text is the standard library's sources and the help topics of pydoc. A few files, chosen
    by their content, are kept from the tokenizer and from the model, and scored at the end.

    \b
    Example:
      spike demo
    """
    from .demo_steps import run_demo

    run_demo(folder, overrides, quiet)

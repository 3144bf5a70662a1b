"""Sliding-window options of the commands that read text in windows."""

import click

window_option = click.option(
    "--context",
    "context",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens in a window. 0: as many as the model was trained with.",
)
stride_option = click.option(
    "--stride",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens between two windows; smaller gives each token more context. 0: half a window.",
)
batch_option = click.option(
    "--batch-size",
    "batch_windows",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Most windows in a pass; on CPUs 2,048 tokens are the most.",
)
reset_option = click.option(
    "--per-file/--across-files",
    "reset",
    default=True,
    show_default=True,
    help="--text: each file is read for itself, or behind those before it.",
)
compile_option = click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile full windows first: pays where scoring takes ten minutes.",
)

"""Sliding-window options of the commands that read text in windows."""

import click

window_option = click.option(
    "--context",
    "context",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens per window. 0: the context the model was trained with.",
)
stride_option = click.option(
    "--stride",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens from one window to the next; smaller: more context per token. 0: half a window.",
)
batch_option = click.option(
    "--batch-size",
    "batch_windows",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Windows per forward pass, at most; on CPUs also at most 2,048 tokens.",
)
reset_option = click.option(
    "--per-file/--across-files",
    "reset",
    default=True,
    show_default=True,
    help="--text: score each document by itself, or with the documents before it as context.",
)
compile_option = click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the model with torch.compile first; worth it from ten minutes of scoring on.",
)

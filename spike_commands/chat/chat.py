"""`spike chat`: chat with a trained model, in the terminal or on a page."""

from pathlib import Path
from typing import Any

import click

from ..console import PATH, common_options, device_option, use_passive_omp_wait
from .sampling_options import drawing_options


@click.command()
@click.argument("run", type=PATH)
@click.option("--system", default="", metavar="TEXT", help="What the model is told first.")
@click.option(
    "--max-tokens", type=click.IntRange(1), default=512, show_default=True, help="Of a reply."
)
@drawing_options
@click.option("--web", is_flag=True, help="On a page, for browsers of this machine alone.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="--web: where the page is. 0: any that is free.",
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object a line.")
@common_options
def chat(
    run: Path,
    system: str,
    max_tokens: int,
    web: bool,
    port: int,
    allow_unseen: bool,
    device: str,
    as_json: bool,
    quiet: bool,
    **sampled: Any,
) -> None:
    """Talk with the model of RUN, a run folder or artifact trained on conversations.

    In a terminal: a question a line, and the answer as it is written; thinking is dim, calls of
    tools are shown and not run. /help lists the commands. Ctrl-C stops a reply. Otherwise each line
    of standard input is a question of one conversation; --json answers with an object a line.

    \b
    Examples:
      spike chat runs/chat
      spike chat runs/chat --system "You are a careful assistant." --temperature 0.3
      spike chat runs/chat --web
      echo "Who are you?" | spike chat runs/chat --json
    """
    if as_json and web:
        raise click.UsageError("--json goes without --web")
    if port and not web:
        raise click.UsageError("--port goes with --web")
    use_passive_omp_wait()
    from .front_ends import chat_with

    chat_with(
        run,
        system,
        max_tokens,
        sampled,
        web=web,
        port=port,
        allow_unseen=allow_unseen,
        device=device,
        as_json=as_json,
        quiet=quiet,
    )

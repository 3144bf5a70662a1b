"""`spike chat`: chat with a trained model, in the terminal or on a page."""

from pathlib import Path
from typing import Any

import click

from ..console import PATH, common_options, device_option, use_passive_omp_wait
from .sampling_options import drawing_options


@click.command()
@click.argument("run", type=PATH)
@click.option("--system", default="", metavar="TEXT", help="System prompt.")
@click.option(
    "--max-tokens", type=click.IntRange(1), default=512, show_default=True, help="Longest reply."
)
@drawing_options
@click.option("--web", is_flag=True, help="Chat on a web page, which only this machine can open.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="--web: port of the page. 0: any free port.",
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print each answer as one line of JSON.")
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
    """Chat with the model of RUN, a run folder or an artifact, trained on conversations.

    In a terminal, type one question per line; the answer is printed while it is sampled. Reasoning
    is dim; tool calls are printed and not run. /help lists the commands, and Ctrl-C stops a reply.
    From a pipe, each line of standard input is the next question of one conversation.

    \b
    Examples:
      spike chat runs/chat
      spike chat runs/chat --system "You are a careful assistant." --temperature 0.3
      spike chat runs/chat --web
      echo "Who are you?" | spike chat runs/chat --json
    """
    if as_json and web:
        raise click.UsageError("--json does not go with --web; leave out one of them")
    if port and not web:
        raise click.UsageError("--port goes with --web; add --web")
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

"""`spike chat`: chat with a trained model, in the terminal or on a page."""

import sys
from pathlib import Path
from typing import Any

import click

from ..console import PATH, common_options, device_option, remark, use_passive_omp_wait
from .generate import drawing_options


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
    from spike_lm.model.artifact.open import open_run
    from spike_lm.model.device import choose_device
    from spike_lm.model.inference.chat import Conversation, begin_conversation
    from spike_lm.model.inference.sampling import SamplingParams

    from .terminal import answer_lines, chat_in_terminal

    sampling = SamplingParams(**sampled)
    system = system.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    loaded = open_run(run, choose_device(device))
    trained = None if allow_unseen else loaded.trained_ids
    if read_no_conversations(run, loaded.step):
        remark(f"{run} has not been trained on conversations; expect no answers", quiet)

    def begin(prompt: str) -> Conversation:
        return begin_conversation(loaded.model, loaded.tokenizer, prompt, trained)

    begun = begin(system)  # the same errors for all front ends, before any of them starts
    if web:
        from .server import ADDRESS, Served, open_server, serve

        served = Served(
            begin=begin,
            sampling=sampling,
            max_tokens=max_tokens,
            context=begun.model.config.context,
            name=run.name,
            system=system,
        )
        server = open_server(served, port)
        click.echo(f"http://{ADDRESS}:{server.server_address[1]}{served.path}")
        remark("the page answers this machine alone; Ctrl-C ends it", quiet)
        serve(served, server)
    elif sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        chat_in_terminal(begin, system, sampling, max_tokens)
    else:
        answer_lines(begin, system, sampling, max_tokens, as_json)


def read_no_conversations(run: Path, step: int) -> bool:
    """Return whether a run's records show that it never learned replies; not all have records."""
    from spike_lm.model.runs.metrics import METRICS, last_metrics

    metrics = last_metrics(run / METRICS, step) if run.is_dir() else {}
    return bool(metrics) and "reply_loss" not in metrics

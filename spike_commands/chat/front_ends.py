"""Front ends of a conversation with a model: terminal, lines of standard input, page."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spike_lm.model.artifact.open import open_run
from spike_lm.model.device import choose_device
from spike_lm.model.inference.chat import Conversation, begin_conversation
from spike_lm.model.inference.sampling import SamplingParams
from spike_lm.model.runs.metrics import METRICS, last_metrics

from ..console import remark
from .server import ADDRESS, Served, open_server, serve
from .terminal import answer_lines, chat_in_terminal


def chat_with(
    run: Path,
    system: str,
    max_tokens: int,
    sampled: Mapping[str, Any],
    *,
    web: bool,
    port: int,
    allow_unseen: bool,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Chat with a model until the user leaves, or standard input ends.

    Args:
        run: a run folder or an artifact.
        system: the system prompt; may be empty.
        max_tokens: of a reply.
        sampled: arguments of `SamplingParams`.
        web: on a page.
        port: of the page; 0: any that is free.
        allow_unseen: also sample ids that were never targets in training.
        device: auto, cpu or cuda.
        as_json: answer lines with objects.
        quiet: no remarks.
    """
    sampling = SamplingParams(**sampled)
    system = system.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    loaded = open_run(run, choose_device(device))
    trained = None if allow_unseen else loaded.trained_ids
    if read_no_conversations(run, loaded.step):
        remark(f"{run}: was not trained on conversations; do not expect answers", quiet)

    def begin(prompt: str) -> Conversation:
        return begin_conversation(loaded.model, loaded.tokenizer, prompt, trained)

    begun = begin(system)  # the same errors for all front ends, before any of them starts
    if web:
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
        remark("only this machine can open the page; Ctrl-C stops the server", quiet)
        serve(served, server)
    elif sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        chat_in_terminal(begin, system, sampling, max_tokens)
    else:
        answer_lines(begin, system, sampling, max_tokens, as_json)


def read_no_conversations(run: Path, step: int) -> bool:
    """Return whether a run's records show that it never learned replies; not all have records."""
    metrics = last_metrics(run / METRICS, step) if run.is_dir() else {}
    return bool(metrics) and "reply_loss" not in metrics

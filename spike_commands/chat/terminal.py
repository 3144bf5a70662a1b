"""Terminal chat, and answers to the lines of standard input."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import click

from spike_lm.model.inference.chat import Conversation, add_user_turn
from spike_lm.model.inference.reply import REMARKS, answer, finish_reason, stream_reply_parts
from spike_lm.model.inference.sampling import SamplingParams
from spiketok import Part
from spiketok.chat.chatml import AROUND
from spiketok.errors import SpikeError

from ..process import stop_on_signals
from ..results import some
from ..visible import json_text, safe_for_terminals

with suppress(ImportError):
    import readline  # noqa: F401 (gives `input` editing and a history)

# Begins a conversation with a system prompt, which may be empty.
Begin = Callable[[str], Conversation]
HELP = """\
/reset        start a new conversation
/system TEXT  start a new conversation with this system prompt, or with none
/quit         leave, like Ctrl-D; Ctrl-C stops a reply, or deletes a typed line"""
COMMANDS = ("/reset", "/system", "/help", "/quit")
STYLES: dict[str, dict[str, Any]] = {
    "think": {"dim": True},
    "tool_call": {"fg": "cyan"},
    "solution": {"bold": True},
}
NAMES = {"tool_call": "tool call, not run: ", "solution": "solution: "}


def chat_in_terminal(begin: Begin, system: str, sampling: SamplingParams, max_tokens: int) -> None:
    """Read questions and print the answers as they are generated, until the user leaves.

    Args:
        begin: starts a conversation with a system prompt.
        system: the system prompt; may be empty.
        sampling: how to sample.
        max_tokens: of a reply, at most.
    """
    conversation = begin(system)
    report("/help lists the commands; Ctrl-D leaves")
    for line in typed_lines():
        try:
            command, rest = split_command(line)
            if command == "/quit":
                return
            if command == "/help":
                click.echo(HELP)
            elif command:
                wanted = rest if command == "/system" else system
                conversation, system = begin(wanted), wanted
                report(f"new conversation, {'with a' if system else 'without'} system prompt")
            else:
                if dropped := add_user_turn(conversation, line, max_tokens):
                    report(f"the context is full: removed {some(dropped, 'question')}")
                show_reply(conversation, sampling, max_tokens)
        except SpikeError as error:
            report(str(error))


def split_command(line: str) -> tuple[str, str]:
    """Return the command of a line and the text after it; of a question no command.

    Raises:
        SpikeError: the line begins like a command and is none.

    >>> split_command("/system Be brief. "), split_command("/usr/bin has what?")
    (('/system', 'Be brief.'), ('', ''))
    """
    command, _, rest = line.partition(" ")
    if command in COMMANDS:
        return command, rest.strip()
    if command[:1] == "/" and command[1:].isalpha():
        known = ", ".join(COMMANDS)
        raise SpikeError(f"{command}: no such command; use {known}, or a space before it to ask it")
    return "", ""


def typed_lines() -> Iterator[str]:
    """Yield what a user types, lines with something in them; Ctrl-D ends it."""
    while True:
        try:
            line = input("> ")
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            continue
        if line.strip():
            yield line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def show_reply(conversation: Conversation, sampling: SamplingParams, max_tokens: int) -> None:
    """Print the reply to the last question while it is written; Ctrl-C stops it.

    Raises:
        Abort: SIGTERM was received.
    """
    ids: list[int] = []
    with stop_on_signals() as signals:
        show(
            stream_reply_parts(
                conversation, sampling, max_tokens, ids, lambda: signals.received > 0
            )
        )
    ended = finish_reason(conversation, max_tokens, ids, stopped=signals.received > 0)
    if ended in REMARKS:
        report(REMARKS[ended])
    if signals.received == signal.SIGTERM:
        raise click.Abort


def show(parts: Iterable[Part]) -> None:
    """Print a reply's text, each part on lines of its own and in its own style."""
    before, begins, line_begins = None, True, True
    for kind, piece in parts:
        style = STYLES.get(kind, {})
        if kind != before or not piece:
            if not line_begins:
                click.echo()
            write(NAMES.get(kind, ""), style)
            before, begins, line_begins = kind, True, kind not in NAMES
        # Models write line breaks around their blocks, which have lines of their own already.
        shown = piece.lstrip("\n") if begins else piece
        if shown:
            write(safe_for_terminals(shown), style)
            begins, line_begins = False, shown.endswith("\n")
    if not line_begins:
        click.echo()


def write(text: str, style: dict[str, Any]) -> None:
    """Print text in a style, and plain text without any codes for the terminal."""
    if text:
        click.echo(click.style(text, **style) if style else text, nl=False)


def answer_lines(
    begin: Begin, system: str, sampling: SamplingParams, max_tokens: int, as_json: bool
) -> None:
    """Answer each line of standard input in one conversation; commands work as in a terminal.

    Lines that cannot be answered are reported, on stderr or as objects with `error`, and the
    conversation goes on.

    Args:
        begin: starts a conversation with a system prompt.
        system: the system prompt; may be empty.
        sampling: how to sample.
        max_tokens: of a reply, at most.
        as_json: print each answer as a JSON object.

    Raises:
        SpikeError: at the end, if there were such lines.
    """
    conversation, lines, failed = begin(system), 0, 0
    for lines, line in enumerate(sys.stdin.buffer, 1):
        question = line.decode("utf-8", "replace").rstrip("\r\n")
        try:
            command, rest = split_command(question)
            if command == "/quit":
                break
            if command == "/help":
                report(HELP)
            elif command:
                wanted = rest if command == "/system" else system
                conversation, system = begin(wanted), wanted
            elif question.strip():
                found = answer(conversation, sampling, max_tokens, question)
                shown = json_text(found) if as_json else plain(found["parts"])
                click.echo(shown)
        except SpikeError as error:
            failed += 1
            if as_json:
                what = {"question": question, "error": str(error)}
                click.echo(json_text(what))
            else:
                report(f"line {lines}: {error}")
    if failed:
        raise SpikeError(
            f"{failed} of {lines} lines were not answered; correct the lines that are reported"
        )


def plain(parts: Iterable[dict[str, str]]) -> str:
    """Write the parts of an answer as text, with the names of their markers.

    >>> plain([{"type": "think", "text": "1+1"}, {"type": "text", "text": "2"}])
    '<think>1+1</think>2'
    """
    around = {kind: AROUND.get(kind, ("", "")) for kind in ("text", *AROUND)}
    written = (around[part["type"]] + (part["text"],) for part in parts)
    return safe_for_terminals("".join(first + text + last for first, last, text in written))


def report(message: str) -> None:
    """Print a message that is not part of the conversation."""
    click.secho(f"({safe_for_terminals(message)})", dim=True, err=True)

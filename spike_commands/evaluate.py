"""`spike eval` and `spike generate`: score text under a trained model, or let it write."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    PATH,
    common_options,
    json_option,
    let_threads_sleep,
    print_result,
    progress_bar,
)

if TYPE_CHECKING:
    from model.run_folder import Run

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto: a CUDA device where there is one.",
)


@click.command("eval")
@click.argument("run", type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="A file to score, one document; several may follow.",
)
@click.option(
    "--chat",
    "chats",
    multiple=True,
    type=PATH,
    help="A file of conversations, whose replies to score; several may follow.",
)
@click.option("--parse-markers", is_flag=True, help="--chat: as for spike shard.")
@click.argument("more", nargs=-1, metavar="", type=PATH)
@click.option(
    "--context",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens in a window. 0: as many as the model was trained with.",
)
@click.option(
    "--stride",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tokens between two windows; smaller gives each token more context. 0: half a window.",
)
@device_option
@json_option
@common_options
def evaluate(
    run: Path,
    texts: tuple[Path, ...],
    chats: tuple[Path, ...],
    more: tuple[Path, ...],
    parse_markers: bool,
    context: int,
    stride: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score files in bits per byte under the model of RUN, a run folder or an artifact.

    Each file is one document, read as bytes. Its tokens and the separator at its end are each
    predicted once, from what stands before them; bits per byte = nats / (ln 2 · bytes). Of
    conversations only what assistants say is scored, and its numbers have names of their own.

    \b
    Examples:
      spike eval runs/base --text book.txt
      spike eval runs/base --text one.txt two.txt --stride 64 --json
      spike eval runs/memory-golf --text book.txt --context 1024 --stride 128
      spike eval base.spike --text book.txt
      spike eval runs/chat --chat conversations.jsonl
    """
    if bool(texts) == bool(chats):
        raise click.UsageError("say either --text FILE or --chat FILE")
    if texts and parse_markers:
        raise click.UsageError("--parse-markers goes with --chat")
    let_threads_sleep()
    from model.opening import open_run
    from model.training.device import choose_device

    loaded = open_run(run, choose_device(device))
    context = context or loaded.config.model.context
    stride = stride or max(1, context // 2)
    windows = {"context": context, "stride": stride}
    if texts:
        found = text_score(loaded, (*texts, *more), windows, quiet)
    else:
        found = reply_score(loaded, (*chats, *more), parse_markers, windows, quiet)
    print_result({"run": str(run), "step": loaded.step, **found, **windows}, as_json)


def text_score(
    loaded: "Run", paths: tuple[Path, ...], windows: dict[str, int], quiet: bool
) -> dict[str, Any]:
    """Score files, one document each."""
    from model.evaluation import score_documents

    contents = [path.read_bytes() for path in paths]
    documents = [(loaded.tokenizer.encode(content), len(content)) for content in contents]
    total = sum(len(ids) + 1 for ids, _ in documents)
    with progress_bar("eval", total, "tokens", quiet) as report:
        score = score_documents(
            loaded.model,
            documents,
            separator=loaded.tokenizer.separator,
            **windows,
            report=lambda scored: report(scored, ""),
        )
    return {
        loaded.tokenizer.score_name: score.bits_per_byte if score.bytes else None,
        "bytes": score.bytes,
        "tokens": score.tokens,
        "nats": score.nats,
        "nats_separators": score.nats_separators,
        "documents": score.documents,
    }


def reply_score(
    loaded: "Run",
    paths: tuple[Path, ...],
    parse_markers: bool,
    windows: dict[str, int],
    quiet: bool,
) -> dict[str, Any]:
    """Score what assistants say in files of conversations."""
    from datapipe import encoded_conversations, find_sources
    from model.evaluation import score_replies

    tokenizer = loaded.tokenizer
    conversations = [
        (ids, mask, int(tokenizer.byte_lengths[ids[mask]].sum()))
        for source in find_sources(paths)[0]
        for ids, mask in encoded_conversations(source, tokenizer, parse_markers)
    ]
    total = sum(len(ids) + 1 for ids, _, _ in conversations)
    with progress_bar("eval", total, "tokens", quiet) as report:
        score = score_replies(
            loaded.model,
            conversations,
            separator=tokenizer.separator,
            **windows,
            report=lambda passed: report(passed, ""),
        )
    return {
        "reply_bits_per_byte": score.bits_per_byte if score.bytes else None,
        "reply_bytes": score.bytes,
        "reply_tokens": score.tokens,
        "reply_nats": score.nats,
        "conversations": score.documents,
    }


@click.command()
@click.argument("run", type=PATH)
@click.argument("prompt", default="")
@click.option("--tokens", type=click.IntRange(1), default=200, show_default=True, help="At most.")
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.8,
    show_default=True,
    help="0: always the likeliest token.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Draw from the likeliest tokens that hold this much probability.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Another seed, another text.",
)
@device_option
@json_option
@common_options
def generate(
    run: Path,
    prompt: str,
    device: str,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    **options: Any,
) -> None:
    """Continue PROMPT with the model of RUN, folder or artifact, printing as it writes.

    \b
    Examples:
      spike generate runs/base "It was a dark night"
      spike generate runs/base "def main(" --temperature 0.5 --seed 7
    """
    let_threads_sleep()
    from model.opening import open_run
    from model.training.device import choose_device
    from spiketok import StreamDecoder

    from .sampling import continue_prompt

    loaded = open_run(run, choose_device(device))
    text = prompt.encode("utf-8", "surrogateescape")
    decoder = StreamDecoder(loaded.tokenizer)
    ids, written = [], ""
    drawn = continue_prompt(loaded.model, loaded.tokenizer, text, **options)
    if not as_json:
        click.echo(prompt, nl=False)
    for token in drawn:
        ids.append(token)
        piece = decoder.add(token)
        written += piece
        if not as_json:
            click.echo(piece, nl=False)
    tail = decoder.finish()
    if as_json:
        print_result({"prompt": prompt, "text": written + tail, "ids": ids}, as_json)
    else:
        click.echo(tail)

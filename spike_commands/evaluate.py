"""`spike eval`: scores text under a trained model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    PATH,
    Report,
    common_options,
    device_option,
    json_option,
    keep_memory,
    let_threads_sleep,
    print_result,
    progress_bar,
)
from .window_options import batch_option, compile_option, reset_option, stride_option, window_option

if TYPE_CHECKING:
    from model.run_folder import Run


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
@window_option
@stride_option
@batch_option
@reset_option
@compile_option
@click.option(
    "--prove", is_flag=True, help="--text: also compress each file to that score, and back."
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
    batch_windows: int,
    reset: bool,
    compiled: bool,
    prove: bool,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score files in bits per byte under the model of RUN, a run folder or an artifact.

    Each file is one document, read as bytes. Its tokens and the separator at its end are each
    predicted once, from what stands before them in a window; bits per byte = nats / (ln 2 · bytes).
    With --stream windows run over the borders of files. Of conversations only what assistants say
    is scored, and its numbers have names of their own.

    \b
    Examples:
      spike eval runs/base --text book.txt
      spike eval runs/base --text one.txt two.txt --stride 64 --json
      spike eval runs/memory-golf --text book.txt --window 1024 --stride 128 --batch-windows 256
      spike eval runs/base --stream --text part1.txt part2.txt
      spike eval base.spike --text book.txt
      spike eval runs/base --text page.txt --prove
      spike eval runs/chat --chat conversations.jsonl
    """
    if bool(texts) == bool(chats):
        raise click.UsageError("say either --text FILE or --chat FILE")
    if chats and (prove or not reset):
        raise click.UsageError("--prove and --stream go with --text")
    if prove and not reset:
        raise click.UsageError("--prove compresses each file by itself; leave out --stream")
    if texts and parse_markers:
        raise click.UsageError("--parse-markers goes with --chat")
    let_threads_sleep()
    keep_memory()
    from model.evaluation.compiled_windows import compile_full_windows
    from model.opening import open_run
    from model.training.device import choose_device

    loaded = open_run(run, choose_device(device))
    context = context or loaded.config.model.context
    stride = stride or max(1, context // 2)
    windows = {"context": context, "stride": stride}
    if compiled:
        compile_full_windows(loaded.model, **windows)
    if texts:
        reading = windows | {"batch_windows": batch_windows, "reset": reset}
        found = text_score(loaded, (*texts, *more), reading, quiet) | {"reset": reset}
        if prove:
            found |= proof(loaded, (*texts, *more), windows, found, quiet)
    else:
        reading = windows | {"batch_windows": batch_windows}
        found = reply_score(loaded, (*chats, *more), parse_markers, reading, quiet)
    print_result({"run": str(run), "step": loaded.step, **found, **windows}, as_json)


def text_score(
    loaded: "Run", paths: tuple[Path, ...], windows: dict[str, Any], quiet: bool
) -> dict[str, Any]:
    """Score files, one document each, in windows as the arguments of `score_documents` say."""
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


def proof(
    loaded: "Run",
    paths: tuple[Path, ...],
    windows: dict[str, Any],
    found: dict[str, Any],
    quiet: bool,
) -> dict[str, Any]:
    """Compress and decompress the files; refuse where that does not bear the score out.

    Separators are scored and not coded. Coding is to take no more than the score by 0.1 % and 64
    bytes a file.
    """
    from math import log

    from model.evaluation.compressed_text import compress, decompress, read_header
    from spiketok.errors import SpikeError

    contents = [path.read_bytes() for path in paths]
    coded = headers = passed = 0
    with progress_bar("prove", max(1, 2 * sum(map(len, contents))), "bytes", quiet) as show:
        for path, text in zip(paths, contents, strict=True):
            data = compress(loaded, text, **windows, report=moved_on(show, passed))
            passed += len(text)
            if decompress(loaded, data) != text:
                raise SpikeError(f"{path}: the text that came out is not the one that went in")
            passed += len(text)
            show(passed, "")
            size = len(read_header(data)[1])
            coded, headers = coded + size, headers + len(data) - size
    told = (found["nats"] - found["nats_separators"]) / log(2) / 8
    if coded > told * 1.001 + 64 * len(paths):
        raise SpikeError(f"coding took {coded:,} bytes, but the score says {told:,.0f}")
    return {"coded_bytes": coded, "header_bytes": headers}


def moved_on(show: Report, begun: int) -> Callable[[int, int, int], None]:
    """Return what shows how many bytes of a file are done, of which `begun` came before."""
    return lambda _tokens, done, _size: show(begun + done, "")


def reply_score(
    loaded: "Run",
    paths: tuple[Path, ...],
    parse_markers: bool,
    windows: dict[str, Any],
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

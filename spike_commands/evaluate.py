"""`spike eval`: scores text under a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    PATH,
    common_options,
    device_option,
    ignore_key_option,
    keep_memory,
    let_threads_sleep,
    progress_bar,
    remark,
)
from .predictor_options import (
    begin,
    check_predictor,
    chosen_settings,
    predictor_options,
    test_time_settings,
    ttt_option,
)
from .predictor_score import (
    predictor_score,
    proof,
    published_score,
    test_time_training,
)
from .ranks import joined_ranks
from .result_rows import score_rows
from .results import print_result, result_options
from .window_options import batch_option, compile_option, reset_option, stride_option, window_option
from .yardstick import text_bytes, yardstick

if TYPE_CHECKING:
    from spike_lm.model.evaluation.predictor_start import PredictorStart
    from spike_lm.model.run_folder import Run


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
@ignore_key_option
@click.argument("more", nargs=-1, metavar="", type=PATH)
@window_option
@stride_option
@batch_option
@reset_option
@compile_option
@click.option(
    "--prove", is_flag=True, help="--text: also compress each file to that score, and back."
)
@predictor_options
@click.option(
    "--method",
    type=click.Choice(["published-0.2071"]),
    help="--text: a record's rule, which is no rate; docs/why-0.2071.md tells why.",
)
@ttt_option
@device_option
@result_options
@common_options
def evaluate(
    run: Path,
    texts: tuple[Path, ...],
    chats: tuple[Path, ...],
    more: tuple[Path, ...],
    context: int,
    stride: int,
    batch_windows: int,
    reset: bool,
    compiled: bool,
    prove: bool,
    parts: str | None,
    without_network: bool,
    counts_folder: Path | None,
    method: str | None,
    ttt: str | None,
    device: str,
    as_json: bool,
    quiet: bool,
    **reads: Any,
) -> None:
    """Score files in bits per byte under the model of RUN, a run folder or an artifact.

    Each file is one document, read as bytes. Its tokens and the separator at its end are each
    predicted once, from what stands before them in a window; bits per byte = nats / (ln 2 · bytes).
    With --stream windows run over the borders of files. Of conversations only what assistants say
    is scored, and its numbers have names of their own. Under torchrun the processes share the work.

    With --ttt the model learns from the files while it scores them (docs/scoring.md); the run stays
    as it is. Settings, each NAME=VALUE: chunk, epochs, optimizer, rate, decay, blocks, vectors,
    rank, polyak, batch, by_bytes.

    With parts on the network (docs/scoring.md) the score is that of all of them, and what each one
    gives stands beside it. A predictor whose predictions do not add up to 1, or that tells random
    tokens, gets no score.

    \b
    Examples:
      spike eval runs/base --text book.txt
      spike eval runs/base --text one.txt two.txt --stride 64 --json
      spike eval runs/memory-golf --text book.txt --window 1024 --stride 128 --batch-windows 256
      spike eval runs/base --stream --text part1.txt part2.txt
      spike eval base.spike --text book.txt
      spike eval runs/base --text page.txt --prove
      spike eval runs/base --text book.txt --with all --counts data/
      spike eval base.spike --text book.txt --without-network
      spike eval runs/base --text book.txt --method published-0.2071
      spike eval runs/base --text book.txt --ttt chunk=8192,rate=0.001,polyak=0
      spike eval runs/chat --chat conversations.jsonl
    """
    predicts = parts is not None or without_network
    of_texts = prove or predicts or method or not reset or ttt is not None
    check_inputs(bool(texts), bool(chats), bool(of_texts), any(reads.values()))
    if prove and not reset:
        raise click.UsageError("--prove reads each file for itself; leave out --stream")
    if method and (predicts or prove or ttt is not None):
        raise click.UsageError("--method stands alone, without parts, --prove and --ttt")
    check_predictor(parts, without_network, counts_folder, ttt, compiled=compiled)
    let_threads_sleep()
    keep_memory()
    from spike_lm.model.evaluation.compiled_windows import compile_full_windows
    from spike_lm.model.evaluation.mixing import PredictorSettings
    from spike_lm.model.opening import open_run
    from spike_lm.model.training.device import choose_device

    settings = chosen_settings(parts, without_network)
    learns = test_time_settings(ttt)
    with joined_ranks() as rank:
        loaded = open_run(run, choose_device(device))
        context = context or loaded.config.model.context
        windows = {"context": context, "stride": stride or max(1, context // 2)}
        quiet, files = quiet or rank > 0, (*texts, *more)
        reading = windows | {"batch_windows": batch_windows}
        if compiled:
            compile_full_windows(loaded.model, **windows)
        if chats:
            found = reply_score(loaded, (*chats, *more), reads, reading, quiet)
        elif method:
            found = published_score(loaded, files, reading | {"reset": reset}, quiet)
        else:
            start = begin(loaded, settings or PredictorSettings(), counts_folder, quiet, learns)
            scored = predictor_score if settings else text_score
            found = scored(loaded, files, reading | {"reset": reset}, quiet, start)
            found["reset"] = reset
            if prove:
                found |= proof(loaded, files, windows, quiet, start, found)
    found = {"run": str(run), "step": loaded.step, **found, **windows}
    if rank == 0:
        print_result(found, as_json, score_rows(found))


def check_inputs(texts: bool, chats: bool, of_texts: bool, of_chats: bool) -> None:
    """Refuse both kinds of files, neither, and options of the other kind."""
    if texts == chats:
        raise click.UsageError("say either --text FILE or --chat FILE")
    if chats and of_texts:
        raise click.UsageError(
            "--prove, --with, --without-network, --method, --stream and --ttt go with --text"
        )
    if texts and of_chats:
        raise click.UsageError("--parse-markers and --ignore-key go with --chat")


def text_score(
    loaded: "Run",
    paths: tuple[Path, ...],
    windows: dict[str, Any],
    quiet: bool,
    start: "PredictorStart | None" = None,
) -> dict[str, Any]:
    """Score files, one document each, in windows as the arguments of `score_documents` say.

    With what teaches the model it learns from them meanwhile.
    """
    from spike_lm.model.evaluation import score_documents
    from spike_lm.model.evaluation.predictor_start import PredictorStart

    start = start or PredictorStart()
    contents = [path.read_bytes() for path in paths]
    documents = [(loaded.tokenizer.encode(content), len(content)) for content in contents]
    total = sum(len(ids) + 1 for ids, _ in documents)
    taught = start.learning(loaded, total, windows["context"])
    with progress_bar("eval", total, "tokens", quiet) as report, taught as learner:
        score = score_documents(
            loaded.model,
            documents,
            separator=loaded.tokenizer.separator,
            **windows,
            learner=learner,
            report=lambda scored: report(scored, ""),
        )
    return {
        loaded.tokenizer.score_name: score.bits_per_byte if score.bytes else None,
        "bytes": score.bytes,
        "tokens": score.tokens,
        "nats": score.nats,
        "nats_separators": score.nats_separators,
        "documents": score.documents,
        **yardstick(contents, quiet),
        **test_time_training(start),
    }


def reply_score(
    loaded: "Run",
    paths: tuple[Path, ...],
    reads: dict[str, Any],
    windows: dict[str, Any],
    quiet: bool,
) -> dict[str, Any]:
    """Score what assistants say in files of conversations, read as `reads` says."""
    from datapipe import Dropped, counted, encoded_conversations, find_sources
    from spike_lm.model.evaluation import score_replies

    tokenizer, dropped = loaded.tokenizer, Dropped()
    conversations = [
        (ids, mask, int(tokenizer.byte_lengths[ids[mask]].sum()))
        for source in find_sources(paths)[0]
        for ids, mask in encoded_conversations(source, tokenizer, dropped=dropped, **reads)
    ]
    if dropped:
        remark(f"left out {dropped.total():,} records: {counted(dropped)}", quiet)
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
        **yardstick([text_bytes(ids[mask], tokenizer) for ids, mask, _ in conversations], quiet),
    }

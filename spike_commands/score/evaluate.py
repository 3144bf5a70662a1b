"""`spike eval`: score text under a trained model."""

from pathlib import Path
from typing import Any

import click

from spiketok.path_contents import path_contents

from ..console import (
    PATH,
    callbacks,
    common_options,
    device_option,
    ignore_key_option,
    tune_malloc,
    use_passive_omp_wait,
)
from ..data.reading_options import reading_options
from ..result_rows import score_rows
from ..results import print_result, result_options
from .predictor_options import (
    check_predictor,
    predictor_options,
    ttt_option,
)
from .window_options import batch_option, compile_option, reset_option, stride_option, window_option

# Options of `read_documents`, where they are not given.
USUAL = {"text_field": "text", "errors": "strict", "extensions": (), "read_as": "text"}


@click.command("eval")
@click.argument("run", type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="A file, folder or pattern of text to score, or - for standard input; several may follow.",
)
@click.option(
    "--chat",
    "chats",
    multiple=True,
    type=PATH,
    help="A file of conversations, whose replies to score; several may follow.",
)
@click.option(
    "--data", "data_folder", type=PATH, help="Shards to score, as spike shard wrote them."
)
@click.option(
    "--split",
    type=click.Choice(["validation", "train"]),
    default="validation",
    show_default=True,
    help="Which part of --data.",
)
@click.option(
    "--by",
    type=click.Choice(["file", "source"]),
    help="Also score each file by itself, of shards the file that a document is from.",
)
@click.option("--parse-markers", is_flag=True, help="--chat: as for spike shard.")
@ignore_key_option
@reading_options
@click.argument("more", nargs=-1, metavar="", type=PATH)
@window_option
@stride_option
@batch_option
@reset_option
@compile_option
@click.option(
    "--verify",
    "prove",
    is_flag=True,
    help="--text: also compress each file to that score, and back.",
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
    data_folder: Path | None,
    by: str | None,
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

    The documents of --text are those that spike shard reads: of .jsonl, .parquet and .arrow files
    the column --text-field; a plain text file is one document, whatever --split-text makes of it in
    shards. A file that begins as another format than its name says is refused; with --as bytes each
    file is one document of its bytes. Each token of a document and the separator at its end are
    predicted once, from what stands before them in a window; bits per byte = nats / (ln 2 · bytes),
    over the bytes of the original text. With --across-files windows run over the borders of
    documents. Of conversations only what assistants say is scored, and its numbers have names of
    their own. Under torchrun the processes share the work.

    spike train validates on windows of its context, one after the other: spike eval RUN --data DATA
    --across-files --stride CONTEXT is that number over all windows and the rest after the last
    one.

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
      spike eval runs/base --text held.jsonl corpus/ --by file
      spike eval runs/base --data data/ --split validation
      spike eval runs/memory-golf --text book.txt --context 1024 --stride 128 --batch-size 256
      spike eval runs/base --across-files --text part1.txt part2.txt
      spike eval base.spike --text book.txt
      spike eval runs/base --text page.txt --verify
      spike eval runs/base --text book.txt --with all --counts data/
      spike eval base.spike --text book.txt --without-network
      spike eval runs/base --text book.txt --method published-0.2071
      spike eval runs/base --text book.txt --ttt chunk=8192,rate=0.001,polyak=0
      spike eval runs/chat --chat conversations.jsonl
    """
    predicts = parts is not None or without_network
    of_texts = bool(prove or predicts or method or not reset or ttt is not None)
    check_inputs(texts, chats, data_folder, more, of_texts, reads)
    check_scoring(prove, method, by, reset=reset, predicts=predicts, learns=ttt is not None)
    check_predictor(parts, without_network, counts_folder, ttt, compiled=compiled)
    use_passive_omp_wait()
    tune_malloc()
    from .predictor_settings import chosen_settings, ttt_config
    from .recipe import Scoring, evaluate_run

    found = evaluate_run(
        run,
        (*texts, *more) if texts else (),
        Scoring(
            chats=(*chats, *more) if chats else (),
            data_folder=data_folder,
            reads=reads,
            of_texts=of_texts,
            context=context,
            stride=stride,
            batch_windows=batch_windows,
            reset=reset,
            compiled=compiled,
            settings=chosen_settings(parts, without_network, counts_folder),
            ttt=ttt_config(ttt),
            counts_folder=counts_folder,
            method=method,
            prove=prove,
            by=by,
            device=device,
            with_xz=not quiet,
        ),
        callbacks(quiet),
    )
    if found.pop("rank") == 0:
        print_result(found, as_json, score_rows(found))


def check_inputs(
    texts: tuple[Path, ...],
    chats: tuple[Path, ...],
    data_folder: Path | None,
    more: tuple[Path, ...],
    of_texts: bool,
    reads: dict[str, Any],
) -> None:
    """Check that there is one kind of inputs, with options of that kind alone."""
    if sum(map(bool, (texts, chats, data_folder))) != 1:
        raise click.UsageError("say one of --text FILE, --chat FILE and --data SHARDS")

    for path in (*texts, *chats, *more):
        if path_contents(path).endswith("is a shard folder"):
            raise click.UsageError(f"{path} is a shard folder; use --data {path}")
    if data_folder and more:
        raise click.UsageError(f"--data names one folder; {more[0]} is one too many")
    if chats and of_texts:
        raise click.UsageError(
            "--verify, --with, --without-network, --method, --across-files and --ttt go with --text"
        )
    if not chats and (reads["parse_markers"] or reads["ignored_keys"]):
        raise click.UsageError("--parse-markers and --ignore-key go with --chat")
    if not texts and any(reads[name] != value for name, value in USUAL.items()):
        raise click.UsageError("--text-field, --errors, --ext and --as go with --text")


def check_scoring(
    prove: bool, method: str | None, by: str | None, *, reset: bool, predicts: bool, learns: bool
) -> None:
    """Check that the ways to score go together."""
    if prove and not reset:
        raise click.UsageError("--verify reads each document alone; leave out --across-files")
    if method and (predicts or prove or learns):
        raise click.UsageError("--method stands alone, without parts, --verify and --ttt")
    if by and (predicts or method):
        raise click.UsageError("--by goes without --with, --without-network and --method")

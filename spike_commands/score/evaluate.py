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
from ..tasks.task_options import task_options
from .predictor_options import (
    check_predictor,
    predictor_options,
    ttt_option,
)
from .window_options import batch_option, compile_option, reset_option, stride_option, window_option

# Options of `read_documents`, where they are not given.
USUAL = {"text_field": "text", "errors": "strict", "extensions": (), "read_as": "text"}


@click.command("eval")
@click.argument("run", type=PATH, required=False)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="Text to score: files, folders, patterns, or - for standard input.",
)
@click.option(
    "--chat",
    "chats",
    multiple=True,
    type=PATH,
    help="Conversations, whose replies to score: one or more files.",
)
@click.option(
    "--data",
    "data_folder",
    type=PATH,
    help="Shards to score, as written by spike shard; for --tasks the folder of task data.",
)
@click.option(
    "--split",
    type=click.Choice(["validation", "train"]),
    default="validation",
    show_default=True,
    help="Split of --data.",
)
@click.option(
    "--by",
    type=click.Choice(["file", "source"]),
    help="Also report the score of each file; for shards, of each source file.",
)
@click.option(
    "--parse-markers",
    is_flag=True,
    help="--chat: read markers in assistants' messages, as spike shard does.",
)
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
    help="--text: also compress each document to its score, and decompress it.",
)
@predictor_options
@click.option(
    "--method",
    type=click.Choice(["published-0.2071"]),
    help="--text: the rule of a published record, which is no bits per byte; see "
    "docs/why-0.2071.md.",
)
@ttt_option
@device_option
@result_options
@common_options
@task_options
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
    """Score text in bits per byte, or tasks, under the model of RUN, a run folder or an artifact.

    Bits per byte = nats / (ln 2 · bytes of the original text). Each token of a document, and the
    separator at its end, is predicted once, from the tokens before it in a sliding window. With
    --across-files, windows continue from one document into the next. Of conversations, only the
    assistants' messages are scored, and the numbers are named reply_…. Under torchrun, the
    processes share the work.

    --text reads files as spike shard does: of .jsonl, .parquet and .arrow files the column
    --text-field. A plain text file is one document; --split-text of the shards does not apply. A
    file whose first bytes do not match its name is rejected; with --as bytes, each file is one
    document of its bytes.

    spike train validates on windows of its context that do not overlap. The same score over all
    windows, and the tokens after the last one: spike eval RUN --data DATA --across-files --stride
    CONTEXT.

    --ttt is test-time training (docs/scoring.md); the run is not changed. Its settings, each
    NAME=VALUE: chunk, epochs, optimizer, rate, decay, blocks, vectors, rank, polyak, batch,
    by_bytes.

    --with mixes the network with other parts (docs/scoring.md): the score is that of all parts
    together, and a table has the score up to each part. A predictor is rejected if its
    probabilities do not sum to 1, or if it codes random tokens in fewer bits than possible.

    --tasks scores multiple-choice and other tasks by log-likelihood (docs/evaluation.md); RUN may
    then also be an exported folder, or that of any causal language model for transformers.

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
      spike eval runs/base --tasks all --data tasks/ --limit 200
      spike eval my-model/ --tasks arc_easy,piqa,mine.jsonl --markdown
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
    """Check that there is one kind of inputs, with options of that kind alone.

    Args:
        texts: files of `--text`.
        chats: files of `--chat`.
        data_folder: shards of `--data`.
        more: files named after the options.
        of_texts: whether there is an option for texts alone.
        reads: options of reading.

    Raises:
        UsageError: there is none or several kinds, or an option does not go with the kind.
    """
    if sum(map(bool, (texts, chats, data_folder))) != 1:
        raise click.UsageError(
            "none or several of --text, --chat and --data are given; name one of them"
        )

    for path in (*texts, *chats, *more):
        if path_contents(path).endswith("is a shard folder"):
            raise click.UsageError(f"{path}: is a shard folder; use --data {path}")
    if data_folder and more:
        raise click.UsageError(f"--data takes one folder; leave out {more[0]}")
    if chats and of_texts:
        raise click.UsageError(
            "--verify, --with, --without-network, --method, --across-files and --ttt go with "
            "--text; leave them out"
        )
    if not chats and (reads["parse_markers"] or reads["ignored_keys"]):
        raise click.UsageError("--parse-markers and --ignore-key go with --chat; leave them out")
    if not texts and any(reads[name] != value for name, value in USUAL.items()):
        raise click.UsageError(
            "--text-field, --errors, --ext and --as go with --text; leave them out"
        )


def check_scoring(
    prove: bool, method: str | None, by: str | None, *, reset: bool, predicts: bool, learns: bool
) -> None:
    """Check that the ways to score go together.

    Args:
        prove: --verify.
        method: --method.
        by: --by.
        reset: whether each document is scored by itself.
        predicts: whether there are parts.
        learns: whether there is test-time training.

    Raises:
        UsageError: they do not.
    """
    if prove and not reset:
        raise click.UsageError("--verify scores each document by itself; leave out --across-files")
    if method and (predicts or prove or learns):
        raise click.UsageError(
            "--method goes without --with, --without-network, --verify and --ttt; leave them out"
        )
    if by and (predicts or method):
        raise click.UsageError(
            "--by goes without --with, --without-network and --method; leave it out"
        )

"""`spike tokenizer`: train, inspect, encode and decode."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from .console import common_options, json_option, print_result, progress_bar, remark

tokenizer_option = click.option(
    "--tokenizer",
    "tokenizer_path",
    type=click.Path(path_type=Path),
    default=Path("tokenizer.json"),
    show_default=True,
    help="The tokenizer file.",
)


# Options of `train` that the trainer's settings call the same.
SAME_NAMES = (
    *("effort", "objective", "boundary", "pattern", "two_stage", "digits", "min_frequency"),
    *("max_token_bytes", "held_out"),
)


@click.group()
def tokenizer() -> None:
    """Train a tokenizer; encode and decode with it."""


@tokenizer.command()
@click.argument("corpora", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--vocab", default=16512, show_default=True, help="Entries, special tokens included.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("tokenizer.json"),
    show_default=True,
    help="The file to write.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["length-max"]),
    default="length-max",
    show_default=True,
    help="How the vocabulary is chosen.",
)
@click.option(
    "--specials",
    type=click.Choice(["chatml", "minimal"]),
    default="chatml",
    show_default=True,
    help="chatml: a block of 128 ids for chat, reasoning and tools; minimal: pad, unk, bos, eos.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    help="max: several times the time for about 1 % fewer tokens.",
)
@click.option(
    "--objective",
    type=click.Choice(["tokens", "freq-length"]),
    default="tokens",
    show_default=True,
    help="tokens: fewest under the real encoder; freq-length: the paper's scoreboard.",
)
@click.option(
    "--boundary",
    type=click.Choice(["none", "word", "line"]),
    default="none",
    show_default=True,
    help="What entries may not cross. none: nothing (fewest tokens); word: GPT-4-like words.",
)
@click.option("--pattern", help="What boundary word takes for a word, as a regular expression.")
@click.option(
    "--two-stage",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the entries that is chosen first and keeps to words; the others are free.",
)
@click.option(
    "--digits",
    type=click.Choice(["free", "split", "group3"]),
    default="free",
    show_default=True,
    help="split: each digit by itself; group3: up to three digits and nothing else.",
)
@click.option(
    "--min-frequency",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Leave out entries that are used less often; their ids are reserved.",
)
@click.option(
    "--max-token-bytes",
    type=click.IntRange(2, 255),
    default=24,
    show_default=True,
    help="Longest entry.",
)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    help="Fraction of documents, chosen by content, that is only measured on.",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="MiB to take at most; a corpus over an eighth of it is sampled over its whole length.",
)
@click.option("--text-field", default="text", show_default=True, help="Column with the text.")
@click.option(
    "--errors",
    type=click.Choice(["strict", "replace", "skip"]),
    default="strict",
    show_default=True,
    help="What to do with a broken record.",
)
@click.option(
    "--threads", type=click.IntRange(0), default=0, show_default=True, help="0: all cores."
)
@json_option
@common_options
def train(corpora: tuple[Path, ...], out: Path, as_json: bool, quiet: bool, **options: Any) -> None:
    """Choose the vocabulary that makes the fewest tokens of CORPORA.

    CORPORA are txt, jsonl, jsonl.gz, jsonl.zst or parquet files, or folders of them. The same
    input gives the same file for any number of threads.

    \b
    Examples:
      spike tokenizer train corpus/ --vocab 16512
      spike tokenizer train books.jsonl.zst --vocab 4096 --specials minimal --out small.json
    """
    from datapipe import find_sources, read_texts
    from spiketok import LengthMaxSettings, Tokenizer, TrainingProgress, train_length_max

    settings = LengthMaxSettings(
        vocab_size=options["vocab"],
        layout=options["specials"],
        memory=options["memory"] << 20,
        **{name: options[name] for name in SAME_NAMES},
    )
    sources, skipped = find_sources(corpora)
    warn_skipped(skipped, quiet)
    total_mb = sum(source.bytes for source in sources) / 1e6
    with progress_bar("train", 100.0, "%", quiet) as report:

        def reading(bytes_done: int) -> None:
            report(10 * bytes_done / 1e6 / max(total_mb, 1e-9), "reading")

        def training(progress: TrainingProgress) -> None:
            share = progress.round / max(progress.rounds, 1)
            report(
                10 + 90 * share,
                f"{progress.entries:,} entries, {progress.bytes_per_token:.4f} bytes/token",
            )

        texts = read_texts(sources, options["text_field"], options["errors"], report=reading)
        vocabulary = train_length_max(
            texts, settings, threads=options["threads"], inputs=corpora, report=training
        )
    if vocabulary.training["sampled"]:
        seen, whole = (vocabulary.training[key] / 1e6 for key in ("sampled_bytes", "bytes"))
        remark(f"sampled {seen:,.1f} of {whole:,.1f} MB; more --memory takes more", quiet)
    vocabulary.write(out)
    print_result({"file": str(out), **summary(Tokenizer.load(out))}, as_json)


@tokenizer.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@common_options
def inspect(file: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001
    """Tell what a tokenizer FILE holds.

    \b
    Example:
      spike tokenizer inspect tokenizer.json --json
    """
    from spiketok import Tokenizer

    print_result(summary(Tokenizer.load(file)), as_json)


@tokenizer.command()
@click.argument("text", required=False)
@tokenizer_option
@click.option(
    "--allow-special", is_flag=True, help="Read names such as <eos> in the text as special tokens."
)
@json_option
@common_options
def encode(
    text: str | None,
    tokenizer_path: Path,
    allow_special: bool,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Print the ids of TEXT, or of standard input.

    \b
    Examples:
      spike tokenizer encode "hello world"
      spike tokenizer encode --json < book.txt
    """
    from spiketok import Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    data = sys.stdin.buffer.read() if text is None else text.encode("utf-8", "surrogateescape")
    ids = loaded.encode(data, allow_special=allow_special)
    if not as_json:
        click.echo(" ".join(map(str, ids.tolist())))
        return
    pieces = [loaded.decode([token]) for token in ids.tolist()]
    print_result(
        {"bytes": len(data), "tokens": len(ids), "ids": ids.tolist(), "pieces": pieces}, as_json
    )


@tokenizer.command()
@click.argument("ids", nargs=-1, type=int)
@tokenizer_option
@common_options
def decode(ids: tuple[int, ...], tokenizer_path: Path, quiet: bool) -> None:  # noqa: ARG001
    """Print the bytes that IDS stand for; without IDS they are read from standard input.

    \b
    Examples:
      spike tokenizer decode 108 105
      spike tokenizer encode "round trip" | spike tokenizer decode
    """
    from spiketok import Tokenizer

    loaded = Tokenizer.load(tokenizer_path)
    sys.stdout.buffer.write(loaded.decode_bytes(list(ids or ids_from(sys.stdin.read()))))
    sys.stdout.buffer.flush()


def ids_from(text: str) -> Iterator[int]:
    """Read whitespace-separated ids; a word that is no number is a usage error."""
    for word in text.split():
        if not word.isascii() or not word.isdecimal():
            raise click.UsageError(f"standard input: {word[:40]!r} is not a token id")
        yield int(word)


def summary(loaded: Any) -> dict[str, Any]:
    """Collect what `inspect` shows of a tokenizer."""
    vocabulary = loaded.vocabulary
    return {
        "vocab_size": loaded.vocab_size,
        "algorithm": loaded.algorithm,
        "lossless": loaded.lossless,
        "fingerprint": loaded.fingerprint,
        "layout": vocabulary.layout,
        "max_token_bytes": vocabulary.max_token_bytes,
        "special_tokens": len(loaded.special_ids),
        "reserved": len(vocabulary.reserved_ids),
        "training": dict(vocabulary.training),
        "inputs": [str(path) for path in vocabulary.inputs],
    }


def warn_skipped(skipped: list[str], quiet: bool) -> None:
    """Say which files of a folder are left out because of their kind."""
    if skipped:
        shown = ", ".join(skipped[:5]) + (", …" if len(skipped) > 5 else "")
        remark(f"left out {len(skipped)} files of other kinds: {shown}", quiet)

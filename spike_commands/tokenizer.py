"""`spike tokenizer`: train, inspect, encode and decode."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .console import PATH, common_options, json_option, print_result, progress_bar, remark

tokenizer_option = click.option(
    "--tokenizer",
    "tokenizer_path",
    type=PATH,
    default=Path("tokenizer.json"),
    show_default=True,
    help="The tokenizer file.",
)


@click.group()
def tokenizer() -> None:
    """Train a tokenizer; encode and decode with it."""


@tokenizer.command()
@click.argument("corpora", nargs=-1, required=True, type=PATH)
@click.option("--vocab", default=16512, show_default=True, help="Entries, special tokens included.")
@click.option(
    "--out",
    type=PATH,
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
    "--boundary",
    type=click.Choice(["none", "word"]),
    default="none",
    show_default=True,
    help="none: entries may span words (fewest tokens); word: they stay inside a GPT-4-like word.",
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
    "--sample-mib",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Train on at most this much of the corpus, drawn over its whole length.",
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
    "--threads", type=click.IntRange(0, 256), default=0, show_default=True, help="0: all cores."
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
        boundary=options["boundary"],
        max_token_bytes=options["max_token_bytes"],
        held_out=options["held_out"],
        sample_bytes=options["sample_mib"] << 20,
    )
    sources, skipped = find_sources(corpora)
    check_out(out, [source.path.absolute() for source in sources])
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
    read = {name: options[name] for name in ("text_field", "errors")}
    replace(vocabulary, settings={**vocabulary.settings, **read}).write(out)
    print_result({"file": str(out), **summary(Tokenizer.load(out))}, as_json)


@tokenizer.command()
@click.argument("file", type=PATH)
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
    data = standard_input() if text is None else text.encode("utf-8", "surrogateescape")
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
    text = loaded.decode_bytes(list(ids or ids_from(standard_input().decode("ascii", "replace"))))
    click.echo(text, nl=False)


def check_out(out: Path, inputs: list[Path]) -> None:
    """Refuse, before the work, a file that could not or should not be written."""
    from spiketok.errors import SpikeError

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise SpikeError(f"{out}: not a file in an existing folder; choose another --out")
    if any("\udc80" <= letter <= "\udcff" for path in (out, *inputs) for letter in str(path)):
        raise SpikeError(f"{str(out)!a} or an input: the name is not UTF-8; rename the folder")
    if out.resolve() in [path.resolve() for path in inputs]:
        raise SpikeError(f"{out}: is one of the inputs; choose another --out")


def standard_input() -> bytes:
    """Read standard input to its end."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return sys.stdin.buffer.read()


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

"""Compares length-max with byte-level BPE of the same size: training time, tokens, encoding speed.

All rows come from one run on the same text: Hugging Face tokenizers trains a BPE with the GPT-4
split, gigatoken encodes with that same BPE, spike trains and encodes with its own vocabulary.
Encoding is timed on one thread over documents of about 8 KiB of held-out text; medians of
--repeats passes after one that is not counted, so every peer is timed with warm caches.

    python benchmarks/tokenizer.py [--json] [FILE or FOLDER ...]

Without files the text is the Python standard library's sources.
"""

import argparse
import json
import os
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = os.environ["TOKENIZERS_PARALLELISM"] = "1"

import gigatoken
import pyarrow as pa
import tokenizers

import spiketok
from datapipe import find_sources, read_texts
from spiketok.held_out import document_id, is_held_out

# The spelling that Llama 3 uses: gigatoken has fast code for known patterns only.
GPT4_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HELD_OUT = 0.05


def main() -> None:
    """Train, encode and print one table."""
    parser = argparse.ArgumentParser(description="tokenizer speed and tokens beside peers")
    parser.add_argument("inputs", nargs="*", type=Path)
    parser.add_argument("--vocab", type=int, default=16512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit-mb", type=int, default=64, help="training text at most")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    train, held_out = read_corpus(options.inputs, options.limit_mb * 10**6)
    pieces = in_pieces(held_out, 8192)
    rows = benchmark(train, pieces, options.vocab, options.repeats)
    report = {
        "train_bytes": sum(map(len, train)),
        "held_out_bytes": sum(map(len, pieces)),
        "vocab": options.vocab,
        "rows": rows,
    }
    print(json.dumps(report, indent=2) if options.as_json else table(report))


def read_corpus(inputs: list[Path], limit: int) -> tuple[list[bytes], list[bytes]]:
    """Return training and held-out documents; the training part stops at `limit` bytes."""
    train, held_out, size = [], [], 0
    for text in documents(inputs):
        if is_held_out(document_id(text), HELD_OUT):
            held_out.append(text)
        elif size < limit:
            train.append(text)
            size += len(text)
    if not train or not held_out:
        sys.exit("too little text: give more documents")
    return train, held_out


def documents(inputs: list[Path]) -> Iterator[bytes]:
    """Yield the documents of the inputs that are valid UTF-8, which every peer can read."""
    if inputs:
        sources, _ = find_sources(inputs)
        for batch in read_texts(sources, "text", "skip"):
            yield from batch.column("text").to_pylist()
        return
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" not in path.parts:
            data = path.read_bytes()
            if data.decode("utf-8", "replace").encode() == data:
                yield data


def in_pieces(texts: list[bytes], size: int) -> list[bytes]:
    """Cut documents into pieces of at most `size` bytes that are valid UTF-8."""
    pieces = []
    for text in texts:
        start = 0
        while start < len(text):
            stop = min(start + size, len(text))
            while stop < len(text) and text[stop] & 0xC0 == 0x80:
                stop -= 1
            pieces.append(text[start:stop])
            start = stop
    return pieces


def benchmark(
    train: list[bytes], held_out: list[bytes], vocab: int, repeats: int
) -> list[dict[str, Any]]:
    """Return a row for each encoder."""
    strings = [text.decode() for text in held_out]
    bpe, bpe_seconds = timed(lambda: train_bpe(train, vocab))
    ours, our_seconds = timed(lambda: train_ours(train, vocab))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "tokenizer.json")
        bpe.save(path)
        fast = gigatoken.Tokenizer(path)
    batch = pa.array(held_out, pa.large_binary())
    size = sum(map(len, held_out))

    def row(name: str, seconds: float | None, encode: Callable[[], int]) -> dict[str, Any]:
        tokens = encode()
        times = [timed(encode)[1] for _ in range(repeats)]
        return {
            "name": name,
            "train_seconds": seconds,
            "tokens": tokens,
            "bytes_per_token": size / tokens,
            "encode_mb_per_s": size / 1e6 / statistics.median(times),
        }

    rows = [
        row(
            f"tokenizers {tokenizers.__version__} BPE, GPT-4 split",
            bpe_seconds,
            lambda: sum(len(found.ids) for found in bpe.encode_batch_fast(strings)),
        ),
        row(
            "gigatoken 0.10.0, the same BPE",
            None,
            lambda: sum(len(found) for found in fast.encode_batch(strings)),
        ),
        row(
            "spike length-max",
            our_seconds,
            lambda: len(ours.encode_batch(batch, threads=1)[0]),
        ),
    ]
    if rows[0]["tokens"] != rows[1]["tokens"]:
        sys.exit("the two encoders of the same BPE disagree; nothing to compare")
    return rows


def train_bpe(texts: list[bytes], vocab: int) -> tokenizers.Tokenizer:
    """Train a byte-level BPE of `vocab` entries with the GPT-4 split."""
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT4_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator((text.decode() for text in texts), trainer)
    return bpe


def train_ours(texts: list[bytes], vocab: int) -> spiketok.Tokenizer:
    """Train a length-max vocabulary of as many text entries as the BPE has."""
    settings = spiketok.LengthMaxSettings(vocab_size=vocab + 4, layout="minimal", held_out=0.0)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_binary())})
    return spiketok.Tokenizer(spiketok.train_length_max([batch], settings))


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Return an action's result and the seconds it took."""
    start = time.perf_counter()
    return action(), time.perf_counter() - start


def table(report: dict[str, Any]) -> str:
    """Lay the report out for people; ratios are against the first row."""
    first = report["rows"][0]
    lines = [
        f"{report['train_bytes'] / 1e6:.1f} MB to train on, "
        f"{report['held_out_bytes'] / 1e6:.2f} MB held out, {report['vocab']:,} text entries",
        f"{'':36}{'train s':>9}{'bytes/token':>13}{'tokens':>9}{'MB/s':>9}{'ratio':>8}",
    ]
    for row in report["rows"]:
        seconds = f"{row['train_seconds']:.1f}" if row["train_seconds"] else "–"
        speed = row["encode_mb_per_s"]
        fewer = 100 * (row["tokens"] / first["tokens"] - 1)
        lines.append(
            f"{row['name']:36}{seconds:>9}{row['bytes_per_token']:>13.4f}{fewer:>+8.1f}%"
            f"{speed:>9.1f}{speed / first['encode_mb_per_s']:>8.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

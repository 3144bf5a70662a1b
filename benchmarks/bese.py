"""Compares BESE's lossless alphabet with the published one, which loses text, on several corpora.

Each corpus trains its own vocabularies on nine tenths of its pieces, of about 8 KiB, and is
measured on the rest. Encoding is timed on one thread, in CPU time, on the second of two passes.

    python benchmarks/bese.py [--json] [FILE or FOLDER ...]

Without files the corpora are those of ../shared/data.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from datapipe import find_sources, read_texts
from spiketok import BeseSettings, Tokenizer, train_bese
from spiketok.holdout import document_id, is_held_out

SHARED = Path(__file__).parents[2] / "shared/data"
CORPORA = (
    "books_en/books-00.parquet",
    "code",
    "tinystories",
    "wikitext2/wiki.test.raw",
    "web_samples",
    "multilingual/tatoeba_v1_112langs.jsonl.gz",
)
SIZES = (40, 288, 1024)
PIECE_BYTES = 1 << 13
HELD_OUT = 0.1


def main() -> None:
    """Train, measure and print one table, in Markdown."""
    parser = argparse.ArgumentParser(description="BESE's two alphabets, bytes per token")
    parser.add_argument("inputs", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    paths = options.inputs or [SHARED / name for name in CORPORA]
    rows = [measure(path) for path in paths]
    if options.as_json:
        print(json.dumps(rows, indent=1))
        return
    columns = [f"{name} {size}" for size in SIZES for name in ("bese", "published")]
    print("| corpus | training MB | held-out kB |", " | ".join([*columns, "MB/s 288"]), "|")
    print("| --- " * (len(columns) + 4) + "|")
    for row in rows:
        numbers = [f"{row[column]:.3f}" for column in columns]
        sizes = [f"{row['training_bytes'] / 1e6:.1f}", f"{row['held_out_bytes'] / 1e3:.0f}"]
        speed = f"{row['encode_mb_per_s']:.0f}"
        print("|", " | ".join([row["corpus"], *sizes, *numbers, speed]), "|")


def measure(path: Path) -> dict[str, Any]:
    """Return one row: bytes per token of both alphabets at each size, on held-out pieces."""
    training: list[bytes] = []
    held_out: list[bytes] = []
    for piece in pieces(path):
        part = held_out if is_held_out(document_id(piece), HELD_OUT) else training
        part.append(piece)
    size = sum(map(len, held_out))
    row: dict[str, Any] = {
        "corpus": path.name if path.is_dir() else f"{path.parent.name}/{path.name}",
        "training_bytes": sum(map(len, training)),
        "held_out_bytes": size,
    }
    for vocab_size in SIZES:
        for name, alphabet in (("bese", "bese"), ("published", "bese-published")):
            tokenizer = train(training, vocab_size, alphabet)
            row[f"{name} {vocab_size}"] = size / len(tokenizer.encode_batch(held_out)[0])
            if (name, vocab_size) == ("bese", 288):
                row["encode_mb_per_s"] = speed(tokenizer, held_out)
    return row


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the documents in pieces that end where a line does."""
    for text in documents(path):
        piece: list[bytes] = []
        size = 0
        for line in text.splitlines(keepends=True):
            piece.append(line)
            size += len(line)
            if size >= PIECE_BYTES:
                yield b"".join(piece)
                piece, size = [], 0
        yield b"".join(piece)


def documents(path: Path) -> Iterator[bytes]:
    """Yield the documents of a corpus; a file whose kind has no name of its own is one."""
    if path.suffix == ".raw":
        yield path.read_bytes()
        return
    sources, _ = find_sources([path])
    for batch in read_texts(sources, "text", "skip"):
        for value in batch.column("text"):
            yield value.as_buffer().to_pybytes()


def train(texts: Sequence[bytes], vocab_size: int, alphabet: str) -> Tokenizer:
    """Train a vocabulary on all of the texts."""
    batch = pa.record_batch({"text": pa.array(texts, pa.large_binary())})
    settings = BeseSettings(vocab_size=vocab_size, alphabet=alphabet, held_out=0, memory=4 << 30)
    return Tokenizer(train_bese(lambda: [batch], settings))


def speed(tokenizer: Tokenizer, texts: Sequence[bytes]) -> float:
    """Return MB per second of CPU time, one thread, second pass."""
    for _ in range(2):
        start = time.process_time()
        tokenizer.encode_batch(texts, threads=1)
        seconds = time.process_time() - start
    return sum(map(len, texts)) / 1e6 / seconds


if __name__ == "__main__":
    main()

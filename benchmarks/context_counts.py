"""Counts and mixtures without a network on held-out books: bits per byte, time, memory.

    spike tokenizer train TEXT --vocab 2048 --special-tokens minimal --validation 0 --out T.json
    python benchmarks/context_counts.py T.json [--write-training FOLDER]

Text is that of the project's quality baseline: 40,000,000 bytes of 91 books to learn from, and
2,000,000 bytes of eight other books, by other authors, to score. Orders and discounts are compared
on four more books, so that nothing is chosen on what is quoted. Each book ends with the separator,
which is scored and has no bytes; the books are one row, behind one separator.
"""

import argparse
import hashlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
from corpora import SHARED, rows
from numpy.typing import NDArray

from spike_lm.model.config.mixing import settings_of
from spike_lm.model.scoring.bits_per_byte import nats_to_bits
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.context_mixing.predictor import Predictor
from spiketok import Tokenizer

TRAINING, HELD_OUT = 40_000_000, 250_000
DIGEST = "4e1a99557aae82b8907fa6426907fab5f6f2750db22c37a7938c9a2535ae475a"
HELD_OUT_DIGEST = "2a65511f5a1f639e66df26934e18471f7ae24833c464afac49acbc0a686d12cc"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what counts alone are worth")
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--write-training", type=Path, help="only write the training text here")
    options = parser.parse_args()
    training, authors = training_books()
    if options.write_training:
        for number, text in enumerate(training):
            (options.write_training / f"{number:03}.txt").write_bytes(text)
        return
    tokenizer = Tokenizer.load(options.tokenizer)
    learn = stream(tokenizer, training)
    print(f"{len(learn):,} tokens to learn from, vocabulary {tokenizer.vocab_size:,}")
    tune = stream(tokenizer, held_out_books("books-02.jsonl.zst", set(), 4))
    final_books = held_out_books("books-03.jsonl.zst", authors, 8)
    if hashlib.sha256(b"".join(final_books)).hexdigest() != HELD_OUT_DIGEST:
        raise SystemExit("these are not the held-out books of the baseline")
    compare(tokenizer.vocab_size, learn, tune, 4 * HELD_OUT)
    report(tokenizer.vocab_size, learn, stream(tokenizer, final_books), 8 * HELD_OUT)


def compare(vocab_size: int, learn: NDArray, text: NDArray, n_bytes: int) -> None:
    """Print what kinds of counts give on the tuning books."""
    floor = np.full(len(text) - 1, 1 / vocab_size)
    for continuation in (True, False):
        for adaptive in (True, False):
            counts = grown(vocab_size, learn, text, continuation=continuation)
            p = counts.score(text[1:], floor, learn=adaptive).probabilities
            kind = "Kneser–Ney" if continuation else "plain counts"
            found = " ".join(f"{bits(p[:, k]) / n_bytes:.4f}" for k in range(p.shape[1]))
            print(
                f"tuning books, {kind}, {'adaptive' if adaptive else 'frozen'}, by length: {found}"
            )


def report(vocab_size: int, learn: NDArray, text: NDArray, n_bytes: int) -> None:
    """Print time, memory, and what the experts and their mixture give on the held-out books."""
    before = time.process_time()
    counts = NgramModel(vocab_size)
    counts.learn(learn)
    taken = (time.process_time() - before) / len(learn) * 1e6
    print(f"learning {taken:.2f} µs a token, {counts.bytes / 2**20:.0f} MiB of counts")
    again = NgramModel(vocab_size)
    before = time.process_time()
    for start in range(0, len(learn), 1 << 16):
        part = learn[start : start + (1 << 16)]
        again.score(part, np.full(len(part), 1 / vocab_size))
    taken = (time.process_time() - before) / len(learn) * 1e6
    print(f"scoring and learning the same from nothing {taken:.2f} µs a token")
    predictor = Predictor(vocab_size, settings_of(["all"], network=False), counts)
    predictor.read_separator(int(text[0]))
    before = time.process_time()
    scores = predictor.score(text[1:])
    taken = (time.process_time() - before) / len(text) * 1e6
    for name, p in scores.items():
        print(f"held-out books, {name}: {bits(p) / n_bytes:.4f} bits per byte")
    print(f"all of it {taken:.2f} µs a token")
    for min_count in (2, 3, 5):
        pruned = counts.pruned(min_count=min_count)
        print(f"n-grams that count {min_count} and more: {len(pruned.tokens):,}")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at the peak")


def grown(vocab_size: int, learn: NDArray, text: NDArray, *, continuation: bool) -> NgramModel:
    """Return counts of the training text, in the context of one separator."""
    counts = NgramModel(vocab_size, continuation=continuation)
    counts.learn(learn)
    counts.restart()
    counts.learn(text[:1])
    return counts


def bits(p: NDArray[np.float64]) -> float:
    """Return the bits that probabilities stand for."""
    return nats_to_bits(float(-np.log(p).sum()))


def stream(tokenizer: Tokenizer, books: list[bytes]) -> NDArray[np.uint32]:
    """Return a separator, and each book with one behind it."""
    eos_id = np.array([tokenizer.eos_id], np.uint32)
    parts = [eos_id]
    for book in books:
        parts += [tokenizer.encode(book).astype(np.uint32), eos_id]
    return np.concatenate(parts)


def training_books() -> tuple[list[bytes], set[str]]:
    """Return the first 40,000,000 bytes of the first shard's books, and their authors."""
    found: list[bytes] = []
    authors: set[str] = set()
    left = TRAINING
    for row in pyarrow.parquet.read_table(SHARED / "books_en/books-00.parquet").to_pylist():
        found.append(plain(row["text"])[:left])
        authors.add(str(row["author"]))
        left -= len(found[-1])
        if not left:
            break
    if hashlib.sha256(b"".join(found)).hexdigest() != DIGEST:
        raise SystemExit("this is not the training text of the baseline")
    return found, authors


def held_out_books(name: str, authors: set[str], books: int) -> list[bytes]:
    """Return the beginnings of books by authors that are new."""
    return [text for text, _ in zip(new_books(name, set(authors)), range(books), strict=False)]


def new_books(name: str, authors: set[str]) -> Iterator[bytes]:
    """Yield 250,000 bytes of each book that is as long and whose author is new."""
    for row in rows(SHARED / "books_en" / name):
        text = plain(row["text"])
        if row["author"] not in authors and len(text) >= HELD_OUT:
            authors.add(row["author"])
            yield text[:HELD_OUT]


def plain(text: str) -> bytes:
    """Return a book as the baseline has it."""
    return (text.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n").encode()


if __name__ == "__main__":
    main()

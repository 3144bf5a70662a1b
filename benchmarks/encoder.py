"""Measures encoding, decoding, threads and the start, beside peers.

    python benchmarks/tokenizer.py --corpus system --keep FOLDER --only "HF BPE, GPT-4 split" spike
    python benchmarks/encoder.py FOLDER [--corpus system] [--json]

Hugging Face tokenizers and gigatoken share one BPE; spike has a vocabulary of the same size,
trained on the same text. Speeds are MB of text per second of CPU time on one thread, in documents
of up to 8 KiB unless said. "fresh" is one pass over text that the encoder has not met before,
"again" the median of more passes over the beginning of it, where word caches shine.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = os.environ["TOKENIZERS_PARALLELISM"] = "1"

import gigatoken
import pyarrow as pa
import tokenizers
from corpora import CORPORA, split
from trainers import BPE, kept_file

from spiketok import Tokenizer

BLOCK_PIECES, MAX_BLOCKS = 512, 12
HOSTILE_BYTES = 4 << 20
REPEATS = 7
START = "import time, numpy; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
STARTS = {
    "tokenizers": "import tokenizers; tokenizers.Tokenizer.from_file({!r}).encode('hello')",
    "gigatoken": "import gigatoken; gigatoken.Tokenizer({!r}).encode('hello')",
    "spike": "import spiketok; spiketok.Tokenizer.load({!r}).encode('hello')",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="encoding and decoding speed beside peers")
    parser.add_argument("folder", type=Path, help="what tokenizer.py --keep wrote")
    parser.add_argument("--corpus", choices=CORPORA, default="english")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    bpe, ours = (str(kept_file(options.folder, options.corpus, name)) for name in (BPE, "spike"))
    pieces = in_pieces(split(CORPORA[options.corpus]())[0], 8192)
    starts = range(0, min(len(pieces), BLOCK_PIECES * MAX_BLOCKS), BLOCK_PIECES)
    blocks = [pieces[start : start + BLOCK_PIECES] for start in starts]
    files = {"tokenizers": bpe, "gigatoken": bpe, "spike": ours}
    report = {
        "corpus": options.corpus,
        "bytes": sum(len(piece) for block in blocks for piece in block),
        "versions": {
            name: importlib.metadata.version(name) for name in ("tokenizers", "gigatoken")
        },
        "rows": [*encoders(blocks, bpe, ours), *decoders(blocks[0], bpe, ours)],
        "two_threads": two_threads(blocks, Tokenizer.load(ours)),
        "start_ms": {name: start_ms(STARTS[name].format(files[name])) for name in STARTS},
    }
    print(json.dumps(report, indent=2) if options.as_json else table(report))


def encoders(blocks: list[list[bytes]], bpe: str, ours: str) -> list[dict[str, Any]]:
    """Return a row for each encoder, and for each hostile text."""
    theirs, fast, spike = (
        tokenizers.Tokenizer.from_file(bpe),
        gigatoken.Tokenizer(bpe),
        Tokenizer.load(ours),
    )
    strings = [[piece.decode() for piece in block] for block in blocks]
    fast.encode_batch(["the first call imports a library"])
    if fast.encode_batch(strings[0][:1])[0].tolist() != theirs.encode(strings[0][0]).ids:
        sys.exit("the two encoders of the same BPE disagree; nothing to compare")

    def encode(column: pa.Array) -> None:
        spike.encode_batch(column, threads=1)

    hostile = hostile_texts(spike)
    return [
        speed("tokenizers", theirs.encode_batch_fast, strings, blocks),
        speed("gigatoken", fast.encode_batch, strings, blocks),
        speed("spike", encode, [as_column(block) for block in blocks], blocks),
        speed(
            "spike, one document",
            encode,
            [as_column([b"".join(piece for block in blocks for piece in block)])],
            [[piece for block in blocks for piece in block]],
        ),
        *(
            speed(f"spike, {name}", encode, [as_column([text])], [[text]])
            for name, text in hostile.items()
        ),
    ]


def hostile_texts(tokenizer: Tokenizer) -> dict[str, bytes]:
    """Return texts that make longest match look far ahead in vain, or emit much."""
    chance = random.Random(0)
    longest = sorted(tokenizer.vocabulary.entries, key=len)[-1000:]
    cut = [entry[:-1] for entry in chance.choices(longest, k=HOSTILE_BYTES // 16)]
    return {
        "one letter": b"a" * HOSTILE_BYTES,
        "random bytes": chance.randbytes(HOSTILE_BYTES),
        "long entries without their last byte": b"".join(cut)[:HOSTILE_BYTES],
    }


def decoders(block: list[bytes], bpe: str, ours: str) -> list[dict[str, Any]]:
    """Return a row for each decoder, that of one text of 4 MB."""
    text = b"".join(block)
    fast, spike = gigatoken.Tokenizer(bpe), Tokenizer.load(ours)
    theirs = tokenizers.Tokenizer.from_file(bpe).encode(text.decode()).ids
    return [
        speed("gigatoken, decoding", fast.decode, [theirs], [block]),
        speed("spike, decoding", spike.decode_bytes, [spike.encode(text)], [block]),
    ]


def speed(
    name: str, action: Callable[[Any], Any], inputs: Sequence[Any], blocks: list[list[bytes]]
) -> dict[str, Any]:
    """Return MB/s of CPU time: of one pass over all inputs, and of the first ones again."""
    sizes = [sum(map(len, block)) / 1e6 for block in blocks]
    fresh = sum(cpu_seconds(partial(action, one)) for one in inputs)
    again = [cpu_seconds(partial(action, inputs[0])) for _ in range(REPEATS)]
    return {"name": name, "fresh": sum(sizes) / fresh, "again": sizes[0] / statistics.median(again)}


def two_threads(blocks: list[list[bytes]], spike: Tokenizer) -> dict[str, float]:
    """Return how many times faster two threads are than one: at arithmetic, and at encoding."""
    pieces = [piece for block in blocks for piece in block]
    columns = {"8 KiB documents": as_column(pieces), "one document": as_column([b"".join(pieces)])}
    gains: dict[str, list[float]] = {"arithmetic": []} | {name: [] for name in columns}
    for _ in range(REPEATS):
        gains["arithmetic"].append(2 * together(hash_blocks, 1) / together(hash_blocks, 2))
        for name, column in columns.items():
            one, two = (
                seconds(partial(spike.encode_batch, column, threads=threads)) for threads in (1, 2)
            )
            gains[name].append(one / two)
    return {name: statistics.median(found) for name, found in gains.items()}


def hash_blocks() -> None:
    """Keep one core busy with arithmetic alone."""
    block = bytes(1 << 18)
    for _ in range(400):
        hashlib.blake2b(block)


def together(action: Callable[[], None], threads: int) -> float:
    """Return the seconds that so many threads take to do the action each."""
    workers = [threading.Thread(target=action) for _ in range(threads)]

    def run() -> None:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return seconds(run)


def start_ms(code: str) -> float:
    """Return the median of 11 processes that import, load and encode, beyond importing numpy."""
    command = [sys.executable, "-c", START.format(code)]
    return 1000 * statistics.median(float(subprocess.check_output(command)) for _ in range(11))


def seconds(action: Callable[[], Any]) -> float:
    """Return the wall time of an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def cpu_seconds(action: Callable[[], Any]) -> float:
    """Return the CPU time of an action, of all threads."""
    start = time.process_time()
    action()
    return time.process_time() - start


def as_column(texts: list[bytes]) -> pa.Array:
    """Return an Arrow column, which spike reads without a copy."""
    return pa.array(texts, pa.large_binary())


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


def table(report: dict[str, Any]) -> str:
    """Lay the report out for people."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        f"{report['corpus']}: {report['bytes'] / 1e6:.1f} MB; {versions}",
        f"{'MB/s':44}{'fresh':>9}{'again':>9}",
        *(f"{row['name']:44}{row['fresh']:>9.1f}{row['again']:>9.1f}" for row in report["rows"]),
        "two threads against one: " + spelled(report["two_threads"], "{:.2f}"),
        "ms to import, load and encode: " + spelled(report["start_ms"], "{:.0f}"),
    ]
    return "\n".join(lines)


def spelled(numbers: dict[str, float], form: str) -> str:
    """Write names and numbers on one line."""
    return ", ".join(f"{name} {form.format(number)}" for name, number in numbers.items())


if __name__ == "__main__":
    main()

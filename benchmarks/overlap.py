"""Measures the search for 5 million windows of text in token shards, beside its limit.

    python benchmarks/overlap.py SHARDS [--windows 5000000] [--rounds 5] [--json]

SHARDS is a folder of spike shard with a vocabulary that has no more than 65,536 ids; the larger its
training split, the better. Windows are of ids drawn independently with the frequencies of the
training split, decoded for windows of bytes, and 1 in 100 from a passage of it, so that matches are
compared as well. All is CPU time of one thread, the median of the rounds, in millions of training
tokens per second:

- read: every byte read and compared with its checksum, nothing else;
- limit: read, and a bare loop in C++ (compiled here) that does what no exact search of this kind
  can leave out: decodes the ids for windows of bytes, hashes one gram of half a window for each
  half window of text, and probes one word of a table as large as the Bloom filter. It looks nothing
  up, compares nothing and keeps no documents apart;
- search: `WindowSet` as `spike data overlap` uses it, reading included.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datapipe import read_split
from datapipe._overlap import WindowSet
from datapipe.overlap.shard_bytes import ShardBytes
from datapipe.overlap.training_overlap import BYTE_WINDOW, TOKEN_WINDOW
from datapipe.shards.encoded_documents import Documents
from spiketok import Tokenizer
from spiketok.text_buffers import join

PASSAGE, SEEN_SHARE = 512, 0.01
LIMIT = r"""
#include <cstdint>
#include <cstring>
#include <cstddef>
static std::uint64_t word(const std::uint8_t* at) {
    std::uint64_t found; std::memcpy(&found, at, 8); return found;
}
template <std::size_t gram>
static std::uint64_t probe(const std::uint8_t* data, std::size_t size, std::size_t stride,
                           const std::uint64_t* table, int shift) {
    std::uint64_t found = 0;
    for (std::size_t at = 0; at + gram <= size; at += stride) {
        std::uint64_t hash = 0;
        for (std::size_t i = 0; i + 8 <= gram; i += 8)
            hash = (hash ^ word(data + at + i)) * 0x9E3779B97F4A7C15;
        hash = (hash ^ word(data + at + gram - 8)) * 0x9E3779B97F4A7C15;
        found += table[(hash ^ hash >> 29) * 0xFF51AFD7ED558CCD >> shift] >> (hash & 63) & 1;
    }
    return found;
}
extern "C" std::uint64_t ids(const std::uint16_t* data, std::size_t size,
                             const std::uint64_t* table, int shift) {
    return probe<14>(reinterpret_cast<const std::uint8_t*>(data), 2 * size, 14, table, shift);
}
extern "C" std::uint64_t bytes(const std::uint16_t* data, std::size_t size,
                               const std::uint64_t* table, int shift, const std::uint8_t* entries,
                               const std::uint32_t* starts, std::uint8_t* decoded) {
    std::uint8_t* to = decoded;
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t start = starts[data[i]], length = starts[data[i] + 1] - start;
        std::memcpy(to, entries + start, 16);
        if (length > 16) std::memcpy(to + 16, entries + start + 16, length - 16);
        to += length;
    }
    return probe<26>(decoded, to - decoded, 25, table, shift);
}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--windows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    tokenizer = Tokenizer.load(options.folder / "tokenizer.json")
    documents = list(read_split(options.folder, "train"))
    if documents[0].tokens.dtype != np.uint16:
        parser.error("the vocabulary has more than 65,536 ids")
    ids = text_of(documents, options.windows, np.random.default_rng(0))
    data = np.frombuffer(tokenizer.decode_bytes(ids), np.uint8)[: options.windows + BYTE_WINDOW - 1]
    ids = ids[: options.windows + TOKEN_WINDOW - 1]
    report = measured(options.folder, tokenizer, ids, data, options.rounds)
    report["windows"] = options.windows
    print(json.dumps(report, indent=2) if options.as_json else table(report))


def text_of(documents: list[Documents], size: int, random: np.random.Generator) -> Any:
    """Return ids by their frequencies, and passages of training text among them."""
    every = np.concatenate([one.tokens for one in documents])
    every = every[every >= 4]  # neither separators nor special tokens
    ids = random.choice(every, size + TOKEN_WINDOW)
    for start in random.integers(0, size - PASSAGE, int(size * SEEN_SHARE / PASSAGE)).tolist():
        first = int(random.integers(0, len(every) - PASSAGE))
        ids[start : start + PASSAGE] = every[first : first + PASSAGE]
    return ids


def measured(
    folder: Path, tokenizer: Tokenizer, ids: Any, data: Any, rounds: int
) -> dict[str, Any]:
    """Return medians of the rates, and the windows seen."""
    decoder, ends = ShardBytes(tokenizer), np.array([len(ids)])
    begun = time.process_time()
    of_ids = WindowSet(ids, ends, TOKEN_WINDOW)
    of_bytes = WindowSet(data, np.array([len(data)]), BYTE_WINDOW)
    built = time.process_time() - begun
    works: dict[str, Callable[[Documents], object]] = {
        "read": lambda _: None,
        **limits(tokenizer, len(ids)),
        "search_ids": lambda one: of_ids.scan(one.tokens, one.ends),
        "search_bytes": lambda one: decoder.scan(of_bytes, one),
        "search_both": lambda one: (of_ids.scan(one.tokens, one.ends), decoder.scan(of_bytes, one)),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun, tokens = time.process_time(), 0
            for one in read_split(folder, "train"):
                work(one)
                tokens += len(one.tokens)
            rates[name].append(tokens / (time.process_time() - begun) / 1e6)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "tokens": tokens,
        "million_tokens_per_second": medians,
        "share_of_limit": {
            kind: medians[f"search_{kind}"] / medians[f"limit_{kind}"]
            for kind in ("ids", "bytes")
            if f"limit_{kind}" in medians
        },
        "seconds_to_build": built,
        "seen": {"ids": seen(of_ids), "bytes": seen(of_bytes)},
    }


def limits(tokenizer: Tokenizer, windows: int) -> dict[str, Callable[[Documents], object]]:
    """Return the bare loops of the limit; none without a compiler."""
    library = compiled()
    if library is None:
        return {}
    words = 1 << max(windows // 3 - 1, 1).bit_length()
    table = np.random.default_rng(1).integers(0, 1 << 63, words, dtype=np.uint64)
    shift = 65 - words.bit_length()
    pairs = zip(tokenizer.vocabulary.entries, tokenizer.byte_lengths, strict=True)
    entries, offsets = join([entry if size else b"" for entry, size in pairs] + [bytes(16)])
    starts, room = offsets.astype(np.uint32), [np.empty(1 << 24, np.uint8)]

    def at(array: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def of_ids(one: Documents) -> None:
        library.ids(at(one.tokens), ctypes.c_size_t(len(one.tokens)), at(table), shift)

    def of_bytes(one: Documents) -> None:
        size = int(one.n_bytes.sum()) + 64
        if len(room[0]) < size:
            room[0] = np.empty(size, np.uint8)
        counted = ctypes.c_size_t(len(one.tokens))
        library.bytes(
            at(one.tokens), counted, at(table), shift, at(entries), at(starts), at(room[0])
        )

    return {"limit_ids": of_ids, "limit_bytes": of_bytes}


def compiled() -> ctypes.CDLL | None:
    """Compile the bare loops; None without a compiler."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "limit.cpp"), Path(folder, "limit.so")
        source.write_text(LIMIT)
        command = [os.environ.get("CXX", "g++"), "-O3", "-std=c++20", "-shared", "-fPIC"]
        try:
            subprocess.run([*command, str(source), "-o", str(made)], check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return ctypes.CDLL(str(made))


def seen(windows: WindowSet) -> int:
    """Return the number of windows that were seen."""
    counts = np.zeros((2, 1), np.int64)
    windows.count(*counts)
    return int(counts[1, 0])


def table(report: dict[str, Any]) -> str:
    """Lay the report out for people."""
    return "\n".join(lines(report))


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{report['windows']:,} windows against {report['tokens']:,} tokens, one thread"
    for name, rate in report["million_tokens_per_second"].items():
        yield f"{name.replace('_', ' '):14}{rate:8.1f} M tokens/s"
    for kind, part in report["share_of_limit"].items():
        yield f"share of the limit, {kind}: {100 * part:.0f} %"
    found = report["seen"]
    yield f"seen: {found['ids']:,} windows of ids, {found['bytes']:,} of bytes"
    yield f"built in {report['seconds_to_build']:.2f} s of CPU time"


if __name__ == "__main__":
    main()

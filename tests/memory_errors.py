"""Calls the native modules while each allocation of theirs fails in turn.

Run by test_memory_errors.py in a process of its own, before which failing_new.cpp is loaded.
"""

import contextlib
import ctypes
import gc
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datapipe import _overlap, _reading
from spike_lm.model import _coding, _counting
from spiketok import _native

Array = NDArray[Any]


def _laid(texts: list[bytes]) -> tuple[Array, Array]:
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), offsets


ENTRIES = _laid([*(bytes([byte]) for byte in range(256)), b"ab", b"abc", b"the "])
IDS = np.arange(len(ENTRIES[1]) - 1, dtype=np.uint32)
TEXTS = _laid([b"the abcab of the abc" * 9, b"", b"THE END\n\nabc"])
ROW = np.frombuffer(TEXTS[0].tobytes() * 8, np.uint8).astype(np.uint32)
MERGES = np.array([5, 40], np.uint32), np.array([6, 7], np.uint32)


def match() -> None:
    matcher = _native.Matcher(*ENTRIES, IDS)
    ids, _ = matcher.encode(*TEXTS, 2, False, 16)
    assert _native.Decoder(*ENTRIES).decode(ids) == TEXTS[0].tobytes()


def bese() -> None:
    coder = _native.BeseCoder(True, *MERGES, b"<doc>", 42)
    ids, _ = coder.encode(*TEXTS, 2, True)
    assert coder.decode(ids)[0] == TEXTS[0].tobytes()
    counter = _native.SegmentCounter(1000)
    counter.add(*TEXTS)
    counter.take()


def train() -> None:
    _native.count_pairs(ROW, np.array([0, 9, len(ROW)]), 9, 2)
    trie = _native.EntryTrie(*ENTRIES)
    trie.marginal_costs(257, True, *TEXTS, 2)
    trie.fewest_tokens(*TEXTS, 2)
    lengths, none = np.ones(256, np.uint32), np.zeros(0, np.int64)
    options = {"merges": 3, "by_length": True, "max_token_bytes": 9, "threads": 2}
    merger = _native.PairMerger(*TEXTS, none, lengths, **options)
    while merger.best() is not None:
        merger.exclude()
        if merger.best() is not None:
            merger.merge()


def code() -> None:
    symbols, cells = np.arange(48, dtype=np.uint8).reshape(6, 8), _coding.cell_count(6)
    data = _coding.encode_symbols(symbols, 6, 31, np.full(cells, 1 << 31, np.uint32))
    fresh = np.full(cells, 1 << 31, np.uint32)
    found = _coding.decode_symbols(np.frombuffer(data, np.uint8), 6, 8, 6, 31, fresh)
    assert (found == symbols).all()


def count() -> None:
    counts = _counting.NgramCounts(256, 3, True)
    counts.reserve(2000)
    counts.learn(ROW)
    discounts, base = np.full((4, 4), 0.5), np.full(len(ROW), 1 / 256)
    counts.copy().score(ROW, base, base, discounts, min_context=0, learn=True)
    counts.distribution(np.full(256, 1 / 256), discounts, 0)
    counts.counts_of_counts()
    _counting.NgramCounts(256, 3, True).load(*counts.pruned(1, 3))


def mix() -> None:
    model = _counting.MatchModel(256, np.array([2, 5], np.uint32))
    model.predict(ROW, True)
    model.predict_next()
    mixer = _counting.Mixer(2, np.array([0.5, 0.5]), 0.0, 0.0)
    mixer.score(np.full((3, 2), 0.5), np.array([0, 1, 1], np.uint32), True)
    mixer.weights(1)
    logits, targets = np.ones((2, 40), np.float32), np.ones((2, 3), np.uint32)
    factors, none = np.ones(40, np.float32), np.zeros(0)
    switches = {"use_temperature": True, "use_bias": True}
    numbers = {"sharpening": 0.1, "min_temperature": 0.9, "max_temperature": 1.1}
    _counting.calibrated_probabilities(logits, targets, factors, none, **switches, **numbers)


def read() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(4096))
        file.flush()
        number = file.fileno()
        runs = np.array([[0, 2048], [number, -1], [0, 16], [0, 0]], np.int64)
        starts, unchecked = np.array([0, 900], np.int64), np.ones(16, np.uint8)
        rows = np.zeros((2, 256), np.uint8)
        unchecked[_reading.unchecked_ranges(starts, runs, 3, unchecked, 256, 2, 256)] = 0
        assert _reading.read_rows(starts, runs, 3, unchecked, 256, 2, rows, 0) == 2


def overlap() -> None:
    windows = _overlap.WindowSet(TEXTS[0], TEXTS[1][1:], 9)
    decoder = _overlap.TokenBytes(*ENTRIES)
    ids = TEXTS[0].astype(np.uint16)
    windows.scan_decoded(ids, decoder)
    seen = np.zeros(3, np.int64)
    windows.count(np.zeros(3, np.int64), seen)
    assert seen.sum() > 0
    finder = _overlap.RepeatFinder(TEXTS[0][:40], 9)
    finder.scan_decoded(ids, decoder)
    assert finder.take()[-1][:2] == (40, 40)


def fail_in_turn(work: Callable[[], None], memory: ctypes.CDLL) -> None:
    """Fail each allocation, the first one first, until the work passes without."""
    work()
    for turn in range(1_000_000):
        gc.collect()
        before = memory.count_alive()
        memory.fail_after(turn)
        passed = False
        with contextlib.suppress(MemoryError):
            work()
            passed = True
        is_through = memory.fail_after(-1) >= 0
        gc.collect()
        assert memory.count_alive() <= before, f"allocation {turn} failed and left memory behind"
        if is_through:
            assert passed, "no allocation failed, and there was a MemoryError"
            return
    raise AssertionError("there is no end")


if __name__ == "__main__":
    library = ctypes.CDLL(sys.argv[1])
    library.fail_after.argtypes, library.fail_after.restype = [ctypes.c_long], ctypes.c_long
    library.count_alive.restype = ctypes.c_long
    for work in (match, bese, train, code, count, mix, read, overlap):
        fail_in_turn(work, library)

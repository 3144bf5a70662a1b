"""Defines in plain Python what the fast code computes; slow, and the specification."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .candidates import Allowed, choose_pairs
from .layout import PIECE, SPECIAL
from .length_max import BYTES, GROWTH, MOST_REFINEMENTS, SMALLEST_GAIN, SURPLUS
from .pruning import drop_cheapest
from .vocabulary import Vocabulary


def encode(vocabulary: Vocabulary, data: bytes, allow_special: bool = False) -> list[int]:
    """Cut `data` from left to right; take names first, if they are allowed, then longest pieces."""
    pieces, names = entries_of(vocabulary, PIECE), entries_of(vocabulary, SPECIAL)
    ids: list[int] = []
    start = at = 0
    while at < len(data):
        name = longest(data, at, names) if allow_special else b""
        if name:
            ids += [pieces[piece] for piece in cut(data[start:at], pieces)] + [names[name]]
            start = at = at + len(name)
        else:
            at += 1
    return ids + [pieces[piece] for piece in cut(data[start:], pieces)]


def decode(vocabulary: Vocabulary, ids: Sequence[int]) -> bytes:
    """Concatenate the entries; those of reserved ids are empty."""
    return b"".join(vocabulary.entries[token] for token in ids)


def entries_of(vocabulary: Vocabulary, kind: int) -> dict[bytes, int]:
    """Return entry → id for the ids of one kind."""
    return {vocabulary.entries[token]: token for token in vocabulary.ids_of(kind)}


def longest(data: bytes, start: int, entries: Mapping[bytes, int]) -> bytes:
    """Return the longest entry at a place, or nothing."""
    for stop in range(min(len(data), start + max(map(len, entries))), start, -1):
        if data[start:stop] in entries:
            return data[start:stop]
    return b""


def cut(data: bytes, pieces: Mapping[bytes, int]) -> list[bytes]:
    """Cut `data` by leftmost-longest match; every byte is a piece."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        found.append(longest(data, at, pieces))
        at += len(found[-1])
    return found


def count_pairs(documents: Sequence[Sequence[int]], limit: int) -> list[tuple[int, int, int]]:
    """Return the most frequent pairs as (left, right, count); see `_native.count_pairs`."""
    counts: Counter[tuple[int, int]] = Counter()
    for ids in documents:
        last_start = None  # of the pair of equal ids that was counted last
        for start, pair in enumerate(pairwise(ids)):
            if pair[0] == pair[1]:
                if last_start == start - 1:
                    continue
                last_start = start
            counts[pair] += 1
    repeated = [(*pair, count) for pair, count in counts.items() if count > 1]
    return sorted(repeated, key=lambda item: (-item[2], item[0], item[1]))[:limit]


def train(chunks: Sequence[bytes], wanted: int, allowed: Allowed) -> list[bytes]:
    """Train on chunks so few that growing rounds see all of them; return the entries, sorted.

    Args:
        chunks: text; pairs do not cross from one to the next.
        wanted: entries, the 256 single bytes included.
        allowed: tells which byte strings may be entries.
    """

    def segment(entries: list[bytes]) -> list[list[int]]:
        ids = {entry: rank for rank, entry in enumerate(entries)}
        return [[ids[piece] for piece in cut(chunk, ids)] for chunk in chunks]

    def propose(entries: list[bytes], documents: list[list[int]], number: int) -> list[bytes]:
        uses = Counter(token for ids in documents for token in ids)
        pairs = count_pairs(documents, limit=len(documents) * max(map(len, chunks)))
        left, right, counts = np.array(pairs, np.int64).reshape(-1, 3).T
        every = [uses[token] for token in range(len(entries))]
        return choose_pairs(entries, every, (left, right, counts), number, allowed)

    entries, limit = BYTES, int(wanted * SURPLUS)
    while wanted > 256 and len(entries) < limit:
        number = min(int(len(entries) * (GROWTH - 1)) + 1, limit - len(entries))
        found = propose(entries, segment(entries), number)
        if not found:
            break
        entries = sorted([*entries, *found])

    best, fewest = entries, float("inf")
    for _ in range(MOST_REFINEMENTS):
        uses = Counter(token for ids in segment(entries) for token in ids)
        entries = drop_cheapest(entries, [uses[token] for token in range(len(entries))], wanted)
        documents = segment(entries)
        tokens = sum(map(len, documents))
        if tokens > fewest * (1 - SMALLEST_GAIN):
            break
        best, fewest = entries, tokens
        found = propose(entries, documents, int(wanted * (SURPLUS - 1)))
        if not found:
            break
        entries = sorted([*entries, *found])
    return best

"""Drops the entries of a vocabulary that the longest-match encoder misses least."""

import heapq
from collections.abc import Collection, Sequence


def drop_cheapest(entries: Sequence[bytes], uses: Sequence[int], target: int) -> list[bytes]:
    """Return `target` entries, sorted by bytes; single bytes are never dropped.

    An entry costs its uses × (the pieces it falls into without it − 1) tokens. What is dropped
    hands its uses on to its pieces, so costs rise while the vocabulary shrinks.

    Args:
        entries: bytes by id, all 256 single bytes among them.
        uses: occurrences by id.
        target: at least 256.

    >>> letters = [bytes([byte]) for byte in range(256)]
    >>> drop_cheapest([*letters, b"ab", b"abc"], [9] * 256 + [5, 7], 257)[98:100]
    [b'abc', b'b']
    """
    known = set(entries)
    left = dict(zip(entries, uses, strict=True))
    heap = [
        (left[entry] * (len(pieces_without(entry, known)) - 1), entry)
        for entry in entries
        if len(entry) > 1
    ]
    heapq.heapify(heap)
    while heap and len(known) > target:
        cost, entry = heap[0]
        pieces = pieces_without(entry, known)
        cost_now = left[entry] * (len(pieces) - 1)
        if cost_now > cost:
            heapq.heapreplace(heap, (cost_now, entry))
            continue
        heapq.heappop(heap)
        known.remove(entry)
        for piece in pieces:
            left[piece] += left[entry]
    return sorted(known)


def pieces_without(entry: bytes, known: Collection[bytes]) -> list[bytes]:
    """Cut an entry by longest match as if it were none itself.

    >>> pieces_without(b"abc", {b"a", b"b", b"c", b"bc", b"abc"})
    [b'a', b'bc']
    """
    pieces = []
    start, longest = 0, len(entry) - 1
    while start < len(entry):
        stop = longest
        while stop > start + 1 and entry[start:stop] not in known:
            stop -= 1
        pieces.append(entry[start:stop])
        start, longest = stop, len(entry)
    return pieces

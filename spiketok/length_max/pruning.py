"""Vocabulary pruning: drop the entries whose loss costs the fewest tokens."""

import heapq
from collections.abc import Collection, Sequence


def drop_cheapest(
    entries: Sequence[bytes],
    uses: Sequence[int],
    costs: Sequence[float],
    target: int,
    kept: Collection[bytes] = (),
) -> list[bytes]:
    """Drop entries until `target` are left, and return these by bytes; single bytes always stay.

    A dropped entry passes its uses on to the pieces that replace it, so their costs rise while
    the vocabulary shrinks, in proportion to their uses.

    Args:
        entries: bytes by id, all 256 single bytes among them.
        uses: occurrences by id.
        costs: by id, the number of tokens added by dropping the entry.
        target: number of entries to leave.
        kept: entries that are never dropped.

    >>> letters = [bytes([byte]) for byte in range(256)]
    >>> entries = [*letters, b"ab", b"abc"]
    >>> drop_cheapest(entries, [9] * 256 + [5, 7], [0] * 256 + [5, 7], 257)[98:100]
    [b'abc', b'b']
    """
    known = set(entries)
    left = dict(zip(entries, uses, strict=True))
    each = {  # cost of one use
        entry: cost / use if use else 0.0
        for entry, use, cost in zip(entries, uses, costs, strict=True)
    }
    heap = [
        (float(cost), entry)
        for entry, cost in zip(entries, costs, strict=True)
        if len(entry) > 1 and entry not in kept
    ]
    heapq.heapify(heap)
    while heap and len(known) > target:
        cost, entry = heap[0]
        cost_now = left[entry] * each[entry]
        if cost_now > cost:
            heapq.heapreplace(heap, (cost_now, entry))
            continue
        heapq.heappop(heap)
        known.remove(entry)
        for piece in pieces_without(entry, known):
            left[piece] += left[entry]
    return sorted(known)


def pieces_without(entry: bytes, known: Collection[bytes]) -> list[bytes]:
    """Tokenize an entry by longest match, as if it were no entry itself.

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

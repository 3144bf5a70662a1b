"""Reference implementation of the fast code, in plain Python: slow, and the specification."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from .id_layout import PIECE, SPECIAL
from .vocabulary import Vocabulary


def encode(vocabulary: Vocabulary, data: bytes, allow_special: bool = False) -> list[int]:
    """Tokenize `data` from left to right: names first, if they are allowed, then longest pieces."""
    pieces, names = entries_of(vocabulary, PIECE), entries_of(vocabulary, SPECIAL)
    ids: list[int] = []
    start = at = 0
    while at < len(data):
        name = longest(data, at, names) if allow_special else b""
        if name:
            ids += [pieces[piece] for piece in longest_match(data[start:at], pieces)] + [
                names[name]
            ]
            start = at = at + len(name)
        else:
            at += 1
    return ids + [pieces[piece] for piece in longest_match(data[start:], pieces)]


def decode(vocabulary: Vocabulary, ids: Sequence[int]) -> bytes:
    """Concatenate the entries; those of reserved ids are empty."""
    return b"".join(vocabulary.entries[token] for token in ids)


def entries_of(vocabulary: Vocabulary, kind: int) -> dict[bytes, int]:
    """Return entry → id for the ids of one kind."""
    return {vocabulary.entries[token]: token for token in vocabulary.ids_of(kind)}


def longest(data: bytes, start: int, entries: Mapping[bytes, int]) -> bytes:
    """Return the longest entry at a position, or nothing."""
    for stop in range(min(len(data), start + max(map(len, entries))), start, -1):
        if data[start:stop] in entries:
            return data[start:stop]
    return b""


def longest_match(data: bytes, pieces: Mapping[bytes, int]) -> list[bytes]:
    """Tokenize `data` by leftmost-longest match; every byte is a piece."""
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        tokens.append(longest(data, at, pieces))
        at += len(tokens[-1])
    return tokens


def pairs_of(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs; in a run of equal ids every second one, so that they do not overlap.

    >>> list(pairs_of([7, 7, 7, 7, 8]))
    [(7, 7), (7, 7), (7, 8)]
    """
    last_start = None  # of the pair of equal ids that was taken last
    for start, pair in enumerate(pairwise(ids)):
        if pair[0] == pair[1]:
            if last_start == start - 1:
                continue
            last_start = start
        yield pair


def count_pairs(documents: Sequence[Sequence[int]], limit: int) -> list[tuple[int, int, int]]:
    """Return the most frequent pairs as (left, right, count); see `_native.count_pairs`."""
    counts = Counter(pair for ids in documents for pair in pairs_of(ids))
    repeated = [(*pair, count) for pair, count in counts.items() if count > 1]
    return sorted(repeated, key=lambda item: (-item[2], item[0], item[1]))[:limit]


def learn_merges(
    documents: Sequence[Sequence[int]],
    weights: Sequence[int],
    lengths: Sequence[int],
    merges: int,
    by_length: bool,
    most_bytes: int,
    allowed: Callable[[int, int], bool],
) -> list[tuple[int, int, int]]:
    """Return the pairs joined, with their counts, in order; see `_native.PairMerger`.

    Args:
        documents: the ids of each.
        weights: occurrences of each document.
        lengths: bytes of each id.
        merges: the maximum number of merges.
        by_length: rank pairs by count × bytes, else by count.
        most_bytes: pairs of more bytes are not merged.
        allowed: whether two ids may be joined.
    """
    lengths = list(lengths)
    joined: list[tuple[int, int, int]] = []
    while len(joined) < merges:
        counts: Counter[tuple[int, int]] = Counter()
        for ids, weight in zip(documents, weights, strict=True):
            for pair in pairs_of(ids):
                counts[pair] += weight
        ranked = []
        for (left, right), count in counts.items():
            length = lengths[left] + lengths[right]
            if count > 1 and length <= most_bytes and allowed(left, right):
                ranked.append((-count * (length if by_length else 1), left, right, count))
        if not ranked:
            break
        _, left, right, count = min(ranked)
        documents = [join_pair(ids, left, right, len(lengths)) for ids in documents]
        lengths.append(lengths[left] + lengths[right])
        joined.append((left, right, count))
    return joined


def join_pair(ids: Sequence[int], left: int, right: int, merged: int) -> list[int]:
    """Replace a pair by an id, from left to right.

    Args:
        ids: of one document.
        left: first id of the pair.
        right: second id of the pair.
        merged: the id that replaces it.

    >>> join_pair([1, 1, 1, 2], 1, 1, 3)
    [3, 1, 2]
    """
    joined: list[int] = []
    at = 0
    while at < len(ids):
        is_pair = tuple(ids[at : at + 2]) == (left, right)
        joined.append(merged if is_pair else ids[at])
        at += 1 + is_pair
    return joined


def marginal_costs(
    entries: Sequence[bytes], used: int, documents: Sequence[bytes]
) -> tuple[list[int], int]:
    """Return the change in tokens by entry, and the tokens; see `_native.EntryTrie`."""

    def tokens(changed: Iterable[bytes]) -> int:
        known = dict.fromkeys(changed, 0)
        return sum(len(longest_match(document, known)) for document in documents)

    present = entries[:used]
    now = tokens(present)
    changes = []
    for entry in entries:
        if len(entry) == 1:
            changes.append(0)
        elif entry in present:
            changes.append(tokens(other for other in present if other != entry) - now)
        else:
            changes.append(tokens([*present, entry]) - now)
    return changes, now


def fewest_tokens(entries: Sequence[bytes], document: bytes) -> int:
    """Return the fewest entries whose concatenation is the document."""
    fewest = [0]  # for each beginning
    for stop in range(1, len(document) + 1):
        fewest.append(
            1
            + min(fewest[stop - len(entry)] for entry in entries if document[:stop].endswith(entry))
        )
    return fewest[-1]

"""Candidate entries: byte strings that could become entries and do not compete."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

Pairs: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

# A candidate is skipped when better ones have used more than this fraction of its tokens' uses.
TAKEN_SHARE = 0.05


class Candidate(NamedTuple):
    """Candidate entry: the tokens `left` and `right`, or the beginning of both."""

    piece: bytes
    left: int
    right: int
    times: int


def concatenations(
    entries: Sequence[bytes], pairs: Pairs, allowed: Callable[[bytes], bool]
) -> Iterator[Candidate]:
    """Yield the concatenations of neighbouring tokens, in the order of the pairs."""
    known = set(entries)
    for left, right, count in zip(*(column.tolist() for column in pairs), strict=True):
        piece = entries[left] + entries[right]
        if piece not in known and allowed(piece):
            known.add(piece)
            yield Candidate(piece, left, right, count)


def beginnings(
    entries: Sequence[bytes], pairs: Sequence[Candidate], allowed: Callable[[bytes], bool]
) -> list[Candidate]:
    """Return pairs of the left token and a prefix of the right one, where that is an entry.

    "of t" is a good entry where "of" is followed by "the", "them", "this": all of them use it.

    Args:
        entries: bytes by id.
        pairs: the pairs to shorten, the best first; none of them is returned again.
        allowed: whether a byte string may be an entry.
    """
    present = set(entries)
    known = present | {pair.piece for pair in pairs}
    shortened: list[Candidate] = []
    for _, left, right, times in pairs:
        for stop in range(1, len(entries[right])):
            part = entries[right][:stop]
            piece = entries[left] + part
            if part in present and piece not in known and allowed(piece):
                known.add(piece)
                shortened.append(Candidate(piece, left, right, times))
    return shortened


def choose(ranked: Iterable[Candidate], uses: Sequence[int], number: int) -> list[bytes]:
    """Choose the first candidates that do not compete with earlier ones, at most `number`.

    Of a b c, either a b or b c can become one token. So each chosen pair uses up its left token for
    pairs that end with it, and its right token for pairs that begin with it. Choosing competing
    pairs together leaves entries that overlap and are hard to remove.

    Args:
        ranked: the best first.
        uses: occurrences by id.
        number: the maximum number of entries to choose.
    """
    chosen: list[bytes] = []
    as_left: Counter[int] = Counter()
    as_right: Counter[int] = Counter()
    if number <= 0:
        return chosen
    for piece, left, right, count in ranked:
        if as_right[left] / uses[left] + as_left[right] / uses[right] > TAKEN_SHARE:
            continue
        chosen.append(piece)
        as_left[left] += count
        as_right[right] += count
        if len(chosen) == number:
            break
    return chosen

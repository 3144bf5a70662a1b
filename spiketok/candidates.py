"""Chooses, among pairs of neighbouring tokens, those that become new entries together."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from .layout import is_taken

Pairs: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

# A pair is passed over when better ones have taken more than this share of its tokens' uses.
TAKEN_SHARE = 0.05
# What the pre-tokenisers of GPT-4's kind call a word: a contraction, letters with one sign or space
# before them, up to three digits, signs with a space before and line ends behind, or white space.
WORD = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+"
)


class Allowed:
    """Tells which byte strings may be entries."""

    def __init__(self, max_token_bytes: int, within_word: bool) -> None:
        self.max_token_bytes = max_token_bytes
        self.is_word = word_test() if within_word else None

    def __call__(self, piece: bytes) -> bool:
        """Tell whether `piece` is short enough, readable, and no special token's name."""
        if len(piece) > self.max_token_bytes or is_taken(piece):
            return False
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            return is_part_of_code_point(piece)
        return self.is_word is None or self.is_word(text)


def word_test() -> Callable[[str], bool]:
    """Return a function that tells whether a text is exactly one word."""
    import regex

    word = regex.compile(WORD)
    return lambda text: word.fullmatch(text) is not None


def is_part_of_code_point(piece: bytes) -> bool:
    """Tell whether bytes that are no UTF-8 are a beginning, middle or end of one code point.

    >>> [is_part_of_code_point(piece) for piece in (b"\\xe2\\x82", b"\\x82\\xac", b"a\\xe2")]
    [True, True, False]
    """
    first, rest = piece[0], piece[1:]
    length = 1 + (first >= 0xC2) + (first >= 0xE0) + (first >= 0xF0)
    if first & 0xC0 == 0x80:
        length = 4  # anything but the beginning of the longest
    return first < 0xF5 and len(piece) < length and all(byte & 0xC0 == 0x80 for byte in rest)


def choose_pairs(
    entries: Sequence[bytes], uses: Sequence[int], pairs: Pairs, number: int, allowed: Allowed
) -> list[bytes]:
    """Return the concatenations of the best pairs that do not compete, `number` at most.

    Of a b c, either a b or b c can become one token. So each pair that is taken uses up its left
    token for pairs that end with it, and its right token for pairs that begin with it. Taking
    competing pairs together leaves entries that cut across each other and are hard to get rid of.

    Args:
        entries: bytes by id.
        uses: occurrences by id.
        pairs: left ids, right ids and counts, the best first.
        number: how many to choose.
        allowed: tells which concatenations may be entries.
    """
    known = set(entries)
    chosen: list[bytes] = []
    as_left: Counter[int] = Counter()
    as_right: Counter[int] = Counter()
    for left, right, count in zip(*(column.tolist() for column in pairs), strict=True):
        if len(chosen) == number:
            break
        if as_right[left] / uses[left] + as_left[right] / uses[right] > TAKEN_SHARE:
            continue
        piece = entries[left] + entries[right]
        if piece in known or not allowed(piece):
            continue
        known.add(piece)
        chosen.append(piece)
        as_left[left] += count
        as_right[right] += count
    return chosen

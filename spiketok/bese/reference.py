"""BESE in plain Python: its two base alphabets, segments, and merges by rank.

Slow, and the specification; docs/bese.md gives the reason for the lossless alphabet.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ..reference import join_pair, pairs_of

DOC, SHIFT, CAPS, ESCAPE = range(4)
BASE_IDS = 40
MAX_BASE_IDS = 4096
CASE_LETTERS = 64
SINGLE_LETTERS = "etaoinsrhdl"
GROUPS = ("ufbz", "cwvj", "mykx", 'gpq"')
SIGNS = " .,\n?'-"
ESCAPED = ":;!()/&%$#@*+=[]<>_|~{}\\^`\t\r"
GROUP, PLACE, SPACE, DIGIT = 15, 19, 23, 30
QUOTE, OTHER = 28, 29  # of the published alphabet; the lossless one has the hyphen as id 29

# Single bytes by id, and letters of a group by two ids.
DIRECT = dict(enumerate(SINGLE_LETTERS.encode(), 4)) | dict(enumerate(SIGNS.encode(), SPACE))
DIRECT |= dict(enumerate(b"0123456789", DIGIT))
GROUPED: dict[tuple[int, ...], int] = {
    (GROUP + group, PLACE + place): ord(letter)
    for group, letters in enumerate(GROUPS)
    for place, letter in enumerate(letters)
}
# After an escape: signs; and with one more id all that has no other code.
SHORT: dict[tuple[int, ...], int] = {
    (ESCAPE, base): byte for base, byte in zip(DIRECT, ESCAPED.encode(), strict=True)
}
PREFIXES = (*range(GROUP, PLACE), SHIFT, CAPS)
LETTERS = frozenset(range(ord("a"), ord("z") + 1)) | frozenset(range(ord("A"), ord("Z") + 1))
RARE: dict[tuple[int, ...], int] = dict(
    zip(
        [(ESCAPE, prefix, base) for prefix in PREFIXES for base in DIRECT],
        sorted(
            set(range(256)) - {*DIRECT.values(), *GROUPED.values(), *SHORT.values()} - LETTERS,
            key=lambda byte: (byte < 0x80, byte),
        ),
        strict=False,
    )
)
BYTES: dict[tuple[int, ...], int] = {(base,): byte for base, byte in DIRECT.items()}
BYTES |= GROUPED | SHORT | RARE
CODES = {byte: code for code, byte in BYTES.items()}


def is_byte(base: int) -> bool:
    """Return whether a base id encodes a byte.

    >>> sum(map(is_byte, range(40)))
    32
    """
    return base >= PLACE or 4 <= base < GROUP


def base_ids(text: bytes) -> Iterator[int]:
    """Yield the base ids of a text in the lossless alphabet.

    >>> list(base_ids(b"The USA"))
    [1, 5, 12, 4, 23, 2, 15, 19, 10, 6]
    """
    at = 0
    while at < len(text):
        stop = at
        while stop < min(len(text), at + CASE_LETTERS) and text[stop] in LETTERS:
            stop += 1
        letters = text[at:stop]
        if len(letters) > 1 and letters.isupper():
            yield CAPS
        for letter in letters:
            if bytes([letter]).isupper() and not (len(letters) > 1 and letters.isupper()):
                yield SHIFT
            yield from CODES[ord(chr(letter).lower())]
        if letters:
            at = stop
        elif text[at : at + 2] == b"\xe2\x80" and text[at + 2 : at + 3] and text[at + 2] >> 6 == 2:
            yield ESCAPE
            yield from (PLACE + (text[at + 2] >> shift & 3) for shift in (4, 2, 0))
            at += 3
        else:
            yield from CODES[text[at]]
            at += 1


def published_base_ids(text: bytes) -> Iterator[int]:
    """Yield the base ids of a text in the published alphabet, in which many bytes are one.

    >>> list(published_base_ids('Q"\\t'.encode()))
    [18, 21, 28, 29]
    """
    for byte in text.lower():
        code = CODES[byte]
        if byte == ord('"'):
            yield QUOTE
        elif code[0] in (ESCAPE, OTHER):
            yield OTHER
        else:
            yield from code


def segments(text: bytes) -> Iterator[list[int]]:
    """Yield the base ids between cuts: after runs of newlines, and every 4,096 in between."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or (text[at - 1 : at] == b"\n" and text[at] != ord("\n")):
            row = list(base_ids(text[start:at]))
            yield from (
                row[first : first + MAX_BASE_IDS] for first in range(0, len(row), MAX_BASE_IDS)
            )
            start = at


def merge(row: Sequence[int], merges: Sequence[tuple[int, int]]) -> list[int]:
    """Apply the merges one after the other, each from left to right.

    >>> merge([4, 4, 4, 5], [(4, 4), (4, 5)])
    [40, 41]
    """
    row = list(row)
    for rank, (left, right) in enumerate(merges):
        row = join_pair(row, left, right, BASE_IDS + rank)
    return row


def expand(ids: Sequence[int], merges: Sequence[tuple[int, int]]) -> list[int]:
    """Expand ids to their base ids.

    >>> expand([40, 41], [(4, 4), (4, 5)])
    [4, 4, 4, 5]
    """
    expanded = list(ids)
    for rank in reversed(range(len(merges))):
        pairs = {BASE_IDS + rank: merges[rank]}
        expanded = [base for token in expanded for base in pairs.get(token, (token,))]
    return expanded


def text_of(row: Sequence[int]) -> bytes:
    """Return the text whose base ids these are; the left inverse of `base_ids`."""
    text = bytearray()
    code: tuple[int, ...] = ()
    shift, caps = False, 0
    for base in row:
        if base in (SHIFT, CAPS) and not code:
            shift, caps = base == SHIFT, CASE_LETTERS if base == CAPS else 0
            continue
        code += (base,)
        if code[0] == ESCAPE and len(code) == 4:
            places = [place - PLACE for place in code[1:]]
            text += b"\xe2\x80" + bytes([0x80 + 16 * places[0] + 4 * places[1] + places[2]])
            code, caps = (), 0
        elif code in BYTES:
            byte = BYTES[code]
            letter = byte in LETTERS
            text += bytes([byte]).upper() if letter and (shift or caps) else bytes([byte])
            code, shift, caps = (), False, max(caps - 1, 0) if letter else 0
    return bytes(text)


def published_merges(rows: Sequence[Sequence[int]], number: int) -> tuple[tuple[int, int], ...]:
    """Return the most frequent pairs, ties to the first in the text, joined one by one."""
    merges: list[tuple[int, int]] = []
    while len(merges) < number:
        # A counter has its keys in the order in which they came, and max takes the first.
        counts = Counter(pair for row in rows for pair in pairs_of(row))
        best = max(counts, key=counts.__getitem__, default=None)
        if best is None or counts[best] < 2:
            break
        rows = [join_pair(row, *best, BASE_IDS + len(merges)) for row in rows]
        merges.append(best)
    return tuple(merges)

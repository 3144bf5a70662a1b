"""Pre- and post-processing of the class for `transformers`, in plain Python."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from ..chat.chatml import START, Message, marker_ids, pieces
from ..id_layout import PIECE
from ..longest_match_python import PlainMatcher

Encode = Callable[[Sequence[bytes]], list[list[int]]]
# The ids of a text, and those of a second one if there is one.
Pair = tuple[list[int], list[int] | None]


class Segment(NamedTuple):
    """Segment: text that is encoded by itself, or the name of one token.

    Attributes:
        text: the text.
        token: its id, if it is the name of a token.
        start: the character of the whole text with which it begins.
        trained: whether it is in the loss mask.
    """

    text: str
    token: int | None = None
    start: int = 0
    trained: bool = False


class Encoder:
    """Encoder of texts, each by itself, by the native core of spike where that is installed.

    Attributes:
        native: whether the native core is used.
    """

    def __init__(self, entries: Sequence[bytes], kinds: bytes) -> None:
        self._made_of = (entries, kinds)
        native = native_encoder(entries, kinds)
        self.native = native is not None
        self._encode = native or plain_encoder(entries, kinds)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments of the encoder, not its native memory."""
        return type(self), self._made_of

    def __call__(self, rows: Sequence[Sequence[Segment]]) -> list[list[list[int]]]:
        """Return the ids of each segment of each row."""
        texts = [part.text.encode() for row in rows for part in row if part.token is None]
        encoded = iter(self._encode(texts))
        return [
            [next(encoded) if part.token is None else [part.token] for part in row] for row in rows
        ]


def native_encoder(entries: Sequence[bytes], kinds: bytes) -> Encode | None:
    """Return a function that encodes by the native core, or None where there is none."""
    try:
        from spiketok import Tokenizer, Vocabulary

        longest = max(map(len, entries))
        native = Tokenizer(Vocabulary(entries=tuple(entries), kinds=kinds, max_token_bytes=longest))
    except (ImportError, TypeError):  # no spike, or one whose vocabulary is made otherwise
        return None

    def encode(texts: Sequence[bytes]) -> list[list[int]]:
        array, offsets = native.encode_batch(list(texts))
        ids = array.tolist()
        return [ids[start:stop] for start, stop in pairwise(offsets.tolist())]

    return encode


def plain_encoder(entries: Sequence[bytes], kinds: bytes) -> Encode:
    """Return a function that encodes in plain Python."""
    numbered = zip(entries, range(len(entries)), strict=True)
    matcher = PlainMatcher(
        entry for entry, kind in zip(numbered, kinds, strict=True) if kind == PIECE
    )
    return lambda texts: [matcher.encode(text) for text in texts]


def split_at_names(
    text: str, pattern: re.Pattern[str], ids: Mapping[str, int]
) -> Iterator[Segment]:
    r"""Split a text at names, and after the line that follows `<|im_start|>`, which names the role.

    >>> pattern = name_pattern((("<|im_start|>", False, False, False),))
    >>> [part.text for part in split_at_names("a<|im_start|>user\nb", pattern, {"<|im_start|>": 5})]
    ['a', '<|im_start|>', 'user\n', 'b']
    """
    end = 0
    role_follows = False
    for match in pattern.finditer(text):
        yield from plain_segments(text[end : match.start()], end, role_follows)
        name = match[match.lastindex or 0]
        yield Segment(match[0], ids[name], match.start())
        role_follows = name == START
        end = match.end()
    yield from plain_segments(text[end:], end, role_follows)


def plain_segments(text: str, start: int, role_follows: bool) -> Iterator[Segment]:
    """Yield text without names; its first line by itself, if that is a role."""
    stop = text.find("\n") + 1 if role_follows else 0
    for part, place in ((text[:stop], start), (text[stop:], start + stop)):
        if part:
            yield Segment(part, start=place)


@lru_cache
def name_pattern(names: tuple[tuple[str, bool, bool, bool], ...]) -> re.Pattern[str]:
    """Compile a pattern for the leftmost, longest name: in a group, or else the whole match.

    Args:
        names: for each its text, and the `lstrip`, `rstrip` and `single_word` of its `AddedToken`:
            whether it includes blanks before it, blanks after it, and must be between spaces.
    """
    patterns = []
    for text, lstrip, rstrip, single_word in sorted(names, key=lambda name: -len(name[0])):
        before = r"\s*" if lstrip else "(?<![^ ])" if single_word else ""
        after = r"\s*" if rstrip else "(?![^ ])" if single_word else ""
        name = re.escape(text)
        # Without groups `re` searches for the names' common prefix, many times as fast.
        patterns.append(f"{before}({name}){after}" if before or after else name)
    return re.compile("|".join(patterns))


def places(
    row: Sequence[Segment], ids: Sequence[Sequence[int]], entries: Sequence[bytes]
) -> Iterator[tuple[int, int]]:
    """Yield for each id of a row the characters it covers, as a half-open range.

    A character whose bytes are in several tokens is covered by each of them.
    """
    for part, tokens in zip(row, ids, strict=True):
        if part.token is not None:
            yield part.start, part.start + len(part.text)
            continue
        # How many characters have begun, with each byte that does not continue one.
        begun = [*accumulate((byte & 0xC0 != 0x80) for byte in part.text.encode())]
        byte = 0
        for token in tokens:
            end = byte + len(entries[token])
            yield part.start + begun[byte] - 1, part.start + begun[end - 1]
            byte = end


def placeholders(pair: Pair) -> Pair:
    """Return −1, −2, … for ids: numbers that show their positions after rows were truncated.

    >>> placeholders(([7, 7], [8]))
    ([-1, -2], [-3])
    """
    first, second = pair
    both = [*range(-1, -1 - len(first) - len(second or []), -1)]
    return both[: len(first)], None if second is None else both[len(first) :]


def resolved(row: Sequence[int], values: Sequence[Any], other: Any = None) -> list[Any]:
    """Return the values of placeholders; `other`, or the number itself, for all else.

    >>> resolved([-2, -3, 0], "abc")
    ['b', 'c', 0]
    """
    return [
        values[-1 - number] if number < 0 else number if other is None else other for number in row
    ]


def rows_of(text: Any, text_pair: Any, words: bool) -> tuple[list[tuple[Any, Any]], bool]:
    """Return the texts of a call in pairs, the second None for a text alone; and if it is a batch.

    Args:
        text: a text, as a string, a list of ids, or, if `words`, of strings; or a list of texts or
            of pairs of them.
        text_pair: the second text, or texts, or None.
        words: whether a list of strings is one text.
    """
    first = text[0] if text and not isinstance(text, str) else text
    if isinstance(text, str) or isinstance(first, int) or (words and isinstance(first, str)):
        return [(text, text_pair)], False
    if text_pair is not None:
        return list(zip(text, text_pair, strict=True)), True
    return [tuple(item) if is_pair(item, words) else (item, None) for item in text], True


def is_pair(item: Any, words: bool) -> bool:
    """Return whether an item of a batch is a pair of texts."""
    kinds = tuple if words else (list, tuple)
    return (
        isinstance(item, kinds)
        and len(item) == 2
        and all(isinstance(part, str | list | tuple) for part in item)
    )


def chat_segments(
    messages: Sequence[Message],
    special_ids: Mapping[str, int],
    generation_prompt: bool,
    open_end: bool,
) -> list[Segment]:
    """Convert a conversation to segments.

    Args:
        messages: the conversation.
        special_ids: name → id of the special tokens.
        generation_prompt: end with the start of an assistant's message, for a model to continue.
        open_end: leave the end of the last message out, for a model to continue it.

    Raises:
        SpikeError: the vocabulary lacks markers, or a message is malformed.
    """
    ids = marker_ids(special_ids)
    parts = [
        Segment(piece.text, ids[piece.text] if piece.marker else None, trained=piece.trained)
        for piece in pieces(messages, generation_prompt)
    ]
    return parts[:-2] if open_end else parts

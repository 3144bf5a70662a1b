"""Streaming reply parser: the parts of an assistant's message, id by id."""

from collections.abc import Iterable, Iterator

from ..stream_decoder import StreamDecoder
from ..tokenizer import Tokenizer
from .chatml import AROUND, END, KINDS_OF_ROLE, TEXT, Part
from .loss_mask import ASSISTANT

# Marker → the kind of part that it begins.
OPENED = {AROUND[kind][0]: kind for kind in KINDS_OF_ROLE[ASSISTANT] if kind != TEXT}


class ReplyStream:
    """Streaming parser of a reply: yields text of its parts as soon as it is certain.

    A part between markers begins with an empty piece. A marker that
    cannot come there is text, its name.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._names = {number: name for name, number in tokenizer.special_ids.items()}
        self._decoder = StreamDecoder(tokenizer)
        self._kind = TEXT

    def add(self, token: int) -> Iterator[Part]:
        """Yield what `token` completes, in order."""
        name = self._names.get(token)
        if name is None:
            if text := self._decoder.add(token):
                yield Part(self._kind, text)
            return
        if tail := self._decoder.finish():
            yield Part(self._kind, tail)
        if self._kind == TEXT and name in OPENED:
            self._kind = OPENED[name]
            yield Part(self._kind, "")
        elif self._kind != TEXT and name == AROUND[self._kind][1]:
            self._kind = TEXT
        elif name != END:
            yield Part(self._kind, name)

    def finish(self) -> Iterator[Part]:
        """Yield the rest of a reply that was broken off."""
        if tail := self._decoder.finish():
            yield Part(self._kind, tail)


def joined(pieces: Iterable[Part]) -> list[Part]:
    """Return the pieces of a reply joined to whole parts.

    >>> joined([Part("think", ""), Part("think", "a"), Part("think", "b"), Part("text", "c")])
    [Part(kind='think', text='ab'), Part(kind='text', text='c')]
    """
    parts: list[Part] = []
    for piece in pieces:
        if parts and parts[-1].kind == piece.kind and piece.text:
            parts[-1] = Part(piece.kind, parts[-1].text + piece.text)
        else:
            parts.append(piece)
    return parts

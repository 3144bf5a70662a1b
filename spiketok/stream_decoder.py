"""Streaming decoder: text of ids that arrive one by one, never half a character."""

import codecs

from .tokenizer import Tokenizer


class StreamDecoder:
    """Streaming decoder: yields text as soon as it is certain; joined, it is that of `decode`.

    A character may begin in one token and end in another. Its bytes wait until it is complete, or
    until the next bytes show that it never will be: then it is U+FFFD.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._state = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        """Return the text that `token` completes.

        Raises:
            SpikeError: the id is out of range.
        """
        added, self._state = self._tokenizer.decode_on([token], self._state)
        return self._decoder.decode(added)

    def finish(self) -> str:
        """Return the rest: U+FFFD for a character that was begun; then reset."""
        tail = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        self._state = 0
        return tail

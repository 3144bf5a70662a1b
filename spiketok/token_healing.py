"""Token healing: remove the token boundary at a prompt's end before the text continues.

Longest match takes the longest entry that fits. At a prompt's end it takes a shorter one than it
would if the text continued: "hel" + "lo" are not the ids of "hello". The ids are stable up to the
first boundary at which some entry begins with all of the rest of the prompt and is longer.
The tokens before that boundary begin the encoding of every longer text; the rest is sampled again.
"""

from bisect import bisect_left
from collections.abc import Container

from .errors import SpikeError
from .sorted_entries import SortedEntries
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary


class TokenHealer:
    """Token healer: a tokenizer's sorted entries, so that those with a prefix are a range."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = tokenizer.vocabulary
        if not isinstance(vocabulary, Vocabulary):
            raise SpikeError("token healing needs a longest-match tokenizer; turn it off")
        self._sorted = SortedEntries(vocabulary)
        self._tokenizer, self._by_id = tokenizer, vocabulary.entries
        self._entries, self._ids = self._sorted.entries, self._sorted.ids

    def stable_prefix(self, text: bytes) -> tuple[list[int], bytes]:
        """Return the first ids of each text that begins with `text`, and the rest of `text`."""
        ids = self._tokenizer.encode(text).tolist()
        borders = self._tokenizer.byte_offsets(ids)
        first = int(borders.searchsorted(len(text) - self._sorted.longest, "right"))
        for place in range(first, len(ids)):
            rest = text[borders[place] :]
            start, stop = self._sorted.beginning_with(rest)
            # The entry that is the rest itself, if there is one, comes first.
            if start < stop and len(self._entries[stop - 1]) > len(rest):
                return ids[:place], rest
        return ids, b""

    def allowed_ids(self, rest: bytes) -> list[int]:
        """Return the ids that longest match may take where the text continues with `rest`.

        That is every entry that begins with it and is longer, and the longest one within it.
        """
        start, stop = self._sorted.beginning_with(rest)
        within = range(start, stop)
        allowed = [self._ids[place] for place in within if self._entries[place] != rest]
        for length in range(min(len(rest), self._sorted.longest), 0, -1):
            place = bisect_left(self._entries, rest[:length])
            if place < len(self._entries) and self._entries[place] == rest[:length]:
                return sorted([*allowed, self._ids[place]])
        return sorted(allowed)

    def choices(self, rest: bytes, banned_ids: Container[int]) -> list[int]:
        """Return those `allowed_ids` from which ids that are not banned can spell all of `rest`.

        Empty where the text can begin with `rest` only by banned ids.
        """
        allowed = [token for token in self.allowed_ids(rest) if token not in banned_ids]
        left = {token: rest[len(self._by_id[token]) :] for token in allowed}
        return [t for t in allowed if not left[t] or self.choices(left[t], banned_ids)]

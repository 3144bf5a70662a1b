"""Sorted entries of a longest-match vocabulary: those that begin with given bytes are a range."""

from bisect import bisect_left, bisect_right

from .vocabulary import Vocabulary


class SortedEntries:
    """Entries that the encoder can match, neither special nor reserved, in the order of bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        unmatched = {*vocabulary.special_ids.values(), *vocabulary.reserved_ids}
        pairs = sorted(
            (entry, token)
            for token, entry in enumerate(vocabulary.entries)
            if token not in unmatched
        )
        self.entries = [entry for entry, _ in pairs]
        self.ids = [token for _, token in pairs]
        self.longest = max(map(len, self.entries))

    def beginning_with(self, prefix: bytes) -> tuple[int, int]:
        """Return the range of entries that begin with `prefix`; one that equals it comes first."""
        start = bisect_left(self.entries, prefix)
        return start, bisect_right(self.entries, prefix, start, key=lambda e: e[: len(prefix)])

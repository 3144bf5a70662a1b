"""Longest match in plain Python, without the native core; fifty times slower, same result."""

from collections.abc import Iterable
from typing import Any


class PlainMatcher:
    """Leftmost-longest matcher of the entries, which include every single byte.

    The entries are a trie: byte → [id of the entry that ends here or None, the bytes after it].
    """

    def __init__(self, entries: Iterable[tuple[bytes, int]]) -> None:
        self._root: dict[int, list[Any]] = {}
        self._longest = 1
        for entry, token in entries:
            node: list[Any] = [None, self._root]
            for byte in entry:
                node = node[1].setdefault(byte, [None, {}])
            node[0] = token
            self._longest = max(self._longest, len(entry))

    def encode(self, text: bytes) -> list[int]:
        """Return the ids of a text.

        >>> singles = [(bytes([byte]), byte) for byte in range(256)]
        >>> PlainMatcher([*singles, (b"an", 256), (b"anan", 257)]).encode(b"banana")
        [98, 257, 97]
        """
        ids: list[int] = []
        at = 0
        while at < len(text):
            nodes = self._root
            stop = at
            for byte in text[at : at + self._longest]:
                node = nodes.get(byte)
                if node is None:
                    break
                stop += 1
                if node[0] is not None:
                    token, end = node[0], stop
                nodes = node[1]
            ids.append(token)
            at = end
        return ids

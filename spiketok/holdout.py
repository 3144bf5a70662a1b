"""Holdout: documents named by their content and kept out of all training stages.

A document's side depends on its own bytes. Where a corpus is so small that one side would be empty,
it also depends on the smallest or largest name in the corpus. So the tokenizer trainer and the
shard writer, which share no state, leave out the same documents, copies included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import xxhash

NAMES = 1 << 64


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out documents, as a set of names.

    Attributes:
        below: a document is held out if the first 8 bytes of its name, as a big-endian integer,
            are below this number.
        named: names of more documents that are held out.
    """

    below: int
    named: frozenset[bytes] = frozenset()

    def __contains__(self, identifier: bytes) -> bool:
        """Return whether the document of a name is held out."""
        return leading(identifier) < self.below or identifier in self.named

    def record(self, fraction: float) -> dict[str, str]:
        """Return the bound for files, if it is not that of the fraction: 16 hex digits."""
        if self.named or self.below == ceil(fraction * NAMES):
            return {}
        return {"held_out_below": f"{self.below:016x}"}


def document_id(text: bytes | memoryview) -> bytes:
    """Return the 16-byte name of a document: xxh3-128 of its bytes, big-endian."""
    return xxhash.xxh3_128_digest(text)


def is_held_out(identifier: bytes, fraction: float) -> bool:
    """Return whether a fraction holds a document out; a larger fraction only adds documents.

    >>> is_held_out(document_id(b"a document"), 0.0), is_held_out(document_id(b"a document"), 1.0)
    (False, True)
    """
    return leading(identifier) < fraction * NAMES


def held_out_of(identifiers: Iterable[bytes], fraction: float) -> HeldOut:
    """Return the documents that a fraction holds out of a corpus: never all, and not none.

    Where the fraction holds out no document, the one with the smallest name is held out, unless it
    is the only one. Where it holds out all, the one with the largest is not.

    Args:
        identifiers: the names of the corpus's documents, copies included. They are read until
            there is one on either side: about 1 / `fraction` of them.
        fraction: of the documents, at least 0 and below 1; 0: none is held out.

    >>> names = [document_id(b"%d" % number) for number in range(3)]
    >>> [len([name for name in names if name in held_out_of(names, share)]) for share in (1e-9, 1)]
    [1, 2]
    """
    below = ceil(fraction * NAMES)
    if not below:
        return HeldOut(0)
    lowest, highest = NAMES, -1
    for number in map(leading, identifiers):
        lowest, highest = min(lowest, number), max(highest, number)
        if lowest < below <= highest:
            return HeldOut(below)
    if lowest < below:
        below = highest
    elif lowest < highest:
        below = lowest + 1
    return HeldOut(below)


def leading(identifier: bytes) -> int:
    """Return the first 8 bytes of a name as a number below `NAMES`."""
    return int.from_bytes(identifier[:8], "big")

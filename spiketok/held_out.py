"""Names documents by their content and holds some out, so that no stage learns from them.

A document's fate depends on its own bytes and the fraction alone: the tokenizer trainer and the
shard writer, who never talk to each other, leave out the same documents, copies included.
"""

import xxhash


def document_id(text: bytes | memoryview) -> bytes:
    """Return the 16 bytes that name a document: xxh3-128 of its bytes, big-endian."""
    return xxhash.xxh3_128_digest(text)


def is_held_out(identifier: bytes, fraction: float) -> bool:
    """Tell whether a document is kept from training; a larger fraction only adds documents.

    >>> is_held_out(document_id(b"a document"), 0.0), is_held_out(document_id(b"a document"), 1.0)
    (False, True)
    """
    return int.from_bytes(identifier[:8], "big") < fraction * 2**64

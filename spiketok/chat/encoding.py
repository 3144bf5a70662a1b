"""Chat encoding: the ids of a conversation and its loss mask."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..tokenizer import Tokenizer
from .chatml import MARKERS, Message, marker_ids, pieces

if TYPE_CHECKING:
    import pyarrow as pa

# Code of a piece of text; the code of a marker is `CODES[name]`.
TEXT_CODE = 0
CODES = {name: number for number, name in enumerate(MARKERS, 1)}


def encode_chat(
    tokenizer: Tokenizer, messages: Iterable[Message], generation_prompt: bool = False
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Encode a conversation: its ids and its loss mask, both [tokens].

    Args:
        tokenizer: one that has the markers of ChatML as special tokens.
        messages: the conversation.
        generation_prompt: end with the start of an assistant's message, for a model to continue.

    Returns:
        Ids of the tokenizer's `dtype`, without separator, and uint8: 1 for an assistant's text,
        the marker at its end included, 0 for all else.

    Raises:
        SpikeError: the tokenizer lacks markers, or a message is malformed.
    """
    rows = list(pieces(messages, generation_prompt))
    texts = ["" if row.marker else row.text for row in rows]
    codes = np.array([CODES[row.text] if row.marker else TEXT_CODE for row in rows], np.uint8)
    trained = np.array([row.trained for row in rows], np.uint8)
    ids, counts = encode_pieces(tokenizer, texts, codes, threads=1)
    return ids, np.repeat(trained, counts)


def encode_pieces(
    tokenizer: Tokenizer,
    texts: "Sequence[str | bytes] | pa.Array",
    codes: NDArray[np.uint8],
    threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Encode pieces of any number of conversations, each by itself.

    Args:
        tokenizer: one that has the markers as special tokens.
        texts: the text of each piece, empty for a marker.
        codes: [pieces], `TEXT_CODE`, or the `CODES` of the marker.
        threads: as for `Tokenizer.encode_batch`.

    Returns:
        The ids of all pieces, concatenated [tokens], and how many each has: int64 [pieces].

    Raises:
        SpikeError: the tokenizer lacks markers.
    """
    names = marker_ids(tokenizer.special_ids)
    table = np.array([0, *(names[name] for name in CODES)], tokenizer.dtype)
    tokens, offsets = tokenizer.encode_batch(texts, threads=threads)
    marked = np.flatnonzero(codes)
    ids = np.insert(tokens, offsets[marked], table[codes[marked]])
    counts = np.diff(offsets)
    counts[marked] += 1
    return ids, counts

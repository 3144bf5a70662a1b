"""Text buffers for native code: one byte buffer and the offset of each text."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import SpikeError

if TYPE_CHECKING:
    import pyarrow as pa

Buffer: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]


def utf8(text: str | bytes) -> bytes:
    """Return the UTF-8 bytes of a text.

    Raises:
        SpikeError: a `str` has a lone surrogate.
    """
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SpikeError(
            f"text: character {error.start} is a lone surrogate, which UTF-8 cannot write; "
            "pass bytes or replace it"
        ) from None


def join(texts: Iterable[bytes]) -> Buffer:
    """Concatenate byte strings: bytes uint8, offsets int64 [texts + 1].

    >>> join([b"ab", b"", b"c"])[1].tolist()
    [0, 2, 2, 3]
    """
    texts = list(texts)
    offsets = np.fromiter(accumulate(map(len, texts), initial=0), np.int64, len(texts) + 1)
    return np.frombuffer(b"".join(texts), np.uint8), offsets


def buffers(texts: "Sequence[str | bytes] | pa.Array | pa.ChunkedArray") -> Iterator[Buffer]:
    """Yield the buffers of a list of texts, or of each chunk of an Arrow column without a copy.

    A buffer is uint8 [bytes] and int64 offsets [texts + 1].

    Raises:
        SpikeError: a null, a lone surrogate, or an Arrow type that is neither string nor binary.
        TypeError: it is neither a list nor an Arrow array.
    """
    if isinstance(texts, list | tuple):
        yield join(map(utf8, texts))
        return
    import pyarrow as pa

    if not isinstance(texts, pa.Array | pa.ChunkedArray):
        raise TypeError(f"texts must be a list or an Arrow array, not {type(texts).__name__}")
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        yield arrow_buffer(chunk)


def arrow_buffer(array: Any) -> Buffer:
    """Return views of an Arrow array; offsets of 32 bits are widened, nothing else is copied.

    Raises:
        SpikeError: there is a null, or the type is neither string nor binary.
    """
    import pyarrow as pa

    widths = {
        pa.string(): np.int32,
        pa.binary(): np.int32,
        pa.large_string(): np.int64,
        pa.large_binary(): np.int64,
    }
    if array.type not in widths:
        raise SpikeError(f"texts: have Arrow type {array.type}; cast them to string or binary")
    if array.null_count:
        row = array.is_null().index(True).as_py()
        raise SpikeError(f"texts: row {row} is null; fill it or leave it out")
    if len(array) == 0:
        # An empty array may lack its buffers.
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, widths[array.type])
    places = places[array.offset : array.offset + len(array) + 1]
    text = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return text, places.astype(np.int64)

"""xz baseline: the size that `xz -9` reaches on the scored bytes."""

import lzma
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spike_lm.model.training.step import Batch
    from spiketok import Tokenizer

# About five seconds of one core; xz takes 200 MB of memory for it.
MAX_BYTES = 4 << 20


def xz_bytes(contents: Sequence[bytes]) -> int | None:
    """Return the bytes that `xz -9` makes of contents joined; None for none and for too many."""
    size = sum(map(len, contents))
    if not 0 < size <= MAX_BYTES:
        return None
    compressor = lzma.LZMACompressor(preset=9)
    return sum(len(compressor.compress(part)) for part in contents) + len(compressor.flush())


def xz_bits_per_byte(contents: Sequence[bytes]) -> float | None:
    """Return the bits per byte of `xz -9` on contents joined; None as `xz_bytes`.

    >>> 0 < xz_bits_per_byte([b"ab" * 500, b"ab" * 500]) < 1
    True
    """
    size = xz_bytes(contents)
    return None if size is None else 8 * size / sum(map(len, contents))


def yardstick(contents: Iterable[bytes], quiet: bool) -> dict[str, float | None]:
    """Return the xz baseline of a text as a part of a result; nothing if it is not wanted."""
    return {} if quiet else {"xz_bits_per_byte": xz_bits_per_byte([*contents])}


def window_yardstick(
    windows: "Batch | None", tokenizer: "Tokenizer", quiet: bool
) -> dict[str, float | None]:
    """Return the xz baseline of the targets of windows; nothing where there are none."""
    return {} if windows is None else yardstick(target_contents(windows, tokenizer), quiet)


def target_contents(windows: "Batch", tokenizer: "Tokenizer") -> Iterator[bytes]:
    """Yield the bytes of the targets of windows (n, context + 1): those inside the loss mask."""
    ids, mask = windows
    targets = [row[1:] for row in ids]
    if mask is not None:
        targets = [row[kept[1:] > 0] for row, kept in zip(targets, mask, strict=True)]
    return (text_bytes(row, tokenizer) for row in targets)


def text_bytes(ids: "NDArray[Any]", tokenizer: "Tokenizer") -> bytes:
    """Return the bytes of ids (n,) without those of special tokens, whose names are no text."""
    import numpy as np

    special = [*tokenizer.special_ids.values()]
    return tokenizer.decode_bytes(ids[~np.isin(ids, special)])


def beside(bits_per_byte: float | None, size: int) -> str:
    """Return the xz baseline of a text of `size` bytes in words.

    >>> beside(2.5461, 1000), beside(None, 9_000_000)
    ('2.5461 bits per byte', 'not computed above 4 MiB; for it: xz -9 -c FILE | wc -c')
    """
    if bits_per_byte is not None:
        return f"{bits_per_byte:.4f} bits per byte"
    return (
        f"not computed above {MAX_BYTES >> 20} MiB; for it: xz -9 -c FILE | wc -c" if size else "–"
    )

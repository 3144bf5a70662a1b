"""xz baseline: the size that `xz -9` reaches on the scored bytes."""

import lzma
from collections.abc import Iterable, Sequence

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


def yardstick(contents: Iterable[bytes]) -> dict[str, float | None]:
    """Return the xz baseline of a text as a part of a result."""
    return {"xz_bits_per_byte": xz_bits_per_byte([*contents])}


def beside(bits_per_byte: float | None, size: int) -> str:
    """Return the xz baseline of a text of `size` bytes in words.

    >>> beside(2.5461, 1000), beside(None, 9_000_000)
    ('2.5461 bits per byte', 'not computed above 4 MiB; compute it by: xz -9 -c FILE | wc -c')
    """
    if bits_per_byte is not None:
        return f"{bits_per_byte:.4f} bits per byte"
    return (
        f"not computed above {MAX_BYTES >> 20} MiB; compute it by: xz -9 -c FILE | wc -c"
        if size
        else "–"
    )

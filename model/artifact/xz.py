"""LZMA2: compression as bare streams, and decompression that bounds the result."""

import lzma

MAX_DICTIONARY = 1 << 24


def filters(size: int) -> list[dict[str, int]]:
    """Return the filters for `size` bytes; a larger dictionary than needed is slow to set up."""
    dictionary = min(max(size, 1 << 12), MAX_DICTIONARY)
    preset = 9 | lzma.PRESET_EXTREME
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dictionary}]


def to_xz(data: bytes) -> bytes:
    """Return bytes as a bare LZMA2 stream."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters(len(data)))


def from_xz(data: bytes, size: int) -> bytes:
    """Return the content of a bare LZMA2 stream, at most `size` bytes.

    Raises:
        ValueError: it is damaged, longer, or does not end with the data.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters(size))
    try:
        found = decompressor.decompress(data, size + 1)
        if not decompressor.eof and len(found) <= size:
            found += decompressor.decompress(b"", size + 1 - len(found))
    except lzma.LZMAError as error:
        raise ValueError(f"damaged ({error})") from None
    if len(found) != size or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"damaged, or not of {size} bytes")
    return found

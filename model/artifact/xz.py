"""LZMA2 compression as raw streams, and decompression to a bounded size."""

import lzma

MAX_DICTIONARY = 1 << 24


def filters(size: int) -> list[dict[str, int]]:
    """Return the filters for `size` bytes; a larger dictionary than needed is slow to set up."""
    dictionary = min(max(size, 1 << 12), MAX_DICTIONARY)
    preset = 9 | lzma.PRESET_EXTREME
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dictionary}]


def to_xz(data: bytes) -> bytes:
    """Compress bytes to a raw LZMA2 stream."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters(len(data)))


def from_xz(data: bytes, size: int) -> bytes:
    """Decompress a raw LZMA2 stream of `size` bytes.

    Raises:
        ValueError: it is damaged, of another size, or does not end with the data.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters(size))
    try:
        content = decompressor.decompress(data, size + 1)
        if not decompressor.eof and len(content) <= size:
            content += decompressor.decompress(b"", size + 1 - len(content))
    except lzma.LZMAError as error:
        raise ValueError(f"damaged ({error})") from None
    if len(content) != size or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"damaged, or not of {size} bytes")
    return content

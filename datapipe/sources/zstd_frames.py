"""Zstd frames and blocks (RFC 8878), walked without decompression."""

from typing import IO, NamedTuple

from spiketok.errors import SpikeError

FRAME_MAGIC = 0xFD2FB528
SKIPPABLE_MAGIC = 0x184D2A50  # and the fifteen numbers after it
# Window limit of zstd's library by default; Arrow cannot raise it.
MAX_WINDOW = 1 << 27
MAX_HEADER = 18
RAW, RLE, COMPRESSED = 0, 1, 2


class FrameHeader(NamedTuple):
    """Frame header: its size, window and dictionary (0: none), and if a checksum ends it.

    `size` and `window` are in bytes.
    """

    size: int
    window: int
    dictionary: int
    checksum: bool


def begins_frame(data: bytes) -> bool:
    """Check whether at least four bytes begin a frame, skippable ones included."""
    magic = int.from_bytes(data[:4], "little")
    return len(data) >= 4 and (magic == FRAME_MAGIC or magic & ~0xF == SKIPPABLE_MAGIC)


def read_header(data: bytes) -> FrameHeader | None:
    """Read the header of a frame that is not skippable, magic included; None where it is cut.

    >>> read_header(bytes.fromhex("28b52ffd 00 98"))
    FrameHeader(size=6, window=536870912, dictionary=0, checksum=False)
    """
    if len(data) < 6:
        return None
    descriptor, place, window = data[4], 5, 0
    single_segment = bool(descriptor & 0x20)
    if not single_segment:
        exponent, mantissa = data[5] >> 3, data[5] & 7
        base = 1 << (10 + exponent)
        window = base + base // 8 * mantissa
        place += 1
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    content_bytes = (int(single_segment), 2, 4, 8)[descriptor >> 6]
    dictionary = int.from_bytes(data[place : place + dictionary_bytes], "little")
    place += dictionary_bytes
    content = int.from_bytes(data[place : place + content_bytes], "little")
    place += content_bytes
    if place > len(data):
        return None
    if single_segment:
        window = content + (256 if content_bytes == 2 else 0)
    return FrameHeader(place, window, dictionary, bool(descriptor & 4))


def check_frames(file: IO[bytes], name: str, only_first: bool = False) -> int | None:
    """Check that no frame needs a larger window than can be read, or a dictionary.

    Returns:
        Where the last whole frame ends if nothing but NUL bytes follows it; None if the file is
        damaged as far as headers show it.

    Raises:
        SpikeError: a frame needs a larger window or a dictionary.
    """
    file.seek(0)
    while True:
        start = file.tell()
        beginning = file.read(MAX_HEADER)
        if not begins_frame(beginning):
            rest_is_nul = not beginning.strip(b"\0") and only_nul(file)
            return start if rest_is_nul else None
        if int.from_bytes(beginning[:4], "little") != FRAME_MAGIC:
            if len(beginning) < 8:
                return None
            file.seek(start + 8 + int.from_bytes(beginning[4:8], "little"))
            continue
        header = read_header(beginning)
        if header is None:
            return None
        check_header(header, name)
        if only_first:
            return None
        file.seek(start + header.size)
        if not skip_blocks(file, header.checksum):
            return None


def check_header(header: FrameHeader, name: str) -> None:
    """Check that Arrow can decompress a frame.

    Raises:
        SpikeError: its window is too large, or it needs a dictionary.
    """
    if header.window > MAX_WINDOW:
        power = (header.window - 1).bit_length()
        raise SpikeError(
            f"{name}: its zstd window of {header.window / (1 << 20):,.0f} MiB is above the limit "
            f"of 128 MiB; decompress it first with zstd -d --long={power}"
        )
    if header.dictionary:
        raise SpikeError(
            f"{name}: is compressed with zstd dictionary {header.dictionary}; "
            "decompress it first with zstd -d -D DICTIONARY"
        )


def skip_blocks(file: IO[bytes], checksum: bool) -> bool:
    """Go to the end of a frame; return False where the file ends before it or a block is wrong."""
    last = False
    while not last:
        head = file.read(3)
        if len(head) < 3:
            return False
        number = int.from_bytes(head, "little")
        last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
        if kind > COMPRESSED:
            return False
        file.seek(1 if kind == RLE else size, 1)
    file.seek(4 if checksum else 0, 1)
    # A seek goes past the end of a file, so its last byte is read.
    file.seek(-1, 1)
    return bool(file.read(1))


def only_nul(file: IO[bytes]) -> bool:
    """Check that the rest of a file is NUL bytes."""
    while piece := file.read(1 << 16):
        if piece.strip(b"\0"):
            return False
    return True

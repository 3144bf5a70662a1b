"""Stored data file of a task: its checksum, and its content decompressed, of a bounded size."""

import hashlib
from pathlib import Path

from datapipe.sources.decompression import Codec, DamagedStreamError, open_decompressed
from spiketok.errors import SpikeError
from spiketok.regular_files import open_regular

# Bytes of a data file, stored and decompressed.
MAX_BYTES = 1 << 30
PIECE_BYTES = 1 << 20
CODECS: dict[str, Codec] = {".gz": "gzip", ".zst": "zstd"}


def file_sha256(path: Path) -> str:
    """Return the sha256 of a regular file.

    Raises:
        SpikeError: it is larger than `MAX_BYTES`.
    """
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise SpikeError(f"{path}: is larger than {MAX_BYTES:,} bytes; name a smaller file")
    return digest.hexdigest()


def content_of(path: Path) -> bytes:
    """Return the content of a file, decompressed by its ending.

    Raises:
        SpikeError: it is damaged, or has more than `MAX_BYTES`.
    """
    codec = CODECS.get(path.suffix)
    if codec is None:
        with open_regular(path) as file:
            return file.read()
    content = bytearray()
    try:
        with open_decompressed(path, codec) as stream:
            while piece := stream.read(PIECE_BYTES):
                content += piece
                if len(content) > MAX_BYTES:
                    fault = f"{path}: has more than {MAX_BYTES:,} bytes decompressed"
                    raise SpikeError(f"{fault}; name a smaller file")
    except DamagedStreamError as damage:
        raise SpikeError(f"{path}: is damaged ({damage}); restore it from a copy") from None
    return bytes(content)

"""Decompression of gzip and zstd streams; output before damage is kept.

    with open_decompressed(path, "zstd") as stream:
        while piece := stream.read(65536):
            ...

`read` returns every byte that can be decompressed, and raises `DamagedStreamError` only after the
last of them. Several gzip members or zstd frames are one content. Skippable zstd frames, and NUL
bytes after the last member or frame, are no damage. A file that cannot be read at all (of another
format, with a window above 128 MiB, with a dictionary) is a SpikeError for every `--errors` policy.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import pyarrow as pa

from spiketok.errors import SpikeError
from spiketok.regular_files import open_regular

from .zstd_frames import begins_frame, check_frames

Codec = Literal["gzip", "zstd"]
PIECE_BYTES = 64 << 10
# Bytes of a compressed file that Arrow reads at a time.
ARROW_CHUNK_BYTES = 64 << 10
ARROW_CUT = "Truncated compressed stream"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_CONTAINER = 31  # window bits of zlib: 15, and 16 for the gzip header and checksum


class DamagedStreamError(Exception):
    """Damage in a compressed file, raised after all readable content.

    Attributes:
        position: byte of the compressed file at which decompression failed.
        lost_bytes: bytes at the end of the compressed file that gave no content.
        cut: whether the file ends too early, rather than holding wrong bytes.
    """

    def __init__(self, detail: str, position: int, lost_bytes: int, cut: bool) -> None:
        super().__init__(detail)
        self.position, self.lost_bytes, self.cut = position, lost_bytes, cut


class DecompressedStream(Protocol):
    """Stream of decompressed bytes, see the module."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end of the content.

        Raises:
            DamagedStreamError: the content ends here because the file is damaged.
        """

    def position(self) -> int:
        """Return the number of bytes of the compressed file that have been read."""


@contextmanager
def open_decompressed(path: Path, codec: Codec, name: str = "") -> Iterator[DecompressedStream]:
    """Open a compressed file as a stream; `name` is its name in messages, by default its path.

    Raises:
        SpikeError: the file is not of that format, or needs a dictionary or a large window.
        OSError: the file cannot be opened.
    """
    name = name or str(path)
    with open_regular(path) as file:
        beginning = file.read(4)
        known = beginning[:2] == GZIP_MAGIC if codec == "gzip" else begins_frame(beginning)
        if beginning and not known:
            raise SpikeError(
                f"{name}: is not a {codec} file, it begins with {beginning.hex(' ')}; "
                "rename it to match its content"
            )
        file.seek(0)
        if codec == "gzip":
            yield GzipStream(file, path.stat().st_size)
        else:
            check_frames(file, name, only_first=True)
            with ZstdStream(path, name) as stream:
                yield stream


class GzipStream:
    """Gzip stream: the members of a file (RFC 1952), one after the other."""

    def __init__(self, file: IO[bytes], file_bytes: int) -> None:
        self._file, self._file_bytes = file, file_bytes
        self._input = b""  # read, and not yet decompressed
        self._ready = b""  # decompressed, and not yet returned
        self._decoder: Any = None
        self._damage: DamagedStreamError | None = None

    def position(self) -> int:
        """Return the number of bytes of the compressed file that have been read."""
        return self._file.tell()

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, as `DecompressedStream.read`.

        Raises:
            DamagedStreamError: the content ends here because the file is damaged (`_damage`).
        """
        while not self._ready:
            if self._damage:
                raise self._damage
            if self._decoder is None or self._decoder.eof:
                if not self._begin_member():
                    return b""
                continue
            self._ready = self._decompress(size)
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def _decompress(self, size: int) -> bytes:
        data = self._input or self._file.read(PIECE_BYTES)
        # zlib drops the output of a call that fails, so the call is repeated byte by byte.
        before = self._decoder.copy()
        try:
            found: bytes = self._decoder.decompress(data, size)
        except zlib.error as error:
            found, good = before_damage(before, data)
            self._input = b""
            self._fail(str(error), self._file.tell() - len(data) + good, cut=False)
            return found
        self._input = self._decoder.unused_data or self._decoder.unconsumed_tail
        if not data and not found and not self._decoder.eof:
            self._fail("the file ends inside a gzip member", self._file.tell(), cut=True)
        return found

    def _begin_member(self) -> bool:
        """Go to the next member; return False at the end of the file and at damage."""
        self._input = self._input.lstrip(b"\0")
        while len(self._input) < len(GZIP_MAGIC) and (more := self._file.read(PIECE_BYTES)):
            self._input = (self._input + more).lstrip(b"\0")
        if not self._input:
            return False
        if not GZIP_MAGIC.startswith(self._input[:2]):
            where = self._file.tell() - len(self._input)
            self._fail("the bytes after the last gzip member are not gzip data", where, cut=False)
            return True
        self._decoder = zlib.decompressobj(GZIP_CONTAINER)
        return True

    def _fail(self, detail: str, position: int, cut: bool) -> None:
        lost_bytes = self._file_bytes - position
        self._damage = DamagedStreamError(detail, position, lost_bytes, cut)


def before_damage(decoder: Any, data: bytes) -> tuple[bytes, int]:
    """Decompress up to the byte that fails; return the output and the number of bytes before it."""
    pieces = []
    for place in range(len(data)):
        try:
            pieces.append(decoder.decompress(data[place : place + 1]))
        except zlib.error:
            return b"".join(pieces), place
    return b"".join(pieces), len(data)


class ZstdStream:
    """Zstd stream: the frames of a file (RFC 8878), one after the other, by Arrow's decoder.

    Arrow drops the output of a call that fails. So after a failure the content is decompressed
    again up to where it was, and then in steps of one byte.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._file = pa.OSFile(str(path))
        self._stream = pa.CompressedInputStream(self._file, "zstd")
        self._returned, self._reached = 0, 0  # bytes of content; of the file, by the last read
        self._productive = 0  # bytes of the file by the last step that gave content
        self._steps: SmallSteps | None = None
        self._failed = False
        self._damage: DamagedStreamError | None = None

    def __enter__(self) -> "ZstdStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._steps:
            self._steps.close()

    def position(self) -> int:
        """Return the number of bytes of the compressed file that have been read."""
        return self._steps.tell() if self._steps else int(self._file.tell())

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, as `DecompressedStream.read`.

        Raises:
            DamagedStreamError: the content ends here because the file is damaged (`_damage`).
        """
        if self._steps:
            return self._read_in_steps(self._steps, size)
        try:
            piece: bytes = self._stream.read(size)
        except OSError as error:
            if error.errno is not None:  # the disk, not the codec
                raise
            self._steps = self._decompress_again()
            return self._read_in_steps(self._steps, size)
        self._returned += len(piece)
        self._reached = self._file.tell()
        return piece

    def _decompress_again(self) -> "SmallSteps":
        """Decompress again all that was returned, to continue in small steps."""
        steps = SmallSteps(open_regular(self._path), max(self._reached - ARROW_CHUNK_BYTES, 0))
        self._stream = pa.CompressedInputStream(pa.PythonFile(steps, mode="r"), "zstd")
        left = self._returned
        while left:
            left -= len(self._stream.read(min(left, PIECE_BYTES)))
        return steps

    def _read_in_steps(self, steps: "SmallSteps", size: int) -> bytes:
        found = bytearray()
        try:
            while not self._failed and len(found) < size and (byte := self._stream.read(1)):
                found += byte
                self._productive = steps.tell()
        except OSError as error:
            # Arrow's stream returns wrong bytes when it is read after a failure.
            self._failed = True
            self._damage = self._damage_of(steps.tell(), str(error))
        if self._damage and not found:
            raise self._damage
        return bytes(found)

    def _damage_of(self, position: int, detail: str) -> DamagedStreamError | None:
        """Return the damage at which Arrow failed; None if that is padding at the file's end."""
        with open_regular(self._path) as file:
            padding = check_frames(file, self._name)
        if padding is not None and position > padding:
            return None
        lost_bytes = self._path.stat().st_size - self._productive
        return DamagedStreamError(detail, position, lost_bytes, cut=detail == ARROW_CUT)


class SmallSteps:
    """File whose reads return one byte each from `small_from` on."""

    def __init__(self, file: IO[bytes], small_from: int) -> None:
        self._file, self._small_from = file, small_from
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        large = self._small_from - self._file.tell()
        return self._file.read(min(size, large) if large > 0 else min(size, 1))

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.closed = True

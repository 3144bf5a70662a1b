"""Container format of an artifact: named sections, their sizes, a checksum.

docs/formats.md, section 9. All fields of a file are checked before use. None of them can allocate
more memory than the file's own size allows.
"""

import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from spiketok.errors import SpikeError, unreadable
from spiketok.path_contents import path_contents
from spiketok.regular_files import open_regular

from .bit_packing import Bytes
from .xz import from_xz, to_xz

MAGIC = b"\x89SPIKE\r\n"
FORMAT = 1
HEADER = struct.Struct("<8sIIQ")
ROW = struct.Struct("<16sIIQQ")
DIGEST_BYTES = 32
MAX_SECTIONS = 64
PLAIN, XZ = 0, 1
FIX = "take the file from its source again"


@dataclass(frozen=True, slots=True)
class Section:
    """Section of a file, as it is stored."""

    coding: int
    size: int
    """Bytes after decompression."""
    stored: Bytes

    def plain(self) -> bytes:
        """Return the decompressed content.

        Raises:
            ValueError: it is damaged.
        """
        data = self.stored.tobytes()
        return from_xz(data, self.size) if self.coding == XZ else data


def most_allowed(file_size: int) -> int:
    """Return the largest number of bytes or numbers that a file of this size may decode to.

    >>> most_allowed(0)
    4194304
    """
    return 64 * file_size + (1 << 22)


def join_sections(sections: Sequence[tuple[str, bytes, bool]]) -> bytes:
    """Return the bytes of a file with these sections: name, content, and whether xz is tried."""
    rows, stored = [], []
    for name, content, compressible in sections:
        smaller = to_xz(content) if compressible else content
        coding = XZ if len(smaller) < len(content) else PLAIN
        stored.append(smaller if coding == XZ else content)
        rows.append(ROW.pack(name.encode(), coding, 0, len(content), len(stored[-1])))
    size = HEADER.size + ROW.size * len(rows) + sum(map(len, stored)) + DIGEST_BYTES
    data = b"".join([HEADER.pack(MAGIC, FORMAT, len(rows), size), *rows, *stored])
    return data + hashlib.sha256(data).digest()


def split_sections(path: Path) -> dict[str, Section]:
    """Map a file and return its sections by name; their bytes are views of the mapped file.

    Raises:
        SpikeError: the file is no artifact, cut or damaged.
    """
    data = mapped(path)
    if data[:8].tobytes() != MAGIC:
        raise_no_artifact(path)
    if len(data) < HEADER.size + DIGEST_BYTES:
        refuse(path, "the file", "is cut")
    _, version, count, size = HEADER.unpack(data[: HEADER.size].tobytes())
    if version != FORMAT:
        refuse(path, "the header", f"has format {version}", "use a newer spike")
    if size != len(data):
        refuse(path, "the file", f"has {len(data):,} bytes and should have {size:,}")
    if hashlib.sha256(data[:-DIGEST_BYTES].data).digest() != data[-DIGEST_BYTES:].tobytes():
        refuse(path, "the file", "is damaged (sha256 differs)")
    begin = HEADER.size + count * ROW.size
    if count > MAX_SECTIONS or begin > size - DIGEST_BYTES:
        refuse(path, "the header", f"has {count} sections")
    rows = ROW.iter_unpack(data[HEADER.size : begin].tobytes())
    sections: dict[str, Section] = {}
    for padded, coding, zero, plain_size, stored_size in rows:
        name = section_name(path, padded)
        stored = data[begin : min(begin + stored_size, size - DIGEST_BYTES)]
        if (
            name in sections
            or zero
            or coding not in (PLAIN, XZ)
            or len(stored) != stored_size
            or plain_size > most_allowed(size)
            or (coding == PLAIN and plain_size != stored_size)
        ):
            refuse(path, f"section {name}", "has an impossible row in the header")
        sections[name] = Section(coding, plain_size, stored)
        begin += stored_size
    if begin != size - DIGEST_BYTES:
        refuse(path, "the header", "does not account for all bytes")
    return sections


def mapped(path: Path) -> Bytes:
    """Map a file's bytes into memory, uint8 [size].

    Raises:
        SpikeError: the file cannot be read, is empty or no artifact (`unreadable` makes it).
    """
    try:
        with open_regular(path) as file:
            if not file.read(1):
                refuse(path, "the file", "is empty", "name a .spike file")
            return np.memmap(file, np.uint8, mode="r")
    except (FileNotFoundError, IsADirectoryError):
        raise_no_artifact(path)
    except OSError as error:
        raise unreadable(path, error) from None


def section_name(path: Path, padded: bytes) -> str:
    """Return the name in a row of the header."""
    name = padded.rstrip(b"\0")
    if not re.fullmatch(rb"[a-z0-9-]+", name):
        refuse(path, "the header", f"has a section called {name!a}")
    return name.decode()


def raise_no_artifact(path: Path) -> NoReturn:
    """Raise the error of a path that is no packed model; it names the path's content."""
    content = path_contents(path)
    fault = f"{content}, but no packed model" if content == "is a file" else content
    raise SpikeError(f"{path}: {fault}; name a packed model (spike pack)") from None


def refuse(path: Path, place: str, fault: str, fix: str = FIX) -> NoReturn:
    """Raise the error that names the file, the place and the fix.

    Args:
        path: the file.
        place: the place in it.
        fault: the fault, as a predicate.
        fix: imperative that fixes it.
    """
    raise SpikeError(f"{path}: {place} {fault}; {fix}")

"""Spools standard input and pipes to temporary files, so that they can be read more than once."""

import atexit
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from spiketok.durable import named_failures
from spiketok.errors import SpikeError

STANDARD_INPUT = Path("-")
HEAD_BYTES = 1 << 16
# First bytes → the end of a name of that kind; JSON Lines are recognised by their first line.
BEGINNINGS = {b"PAR1": ".parquet", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
# An array of objects.
JSON_ARRAY = re.compile(rb'[\xef\xbb\xbf\s]*\[\s*\{\s*"')
CODECS = {".gz": "gzip", ".zst": "zstd"}


def is_stream(path: Path) -> bool:
    """Tell whether a path is standard input or a pipe, which can be read only once."""
    return path == STANDARD_INPUT or path.is_fifo() or path.is_char_device()


def spooled(path: Path) -> tuple[Path, str]:
    """Write standard input or a pipe to a temporary file, which is removed when Python ends.

    Returns:
        The file, and a name that ends as its content begins: `.jsonl` where the first line is a
        JSON object, `.json` where there is an array of them, `.parquet`, `.gz` or `.zst` by the
        first bytes, else no ending: plain text.

    Raises:
        SpikeError: standard input is closed.
    """
    name = "stdin" if path == STANDARD_INPUT else path.name
    if path == STANDARD_INPUT and sys.stdin is None:
        raise SpikeError("standard input is closed; give it text or name a file")
    stream = sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb")
    with tempfile.NamedTemporaryFile(prefix="spike-", delete=False) as file:
        copy = Path(file.name)
        atexit.register(copy.unlink, missing_ok=True)
        with named_failures(copy):
            shutil.copyfileobj(stream, file, 1 << 20)
            file.flush()
    if path != STANDARD_INPUT:
        stream.close()
    return copy, name + ending_of(copy)


def ending_of(file: Path) -> str:
    """Return the end of the name of a file, by its content."""
    with file.open("rb") as plain:
        found = ending(plain.read(HEAD_BYTES))
    if found not in CODECS:
        return found
    try:
        with pa.input_stream(file, compression=CODECS[found]) as stream:
            return ending(stream.read(HEAD_BYTES)) + found
    except OSError:  # damaged; reading it says where
        return found


def ending(head: bytes) -> str:
    """Return the end of the name of a file that begins with `head`.

    >>> ending(b"Once upon a time"), ending(b'{"text": "Once"}'), ending(b"PAR1...")
    ('', '.jsonl', '.parquet')
    >>> ending(b'[{"messages": []}]'), ending(b"[1] A note")
    ('.json', '')
    """
    for beginning, found in BEGINNINGS.items():
        if head.startswith(beginning):
            return found
    if JSON_ARRAY.match(head):
        return ".json"
    line, complete, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not line.startswith(b"{"):
        return ""
    if not complete and len(head) >= HEAD_BYTES:
        return ".jsonl" if line.startswith(b'{"') else ""
    try:
        return ".jsonl" if isinstance(json.loads(line), dict) else ""
    except (ValueError, RecursionError):
        return ""

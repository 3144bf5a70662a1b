"""Path contents in words for messages: another stage's output, or a user's own files."""

import os
from pathlib import Path
from typing import Any

from .errors import SpikeError
from .regular_files import MAX_JSON_BYTES, open_regular, read_regular

# Files that make a folder, or beginnings that make a file, the result of a command.
FOLDERS = {
    "run.json": "is a run folder",
    "manifest.json": "is a shard folder",
    "plan.json": "is an unfinished shard folder",
    "config.json": "is a model folder for transformers",
    "tokenizer_config.json": "is a tokenizer folder for transformers",
}
BEGINNINGS = {
    b"\x89SPIKE\r\n": "is a packed model",
    b"SPKZ": "is a compressed text",
    b"ARROW1": "is an Arrow file",
    b"PAR1": "is a parquet file",
}
SHOWN = 3
HUGGING_FACE = "is a tokenizer of Hugging Face"


def path_contents(path: Path) -> str:
    """Describe the content of a path in words; never raises.

    >>> path_contents(Path("nowhere"))
    'does not exist'
    """
    try:
        if path.is_dir():
            return _folder_contents(path)
        if path.is_file():
            return _file_contents(path)
        if os.path.lexists(path) and not path.exists():
            return "is a link to nothing"
        return "is neither a file nor a folder" if path.exists() else "does not exist"
    except SpikeError:  # it was a file before it was opened
        return "is neither a file nor a folder"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _folder_contents(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    for name, description in FOLDERS.items():
        if name in names:
            return description
    if not names:
        return "is an empty folder"
    more = ", …" if len(names) > SHOWN else ""
    return f"is a folder with {', '.join(map(repr, names[:SHOWN]))}{more}"


def _file_contents(file: Path) -> str:
    with open_regular(file) as stream:
        start = stream.read(8)
    for beginning, description in BEGINNINGS.items():
        if start.startswith(beginning):
            return description
    if start.lstrip().startswith(b"{") and file.stat().st_size <= MAX_JSON_BYTES:
        return json_contents(read_regular(file))
    return "is a file"


def json_contents(data: bytes) -> str:
    """Describe the content of a file that begins as a JSON object in words.

    >>> json_contents(b'{"model": {"type": "BPE"}}'), json_contents(b'{"text": "a"}')
    ('is a tokenizer of Hugging Face', 'is a file')
    """
    import msgspec  # of use here alone

    # Typed: other members then take no memory.
    shapes: list[tuple[str, str, Any]] = [
        (HUGGING_FACE, "model", dict[str, msgspec.Raw]),
        ("is a tokenizer of spike", "algorithm", str),
    ]
    for description, key, kind in shapes:
        try:
            msgspec.json.decode(data, type=msgspec.defstruct("Shape", [(key, kind)]))
        except (ValueError, RecursionError):
            continue
        return description
    return "is a file"


def is_hugging_face(path: Path) -> bool:
    """Return whether a file is a JSON object with the key `model`, as Hugging Face writes it."""
    return path.is_file() and path_contents(path) == HUGGING_FACE

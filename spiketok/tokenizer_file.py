"""Tokenizer file: read the bytes of a tokenizer.json, which tokenizer_json.py parses."""

from pathlib import Path

from .errors import SpikeError
from .regular_files import MAX_LISTING, read_regular


def read_tokenizer_file(path: Path) -> bytes:
    """Return the bytes of a tokenizer file.

    Raises:
        SpikeError: it is missing, cannot be read, is not a regular file or larger than 1 GiB.
    """
    try:
        return read_regular(path, MAX_LISTING)
    except OSError as error:
        fix = "name a tokenizer file"
        if isinstance(error, FileNotFoundError):
            fix += ", or train one: spike tokenizer train FILE"
        raise SpikeError(f"{path}: {error.strerror or error}; {fix}") from None

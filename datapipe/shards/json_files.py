"""JSON files of a shard folder: write, parse and check them."""

from typing import Any, TypeVar

import msgspec

from spiketok.errors import SpikeError, parse_failures

FORMAT = 1
FIX = "make the folder again or restore the file"
Content = TypeVar("Content")


def to_json(content: Any) -> bytes:
    """Return the canonical text of a JSON file: members in order, indented by one, a line end."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def parse(data: bytes, kind: type[Content], name: str) -> Content:
    """Read a JSON file of a given kind (a dataclass), checking every type; unknown names pass.

    Raises:
        SpikeError: the content is not of that kind; `name` is that of the file.
    """
    with parse_failures(name, FIX):
        return msgspec.json.decode(data, type=kind)


def check_format(number: int, name: str) -> None:
    """Check that this version knows a format.

    Raises:
        SpikeError: it does not.
    """
    if number != FORMAT:
        raise SpikeError(f"{name}: format {number} is unknown; update spike")

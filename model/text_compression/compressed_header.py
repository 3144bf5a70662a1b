"""Header of compressed files: the properties that decompression must have in common.

docs/formats.md, section 8, is the format.
"""

import msgspec
import xxhash

from spiketok.errors import SpikeError, parse_failures

from ..config.mixing import PredictorSettings
from ..config.ttt import TTTConfig

MAGIC, FORMAT = b"SPKZ", 3
LENGTH_BYTES, CHECKSUM_BYTES = 4, 16
MAX_HEADER = 1 << 16


class Version(msgspec.Struct, frozen=True):
    """Format version, which all headers have."""

    format: int


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Header before the coded tokens."""

    format: int
    model: str
    """Fingerprint of the weights and the configuration."""
    tokenizer: str
    """Its fingerprint."""
    machine: dict[str, str | int]
    """Machine and libraries, on which the last bits of predictions depend."""
    predictions: str
    """Checksum of some of them (`prediction_checksum`)."""
    predictor: PredictorSettings
    """Predictor on top of the model's logits, or in their place."""
    counts: str
    """Source of the predictor's initial counts; empty without any."""
    ttt: TTTConfig | None
    """Settings of test-time training on coded text; null: no training."""
    context: int
    stride: int
    tokens: int
    """Ids coded; no separator is."""
    bytes: int
    """Of the original."""
    sha256: str
    """Of the original."""


def checksum(described: bytes, coded: bytes) -> bytes:
    """Return the xxh3-128 of header and coded tokens."""
    digest = xxhash.xxh3_128(described)
    digest.update(coded)
    return digest.digest()


def read_header(data: bytes) -> tuple[Header, bytes]:
    """Return header and coded tokens of a compressed file.

    Raises:
        SpikeError: the file is of another kind or format, or damaged.
    """
    begin = len(MAGIC) + LENGTH_BYTES
    length = int.from_bytes(data[len(MAGIC) : begin], "little")
    if data[: len(MAGIC)] != MAGIC or not 0 < length <= min(MAX_HEADER, len(data) - begin):
        raise SpikeError("not a whole compressed file; name one that spike compress wrote")
    described, rest = data[begin : begin + length], data[begin + length :]
    summed, coded = rest[:CHECKSUM_BYTES], rest[CHECKSUM_BYTES:]
    with parse_failures("its header", "take the file from its source again"):
        found = msgspec.json.decode(described, type=Version).format
        if found < FORMAT:
            raise SpikeError(f"format {found} is of an earlier spike; decompress it with that one")
        if found > FORMAT:
            raise SpikeError(f"format {found} is not known; use a newer spike")
        if summed != checksum(described, coded):
            raise SpikeError("the file is damaged or cut short; take it from its source again")
        header = msgspec.json.decode(described, type=Header)
    # A token is a byte at least.
    if not 0 <= header.tokens <= header.bytes:
        raise SpikeError(
            "its header is damaged (tokens and bytes disagree); take it from its source again"
        )
    return header, coded

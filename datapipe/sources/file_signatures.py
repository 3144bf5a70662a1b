"""File signatures: the format of a file that is not text, by its first bytes."""

from spiketok.errors import SpikeError

from .bad_records import BadRecordError
from .plain_text import check_no_binary
from .standard_input import BINARY_BYTES, ending

SIGNATURES = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "ZIP, as of .docx, .npz and .pt",
    b"PK\x05\x06": "ZIP",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"%PDF-": "PDF",
    b"PAR1": "parquet",
    b"ARROW1": "Arrow",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\x89HDF": "HDF5",
    b"\x93NUMPY": "NumPy",
    b"SQLite format 3\x00": "SQLite",
    b"GGUF": "GGUF",
    b"\x89SPIKE": "spike artifact",
    b"SPKZ": "spike compressed text",
    b"\x7fELF": "ELF",
    b"\x00asm": "WebAssembly",
    b"RIFF": "RIFF, as of .wav and .webp",
    b"OggS": "Ogg",
    b"ID3": "MP3",
}
# These letters may also begin a text: a file is binary only if a control character follows soon.
LETTERS = (b"ORC", b"BZh", b"ID3", b"RIFF", b"GIF8", b"OggS", b"PAR1", b"GGUF", b"SPKZ", b"%PDF-")
# Of safetensors: the length of a JSON object, 8 bytes, then the object.
HEADER_BYTES = 8


def format_of(head: bytes) -> str | None:
    """Return the format of a file that begins with `head`, or None for text.

    >>> format_of(b"PAR1\\x15\\x04"), format_of(b"PAR1 is a magic number."), format_of(b"Once")
    ('parquet', None, None)
    """
    head = head[:BINARY_BYTES]
    for signature, name in SIGNATURES.items():
        if head.startswith(signature) and (signature not in LETTERS or not is_printable(head)):
            return name
    if head[HEADER_BYTES : HEADER_BYTES + 2] == b'{"' and b"\0" in head[:HEADER_BYTES]:
        return "safetensors"
    if head[257:262] == b"ustar":
        return "tar"
    try:
        check_no_binary(bytearray(head))
    except BadRecordError as fault:
        return f"binary ({fault.detail})"
    return {".jsonl": "JSON Lines", ".json": "JSON"}.get(ending(head))


def is_printable(head: bytes) -> bool:
    """Return whether bytes are text without control characters, blanks apart."""
    text = head.decode("utf-8", "replace")
    return not any(
        mark == "\ufffd" or (mark < " " and mark not in "\t\n\r\f") for mark in text[:64]
    )


def check_is_text(name: str, head: bytes) -> None:
    """Check that a file does not begin as a format that is not text.

    Raises:
        SpikeError: it does.
    """
    if other := format_of(head):
        raise SpikeError(
            f"{name}: begins like {other}, not like text; rename it to match its format, or pass "
            "--as bytes"
        )

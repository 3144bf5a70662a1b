"""Comparison corpus: the text that tokenizers are compared on, and the labels of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from datapipe import Dropped, Source, SourceRange, first_fault, read_range
from spiketok.errors import SpikeError

from ..data.documents import documents_of

PIECE_BYTES = 1 << 16
BY_FILE = "file"


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of documents, and the labels that group them.

    Attributes:
        texts: the pieces.
        labels: column → for each piece the value its document has there, None where it has none.
    """

    texts: list[bytes] = field(default_factory=list)
    labels: dict[str, list[str | None]] = field(default_factory=dict)


def read_pieces(
    sources: Sequence[Source], text_field: str, columns: Sequence[str], read_as: str = "text"
) -> tuple[Pieces, Dropped]:
    """Read all documents in pieces; also return why and how often documents were left out.

    Args:
        sources: the files.
        text_field: the column with the text.
        columns: columns with text to group by; `file` means the source's name.
        read_as: `bytes`: each file is one document of its bytes.

    Raises:
        SpikeError: no document of any source has such a column, or a plain text begins as another
            format.
    """
    pieces = Pieces(labels={column: [] for column in columns})
    dropped = Dropped()
    for source in sources:
        whole = read_as == "bytes" or is_text(source)
        named = [column for column in columns if column != BY_FILE]
        found = {column: {} if whole else read_column(source, column) for column in named}
        for texts, rows in documents_of(source, text_field, "skip", dropped, read_as):
            for text, row in zip(texts, rows, strict=True):
                parts = in_pieces(text)
                pieces.texts.extend(parts)
                for column, labels in pieces.labels.items():
                    value = source.name if column == BY_FILE else found[column].get(row)
                    labels.extend([value] * len(parts))
    for column, labels in pieces.labels.items():
        if labels and not any(labels):
            tables = [source for source in sources if not is_text(source)]
            first = first_fault(tables, column) if read_as != "bytes" else None
            why = f"the first: {first}" if first else f"txt files have no columns, use {BY_FILE}"
            raise SpikeError(f"--by {column}: no document has text there; {why}")
    return pieces, dropped


def is_text(source: Source) -> bool:
    """Return whether a source is a plain text: one document without columns."""
    return source.kind.startswith("txt")


def read_column(source: Source, column: str) -> dict[int, str]:
    """Return the values of a column, by the row that `read_range` gives a document.

    Raises:
        SpikeError: the source cannot be read.
    """
    try:
        return {
            row: value.decode()
            for batch in read_range(SourceRange(source), column, "skip")
            for value, row in zip(*map(pa.Array.to_pylist, batch.columns), strict=True)
        }
    except SpikeError as error:
        raise SpikeError(str(error).replace("--text-field", "--by")) from None


def in_pieces(text: bytes) -> list[bytes]:
    r"""Split a document at line ends, so that no encoder gets a text of unusual length.

    A line that is too long is cut between two characters.

    >>> [len(piece) for piece in in_pieces(b"a" * 40_000 + b"\n" + b"b" * 70_000)]
    [40001, 65536, 4464]
    """
    pieces = []
    start = 0
    while len(text) - start > PIECE_BYTES:
        limit = start + PIECE_BYTES
        stop = text.rfind(b"\n", start, limit) + 1
        if stop == 0:
            # A character has at most three continuation bytes.
            begins = (at for at in range(limit, limit - 4, -1) if text[at] & 0xC0 != 0x80)
            stop = next(begins, limit)
        pieces.append(text[start:stop])
        start = stop
    return [*pieces, text[start:]]

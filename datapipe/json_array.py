"""Reads JSON arrays of objects: their elements, and a text of each, in bounded memory."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from spiketok.errors import SpikeError

from .faults import BROKEN_JSON, TRUNCATED, BadRecordError, Faults
from .jsonl import BYTE_ORDER_MARK, WHITESPACE, Parsed, Records, as_records, parse_line
from .lines import BLOCK_BYTES, PIECE_BYTES, Readable
from .sources import Source

# A whole string; a quote whose string goes on behind the buffer; or a bracket.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
BLANKS = b" \t\r\n"
OPENING, CLOSING = (b"[", b"{"), (b"]", b"}")


def read_array(
    source: Source, text_field: str, faults: Faults, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the text of each element of a JSON array, and its offset, block by block."""
    parse = partial(parse_line, text_field=text_field, faults=faults)
    return map(as_records, parsed_elements(source, faults, progress, parse))


def parsed_elements(
    source: Source,
    faults: Faults,
    progress: Callable[[int], None],
    parse: Callable[[bytes], Parsed],
) -> Iterator[list[tuple[int, Parsed]]]:
    """Yield what `parse` makes of the elements of a JSON array, block by block.

    Each stands behind its offset. `progress` is that of `read_jsonl`.
    """
    found: list[tuple[int, Parsed]] = []
    reached = 0
    with source.path.open("rb") as file:
        for number, (offset, element) in enumerate(array_elements(file, faults), 1):
            stop = offset + len(element)
            try:
                faults.check_size(len(element))
                found.append((offset, parse(element)))
            except BadRecordError as fault:
                faults.drop(fault, partial("record {} (byte {})".format, number, offset))
            if stop - reached >= BLOCK_BYTES:
                yield found
                progress(stop - reached)
                found, reached = [], stop
    yield found
    progress(source.bytes - reached)


def begins_array(source: Source) -> bool:
    """Return whether a JSON file holds an array, rather than an object a line.

    Raises:
        SpikeError: the file is compressed.
    """
    if not source.name.lower().endswith(".json"):
        raise SpikeError(f"{source.shown}: a compressed JSON file; decompress it first")
    with source.path.open("rb") as file:
        head = file.read(PIECE_BYTES)
    return head.removeprefix(BYTE_ORDER_MARK).lstrip(WHITESPACE + b"\n").startswith(b"[")


def array_elements(stream: Readable, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of a JSON array that are objects or arrays: (offset, JSON in bytes).

    Elements are cut at their brackets and not parsed, so a broken one spoils no other.

    Args:
        stream: gives the file from its first byte; the array begins at its first bracket.
        faults: hears of other bytes between the elements than a comma, and of an early end.
    """
    cuts = _Cuts(faults)
    buffer, base = b"", 0
    while piece := stream.read(max(PIECE_BYTES, len(buffer))):  # long elements: twice as much
        buffer += piece
        for token in TOKEN.finditer(buffer, cuts.read - base):
            mark, start, stop = token.group(), base + token.start(), base + token.end()
            if mark == b'"':
                cuts.read = start
                break
            cuts.read = stop
            if mark in OPENING:
                cuts.open(start, stop, buffer[max(cuts.after - base, 0) : token.start()])
            elif mark in CLOSING and cuts.close(stop):
                yield cuts.begun, buffer[cuts.begun - base : token.end()]
            if cuts.depth == 0 and cuts.opened:
                _check_blank(buffer[cuts.after - base : token.start()].strip(BLANKS), start, faults)
                rest = buffer[token.end() :] + stream.read(PIECE_BYTES)
                _check_blank(rest.strip(BLANKS), stop, faults)
                return
        else:
            cuts.read = base + len(buffer)  # neither a quote nor a bracket is left in it
        keep = min(cuts.needed, cuts.read)
        buffer, base = buffer[keep - base :], keep
    fault = BadRecordError(TRUNCATED, "the array is not closed")
    faults.drop(fault, lambda: f"after byte {cuts.after}")


class _Cuts:
    """Where the scan of an array is; all places are offsets in the file."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.depth = 0
        self.opened = False
        self.elements = 0
        self.read = 0  # up to here the brackets are counted
        self.begun = 0  # where the element begins that is open, or was last
        self.after = 0  # where the last element ended

    @property
    def needed(self) -> int:
        """From here on the bytes are still needed."""
        return self.begun if self.depth > 1 else self.after

    def open(self, start: int, stop: int, between: bytes) -> None:
        """Count an opening bracket; `between` is what separates it from the last element."""
        if self.depth == 0:
            self.opened, self.after = True, stop
        if self.depth == 1:
            expected = b"," if self.elements else b""
            if between.strip(BLANKS) != expected:
                _drop_between(start, self.faults)
            self.begun = start
        self.depth += 1

    def close(self, stop: int) -> bool:
        """Count a closing bracket and return whether an element ends there."""
        self.depth -= 1
        if self.depth == 1:
            self.elements, self.after = self.elements + 1, stop
        return self.depth == 1


def _check_blank(found: bytes, offset: int, faults: Faults) -> None:
    if found:
        _drop_between(offset, faults)


def _drop_between(offset: int, faults: Faults) -> None:
    fault = BadRecordError(BROKEN_JSON, "no array of objects with commas between them")
    faults.drop(fault, lambda: f"byte {offset}")

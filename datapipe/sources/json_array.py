"""JSON array reader: the objects of an array, and a text of each, in bounded memory."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from spiketok.errors import SpikeError
from spiketok.regular_files import open_regular

from .bad_records import BROKEN_JSON, TRUNCATED, BadRecordError, ErrorPolicy
from .files import Source
from .jsonl import BYTE_ORDER_MARK, WHITESPACE, Parsed, Records, as_records, parse_line
from .lines import BLOCK_BYTES, PIECE_BYTES, Readable, taken

# A whole string; a quote whose string goes on after the piece; or a bracket.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
# The inside of a string, without a last backslash, which escapes the next character.
INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
BLANKS = b" \t\r\n"
OPENING, CLOSING = (b"[", b"{"), (b"]", b"}")
# The depth of brackets inside of an element: its own and that of the array.
IN_ELEMENT = 2


def read_array(
    source: Source, text_field: str, faults: ErrorPolicy, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the text of each element of a JSON array, and its offset, block by block.

    Args:
        source: the file.
        text_field: the member with the text.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file on disk.
    """
    parse = partial(parse_line, text_field=text_field, faults=faults)
    return map(as_records, parsed_elements(source, faults, progress, parse))


def parsed_elements(
    source: Source,
    faults: ErrorPolicy,
    progress: Callable[[int], None],
    parse: Callable[[bytes], Parsed],
) -> Iterator[list[tuple[int, Parsed]]]:
    """Yield the parsed elements of a JSON array, block by block, each after its offset.

    Args:
        source: the file.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file on disk.
        parse: parses the JSON of an element.
    """
    block: list[tuple[int, Parsed]] = []
    reached = 0
    with open_regular(source.path) as file:
        for number, offset, element in array_elements(file, faults):
            stop = offset + len(element)
            try:
                parsed = parse(element)
                del element  # it may be very large
                block.append((offset, parsed))
                del parsed
            except BadRecordError as fault:
                faults.drop(fault, partial("record {} (byte {})".format, number, offset))
            if stop - reached >= BLOCK_BYTES:
                yield block
                progress(stop - reached)
                block, reached = [], stop
    yield block
    progress(source.bytes - reached)


def begins_array(source: Source) -> bool:
    """Return whether a JSON file is an array, rather than one object per line.

    Raises:
        SpikeError: the file is compressed.
    """
    if not source.name.lower().endswith(".json"):
        raise SpikeError(f"{source.shown}: is a compressed JSON file; decompress it first")
    with open_regular(source.path) as file:
        head = file.read(PIECE_BYTES)
    return head.removeprefix(BYTE_ORDER_MARK).lstrip(WHITESPACE + b"\n").startswith(b"[")


def array_elements(stream: Readable, faults: ErrorPolicy) -> Iterator[tuple[int, int, bytes]]:
    """Yield the elements of a JSON array that are objects or arrays: (number, offset, JSON).

    Elements are cut at their brackets and not parsed, so a broken one spoils no other.

    Args:
        stream: the file from its first byte; the array begins at its first bracket.
        faults: counts other bytes between the elements than a comma, elements with more than
            `max_record` bytes, and an early end.
    """
    cuts = _Cuts(faults)
    rest, base = b"", 0
    while new := stream.read(PIECE_BYTES):
        piece = rest + new
        kept = 0  # bytes of the piece that `cuts` has
        scanned = cuts.pass_string(piece, 0)
        for token in () if cuts.in_string else TOKEN.finditer(piece, scanned):
            mark, start, stop = token.group(), token.start(), token.end()
            if mark == b'"':
                cuts.in_string = True
                scanned = cuts.pass_string(piece, stop)
                break
            if mark in OPENING and cuts.depth < IN_ELEMENT:
                cuts.keep(piece[kept:start])
                kept = cuts.begin(base, start)
            elif mark in CLOSING and cuts.depth <= IN_ELEMENT:
                is_element = cuts.depth == IN_ELEMENT
                cuts.keep(piece[kept : stop if is_element else start])
                cuts.end(base + stop)
                kept = stop
                if not is_element:
                    cuts.check_between(base + start, b"")
                    rest = piece[stop:] or stream.read(PIECE_BYTES)
                    while rest and not cuts.between:
                        cuts.keep(rest)
                        rest = stream.read(PIECE_BYTES)
                    cuts.check_between(base + stop, b"")
                    return
                if not cuts.is_large:
                    yield cuts.elements, cuts.begun, taken(cuts.element, len(cuts.element))
            else:
                cuts.depth += 1 if mark in OPENING else -1 if mark in CLOSING else 0
        if not cuts.in_string:
            scanned = len(piece)
        cuts.keep(piece[kept:scanned])
        rest, base = piece[scanned:], base + scanned
    fault = BadRecordError(TRUNCATED, "the array is not closed")
    faults.drop(fault, lambda: f"after byte {cuts.after}")


class _Cuts:
    """State of the scan of an array; all positions are offsets in the file."""

    def __init__(self, faults: ErrorPolicy) -> None:
        self.faults = faults
        self.depth = 0
        self.in_string = False
        self.elements = 0  # that are closed
        self.element = bytearray()  # the one that is open, as far as it was read
        self.is_large = False  # whether that has too many bytes, and is not kept
        self.begun = 0  # where the element begins that is open, or was last
        self.after = 0  # where the last element ended
        self.between = b""  # the first two bytes since then that are not blank

    def pass_string(self, piece: bytes, at: int) -> int:
        """Return the end of the open string in a piece, or how far it is known."""
        if self.in_string and (inside := INSIDE.match(piece, at)):
            at = inside.end()
            if piece[at : at + 1] == b'"':
                self.in_string = False
                return at + 1
        return at

    def keep(self, part: bytes) -> None:
        """Add the next bytes of the file, which are all of one element or all between two."""
        if self.depth < IN_ELEMENT:
            self.between = (self.between + part.translate(None, BLANKS))[:2]
        elif not self.is_large:
            self.element += part
            if len(self.element) > self.faults.max_record:
                self.element.clear()
                self.is_large = True
                place = partial("record {} (byte {})".format, self.elements + 1, self.begun)
                self.faults.drop(self.faults.too_large(), place)

    def begin(self, base: int, start: int) -> int:
        """Begin the array or an element at byte `start` of a piece; return what is kept of it."""
        if self.depth == IN_ELEMENT - 1:
            self.check_between(base + start, b"," if self.elements else b"")
            self.begun, self.is_large = base + start, False
        else:
            start += 1
            self.after = base + start
        self.between = b""
        self.depth += 1
        return start

    def end(self, offset: int) -> None:
        """End an element, or the array, before a byte of the file."""
        if self.depth == IN_ELEMENT:
            self.elements, self.after = self.elements + 1, offset
        self.depth -= 1

    def check_between(self, offset: int, expected: bytes) -> None:
        """Check that the bytes between elements are those expected."""
        if self.between != expected:
            fault = BadRecordError(BROKEN_JSON, "not an array of objects separated by commas")
            self.faults.drop(fault, f"byte {offset}".format)
        self.between = b""

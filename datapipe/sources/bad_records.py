"""Policy for broken records: an error, a repair, or a counted loss."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from spiketok.errors import SpikeError

from .decompression import DamagedStreamError

Errors = Literal["strict", "replace", "skip"]

EMPTY = "empty"
TOO_LARGE = "larger than --max-record"
BROKEN_JSON = "broken JSON"
NOT_AN_OBJECT = "not an object"
NO_TEXT = "no text field"
NOT_A_STRING = "text is not a string"
NULL_TEXT = "null text"
INVALID_UTF8 = "invalid UTF-8"
LONE_SURROGATE = "lone surrogate"
TRUNCATED = "truncated input"
DAMAGED = "damaged input"
MALFORMED = "malformed conversation"
BROKEN_CSV = "broken CSV"
BINARY = "no text but binary content"
NO_REPLY = "conversation without an assistant"
NOT_FOR_TRAINING = "marked as not for training"

# Reason → advice, where there is more than to leave the record out.
HELP = {
    BINARY: "leave it out",
    TOO_LARGE: "pass a larger --max-record, or --errors skip",
    INVALID_UTF8: "pass --errors skip or replace",
    LONE_SURROGATE: "pass --errors skip or replace",
    NO_TEXT: "pass --text-field or --errors skip",
    NOT_A_STRING: "pass --text-field or --errors skip",
}

# Bytes. Without a limit an endless line, or a file that decompresses to one, takes all memory.
MAX_RECORD = 1 << 30

_SURROGATES = re.compile("[\ud800-\udfff]")


class RecordRejectedError(SpikeError):
    """Record that the policy rejects; `fault` names the record and its fault."""

    def __init__(self, fault: str, help_: str) -> None:
        super().__init__(fault, help_)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.args[0]}; fix it, or {self.args[1]}"


class BadRecordError(Exception):
    """Record without usable text.

    Attributes:
        reason: its key in the counts of dropped records.
        detail: more about it, for messages.
        lost_bytes: bytes of the file that gave no records because of it.
    """

    def __init__(self, reason: str, detail: str = "", lost_bytes: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.lost_bytes = lost_bytes


class Dropped(Counter[str]):
    """Dropped records: reason → number.

    Attributes:
        lost_bytes: bytes of damaged compressed files that gave no content, and of content that ends
            inside a line. How many records they held is unknown; each such file counts as one.
        inputs: name of an input → number of its records.
    """

    def __init__(self, *counts: Mapping[str, int]) -> None:
        super().__init__(*counts)
        self.lost_bytes = 0
        self.inputs: Counter[str] = Counter()

    def clear(self) -> None:
        """Reset all counts."""
        super().clear()
        self.lost_bytes = 0
        self.inputs.clear()

    def as_members(self) -> dict[str, Any]:
        """Return the members `dropped` and, where it is not 0, `lost_bytes` of a JSON object."""
        lost = {"lost_bytes": self.lost_bytes} if self.lost_bytes else {}
        return {"dropped": dict(sorted(self.items())), **lost}


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """Policy for broken records of one file, and the counts of its losses.

    Attributes:
        path: the file, for messages.
        errors: `strict` raises at the first broken record; `replace` puts U+FFFD where text is
            broken and drops records without text; `skip` drops every broken record.
        dropped: counts of dropped records, added to.
        max_record: bytes of the largest record: a record in JSON, or the text of another file.
        name: of the file in messages.
    """

    path: Path
    errors: Errors = "strict"
    dropped: Dropped = field(default_factory=Dropped)
    max_record: int = MAX_RECORD
    name: str = ""

    def drop(self, fault: BadRecordError, place: Callable[[], str]) -> None:
        """Count a lost record; `place` returns its position in words, called only for an error.

        Raises:
            RecordRejectedError: the policy is `strict`, and the record is broken.
        """
        if self.errors == "strict" and fault.reason != NOT_FOR_TRAINING:
            text = f"{fault.reason} ({fault.detail})" if fault.detail else fault.reason
            help_ = HELP.get(fault.reason, "pass --errors skip")
            raise RecordRejectedError(f"{self.path}: {place()}: {text}", help_)
        self._count(fault.reason, 1)
        if fault.lost_bytes:
            self.dropped.lost_bytes += fault.lost_bytes

    def check_size(self, size: int) -> None:
        """Check the size of a record.

        Raises:
            BadRecordError: it has more than `max_record`.
        """
        if size > self.max_record:
            raise self.too_large()

    def too_large(self) -> BadRecordError:
        """Return the fault of a record of more than `max_record` bytes."""
        return BadRecordError(TOO_LARGE, f"above {self.max_record / (1 << 20):,.6g} MiB")

    def drop_rest(self, damage: DamagedStreamError, part_bytes: int = 0) -> None:
        """Count the rest of a damaged compressed file as one record.

        `part_bytes` of content are lost with it: the beginning of a line.

        Raises:
            RecordRejectedError: the policy is `strict`.
        """
        reason = TRUNCATED if damage.cut else DAMAGED
        fault = BadRecordError(reason, str(damage), damage.lost_bytes + part_bytes)
        self.drop(fault, lambda: f"byte {damage.position} of the file")

    def drop_empty(self, number: int) -> None:
        """Count documents of zero bytes, which are no fault."""
        if number:
            self._count(EMPTY, number)

    def _count(self, reason: str, number: int) -> None:
        self.dropped[reason] += number
        self.dropped.inputs[self.name or str(self.path)] += number

    def decode(self, data: bytes | bytearray) -> str:
        """Return UTF-8 bytes as text, repaired if the policy is `replace`.

        Raises:
            BadRecordError: the bytes are not UTF-8, and the policy is not `replace`.
        """
        if self.errors == "replace":
            return data.decode("utf-8", "replace")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            detail = f"{error.reason} at byte {error.start} of the record"
            raise BadRecordError(INVALID_UTF8, detail) from None

    def encode(self, text: str) -> bytes:
        """Return text as UTF-8, its lone surrogates replaced if the policy is `replace`.

        Raises:
            BadRecordError: the text has lone surrogates, and the policy is not `replace`.
        """
        if self.errors == "replace":
            text = _SURROGATES.sub("\ufffd", text)
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise BadRecordError(LONE_SURROGATE, f"at character {error.start}") from None


def counted(dropped: Mapping[str, int]) -> str:
    """Describe the number of records left out for each reason.

    >>> counted({"broken JSON": 1200, "empty": 1})
    'broken JSON 1,200, empty 1'
    """
    words = ", ".join(f"{reason} {number:,}" for reason, number in sorted(dropped.items()))
    lost = dropped.lost_bytes if isinstance(dropped, Dropped) else 0
    return f"{words} ({lost:,} bytes gave no records)" if lost else words


def left_out(dropped: Dropped) -> str:
    """Describe the records left out: their number, inputs and reasons.

    >>> dropped = Dropped({"empty": 3})
    >>> dropped.inputs.update({"a.jsonl": 2, "b.jsonl": 1})
    >>> left_out(dropped)
    'left out 3 records of a.jsonl and 1 more: empty 3'
    """
    records = "1 record" if dropped.total() == 1 else f"{dropped.total():,} records"
    return f"left out {records} of {first_input(dropped.inputs)}: {counted(dropped)}"


def first_input(inputs: Iterable[str]) -> str:
    """Return the first input of which records were left out, and the number of the others.

    >>> first_input(["a.jsonl", "b.jsonl"]), first_input(["a.jsonl"])
    ('a.jsonl and 1 more', 'a.jsonl')
    """
    first, *more = inputs
    return f"{first} and {len(more):,} more" if more else first


def check_errors(errors: str) -> None:
    """Check that a policy is one of `Errors`.

    Raises:
        SpikeError: it is not.
    """
    if errors not in get_args(Errors):
        raise SpikeError(
            f"errors = {errors!r}: is unknown; use one of {', '.join(get_args(Errors))}"
        )

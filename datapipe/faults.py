"""Decides what becomes of a broken record: an error, a repair, or a counted loss."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from spiketok.errors import SpikeError

Errors = Literal["strict", "replace", "skip"]

EMPTY = "empty"
BROKEN_JSON = "broken JSON"
NOT_AN_OBJECT = "not an object"
NO_TEXT = "no text field"
NOT_A_STRING = "text is not a string"
NULL_TEXT = "null text"
INVALID_UTF8 = "invalid UTF-8"
LONE_SURROGATE = "lone surrogate"
TRUNCATED = "truncated input"
MALFORMED = "malformed conversation"
BINARY = "no text but binary content"
NO_REPLY = "conversation without an assistant"
NOT_FOR_TRAINING = "marked as not for training"

# Reason → what helps, where it is not only to leave the record out.
HELP = {
    INVALID_UTF8: "pass --errors skip or replace",
    LONE_SURROGATE: "pass --errors skip or replace",
    NO_TEXT: "pass --text-field or --errors skip",
    NOT_A_STRING: "pass --text-field or --errors skip",
}

_SURROGATES = re.compile("[\ud800-\udfff]")


class BrokenRecordError(SpikeError):
    """A record that the policy does not pass over; `what` says which one and what is wrong."""

    def __init__(self, what: str, help_: str) -> None:
        super().__init__(what, help_)
        self.what = what

    def __str__(self) -> str:
        return f"{self.args[0]}; mend it, or {self.args[1]}"


class BadRecordError(Exception):
    """A record without usable text: `reason` is counted, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Faults:
    """The policy for one file, and the count of what it cost.

    Attributes:
        path: the file, for messages.
        errors: `strict` raises at the first broken record; `replace` puts U+FFFD where text is
            broken and drops what has no text; `skip` drops every broken record.
        dropped: reason → number of records, added to.
    """

    path: Path
    errors: Errors = "strict"
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, fault: BadRecordError, place: Callable[[], str]) -> None:
        """Count a record that is lost; `place` words where it is, asked only for an error.

        Raises:
            BrokenRecordError: the policy is `strict`, and the record is broken.
        """
        if self.errors == "strict" and fault.reason != NOT_FOR_TRAINING:
            what = f"{fault.reason} ({fault.detail})" if fault.detail else fault.reason
            help_ = HELP.get(fault.reason, "pass --errors skip")
            raise BrokenRecordError(f"{self.path}: {place()}: {what}", help_)
        self.dropped[fault.reason] += 1

    def drop_empty(self, number: int) -> None:
        """Count documents of zero bytes, which are no fault."""
        if number:
            self.dropped[EMPTY] += number

    def decode(self, data: bytes | bytearray) -> str:
        """Return UTF-8 bytes as text, repaired if the policy is `replace`.

        Raises:
            BadRecordError: the bytes are not UTF-8 and not to be repaired.
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
            BadRecordError: the text has lone surrogates that are not to be replaced.
        """
        if self.errors == "replace":
            text = _SURROGATES.sub("\ufffd", text)
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise BadRecordError(LONE_SURROGATE, f"at character {error.start}") from None


def counted(dropped: Mapping[str, int]) -> str:
    """Word what was left out: each reason and how often.

    >>> counted({"broken JSON": 1200, "empty": 1})
    'broken JSON 1,200, empty 1'
    """
    return ", ".join(f"{reason} {number:,}" for reason, number in sorted(dropped.items()))


def check_errors(errors: str) -> None:
    """Refuse a policy that is none of `Errors`."""
    if errors not in get_args(Errors):
        raise SpikeError(f"errors = {errors!r}: must be one of {', '.join(get_args(Errors))}")

"""Evaluation task: its data files, the item of each record, and its metrics."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from spiketok.json_values import kind_name

from .items import Item

Record: TypeAlias = Mapping[str, Any]
"""JSON object of a data file, or row of a hub dataset."""
Kind: TypeAlias = Literal["multiple choice", "last word", "text"]
# Characters of a text, and choices of an item; a file from outside may have more.
MAX_CHARACTERS, MAX_CHOICES = 1 << 20, 256


class BrokenItemError(ValueError):
    """Broken item: the reason, by which broken items are counted."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """Data file of a task, in the folder of task data."""

    path: str
    sha256: str = ""
    """Of the file as it is stored; empty where any content is accepted."""
    records: int = 0
    """Number of records; of a text, of its lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRows:
    """Rows of a dataset on the Hugging Face hub, and the record that each becomes."""

    path: str
    split: str
    convert: Callable[[Record], Record]
    configurations: tuple[str, ...] = ()
    """Names of its configurations, of which all are read; empty for the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Evaluation task, zero-shot."""

    name: str
    kind: Kind
    summary: str
    """The prompt, and how it differs from other tasks of that name."""
    licence: str
    source: str
    """Origin of the data."""
    metrics: tuple[str, ...]
    """Names of its metrics, the main one first."""
    files: tuple[DataFile, ...] = ()
    build: Callable[[Record, str], Item] | None = None
    """Makes the item of a record and its place; None for texts. Raises `BrokenItemError`."""
    groups: Callable[[Record], Mapping[str, str]] | None = None
    """Returns the groups of a record, by the names of the groupings."""
    join: Callable[[bytes], bytes] | None = None
    """Makes the scored text of a file's content; None: it is scored as it is."""
    generate: Callable[[], Iterator[Record]] | None = None
    """Makes the records of a task without data files."""
    per_file: int = 0
    """Number of records that count in each file, from the first; 0 for all."""
    context: int = 0
    """Context in tokens that the protocol fixes; 0 for that of the model."""
    hub: HubRows | None = None
    hub_task: str = ""
    """Dataset and task of the hub's leaderboards, as `allenai/ai2_arc:ARC-Easy`."""


def text_of(record: Record, key: str) -> str:
    """Return a text of a record.

    Raises:
        BrokenItemError: there is none, or it is longer than `MAX_CHARACTERS`.

    >>> text_of({"question": "Why?"}, "question")
    'Why?'
    """
    if key not in record:
        raise BrokenItemError(f"no {key}")
    return checked_text(record[key], key)


def checked_text(value: object, name: str) -> str:
    """Check that a value is a text of a bounded size, and return it.

    Raises:
        BrokenItemError: it is not.
    """
    if not isinstance(value, str):
        raise BrokenItemError(f"{name} is {kind_name(value)}")
    if len(value) > MAX_CHARACTERS:
        raise BrokenItemError(f"{name} is longer than {MAX_CHARACTERS:,} characters")
    return value


def choices_of(record: Record, key: str = "choices") -> tuple[str, ...]:
    """Return the choices of a record.

    Raises:
        BrokenItemError: there are fewer than two or too many, or one is empty.

    >>> choices_of({"choices": ["no", "yes"]})
    ('no', 'yes')
    """
    if key not in record:
        raise BrokenItemError(f"no {key}")
    values = record[key]
    if not isinstance(values, list | tuple):
        raise BrokenItemError(f"{key} is {kind_name(values)}")
    if not 2 <= len(values) <= MAX_CHOICES:
        raise BrokenItemError(f"fewer than 2 or more than {MAX_CHOICES} {key}")
    texts = tuple(checked_text(value, "a choice") for value in values)
    if not all(text.strip() for text in texts):
        raise BrokenItemError("an empty choice")
    return texts


def label_of(record: Record, choices: int, key: str = "label") -> int:
    """Return the number of the right choice, from 0; also of a text of digits.

    Raises:
        BrokenItemError: there is none, or it is out of range.

    >>> label_of({"label": "1"}, 2)
    1
    """
    if key not in record:
        raise BrokenItemError(f"no {key}")
    value = record[key]
    if isinstance(value, str) and value.isdecimal() and len(value) < len(str(MAX_CHOICES)) + 1:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BrokenItemError(f"{key} is {kind_name(value)}")
    if not 0 <= value < choices:
        raise BrokenItemError(f"{key} out of range")
    return value

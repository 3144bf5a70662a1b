"""Data of evaluation tasks: files checked against their checksums, read as items."""

import hashlib
import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from spike_lm.model.evaluation.items import Item
from spike_lm.model.evaluation.task import BrokenItemError, DataFile, HubRows, Record, Task
from spike_lm.model.evaluation.tasks.selection import BY_NAME, is_own
from spiketok.errors import SpikeError
from spiketok.json_values import check_structure

from .stored_file import content_of, file_sha256

# Task without a file → one of another convention that may be scored instead.
OTHER_CONVENTIONS = {"hellaswag": "hellaswag-lower", "arithmark": "spike-arithmetic"}
# Values of a record, in its lists and objects.
MAX_VALUES = 10_000


class MissingDataError(SpikeError):
    """Missing data of a task."""


class HubReader(Protocol):
    """Reader of hub datasets."""

    def __call__(self, rows: HubRows, configuration: str, /) -> Sequence[Record]:
        """Return the rows of a configuration; that of a dataset without any is empty."""


@dataclass(slots=True)
class TaskData:
    """Data of a task, read.

    Attributes:
        task: the task.
        items: those that are scored.
        groups: of each item, group by grouping.
        broken: number of records without an item, by reason.
        fingerprint: of the content, in hexadecimal digits.
        changed: files whose content is not that of the task's definition.
        text: of a task on text.
    """

    task: Task
    items: list[Item] = field(default_factory=list)
    groups: list[Mapping[str, str]] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    changed: list[str] = field(default_factory=list)
    text: bytes = b""

    @property
    def work(self) -> int:
        """Return the amount of text to score, in characters."""
        return len(self.text) + sum(map(work_of, self.items))


def work_of(item: Item) -> int:
    """Return the characters of an item, its context counted once."""
    own = sum(len(request.continuation) for request in item.requests)
    return len(item.requests[0].context) + own


def read_task(
    task: Task,
    folder: Path,
    *,
    limit: int = 0,
    allow_changed: bool = False,
    hub: HubReader | None = None,
) -> TaskData:
    """Read the data of a task.

    Args:
        task: the task.
        folder: of task data.
        limit: number of items, as many from each file; of a text its first lines. 0: all.
        allow_changed: also read files with another checksum than the task's definition has.
        hub: reads the rows of hub datasets, instead of files.

    Raises:
        MissingDataError: a file is not there.
        SpikeError: a file was changed, cannot be read, or has no item.
    """
    data, digest = TaskData(task), hashlib.sha256(os.fsencode(task.name))
    if task.kind == "text":
        read_text(data, folder, digest, limit, allow_changed)
        return data
    parts: list[list[tuple[Item, Mapping[str, str]]]] = []
    for place, records in sources_of(data, folder, digest, allow_changed, hub):
        parts.append(list(items_of(data, place, records)))
    data.fingerprint = digest.hexdigest()
    chosen = evenly(parts, limit)
    data.items, data.groups = [item for item, _ in chosen], [groups for _, groups in chosen]
    if not data.items:
        reasons = ", ".join(f"{number:,} {why}" for why, number in data.broken.items())
        fault = f"{task.name}: there is no item to score{f' ({reasons})' if reasons else ''}"
        raise SpikeError(f"{fault}; name a file with items (docs/evaluation.md)")
    return data


def read_text(
    data: TaskData, folder: Path, digest: "hashlib._Hash", limit: int, allow_changed: bool
) -> None:
    """Read the text of a task on text.

    Args:
        data: where the text is put.
        folder: of task data.
        digest: updated by the files.
        limit: number of lines; 0: all.
        allow_changed: as in `read_task`.

    Raises:
        SpikeError: as `read_task`.
    """
    contents = [
        checked_content(data, folder, file, digest, allow_changed) for file in data.task.files
    ]
    text = b"".join(contents)
    text = data.task.join(text) if data.task.join else text
    data.text = b"".join(text.splitlines(keepends=True)[:limit]) if limit else text
    data.fingerprint = digest.hexdigest()
    if not data.text:
        raise SpikeError(f"{data.task.name}: the text is empty; restore its file")


def sources_of(
    data: TaskData,
    folder: Path,
    digest: "hashlib._Hash",
    allow_changed: bool,
    hub: HubReader | None,
) -> Iterator[tuple[str, Iterator[tuple[int, Record | None]]]]:
    """Yield each source of a task: its name, and numbered records, None for broken lines.

    Args:
        data: of the task.
        folder: of task data.
        digest: updated by the content.
        allow_changed: as in `read_task`.
        hub: as in `read_task`.
    """
    task = data.task
    if task.generate:
        records = list(task.generate())
        digest.update(msgspec.json.encode(records))
        yield "generated", enumerate(records, 1)
    elif hub and task.hub:
        for configuration in task.hub.configurations or ("",):
            rows = hub(task.hub, configuration)
            digest.update(msgspec.json.encode(rows))
            name = f"{task.hub.path}{f'/{configuration}' if configuration else ''}"
            yield name, converted(task.hub, rows)
    else:
        for file in task.files:
            content = checked_content(data, folder, file, digest, allow_changed)
            yield file.path, records_of(content)


def converted(hub: HubRows, rows: Sequence[Record]) -> Iterator[tuple[int, Record | None]]:
    """Yield the numbered records of hub rows; None where a row has no record."""
    for number, row in enumerate(rows, 1):
        try:
            yield number, hub.convert(row)
        except BrokenItemError:
            yield number, None


def items_of(
    data: TaskData, place: str, records: Iterator[tuple[int, Record | None]]
) -> Iterator[tuple[Item, Mapping[str, str]]]:
    """Yield the items of records and their groups; broken ones are counted in `data`."""
    task, taken = data.task, 0
    build = task.build
    for number, record in records:
        if task.per_file and taken == task.per_file:
            return
        taken += 1
        try:
            if record is None or build is None:
                raise BrokenItemError("not a JSON object of this task")
            item = build(record, f"{place}:{number}")
        except BrokenItemError as error:
            data.broken[str(error)] = data.broken.get(str(error), 0) + 1
            continue
        yield item, task.groups(record) if task.groups else {}


def evenly(
    parts: Sequence[Sequence[tuple[Item, Mapping[str, str]]]], limit: int
) -> list[tuple[Item, Mapping[str, str]]]:
    """Return at most `limit` items, the first ones of each part, in order; all for 0."""
    places = [(number, part) for part, items in enumerate(parts) for number in range(len(items))]
    places = sorted(places)[:limit] if limit else places
    places.sort(key=lambda place: (place[1], place[0]))
    return [parts[part][number] for number, part in places]


def path_of(folder: Path, task: Task, file: DataFile) -> Path:
    """Return the path of a data file; that of a user's own file is not in the folder."""
    return Path(file.path) if is_own(task.name) else folder / file.path


def checked_content(
    data: TaskData, folder: Path, file: DataFile, digest: "hashlib._Hash", allow_changed: bool
) -> bytes:
    """Return the decompressed content of a file, compared with its checksum.

    Args:
        data: of the task; a changed file is noted there.
        folder: of task data.
        file: one of the task.
        digest: updated by the file.
        allow_changed: as in `read_task`.

    Raises:
        MissingDataError: there is no such file.
        SpikeError: it was changed, or cannot be read.
    """
    task = data.task
    path = path_of(folder, task, file)
    if not path.exists():
        raise MissingDataError(missing(task, folder, file))
    found = file_sha256(path)
    digest.update(found.encode())
    if file.sha256 and found != file.sha256:
        if not allow_changed:
            raise SpikeError(
                f"{path}: its sha256 begins with {found[:12]}, not with {file.sha256[:12]} as "
                f"{task.name} defines; restore the file, or add --allow-changed-data"
            )
        data.changed.append(str(path))
    return content_of(path)


def missing(task: Task, folder: Path, file: DataFile) -> str:
    """Return the error of a file that is not there."""
    if is_own(task.name):
        return f"{file.path}: no such file; name a JSON Lines file of items"
    hub = ", or add --from-hub" if task.hub else ""
    other = BY_NAME.get(OTHER_CONVENTIONS.get(task.name, ""))
    if other and all((folder / one.path).exists() for one in other.files):
        hub = f"{hub}, or score {other.name}, another convention, whose data are there"
    return (
        f"{task.name}: there is no {folder / file.path}; name with --data, or tasks.data of a "
        f"configuration, the folder that has {file.path}{hub} (docs/evaluation.md)"
    )


def records_of(content: bytes) -> Iterator[tuple[int, Record | None]]:
    """Yield the numbered records of JSON Lines; None for a line that is no JSON object."""
    for number, line in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        if line.strip():
            yield number, parsed(line)


def parsed(line: bytes) -> Record | None:
    """Return the JSON object of a line; None if it is none, or far larger than its text."""
    try:
        check_structure(line, MAX_VALUES)
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return value if isinstance(value, dict) else None

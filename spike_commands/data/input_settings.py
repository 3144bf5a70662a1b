"""Settings of inputs: how they are read, and remarks on what is found in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET

from datapipe import Source
from datapipe.sources.bad_records import MAX_RECORD
from datapipe.sources.standard_input import is_stream
from spiketok.regular_files import open_regular

from ..callbacks import Callbacks

# Marker between documents in Tiny Stories and others, and where it is searched for.
MARKER = "<|endoftext|>"
HEAD_BYTES = 1 << 18


def record_limit(mib: int) -> Any:
    """Return the limit of records in bytes for `ShardSettings`: UNSET for the default."""
    return UNSET if mib << 20 == MAX_RECORD else mib << 20


def as_trained(options: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return how inputs are read: by the options, else as the tokenizer was trained."""
    usual = {"text_field": "text", "errors": "strict", "split_text": "auto"}
    how = {name: options[name] or str(trained.get(name, value)) for name, value in usual.items()}
    return {**how, "max_record": record_limit(options["max_record"])}


def remark_marker(sources: Sequence[Source], split: str, show: Callbacks) -> None:
    """Remark where a text has the usual marker between documents and it is taken for text."""
    if split not in ("auto", "none"):
        return
    for source in sources:
        if source.kind == "txt":
            with open_regular(source.path) as file:
                if MARKER.encode() in file.read(HEAD_BYTES):
                    how = f"split documents there with --split-text '{MARKER}'"
                    show.remark(f"{source.name}: the text contains {MARKER}; {how}")
                    return


def note_on_copies(copied: int, whole: int) -> str:
    """Return how much of a text is exact copies, where that is 1 % or more; else nothing."""
    if not whole or copied < whole / 100:
        return ""
    return f"{100 * copied // whole} % of the bytes are exact copies of other documents"


def words_of(setting: Any) -> tuple[str, ...]:
    """Return a setting that is a list of words; none where the file has another value."""
    return tuple(map(str, setting)) if isinstance(setting, list) else ()


def lasting(inputs: Sequence[Path]) -> Sequence[Path]:
    """Return the inputs that `spike shard` can read again: none where one is a pipe."""
    return () if any(map(is_stream, inputs)) else inputs

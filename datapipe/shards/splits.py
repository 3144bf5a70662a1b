"""Train and validation splits: read documents by the settings, and name them for the choice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from spiketok.corpus_sample import document_ids
from spiketok.errors import unreadable

from ..sources.bad_records import MAX_RECORD, Dropped
from ..sources.chat_reader import read_conversations
from ..sources.files import Source
from ..sources.reader import ignore, read_range
from ..sources.source_range import SourceRange
from ..sources.text_splitting import NONE
from .settings import ShardSettings

# Reason for leaving out a document of the inputs.
ALSO_IN_VALIDATION = "also in a validation file"


def read_documents(
    part: SourceRange,
    settings: ShardSettings,
    dropped: Dropped,
    progress: Callable[[int], None] = ignore,
) -> Iterator[pa.RecordBatch]:
    """Yield the documents or conversations of a range of a source.

    Args:
        part: the range.
        settings: how records are read.
        dropped: counts of the records left out, added to.
        progress: called with the number of newly read bytes of the file on disk.

    Raises:
        SpikeError: a record is broken, or the system cannot read the file (see `unreadable`).
    """
    split, largest = settings.split_text or NONE, settings.max_record or MAX_RECORD
    errors, field, chat = settings.errors, settings.text_field, settings.chat
    try:
        if chat:
            marked, ignored = chat.parse_markers, chat.ignored_keys or ()
            yield from read_conversations(part, marked, ignored, errors, dropped, progress, largest)
        else:
            yield from read_range(part, field, errors, dropped, progress, split, largest)
    except OSError as error:
        raise unreadable(part.source.shown, error) from None


def document_names(sources: Sequence[Source], settings: ShardSettings) -> Iterator[bytes]:
    """Yield the names of the documents of sources; the shard build reports broken ones."""
    if settings.errors == "strict":
        settings = replace(settings, errors="skip")
    for source in sources:
        yield from document_ids(read_documents(SourceRange(source), settings, Dropped()))

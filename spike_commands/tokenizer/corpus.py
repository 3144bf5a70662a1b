"""Corpus of a tokenizer training: the training text and the held-out text."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from datapipe import Dropped, Source, find_sources, first_fault, read_texts, text_endings
from datapipe.shards.input_changes import changed_since, file_states
from datapipe.sources.bad_records import MAX_RECORD
from datapipe.sources.empty_files import FIX, check_not_all_empty, without_documents
from datapipe.sources.files import Skipped, without
from datapipe.sources.reader import ignore
from spiketok.corpus_sample import document_ids
from spiketok.errors import SpikeError
from spiketok.holdout import HeldOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Corpus: the files of a training and how they are read.

    Attributes:
        sources: the files, held-out ones last.
        measured: the held-out files.
        held_out_files: the words that named them.
        text_field: the column with the text.
        errors: policy for broken records.
        split_text: how plain text files become documents.
        max_record: bytes of the largest record.
        endings: endings of names that are plain text.
        states: of the files before they are read.
    """

    sources: list[Source]
    measured: list[Source]
    held_out_files: Sequence[Path]
    text_field: str
    errors: Any
    split_text: str
    max_record: int
    endings: Sequence[str]
    states: Sequence[tuple[int, int] | None]

    def read(self, dropped: Dropped, report: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
        """Yield all documents and recount the dropped ones.

        Raises:
            SpikeError: there is no document, or as `read_texts`.
        """
        dropped.clear()
        documents = 0
        for batch in self._read(self.sources, dropped, report):
            documents += len(batch)
            yield batch
            del batch
        if not documents:
            first = first_fault(self.sources, self.text_field) if dropped else None
            fix = f"the first broken one: {first}; fix it or name other files" if first else FIX
            raise without_documents(self.sources, dropped, fix)

    def changed(self) -> list[Source]:
        """Return the files that changed since the corpus was opened."""
        return [self.sources[index] for index in changed_since(self.states, self.sources)]

    def held_out(self) -> HeldOut | None:
        """Return the documents of held-out files; None without such files.

        Raises:
            SpikeError: the files have no document, or as `read_texts`.
        """
        if not self.held_out_files:
            return None
        names = frozenset(document_ids(self._read(self.measured)))
        if not names:
            raise SpikeError(
                f"{self.held_out_files[0]}: has no document to measure on; name a file with text"
            )
        return HeldOut(0, names)

    def _read(
        self,
        sources: Sequence[Source],
        dropped: Dropped | None = None,
        report: Callable[[int], None] = ignore,
    ) -> Iterator[pa.RecordBatch]:
        how = self.text_field, self.errors
        return read_texts(sources, *how, dropped, report, self.split_text, self.max_record)

    def settings(self, out: Path) -> dict[str, Any]:
        """Return how the corpus is read, for the tokenizer file `out`."""
        settings: dict[str, Any] = {
            "text_field": self.text_field,
            "errors": self.errors,
            "split_text": self.split_text,
        }
        if self.max_record != MAX_RECORD:
            settings["max_record"] = self.max_record
        if self.endings:
            settings["ext"] = list(self.endings)
        if self.held_out_files:
            top = out.absolute().parent
            settings["held_out_files"] = [
                Path(os.path.relpath(file.absolute(), top)).as_posix()
                for file in self.held_out_files
            ]
        return settings


def open_corpus(
    inputs: Sequence[Path],
    held_out_files: Sequence[Path],
    *,
    extensions: Sequence[str],
    **reads: Any,
) -> tuple[Corpus, Skipped]:
    """Find the files of a corpus; also return the files left out of folders.

    `reads` are the attributes of the corpus that say how it is read.

    Args:
        inputs: the inputs.
        held_out_files: files for measurement only.
        extensions: endings of names that are plain text in folders.
        reads: see above.
    """
    endings = text_endings(extensions)
    sources, skipped = find_sources(inputs, endings)
    measured = find_sources(held_out_files, endings)[0] if held_out_files else []
    check_not_all_empty(sources)
    every = [*without(sources, measured), *measured]
    corpus = Corpus(
        sources=every,
        measured=measured,
        held_out_files=held_out_files,
        endings=endings,
        states=file_states(every),
        **reads,
    )
    return corpus, skipped

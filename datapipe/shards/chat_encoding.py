"""Encoded conversations, for shards and for scoring."""

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spiketok import Tokenizer
from spiketok.chat.chatml import marker_ids
from spiketok.chat.encoding import encode_pieces
from spiketok.errors import SpikeError

from ..sources.bad_records import Dropped, RecordRejectedError
from ..sources.chat_reader import read_conversations
from ..sources.files import Source
from ..sources.parquet import text_offsets
from ..sources.source_range import SourceRange
from .encoded_documents import Array, Documents, document_ids


def encode_conversations(
    tokenizer: Tokenizer, batch: pa.RecordBatch, ids: Array, source: int, threads: int
) -> Documents:
    """Encode conversations as `read_conversations` yields them; the separators are not trained on.

    The pieces of text are concatenated in the column `text` and encoded without a copy.

    Args:
        tokenizer: one that has the markers as special tokens.
        batch: the conversations, n of them.
        ids: uint8 [n, 16], their names.
        source: index of their file in the plan's sources.
        threads: number of threads of the encoder.
    """
    texts, pieces = batch.column("text"), batch.column("pieces")
    sizes, codes, trained = (column.to_numpy() for column in pieces.flatten().flatten())
    places = np.concatenate(([0], np.cumsum(sizes))) + text_offsets(texts)[0]
    spread = [None, pa.py_buffer(places), texts.buffers()[2]]
    tokens, counts = encode_pieces(
        tokenizer, pa.Array.from_buffers(pa.large_binary(), len(sizes), spread), codes, threads
    )
    last_pieces = np.cumsum(pieces.value_lengths().to_numpy()) - 1
    ends = np.cumsum(counts)[last_pieces]
    return Documents(
        tokens=np.insert(tokens, ends, tokenizer.eos_id),
        ends=ends + np.arange(1, len(batch) + 1),
        n_bytes=np.diff(text_offsets(texts)),
        ids=ids,
        source=np.full(len(batch), source, dtype=np.int32),
        row=batch.column("row").to_numpy(),
        loss_mask=np.insert(np.repeat(trained, counts), ends, 0),
    )


def encoded_conversations(
    source: Source,
    tokenizer: Tokenizer,
    parse_markers: bool = False,
    ignored_keys: Collection[str] = (),
    dropped: Dropped | None = None,
) -> Iterator[tuple[Array, npt.NDArray[np.bool_]]]:
    """Yield the conversations of a file: ids without separator and their loss mask, each [tokens].

    Args:
        source: the file.
        tokenizer: one that has the markers as special tokens.
        parse_markers: find markers in the plain text of assistants.
        ignored_keys: ignored keys of records.
        dropped: counts of records that are marked as not for training.

    Raises:
        SpikeError: the tokenizer lacks markers, or a conversation is malformed.
    """
    marker_ids(tokenizer.special_ids)
    try:
        for batch in read_conversations(
            SourceRange(source), parse_markers, ignored_keys, "strict", dropped
        ):
            names = document_ids(batch.column("text"))
            documents = encode_conversations(tokenizer, batch, names, source=0, threads=1)
            for number in range(len(documents)):
                document = documents.part(number, number + 1)
                if document.loss_mask is not None:
                    yield document.tokens[:-1], document.loss_mask[:-1] != 0
    except RecordRejectedError as error:
        # No record may be skipped: a score is of the whole file.
        raise SpikeError(f"{error.fault}; correct it") from None

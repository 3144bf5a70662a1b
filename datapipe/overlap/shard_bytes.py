"""Decoded bytes of shards, for native searches that scan them segment by segment.

Segments are documents; in conversations also what is between two special tokens, which have no
bytes. Longest match decodes natively while it scans, other algorithms in Python.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spiketok import Tokenizer
from spiketok.errors import SpikeError
from spiketok.fingerprints import check_same_tokenizer
from spiketok.text_buffers import join
from spiketok.vocabulary import Vocabulary

from .._overlap import TokenBytes
from ..shards.commit_records import MANIFEST, TOKENIZER
from ..shards.encoded_documents import Documents
from ..shards.files import REMAKE
from ..shards.manifest import Manifest
from ..shards.schema import token_schema_of


class Search(Protocol):
    """Native search over segments of bytes: a `WindowSet` of bytes or a `RepeatFinder`."""

    def scan(self, data: NDArray[Any], ends: NDArray[np.int64], /) -> None:
        """Search segments of bytes: uint8 [bytes], with their ends [segments]."""

    def scan_decoded(self, ids: NDArray[Any], decoder: TokenBytes, /) -> None:
        """Search the segments of ids [tokens]."""


class ShardBytes:
    """Decoder of the shards of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._table = tokenizer, None
        if isinstance(tokenizer.vocabulary, Vocabulary):
            pairs = zip(tokenizer.vocabulary.entries, tokenizer.byte_lengths, strict=True)
            self._table = TokenBytes(*join(entry if size else b"" for entry, size in pairs))

    def scan(self, search: Search, documents: Documents) -> None:
        """Search the bytes of documents."""
        if self._table is not None:
            search.scan_decoded(documents.tokens, self._table)
            return
        data, ends = join(self._texts(documents))
        search.scan(data, ends[1:])

    def document_ends(self, documents: Documents) -> NDArray[np.int64]:
        """Return where each document ends in the bytes that `scan` searches, int64 [documents]."""
        if self._table is not None:
            sizes = np.cumsum(self._tokenizer.byte_lengths[documents.tokens])
            return np.asarray(sizes[documents.ends - 1])
        return join(self._texts(documents))[1][1:]

    def known(self, text: bytes) -> bytes:
        """Return a text as the tokenizer keeps it: changed only by one that is not lossless."""
        if self._tokenizer.lossless:
            return text
        return self._tokenizer.decode_bytes(self._tokenizer.encode(text))

    def _texts(self, documents: Documents) -> list[bytes]:
        starts = np.concatenate(([0], documents.ends[:-1])).tolist()
        spans = zip(starts, documents.ends.tolist(), strict=True)
        decode = self._tokenizer.decode_bytes
        return [decode(documents.tokens[start : end - 1]) for start, end in spans]


def tokenizer_of(folder: Path, manifest: Manifest) -> Tokenizer:
    """Load the tokenizer of a shard folder.

    Raises:
        SpikeError: the file cannot be read, or is another tokenizer than the manifest's.
    """
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    check_same_tokenizer(
        folder / TOKENIZER,
        tokenizer.fingerprint,
        "the shards",
        manifest.tokenizer.fingerprint,
        REMAKE,
    )
    if token_schema_of(tokenizer) != manifest.tokenizer:
        raise SpikeError(
            f"{folder / MANIFEST}: its numbers of ids are not those of {TOKENIZER}; {REMAKE}"
        )
    return tokenizer

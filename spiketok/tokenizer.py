"""Tokenizer: text to token ids and back."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cpu_count import available_cores
from .errors import SpikeError
from .id_layout import MAX_IDS
from .longest_match import LongestMatch
from .path_contents import path_contents
from .text_buffers import buffers, utf8
from .tokenizer_file import read_tokenizer_file
from .tokenizer_json import BESE, LENGTH_MAX, parse, read_fields
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import pyarrow as pa

    from .bese.vocabulary import BeseMerger, BeseVocabulary

MAX_NARROW_IDS = 1 << 16
AnyVocabulary: TypeAlias = "Vocabulary | BeseVocabulary"


class Tokenizer:
    """Tokenizer of a vocabulary; it never changes, and threads may share it.

    Attributes:
        vocabulary: its entries and their origin.
        vocab_size: number of ids.
        algorithm: name of the encoding algorithm.
        lossless: whether every text decodes to itself.
        score_name: the name of a score of nats over bytes: `"bits_per_byte"` if lossless, else
            `"pseudo_bits_per_byte"`, since other texts share the ids.
        eos_id: id that ends a document.
        special_ids: name → id of the special tokens.
        byte_lengths: int64 [vocab_size], bytes each id adds to the text; 0 for special ids.
        dtype: of the ids that `encode` returns: uint16 where `vocab_size` allows it, else uint32.
    """

    def __init__(self, vocabulary: AnyVocabulary) -> None:
        self.vocabulary = vocabulary
        self.vocab_size = len(vocabulary)
        self.algorithm = vocabulary.algorithm
        self.lossless = vocabulary.lossless
        self.score_name = "bits_per_byte" if self.lossless else "pseudo_bits_per_byte"
        self.eos_id = vocabulary.eos_id
        self.special_ids: Mapping[str, int] = vocabulary.special_ids
        self.dtype = np.dtype(np.uint16 if self.vocab_size <= MAX_NARROW_IDS else np.uint32)
        self._coder = coder(vocabulary)
        self.byte_lengths = self._coder.byte_lengths
        self.byte_lengths.flags.writeable = False

    @classmethod
    def load(
        cls, path: Path | str, data: bytes | None = None, most_ids: int = MAX_IDS
    ) -> "Tokenizer":
        """Read a tokenizer file.

        Args:
            path: the file.
            data: its content, if already read; `path` is then its name in messages.
            most_ids: a larger vocabulary raises SpikeError before it uses memory.

        Raises:
            SpikeError: the file cannot be read, is malformed, or is not a tokenizer of spike.
        """
        path = Path(path)
        if data is None and path.is_dir():
            inside = path / "tokenizer.json"
            name = inside if inside.is_file() else "a tokenizer file"
            raise SpikeError(f"{path}: {path_contents(path)}; name {name}")
        data = read_tokenizer_file(path) if data is None else data
        content = parse(path, data, LENGTH_MAX, BESE, most_ids=most_ids)
        if content["algorithm"] == BESE:
            from .bese.vocabulary import BeseVocabulary, read_bese

            return cls(BeseVocabulary(**read_bese(path, content)))
        return cls(Vocabulary(**read_fields(path, content)))

    def save(self, path: Path | str) -> None:
        """Write the tokenizer file, whole or not at all."""
        self.vocabulary.write(path)

    def to_bytes(self) -> bytes:
        """Return the smallest tokenizer file with the same encoding and decoding."""
        bare = replace(self.vocabulary, settings={}, training={}, inputs=())
        if isinstance(bare, Vocabulary):
            bare = replace(bare, frequencies=())
        content = bare.content(Path("tokenizer.json"))
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def fingerprint(self) -> str:
        """sha256 of all that encoding and decoding depend on."""
        return self.vocabulary.fingerprint()

    def encode(self, text: str | bytes, allow_special: bool = False) -> NDArray[Any]:
        """Return the ids of one text.

        Args:
            text: any text; a `str` is encoded as UTF-8.
            allow_special: read the names of special tokens as those; else they are plain text.

        Returns:
            Ids [tokens] of `dtype`, without separator.
        """
        data = utf8(text)
        if not allow_special:
            return self.encode_batch([data], threads=1)[0]
        # A split by a group yields text and names in turn.
        parts = special_pattern(self.special_ids).split(data)
        ids, offsets = self.encode_batch(parts[::2], threads=1)
        runs = np.split(ids, offsets[1:-1])
        names = [np.array([self.special_ids[name.decode()]], self.dtype) for name in parts[1::2]]
        merged = [part for pair in zip(runs, names, strict=False) for part in pair]
        return np.concatenate([*merged, runs[-1]])

    def encode_batch(
        self,
        texts: "Sequence[str | bytes] | pa.Array | pa.ChunkedArray",
        threads: int | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Encode many texts at once; names of special tokens in them are plain text.

        Args:
            texts: a list, or an Arrow array of strings or binary, whose bytes are not copied.
            threads: number of threads; None: one per core; the result does not depend on it.

        Returns:
            The ids of all texts, concatenated, and int64 offsets [texts + 1].
        """
        wide = self.dtype == np.uint32
        results = [
            self._coder.encode(data, offsets, threads or available_cores(), wide)
            for data, offsets in buffers(texts)
        ]
        if len(results) == 1:
            return results[0]
        ids = np.concatenate([np.empty(0, self.dtype), *(ids for ids, _ in results)])
        counts = [np.zeros(1, np.int64), *(np.diff(offsets) for _, offsets in results)]
        return ids, np.cumsum(np.concatenate(counts))

    def encode_parts(
        self, text: NDArray[np.uint8], threads: int | None = None
    ) -> Iterator[NDArray[Any]]:
        """Yield the ids of a text [bytes] part by part, each [tokens]; joined, they are `encode`'s.

        So a long text needs little memory beside its ids. BESE yields all of them at once.
        """
        if isinstance(self._coder, LongestMatch):
            wide = self.dtype == np.uint32
            yield from self._coder.encode_parts(text, threads or available_cores(), wide)
        else:
            yield self.encode_batch([text.tobytes()], threads)[0]

    def decode(self, ids: ArrayLike) -> str:
        """Return the text of ids [tokens]; invalid UTF-8 becomes U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: ArrayLike) -> bytes:
        """Return the bytes of ids [tokens], special tokens by name; exact.

        Raises:
            SpikeError: the ids are not integers in one dimension, or one is out of range.
        """
        return self.decode_on(ids, 0)[0]

    def decode_on(self, ids: ArrayLike, state: int) -> tuple[bytes, int]:
        """Decode ids [tokens] that follow others.

        Args:
            ids: the next ids.
            state: 0 at the beginning of a text, else the state that the last call returned.

        Returns:
            The bytes that these ids add, and the state after them.

        Raises:
            SpikeError: as `decode_bytes`.
        """
        array = integers(ids)
        try:
            return self._coder.decode(array, state)
        except ValueError as error:
            raise SpikeError(f"ids: {error}; use the tokenizer that made them") from None

    def byte_offsets(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the byte offsets of ids [tokens]: where each begins, and where the last ends.

        Special tokens add nothing, as in `byte_lengths`. So these are offsets in the document that
        was encoded, while `decode_bytes` also returns the names of special tokens.

        Returns:
            Bytes, int64 [tokens + 1], from 0.

        Raises:
            SpikeError: as `decode_bytes`.
        """
        array = integers(ids)
        wrong = np.flatnonzero((array < 0) | (array >= self.vocab_size))
        if len(wrong):
            raise SpikeError(
                f"ids: id {array[wrong[0]]} at position {wrong[0]} is not below the vocabulary's "
                f"{self.vocab_size}; use the tokenizer that made them"
            )
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.byte_lengths[array])])


def integers(ids: ArrayLike) -> NDArray[Any]:
    """Convert ids [tokens] for the native code: contiguous uint16, uint32 or int64.

    Raises:
        SpikeError: they are not integers in one dimension.
    """
    array = np.asarray(ids)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise SpikeError(f"ids: {array.ndim}-d array of {array.dtype}; pass a list of integers")
    if array.dtype not in (np.uint16, np.uint32, np.int64):
        if array.dtype == np.uint64:
            array = np.minimum(array, np.iinfo(np.int64).max)
        array = array.astype(np.int64)
    return np.ascontiguousarray(array)


def coder(vocabulary: AnyVocabulary) -> "LongestMatch | BeseMerger":
    """Return the encoder of a vocabulary; modules of BESE are imported for it alone."""
    if isinstance(vocabulary, Vocabulary):
        return LongestMatch(vocabulary)
    from .bese.vocabulary import BeseMerger

    return BeseMerger(vocabulary)


def special_pattern(names: Mapping[str, int]) -> re.Pattern[bytes]:
    """Compile a pattern that finds the leftmost, longest name.

    >>> special_pattern({"<a>": 0, "<a><b>": 1}).split(b"x<a><b>")
    [b'x', b'<a><b>', b'']
    """
    longest_first = sorted((name.encode() for name in names), key=len, reverse=True)
    return re.compile(b"(" + b"|".join(map(re.escape, longest_first)) + b")")

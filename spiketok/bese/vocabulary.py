"""BESE vocabulary: merges over a small base alphabet (docs/bese.md, docs/formats.md §1)."""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._native import BeseCoder
from ..atomic_files import write_durably
from ..errors import SpikeError
from ..tokenizer_file import read_tokenizer_file
from ..tokenizer_json import BESE, FORMAT, parse, read_origin, read_spike, refuse

BASE_IDS = 40
# A segment is cut after this number of base ids, so no merge joins more.
MAX_BASE_IDS = 4096
MAX_IDS = 1 << 20
SEPARATOR = "<doc>"
# Alphabet → whether it is lossless.
ALPHABETS = {"bese": True, "bese-published": False}
# Base ids of a byte each: letters; places in groups and all after them. Those of groups,
# between, have no byte.
LETTER, GROUP, PLACE = 4, 15, 19


@dataclass(frozen=True, slots=True, kw_only=True)
class BeseVocabulary:
    """BESE vocabulary: merges of base ids, and their origin.

    Attributes:
        eos_id: the id that ends a document.
        alphabet: `"bese"`, or `"bese-published"`, in which many texts are one.
        merges: the ids that become id 40, 41, … as (left, right).
        vocab_size: number of ids; those beyond the merges are reserved.
        settings: of the trainer.
        training: the trainer's input and result.
        inputs: the files and folders of the training.
    """

    algorithm: ClassVar[str] = BESE
    eos_id: ClassVar[int] = 0

    alphabet: str = "bese"
    merges: tuple[tuple[int, int], ...]
    vocab_size: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return self.vocab_size

    @property
    def lossless(self) -> bool:
        """Whether every text decodes to itself."""
        return ALPHABETS[self.alphabet]

    @property
    def special_ids(self) -> dict[str, int]:
        """Name → id: the separator is the only special token."""
        return {SEPARATOR: self.eos_id}

    @property
    def reserved_ids(self) -> list[int]:
        """Reserved ids, which text never becomes, rising."""
        unused = [] if self.lossless else [1, 2, 3]
        return [*unused, *range(BASE_IDS + len(self.merges), self.vocab_size)]

    @property
    def filling(self) -> tuple[int, int]:
        """Number of merges, and of those it has room for."""
        return len(self.merges), self.vocab_size - BASE_IDS

    @property
    def shape(self) -> dict[str, Any]:
        """Description that differs between vocabularies of one algorithm."""
        return {"alphabet": self.alphabet, "merges": len(self.merges)}

    def fingerprint(self) -> str:
        """Return the sha256 of all that encoding and decoding depend on."""
        import hashlib  # slow to load, and of use here alone

        digest = hashlib.sha256(f"spike-bese-1\n{self.alphabet}\n".encode())
        digest.update(struct.pack("<I", self.vocab_size))
        for pair in self.merges:
            digest.update(struct.pack("<II", *pair))
        return digest.hexdigest()

    @classmethod
    def read(cls, path: Path | str) -> "BeseVocabulary":
        """Read a file that `write` wrote.

        Raises:
            SpikeError: the file cannot be read, or is malformed.
        """
        return cls(
            **read_bese(Path(path), parse(Path(path), read_tokenizer_file(Path(path)), BESE))
        )

    def write(self, path: Path | str) -> None:
        """Write the file, whole or not at all; `inputs` become relative to its folder."""
        text = json.dumps(self.content(Path(path)), ensure_ascii=False)
        write_durably(Path(path), text.encode() + b"\n")

    def content(self, path: Path) -> dict[str, Any]:
        """Return the content of a file of this name."""
        folder = path.absolute().parent
        return {
            "algorithm": self.algorithm,
            "alphabet": self.alphabet,
            "lossless": self.lossless,
            "vocab_size": self.vocab_size,
            "merges": [list(pair) for pair in self.merges],
            "spike": {
                "format": FORMAT,
                "settings": dict(self.settings),
                "training": dict(self.training),
                "inputs": [Path(os.path.relpath(file, folder)).as_posix() for file in self.inputs],
            },
        }


def read_bese(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Check the content of a file; return the fields of its `BeseVocabulary`.

    Raises:
        SpikeError: it is malformed.
    """
    alphabet, size, merges = (content.get(key) for key in ("alphabet", "vocab_size", "merges"))
    if not isinstance(alphabet, str) or alphabet not in ALPHABETS:
        refuse(path, "alphabet", f"is not one of {', '.join(ALPHABETS)}")
    if content.get("lossless") is not ALPHABETS[alphabet]:
        refuse(path, "lossless", f"is not {json.dumps(ALPHABETS[alphabet])}, as of its alphabet")
    if not isinstance(merges, list):
        refuse(path, "merges", "is not a list of pairs")
    if type(size) is not int or not BASE_IDS + len(merges) <= size <= MAX_IDS:
        refuse(path, "vocab_size", f"is not a number from {BASE_IDS} + merges to {MAX_IDS}")
    for rank, pair in enumerate(merges):
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(token) is int and 0 < token < BASE_IDS + rank for token in pair)
        ):
            refuse(path, f"merges, number {rank}", "is not a pair of earlier ids")
    about = read_spike(path, content)
    if about is None:
        refuse(path, "spike", "is missing")
    fields = {"alphabet": alphabet, "vocab_size": size, "merges": tuple(map(tuple, merges))}
    return {**fields, **read_origin(path, about)}


class BeseMerger:
    """Merges of a vocabulary as native tables.

    Attributes:
        byte_lengths: int64 [ids], bytes each id adds to the text, independent of ids before it.
    """

    def __init__(self, vocabulary: BeseVocabulary) -> None:
        lengths = np.zeros(len(vocabulary), np.int64)
        lengths[LETTER:GROUP] = lengths[PLACE:BASE_IDS] = 1
        left, right = np.array(vocabulary.merges, np.uint32).reshape(-1, 2).T
        try:
            coder = BeseCoder(
                vocabulary.lossless,
                np.ascontiguousarray(left),
                np.ascontiguousarray(right),
                SEPARATOR.encode(),
                len(vocabulary),
            )
        except ValueError as error:
            raise SpikeError(f"the vocabulary: {error}; train another one") from None
        for rank, (first, second) in enumerate(vocabulary.merges):
            lengths[BASE_IDS + rank] = lengths[first] + lengths[second]
        self.byte_lengths: NDArray[np.int64] = lengths
        self.encode, self.decode = coder.encode, coder.decode

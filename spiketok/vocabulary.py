"""Vocabulary: id to bytes; docs/formats.md §1 has its file and its fingerprint."""

import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from .atomic_files import write_durably
from .errors import SettingError, SpikeError
from .id_layout import (
    EOS_ID,
    FIRST_ENTRIES,
    FIRST_NAMES,
    LAYOUTS,
    MAX_IDS,
    PIECE,
    RESERVED,
    SPECIAL,
    reserved_name,
    smallest_vocab_size,
)
from .tokenizer_file import read_tokenizer_file
from .tokenizer_json import FORMAT, LENGTH_MAX, parse, read_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Vocabulary of a longest-match tokenizer: its entries by id, and their origin.

    Attributes:
        lossless: every text decodes to itself.
        eos_id: the id that ends a document.
        entries: for each id its bytes: a special token's name, nothing for a reserved id.
        kinds: for each id `PIECE`, `SPECIAL` or `RESERVED`.
        algorithm: of the encoder: `"length-max"`.
        layout: `"chatml"` or `"minimal"`.
        max_token_bytes: longest piece the trainer allowed.
        settings: of the trainer.
        training: the trainer's input and result.
        inputs: the files and folders of the training.
        frequencies: uses by id in the text trained on; empty where unknown.
    """

    lossless: ClassVar[bool] = True
    eos_id: ClassVar[int] = EOS_ID

    entries: tuple[bytes, ...]
    kinds: bytes
    algorithm: str = LENGTH_MAX
    layout: str = "minimal"
    max_token_bytes: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    frequencies: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def ids_of(self, kind: int) -> list[int]:
        """Return the ids of one kind, rising."""
        return [token for token, its_kind in enumerate(self.kinds) if its_kind == kind]

    @property
    def special_ids(self) -> dict[str, int]:
        """Name → id of every special token, in id order."""
        return {self.entries[token].decode(): token for token in self.ids_of(SPECIAL)}

    @property
    def reserved_ids(self) -> list[int]:
        """Reserved ids, rising."""
        return self.ids_of(RESERVED)

    @property
    def filling(self) -> tuple[int, int]:
        """Number of pieces, and of those it has room for."""
        pieces = self.kinds.count(PIECE) - 256
        return pieces, room_for_pieces(len(self), self.layout)

    @property
    def shape(self) -> dict[str, Any]:
        """Description that differs between vocabularies of one algorithm."""
        return {"layout": self.layout, "max_token_bytes": self.max_token_bytes}

    def fingerprint(self) -> str:
        """Return the sha256 of all that encoding and decoding depend on."""
        import hashlib  # slow to load, and of use here alone

        digest = hashlib.sha256(f"spike-tokenizer-1\n{self.algorithm}\n".encode())
        for kind, entry in zip(self.kinds, self.entries, strict=True):
            digest.update(struct.pack("<BI", kind, len(entry)) + entry)
        return digest.hexdigest()

    @classmethod
    def read(cls, path: Path | str) -> "Vocabulary":
        """Read a tokenizer file, published or written by `write`.

        Raises:
            SpikeError: the file cannot be read, or is malformed.
        """
        content = parse(Path(path), read_tokenizer_file(Path(path)), LENGTH_MAX)
        return cls(**read_fields(Path(path), content))

    def write(self, path: Path | str) -> None:
        """Write the file, whole or not at all; `inputs` become relative to its folder."""
        text = json.dumps(self.content(Path(path)), ensure_ascii=False, indent=1)
        write_durably(Path(path), text.encode() + b"\n")

    def content(self, path: Path) -> dict[str, Any]:
        """Return the content of a file of this name.

        Raises:
            SpikeError: a piece is spelled as a special token.
        """
        keys = [
            reserved_name(token) if kind == RESERVED else entry.decode("latin-1")
            for token, (kind, entry) in enumerate(zip(self.kinds, self.entries, strict=True))
        ]
        if len(set(keys)) < len(keys):
            raise SpikeError(f"{path}: a piece is spelled as a special token; leave that piece out")
        folder = path.absolute().parent
        content: dict[str, Any] = {
            "vocab": {key: token for token, key in enumerate(keys)},
            "max_token_len": self.max_token_bytes,
            "vocab_size": len(self),
            "algorithm": self.algorithm,
            "special_tokens": list(self.special_ids)[len(FIRST_NAMES) :],
            "spike": {
                "format": FORMAT,
                "layout": self.layout,
                "reserved": ranges(self.reserved_ids),
                "settings": dict(self.settings),
                "training": dict(self.training),
                "inputs": [Path(os.path.relpath(file, folder)).as_posix() for file in self.inputs],
            },
        }
        if self.frequencies:
            content["spike"]["frequencies"] = list(self.frequencies)
        return content


def build_vocabulary(
    pieces: Iterable[bytes],
    vocab_size: int,
    layout: str,
    uses: Mapping[bytes, int] | None = None,
    **about: Any,
) -> Vocabulary:
    """Build a vocabulary: pieces of two bytes or more, in order, between bytes and special tokens.

    Args:
        pieces: at most `room_for_pieces(vocab_size, layout)`; ids left over are reserved.
        vocab_size: number of ids, special and reserved ones included.
        layout: `"chatml"` or `"minimal"`.
        uses: occurrences of each byte and piece in the text trained on.
        about: the other fields of `Vocabulary`.

    Raises:
        SpikeError: there are more pieces than ids for them.
    """
    room = room_for_pieces(vocab_size, layout)
    pieces = list(pieces)
    if len(pieces) > room:
        raise SpikeError(
            f"{len(pieces):,} pieces do not fit into {vocab_size:,} ids; pass at most {room:,}"
        )
    names, block = LAYOUTS[layout]
    empty, nameless = room - len(pieces), block - len(names)
    kinds = bytes([SPECIAL]) * len(FIRST_NAMES) + bytes([PIECE]) * (256 + len(pieces))
    kinds += bytes([RESERVED]) * empty
    kinds += bytes([SPECIAL]) * len(names) + bytes([RESERVED]) * nameless
    entries = [*FIRST_ENTRIES, *pieces, *[b""] * empty]
    entries += [*(name.encode() for name in names), *[b""] * nameless]
    if uses is not None:
        about["frequencies"] = tuple(
            uses.get(entry, 0) if kind == PIECE else 0
            for kind, entry in zip(kinds, entries, strict=True)
        )
    about.setdefault("max_token_bytes", max(map(len, pieces), default=1))
    return Vocabulary(entries=tuple(entries), kinds=kinds, layout=layout, **about)


def room_for_pieces(vocab_size: int, layout: str) -> int:
    """Return the number of pieces that a vocabulary has room for.

    Raises:
        SettingError: the layout is unknown, or not even the bytes fit.

    >>> room_for_pieces(16512, "chatml")
    16124
    """
    if layout not in LAYOUTS:
        raise SettingError("layout", f"{layout!r} is unknown; use one of {', '.join(LAYOUTS)}")
    smallest = smallest_vocab_size(layout)
    if not smallest <= vocab_size <= MAX_IDS:
        raise SettingError(
            "vocab_size",
            f"{vocab_size:,} is out of range; choose {smallest} to {MAX_IDS:,} for layout {layout}",
        )
    return vocab_size - smallest


def ranges(ids: list[int]) -> list[list[int]]:
    """Convert rising ids to half-open ranges.

    >>> ranges([2, 3, 4, 9])
    [[2, 5], [9, 10]]
    """
    runs: list[list[int]] = []
    for token in ids:
        if runs and runs[-1][1] == token:
            runs[-1][1] += 1
        else:
            runs.append([token, token + 1])
    return runs

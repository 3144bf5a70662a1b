"""Tokenizers of other libraries: Hugging Face JSON, SentencePiece models, tiktoken names."""

import importlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError
from spiketok.regular_files import MAX_LISTING, read_regular

from ..visible import one_character_a_byte
from .adapter import TokenizerAdapter, flat

MAX_IDS = 1 << 24


def open_hugging_face(path: Path) -> TokenizerAdapter:
    """Open a `tokenizer.json` of Hugging Face; names of special tokens in texts are plain text."""
    library = optional("tokenizers", path)
    with silenced_panics(), refusals("tokenizers", path):
        loaded = library.Tokenizer.from_buffer(read_regular(path, MAX_LISTING))
        # Tokens that a model needs in its input are no part of the text's tokens.
        loaded.no_truncation()
        loaded.no_padding()
        loaded.encode_special_tokens = True

    def encode(texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        with refusals("tokenizers", path):
            # One text at a time, which the library encodes on one thread.
            strings = map(one_character_a_byte, texts)
            found = (loaded.encode_batch_fast([text], add_special_tokens=False) for text in strings)
            return flat([encoding.ids for (encoding,) in found])

    def decode(ids: NDArray[Any]) -> bytes:
        with refusals("tokenizers", path):
            text: str = loaded.decode(ids.tolist(), skip_special_tokens=False)
            return text.encode()

    def spans(text: bytes) -> NDArray[np.int64]:
        with refusals("tokenizers", path):
            found = loaded.encode(one_character_a_byte(text), add_special_tokens=False)
            return np.array(found.offsets, np.int64).reshape(-1, 2)

    return TokenizerAdapter(
        name=str(path),
        kind="hugging face",
        entries=hugging_face_entries(path, loaded),
        encode=encode,
        decode=decode,
        spans=spans,
    )


def hugging_face_entries(path: Path, loaded: Any) -> list[bytes]:
    """Return the bytes of each id, as far as its spelling in the file gives them."""
    settings = json.loads(loaded.to_str())
    parts = json.dumps([settings["pre_tokenizer"], settings["decoder"]])
    letters = byte_letters()
    prefix = settings["model"].get("continuing_subword_prefix") or ""
    entries = blank_entries(path, loaded.get_vocab(with_added_tokens=True).values())
    for piece, token in loaded.get_vocab(with_added_tokens=False).items():
        if '"ByteLevel"' in parts and letters.keys() >= set(piece):
            entries[token] = bytes(letters[letter] for letter in piece)
        else:
            entries[token] = spelled_bytes(piece.removeprefix(prefix))
    for added in settings["added_tokens"]:
        entries[added["id"]] = added["content"].encode()
    return entries


@cache
def byte_letters() -> dict[str, int]:
    """Return the letters of bytes in byte-level vocabularies, as in GPT-2.

    >>> byte_letters()["Ġ"], byte_letters()["a"]
    (32, 97)
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {
        chr(256 + place): byte for place, byte in enumerate(hidden)
    }


def spelled_bytes(piece: str) -> bytes:
    """Return the bytes of a piece in which ▁ is a space and <0x0A> may be a byte.

    >>> spelled_bytes("▁a"), spelled_bytes("<0xC3>")
    (b' a', b'\\xc3')
    """
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        try:
            return bytes([int(piece[3:5], 16)])
        except ValueError:
            pass
    return piece.replace("▁", " ").encode()


def open_sentencepiece(path: Path) -> TokenizerAdapter:
    """Open a SentencePiece `.model` file.

    Raises:
        SpikeError: the library is not installed, or rejects the file.
    """
    library = optional("sentencepiece", path)
    with refusals("sentencepiece", path):
        content = read_regular(path, MAX_LISTING)
    if not content:  # the library takes it for no model yet, and logs at the first question
        raise SpikeError(f"{path}: an empty file is no sentencepiece model; name a .model file")
    with refusals("sentencepiece", path):
        loaded = library.SentencePieceProcessor(model_proto=content)
        size = loaded.get_piece_size()
        entries = [spelled_bytes(loaded.id_to_piece(token)) for token in range(size)]

    def encode(texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        with refusals("sentencepiece", path):
            strings = map(one_character_a_byte, texts)
            return flat([loaded.encode(text, out_type="numpy") for text in strings])

    def decode(ids: NDArray[Any]) -> bytes:
        with refusals("sentencepiece", path):
            text: str = loaded.decode(ids.tolist())
            return text.encode()

    def spans(text: bytes) -> NDArray[np.int64]:
        with refusals("sentencepiece", path):
            found = loaded.encode(one_character_a_byte(text), out_type="offset_mapping")
            return np.array(found["offsets"], np.int64).reshape(-1, 2)

    return TokenizerAdapter(
        name=str(path),
        kind="sentencepiece",
        entries=entries,
        encode=encode,
        decode=decode,
        spans=spans,
    )


def open_tiktoken(name: str) -> TokenizerAdapter:
    """Open an encoding of tiktoken whose ranks are on this machine, without network access."""
    place = f"tiktoken:{name}"
    library = optional("tiktoken", place)
    loading: Any = importlib.import_module("tiktoken.load")
    read = loading.read_file

    def read_here(source: str) -> Any:
        if "://" in source:
            raise SpikeError(
                f"{place}: its ranks are not on this machine, and spike does not download; "
                "put them in the folder that TIKTOKEN_CACHE_DIR names"
            )
        return read(source)

    loading.read_file = read_here
    try:
        with refusals("tiktoken", place):
            loaded = library.get_encoding(name)
    finally:
        loading.read_file = read
    entries = blank_entries(place, [loaded.n_vocab - 1])
    for token in range(loaded.n_vocab):
        try:
            entries[token] = loaded.decode_single_token_bytes(token)
        except KeyError:
            continue  # an id without bytes

    def encode(texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        with refusals("tiktoken", place):
            strings = map(one_character_a_byte, texts)
            # Without a single special name to look for, names of special tokens are plain text.
            return flat([loaded.encode_to_numpy(text, disallowed_special=()) for text in strings])

    def decode(ids: NDArray[Any]) -> bytes:
        return bytes(loaded.decode_bytes(ids.tolist()))

    return TokenizerAdapter(
        name=place, kind="tiktoken", entries=entries, encode=encode, decode=decode
    )


def blank_entries(place: Path | str, ids: Any) -> list[bytes]:
    """Return an empty entry for each id up to the largest.

    Raises:
        SpikeError: the largest id is absurdly large.
    """
    largest = max(ids, default=-1)
    if largest >= MAX_IDS:
        raise SpikeError(
            f"{place}: has an id of {largest:,}; use a tokenizer with ids below {MAX_IDS:,}"
        )
    return [b""] * (largest + 1)


def optional(library: str, place: Path | str) -> ModuleType:
    """Import a library that is not installed with spike.

    Raises:
        SpikeError: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise SpikeError(
            f"{place}: needs the library {library}; run pip install {library}"
        ) from None


@contextmanager
def refusals(library: str, place: Path | str) -> Iterator[None]:
    """Convert any error of a library to one line; a panic in its Rust is no Exception.

    Raises:
        SpikeError: the library raised an error.
    """
    try:
        yield
    except (SpikeError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        message = (str(error) or type(error).__name__).splitlines()[0]
        raise SpikeError(f"{place}: the library {library} rejects it: {message}") from None


@contextmanager
def silenced_panics() -> Iterator[None]:
    """Discard the output of native code on the descriptor of stderr."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

"""Open a tokenizer of any library that the command line may name."""

from collections.abc import Sequence
from pathlib import Path

from spiketok import Tokenizer, Vocabulary
from spiketok.path_contents import is_hugging_face

from .adapter import TokenizerAdapter
from .adapters import open_hugging_face, open_sentencepiece, open_tiktoken

TIKTOKEN = "tiktoken:"


def open_any(name: Path) -> TokenizerAdapter:
    """Open a tokenizer file of spike, Hugging Face or SentencePiece, or `tiktoken:NAME`.

    Raises:
        SpikeError: the file is missing or broken, or the library that reads it is not installed.
    """
    if str(name).startswith(TIKTOKEN) and not name.exists():
        return open_tiktoken(str(name).removeprefix(TIKTOKEN))
    if name.suffix == ".model" and name.exists():
        return open_sentencepiece(name)
    if is_hugging_face(name):
        return open_hugging_face(name)
    return open_ours(name)


def open_ours(path: Path) -> TokenizerAdapter:
    """Open a tokenizer file of spike."""
    loaded = Tokenizer.load(path)
    if isinstance(loaded.vocabulary, Vocabulary):
        entries: Sequence[bytes] = loaded.vocabulary.entries
        frequencies = loaded.vocabulary.frequencies
    else:  # the bytes of an id at the beginning of a text
        entries = [loaded.decode_bytes([token]) for token in range(loaded.vocab_size)]
        frequencies = ()
    return TokenizerAdapter(
        name=str(path),
        kind="spike",
        entries=entries,
        encode=lambda texts: loaded.encode_batch(list(texts), threads=1),
        decode=loaded.decode_bytes,
        ends=lambda ids: loaded.byte_offsets(ids)[1:],
        frequencies=frequencies,
    )

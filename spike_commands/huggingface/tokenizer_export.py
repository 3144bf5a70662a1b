"""Export of a tokenizer file, as `spike export tokenizer` does it."""

from pathlib import Path
from typing import Any

from spiketok import Tokenizer, Vocabulary
from spiketok.errors import SpikeError
from spiketok.huggingface import VOCABULARY_FILE, export_tokenizer


def export_file(file: Path, folder: Path, fast: bool = False) -> dict[str, Any]:
    """Write a tokenizer as a folder for AutoTokenizer.

    Args:
        file: of the tokenizer, or a folder of a run or of shards that has it.
        folder: the folder to make.
        fast: write a file of the library tokenizers, without code.

    Returns:
        The object of `spike export tokenizer --json`.

    Raises:
        SpikeError: the tokenizer cannot be read or exported.
    """
    if (inside := file / "tokenizer.json").is_file():  # of a run or of shards
        file = inside
    vocabulary = Tokenizer.load(file).vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SpikeError(
            f"{file}: a BESE tokenizer, and only length-max ones can be exported; train one with "
            "--algorithm length-max"
        )
    files = export_tokenizer(vocabulary, folder, fast)
    return {
        "folder": str(folder),
        "files": files,
        "vocabulary": str(folder / VOCABULARY_FILE),
        "vocab_size": len(vocabulary),
        "fingerprint": vocabulary.fingerprint(),
    }

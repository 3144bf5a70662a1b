"""Export tokenizer folders that AutoTokenizer of `transformers` loads."""

import json
from dataclasses import replace
from pathlib import Path

from ..atomic_files import durable_folder
from ..chat.chatml import MARKERS
from ..errors import SpikeError
from ..vocabulary import Vocabulary
from .bundle import generate
from .chat_template import CHAT_TEMPLATE
from .names import ROLES, VOCABULARY_FILE, names_without_role
from .tokenizers_json import stock_file

MODULE = "spike_tokenizer"


def export_tokenizer(vocabulary: Vocabulary, folder: Path, fast: bool = False) -> list[str]:
    """Write a new tokenizer folder; it appears whole or not at all.

    Args:
        vocabulary: what to export.
        folder: the folder to create.
        fast: write a file of the library `tokenizers` instead of code.

    Returns:
        The names of its files.

    Raises:
        SpikeError: the folder exists, or a special token's name is not ASCII.
    """
    try:
        with durable_folder(folder) as unfinished:
            return write_tokenizer(vocabulary, unfinished, fast)
    except FileExistsError:
        raise SpikeError(f"{folder}: exists already; remove it or choose another") from None


def write_tokenizer(vocabulary: Vocabulary, folder: Path, fast: bool = False) -> list[str]:
    """Write the files of docs/formats.md §6 into an existing folder; return their names.

    Raises:
        SpikeError: a special token's name is not ASCII.
    """
    # Beyond ASCII a name could be written like a piece, one character of which is one byte.
    if odd := [name for name in vocabulary.special_ids if not name.isascii()]:
        raise SpikeError(f"the special token {odd[0]!a} is not ASCII; rename it")
    replace(vocabulary, inputs=()).write(folder / VOCABULARY_FILE)
    files = {"tokenizer_config.json": as_json(configuration(vocabulary, fast), indent=2)}
    if fast:
        files["tokenizer.json"] = as_json(stock_file(vocabulary))
    else:
        files[f"{MODULE}.py"] = generate()
    if vocabulary.special_ids.keys() >= set(MARKERS):
        files["chat_template.jinja"] = CHAT_TEMPLATE
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted([VOCABULARY_FILE, *files])


def as_json(content: object, indent: int | None = None) -> str:
    """Return the text of a JSON file."""
    return json.dumps(content, ensure_ascii=False, indent=indent) + "\n"


def configuration(vocabulary: Vocabulary, fast: bool) -> dict[str, object]:
    """Return `tokenizer_config.json`: the class for `transformers` and the names of its tokens."""
    code: dict[str, object] = {
        "auto_map": {"AutoTokenizer": [f"{MODULE}.SpikeTokenizer", None]},
        "tokenizer_class": "SpikeTokenizer",
    }
    return {
        **({"tokenizer_class": "PreTrainedTokenizerFast"} if fast else code),
        **ROLES,
        "extra_special_tokens": names_without_role(vocabulary.special_ids),
        "split_special_tokens": False,
    }

"""Writes the folder that `AutoTokenizer.from_pretrained(…, trust_remote_code=True)` loads."""

import json
from dataclasses import replace
from pathlib import Path

from ..chat import MARKERS
from ..durable import durable_folder
from ..errors import SpikeError
from ..layout import FIRST_NAMES
from ..vocabulary import Vocabulary
from .chat_template import CHAT_TEMPLATE
from .generate import generate
from .names import FIRST_ROLES, VOCABULARY_FILE

MODULE = "spike_tokenizer"


def export_tokenizer(vocabulary: Vocabulary, folder: Path) -> list[str]:
    """Write a new folder; it appears whole or not at all.

    Returns:
        The names of its files.

    Raises:
        SpikeError: the folder is there already.
    """
    try:
        with durable_folder(folder) as unfinished:
            return write_tokenizer(vocabulary, unfinished)
    except FileExistsError:
        raise SpikeError(f"{folder}: is there already; remove it or choose another") from None


def write_tokenizer(vocabulary: Vocabulary, folder: Path) -> list[str]:
    """Write the files of docs/formats.md §5 into a folder; return their names."""
    replace(vocabulary, inputs=()).write(folder / VOCABULARY_FILE)
    files = {
        f"{MODULE}.py": generate(),
        "tokenizer_config.json": json.dumps(configuration(vocabulary), indent=2) + "\n",
    }
    if vocabulary.special_ids.keys() >= set(MARKERS):
        files["chat_template.jinja"] = CHAT_TEMPLATE
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted([VOCABULARY_FILE, *files])


def configuration(vocabulary: Vocabulary) -> dict[str, object]:
    """Return what `transformers` must know before it runs our code."""
    return {
        "auto_map": {"AutoTokenizer": [f"{MODULE}.SpikeTokenizer", None]},
        "tokenizer_class": "SpikeTokenizer",
        **dict(zip(FIRST_ROLES, FIRST_NAMES, strict=True)),
        "extra_special_tokens": list(vocabulary.special_ids)[len(FIRST_NAMES) :],
        "split_special_tokens": False,
    }

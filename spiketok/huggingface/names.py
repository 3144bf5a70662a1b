"""File and attribute names that `transformers` expects."""

from collections.abc import Iterable

VOCABULARY_FILE = "spike_tokenizer.json"
# Texts begin and end with the separator; models are never trained on `<bos>`.
ROLES = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<eos>", "eos_token": "<eos>"}


def names_without_role(names: Iterable[str]) -> list[str]:
    """Return the special tokens that `transformers` has no attribute for, in their order."""
    return [name for name in names if name not in ROLES.values()]

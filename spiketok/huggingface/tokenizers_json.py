"""Export a vocabulary to a `tokenizer.json` of the library `tokenizers`, without code of spike.

The library has no model that finds longest matches over bytes at a useful speed, but its
pre-tokeniser cuts text with a regular expression. One that follows the trie of all entries, and at
each letter tries to continue before it stops, finds the longest entry. The simplest model then
looks up the piece. docs/huggingface.md lists what this export loses.
"""

import re
from collections.abc import Iterable
from typing import Any

from ..chat.chatml import KINDS_OF_ROLE, START
from ..id_layout import FIRST_NAMES, PIECE, reserved_name
from ..vocabulary import Vocabulary

# Byte → its letter in the library's `ByteLevel`: printable ones are themselves, the others are
# counted from U+0100 on.
PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
OTHERS = tuple(byte for byte in range(0x100) if byte not in PRINTABLE)
LETTERS = {byte: chr(byte) for byte in PRINTABLE} | {
    byte: chr(0x100 + number) for number, byte in enumerate(OTHERS)
}


def stock_file(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the content of a `tokenizer.json` of the library."""
    pieces = {token: byte_level(vocabulary.entries[token]) for token in vocabulary.ids_of(PIECE)}
    special = {token: name for name, token in vocabulary.special_ids.items()}
    reserved = {token: reserved_name(token) for token in vocabulary.reserved_ids}
    names = dict(sorted((pieces | special | reserved).items()))
    cuts = [split(longest_match(pieces.values()))]
    if START in special.values():
        # A cut cannot see the text before, so this one is made at every beginning.
        roles = "|".join(KINDS_OF_ROLE)
        cuts.insert(0, split(rf"\A(?:{roles})" + byte_level(b"\n")))
    by_bytes = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    by_bytes["trim_offsets"] = False
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token, name in special.items()
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [by_bytes, *cuts]},
        "post_processor": None,
        "decoder": by_bytes,
        "model": {
            "type": "WordLevel",
            "vocab": {name: token for token, name in names.items()},
            "unk_token": FIRST_NAMES[1],
        },
    }


def split(pattern: str) -> dict[str, Any]:
    """Return the `Split` pre-tokenizer of a regular expression."""
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }


def byte_level(entry: bytes) -> str:
    """Return bytes in the library's `ByteLevel` alphabet.

    >>> byte_level(b"a b")
    'aĠb'
    """
    return "".join(LETTERS[byte] for byte in entry)


def longest_match(entries: Iterable[str]) -> str:
    """Return a regular expression that matches the longest entry at a position.

    >>> longest_match(["a", "an", "and", "any", "b", "c"])
    '(?:a(?:n(?:[dy])?)?|[bc])'
    """
    trie: dict[str, Any] = {}
    for entry in entries:
        node = trie
        for letter in entry:
            node = node.setdefault(letter, {})
        node[""] = {}
    return branches(trie)


def branches(node: dict[str, Any]) -> str:
    """Return the pattern for the rest of an entry after a node of the trie."""
    ways = {re.escape(letter): branches(after) for letter, after in node.items() if letter}
    # The fuller a branch, the likelier it is, so it is tried first.
    longer = sorted((way + rest for way, rest in ways.items() if rest), key=len, reverse=True)
    last = "".join(way for way, rest in ways.items() if not rest)
    alternatives = "|".join([*longer, *([f"[{last}]"] if last else [])])
    return f"(?:{alternatives}){'?' if '' in node else ''}" if alternatives else ""

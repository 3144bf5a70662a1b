"""Visible text: escape invisible characters of data, and all that a terminal would obey.

The page's script has the same rules.
"""

import json
import re
import sys
import unicodedata
from typing import Any

import click

ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
SURROGATES = re.compile("[\ud800-\udfff]")
# Control, format, private, unassigned; spaces and separators other than the plain space.
HIDDEN = frozenset(("Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs"))
SHAPES = {"\n": "⏎", "\t": "⇥", " ": " "}


def visible(data: bytes) -> str:
    r"""Return bytes as one line of text; invisible characters are escaped.

    >>> visible(b"a b\n\t\x1b\xff"), visible("\u202e\u00a0é".encode())
    ('a b⏎⇥⟨U+1B⟩⟨FF⟩', '⟨U+202E⟩⟨U+A0⟩é')
    """
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(shape, text))


def safe_for_terminals(text: str) -> str:
    r"""Return text with all invisible characters escaped, except line ends and tabs.

    >>> safe_for_terminals("a\tb\n\x1b[31m")
    'a\tb\n⟨U+1B⟩[31m'
    """
    return "".join(letter if letter in SHAPES else shape(letter) for letter in text)


def print_text(text: str, end: str = "\n") -> None:
    """Print text of data on stdout: in a terminal `safe_for_terminals`, else byte for byte.

    Bytes that are no UTF-8 are surrogates in `text`, as in arguments of the command line.
    """
    if sys.stdout.isatty():
        click.echo(safe_for_terminals(text) + end, nl=False)
    else:
        click.echo((text + end).encode("utf-8", "surrogateescape"), nl=False)


def json_text(value: Any, indent: int | None = None) -> str:
    r"""Return JSON, with escapes for surrogates, and in a terminal for all that is hidden.

    >>> json_text({"a": "é\udcff"})
    '{"a": "é\\udcff"}'
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if sys.stdout.isatty():
        return "".join(one if one in SHAPES else escaped(one) for one in text)
    return SURROGATES.sub(lambda found: escaped(found[0]), text)


def escaped(letter: str) -> str:
    """Return a character of JSON, an escape if it is invisible."""
    hidden = SURROGATES.match(letter) or unicodedata.category(letter) in HIDDEN
    return json.dumps(letter)[1:-1] if hidden else letter


def shape(letter: str) -> str:
    """Return the visible form of one character, or of one byte that is no UTF-8."""
    if letter in SHAPES:
        return SHAPES[letter]
    if ESCAPED_BYTES.match(letter):
        return f"⟨{ord(letter) - 0xDC00:02X}⟩"
    if unicodedata.category(letter) in HIDDEN:
        return f"⟨U+{ord(letter):02X}⟩"
    return letter


def one_character_a_byte(data: bytes) -> str:
    r"""Decode UTF-8 with one U+FFFD for each byte that is none, so that places can be counted.

    >>> one_character_a_byte(b"\xe2\x82a")
    '\ufffd\ufffda'
    """
    return ESCAPED_BYTES.sub("\ufffd", data.decode("utf-8", "surrogateescape"))

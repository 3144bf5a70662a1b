"""JSON values of untrusted files: check them, and name them in errors as JSON does."""

from collections.abc import Iterable
from typing import Any, NoReturn

from .errors import SpikeError

KIND_NAMES: dict[type, str] = {
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


MAX_DEPTH = 64
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def kind_name(value: object) -> str:
    """Return the JSON name of a value's type.

    >>> kind_name(5), kind_name(None), kind_name({})
    ('a number', 'null', 'an object')
    """
    return KIND_NAMES.get(type(value), f"a {type(value).__name__}")


def check_structure(data: bytes, most_values: int) -> None:
    """Check, before decoding, that JSON cannot take far more memory than its text.

    A list of empty lists takes 20 times its text; nesting takes stack of the code that walks it.

    Args:
        data: the text; text that is not JSON passes, for the parser to report.
        most_values: the limit for values that are not the first of their list or object, plus
            lists and objects.

    Raises:
        ValueError: there are more values, or the nesting is deeper than `MAX_DEPTH`.

    >>> check_structure(b'{"a": [1, "[,]"]}', 3)
    >>> check_structure(b'{"a": [1, 2, 3, 4]}', 3)
    Traceback (most recent call last):
    ValueError: more than 3 values
    """
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    without_texts = b"".join(without_escapes.split(b'"')[::2])
    if sum(map(without_texts.count, (b",", b"[", b"{"))) > most_values:
        raise ValueError(f"more than {most_values:,} values")
    brackets = without_texts.translate(None, NO_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round removes the innermost ones
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if b"[]" in brackets or b"{}" in brackets:
        raise ValueError("nested too deeply")


def checked(value: Any, kind: type, place: str) -> Any:
    """Check that a value is of a type, `str`, `list` or `dict`, and return it.

    Raises:
        SpikeError: it is not.
    """
    if not isinstance(value, kind):
        raise SpikeError(f"{place}: is {kind_name(value)}; write {KIND_NAMES[kind]}")
    return value


def checked_name(value: Any, known: Iterable[str], place: str) -> Any:
    """Check that a value is one of the known names, and return it.

    Raises:
        SpikeError: it is not.
    """
    if not isinstance(value, str) or value not in known:
        raise SpikeError(f"{place}: {shown(value)} is unknown; use one of {', '.join(known)}")
    return value


def shown(value: object, most: int = 80) -> str:
    """Return the `repr` of a value from a file, cut to `most` characters.

    >>> shown("a"), shown("a" * 100, 10), shown(16**5000)
    ("'a'", "'aaaaaa...", 'a number of too many digits')
    """
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"
    except RecursionError:
        return f"{kind_name(value)}, nested too deeply"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def raise_no_json(name: str) -> NoReturn:
    """Raise an error for NaN and infinities, which JSON does not have and Python reads."""
    raise ValueError(f"{name} is not JSON")

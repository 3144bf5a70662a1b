"""Checks values decoded from JSON of others, and names them in errors as JSON does."""

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


def kind_name(value: object) -> str:
    """Say what kind of value it is.

    >>> kind_name(5), kind_name(None), kind_name({})
    ('a number', 'null', 'an object')
    """
    return KIND_NAMES.get(type(value), f"a {type(value).__name__}")


def checked(value: Any, kind: type, place: str) -> Any:
    """Refuse what is not of a kind: `str`, `list` or `dict`."""
    if not isinstance(value, kind):
        raise SpikeError(f"{place}: {kind_name(value)} instead of {KIND_NAMES[kind]}")
    return value


def checked_name(value: Any, known: Iterable[str], place: str) -> Any:
    """Refuse what is none of the known names."""
    if not isinstance(value, str) or value not in known:
        raise SpikeError(f"{place}: {value!r} is unknown; known are {', '.join(known)}")
    return value


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and infinities, which JSON does not know and Python reads."""
    raise ValueError(f"{name} is no JSON")

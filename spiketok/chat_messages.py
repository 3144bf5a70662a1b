"""Reads messages as chat programs write them, lists of objects from JSON, strictly.

What is not understood is refused with its place: a key that were passed over silently could be what
the conversation is about.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .chat import AROUND, ASSISTANT, KINDS_OF_ROLE, TEXT, Message, Part
from .errors import SpikeError
from .tool_calls import check_answer, checked_text, tool_call

REASONING = ("reasoning", "reasoning_content", "thinking")
KEYS_OF_ROLE = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    ASSISTANT: {"role", "content", "tool_calls", *REASONING},
    "tool": {"role", "content", "name", "tool_call_id"},
}
# The parts that an assistant may mark in plain text, for `split_markers` to find.
SPLIT_KINDS = tuple(kind for kind in KINDS_OF_ROLE[ASSISTANT] if kind != TEXT)
KIND_OPENED = {AROUND[kind][0]: kind for kind in SPLIT_KINDS}
MARKER = re.compile("(" + "|".join(re.escape(m) for k in SPLIT_KINDS for m in AROUND[k]) + ")")


def read_messages(value: Any, parse_markers: bool = False) -> tuple[Message, ...]:
    """Return the messages of a decoded JSON list.

    Args:
        value: objects with `role` and `content`: a text, or a list of `{"type": kind, "text": …}`.
            An assistant's may have `reasoning` (or `reasoning_content`, `thinking`), which comes
            before the content, and `tool_calls`, which come after it; a tool's `name` and
            `tool_call_id` are checked and not kept.
        parse_markers: also find parts by their markers in the plain text of assistants.

    Raises:
        SpikeError: the place and what is wrong there.
    """
    if not isinstance(value, list):
        raise SpikeError(f"messages: a {type(value).__name__} instead of a list")
    open_calls: list[str | None] = []
    messages = []
    for number, item in enumerate(value):
        place = f"messages[{number}]"
        role = checked_role(item, place)
        if role == ASSISTANT:
            parts, open_calls = assistant_parts(item, place, parse_markers)
        else:
            parts = content_parts(item.get("content"), f"{place}.content")
        if role == "tool":
            check_answer(item, open_calls, place)
            parts = joined_response(parts)
        messages.append(Message(role, tuple(parts)))
    return tuple(messages)


def checked_role(item: Any, place: str) -> str:
    """Return the role of a message after checking its keys."""
    if not isinstance(item, Mapping):
        raise SpikeError(f"{place}: a {type(item).__name__} instead of an object")
    role = item.get("role")
    if not isinstance(role, str) or role not in KEYS_OF_ROLE:
        known = ", ".join(KEYS_OF_ROLE)
        raise SpikeError(f"{place}.role: {role!r} is unknown; known are {known}")
    if unknown := sorted(map(str, item.keys() - KEYS_OF_ROLE[role])):
        raise SpikeError(f"{place}: unknown key {unknown[0]!r} in a message of {role!r}")
    return role


def assistant_parts(
    item: Mapping[str, Any], place: str, parse_markers: bool
) -> tuple[list[Part], list[str | None]]:
    """Return the parts of an assistant's message, and the ids of the calls it makes."""
    given = [key for key in REASONING if item.get(key)]
    if len(given) > 1:
        raise SpikeError(f"{place}: both {given[0]!r} and {given[1]!r}")
    parts = [Part("think", checked_text(item[key], f"{place}.{key}")) for key in given]
    calls = item.get("tool_calls")
    calls = [] if calls is None else calls
    if not isinstance(calls, list):
        raise SpikeError(f"{place}.tool_calls: a {type(calls).__name__} instead of a list")
    if item.get("content") is not None or not (parts or calls):
        content = content_parts(item.get("content"), f"{place}.content")
        parts += split_content(content, f"{place}.content") if parse_markers else content
    ids: list[str | None] = []
    for number, call in enumerate(calls):
        text, name = tool_call(call, f"{place}.tool_calls[{number}]")
        parts.append(Part("tool_call", text))
        ids.append(name)
    return parts, ids


def content_parts(content: Any, place: str) -> list[Part]:
    """Return the parts of a message's content; what its role may have is not checked here."""
    if isinstance(content, str):
        return [Part(TEXT, content)]
    if not isinstance(content, list):
        what = "missing" if content is None else f"a {type(content).__name__}"
        raise SpikeError(f"{place}: {what}; a text or a list of parts is needed")
    parts = []
    for number, item in enumerate(content):
        here = f"{place}[{number}]"
        if not isinstance(item, Mapping) or item.keys() != {"type", "text"}:
            raise SpikeError(f'{here}: not a part, {{"type": kind, "text": text}}')
        kind = item["type"]
        if kind != TEXT and (not isinstance(kind, str) or kind not in AROUND):
            raise SpikeError(
                f"{here}: type {kind!r} is unknown; known are {TEXT}, {', '.join(AROUND)}"
            )
        parts.append(Part(kind, checked_text(item["text"], f"{here}.text")))
    return parts


def joined_response(parts: Sequence[Part]) -> list[Part]:
    """Return what a tool says; plain text is one response."""
    if all(part.kind == TEXT for part in parts):
        return [Part("tool_response", "".join(part.text for part in parts))]
    return list(parts)


def split_content(parts: Sequence[Part], place: str) -> list[Part]:
    """Find parts by their markers in those that are plain text."""
    found: list[Part] = []
    for part in parts:
        found += split_markers(part.text, place) if part.kind == TEXT else [part]
    return found


def split_markers(text: str, place: str = "text") -> list[Part]:
    """Cut text at the markers of reasoning, solutions and calls; nothing else is changed.

    Raises:
        SpikeError: a marker is not closed, or stands inside another pair.

    >>> split_markers("<think>2+2</think>4")
    [Part(kind='think', text='2+2'), Part(kind='text', text='4')]
    """
    parts: list[Part] = []
    kind = TEXT
    # A split by a group yields text and markers in turn.
    for number, piece in enumerate(MARKER.split(text)):
        if number % 2 == 0:
            if piece or kind != TEXT:
                parts.append(Part(kind, piece))
        elif kind == TEXT and piece in KIND_OPENED:
            kind = KIND_OPENED[piece]
        elif kind != TEXT and piece == AROUND[kind][1]:
            kind = TEXT
        else:
            where = "in plain text" if kind == TEXT else f"behind an open {AROUND[kind][0]}"
            raise SpikeError(f"{place}: {piece} {where}")
    if kind != TEXT:
        raise SpikeError(f"{place}: {AROUND[kind][0]} is not closed")
    return parts

"""Reads messages as chat programs write them, lists of objects from JSON, strictly.

What is not understood is refused with its place: a key that were passed over silently could be what
the conversation is about.
"""

import re
from typing import Any

from .chat import AROUND, ASSISTANT, KINDS_OF_ROLE, TEXT, Message, Part
from .errors import SpikeError
from .json_values import checked, checked_name, kind_name
from .tool_calls import check_answer, read_call

REASONING = ("reasoning", "reasoning_content", "thinking")
KEYS_OF_ROLE = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    ASSISTANT: {"role", "content", "tool_calls", *REASONING},
    "tool": {"role", "content", "name", "tool_call_id"},
}
KINDS = (TEXT, *AROUND)
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
    open_calls: list[str | None] = []
    messages = []
    for number, item in enumerate(checked(value, list, "messages")):
        # Places are worded where they are needed: as strings made ahead they would cost much.
        try:
            messages.append(read_message(item, open_calls, parse_markers))
        except SpikeError as error:
            raise SpikeError(f"messages[{number}]{error}") from None
    return tuple(messages)


def read_message(item: Any, open_calls: list[str | None], parse_markers: bool) -> Message:
    """Return one message; `open_calls`, the ids of calls without answer, is brought up to date.

    Errors begin with the place in the message, such as `.content`.
    """
    role = checked_name(checked(item, dict, "").get("role"), KEYS_OF_ROLE, ".role")
    if not item.keys() <= KEYS_OF_ROLE[role]:
        unknown = min(item.keys() - KEYS_OF_ROLE[role])
        raise SpikeError(f": unknown key {unknown!r} in a message of {role!r}")
    if role == ASSISTANT:
        return Message(role, tuple(assistant_parts(item, open_calls, parse_markers)))
    parts = content_parts(item.get("content"))
    if role == "tool":
        check_answer(item, open_calls)
        if all(part.kind == TEXT for part in parts):
            parts = [Part("tool_response", "".join(part.text for part in parts))]
    return Message(role, tuple(parts))


def assistant_parts(
    item: dict[str, Any], open_calls: list[str | None], parse_markers: bool
) -> list[Part]:
    """Return the parts of an assistant's message: reasoning, content, calls."""
    given = [key for key in REASONING if key in item and item[key] not in (None, "")]
    if len(given) > 1:
        raise SpikeError(f": both {given[0]!r} and {given[1]!r}")
    parts = [Part("think", checked(item[key], str, f".{key}")) for key in given]
    calls = checked(item.get("tool_calls") or [], list, ".tool_calls")
    if item.get("content") is not None or not (parts or calls):
        content = content_parts(item.get("content"))
        for part in content:
            split = parse_markers and part.kind == TEXT
            parts += split_markers(part.text, ".content") if split else [part]
    open_calls.clear()
    for number, call in enumerate(calls):
        try:
            text, name = read_call(call)
        except SpikeError as error:
            raise SpikeError(f".tool_calls[{number}]{error}") from None
        parts.append(Part("tool_call", text))
        open_calls.append(name)
    return parts


def content_parts(content: Any) -> list[Part]:
    """Return the parts of a message's content; what its role may have is not checked here."""
    if isinstance(content, str):
        return [Part(TEXT, content)]
    if not isinstance(content, list):
        what = "missing" if content is None else kind_name(content)
        raise SpikeError(f".content: {what}; a text or a list of parts is needed")
    parts = []
    for number, item in enumerate(content):
        place = f".content[{number}]"
        if not isinstance(item, dict) or item.keys() != {"type", "text"}:
            raise SpikeError(f'{place}: not a part, {{"type": kind, "text": text}}')
        kind = checked_name(item["type"], KINDS, f"{place}.type")
        parts.append(Part(kind, checked(item["text"], str, f"{place}.text")))
    return parts


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

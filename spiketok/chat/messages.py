"""Chat messages: read lists of JSON objects strictly.

Unknown keys raise an error with their place: a key silently ignored could hold the subject of the
conversation.
"""

import re
from typing import Any

from ..errors import SpikeError
from ..json_values import checked, checked_name, kind_name, shown
from .chatml import AROUND, KINDS_OF_ROLE, TEXT, Message, Part
from .loss_mask import ASSISTANT
from .tool_calls import check_answer, read_call, without_nulls

REASONING = ("reasoning", "reasoning_content", "thinking")
# Whether an assistant's message is trained on (0 or 1): OpenAI, axolotl, ms-swift, LLaMA-Factory.
TRAINED = ("weight", "train", "training", "loss", "loss_weight")
# Other names that OpenAI has for roles.
ROLE_NAMES = {"developer": "system", "function": "tool"}
PLAIN = {"role", "content"}
COMMON = {*PLAIN, "name", *TRAINED}
KEYS_OF_ROLE = {
    "system": COMMON,
    "user": COMMON,
    ASSISTANT: {*COMMON, "tool_calls", "function_call", *REASONING},
    "tool": {*COMMON, "tool_call_id"},
}
KINDS = (TEXT, *AROUND)
# The parts that an assistant may mark in plain text, for `split_markers` to find.
SPLIT_KINDS = tuple(kind for kind in KINDS_OF_ROLE[ASSISTANT] if kind != TEXT)
KIND_OPENED = {AROUND[kind][0]: kind for kind in SPLIT_KINDS}
MARKER = re.compile("(" + "|".join(re.escape(m) for k in SPLIT_KINDS for m in AROUND[k]) + ")")


def read_messages(value: Any, parse_markers: bool = False) -> tuple[Message, ...]:
    """Read the messages of a decoded JSON list.

    Args:
        value: objects with `role` and `content`: a text, or a list of `{"type": kind, "text": …}`.
            An assistant's may have `reasoning` (or `reasoning_content`, `thinking`), which comes
            before the content, and `tool_calls` (or `function_call`), which come after it; and a
            `weight` of 0 (or `train`, `training`, `loss`, `loss_weight`), which leaves it out of
            training. `name` and a tool's `tool_call_id` are checked and not kept. A key that is
            null is ignored.
        parse_markers: also find parts by their markers in the plain text of assistants.

    Raises:
        SpikeError: the place and its fault.
    """
    open_calls: list[str | None] = []
    messages = []
    for number, item in enumerate(checked(value, list, "messages")):
        # Places are formatted only for errors: strings made in advance would cost much.
        try:
            messages.append(read_message(item, open_calls, parse_markers))
        except SpikeError as error:
            raise SpikeError(f"messages[{number}]{error}") from None
    return tuple(messages)


def read_message(item: Any, open_calls: list[str | None], parse_markers: bool) -> Message:
    """Read one message; update `open_calls`, the ids of calls without answer.

    Raises:
        SpikeError: the message is malformed; the text begins with the place in it, such as
            `.content`.
    """
    given = checked(item, dict, "")
    if None in given.values():
        given = without_nulls(given)
    named = given.get("role")
    known = ROLE_NAMES.get(named, named) if isinstance(named, str) else named
    role: str = checked_name(known, KEYS_OF_ROLE, ".role")
    trained = given.keys() == PLAIN or check_keys(given, role)
    if role == ASSISTANT:
        return Message(role, tuple(assistant_parts(given, open_calls, parse_markers)), trained)
    parts = content_parts(given.get("content"))
    if role == "tool":
        check_answer(given, open_calls)
        if all(part.kind == TEXT for part in parts):
            parts = [Part("tool_response", "".join(part.text for part in parts))]
    return Message(role, tuple(parts))


def check_keys(item: dict[str, Any], role: str) -> bool:
    """Check for unknown keys; return whether a message is trained on: yes unless a weight is 0.

    Raises:
        SpikeError: a key is unknown, a weight is not 0 or 1, or weights contradict each other.
    """
    for key in sorted(item.keys() - KEYS_OF_ROLE[role]):
        if item[key] != []:
            raise SpikeError(f": unknown key {key!r} in a message of {role!r}; remove it")
    if "name" in item:
        checked(item["name"], str, ".name")
    given = [key for key in TRAINED if key in item]
    for key in given:
        if item[key] not in (0, 1):
            raise SpikeError(f".{key}: is {shown(item[key])}; write 0 or 1")
        if item[key] != item[given[0]]:
            raise SpikeError(f": {given[0]!r} and {key!r} contradict each other; keep one")
        if item[key] and role != ASSISTANT:
            raise SpikeError(
                f".{key}: a message of {role!r} cannot be trained on, only assistants' messages "
                "are; remove the key"
            )
    return not given or bool(item[given[0]])


def assistant_parts(
    item: dict[str, Any], open_calls: list[str | None], parse_markers: bool
) -> list[Part]:
    """Read the parts of an assistant's message: reasoning, content, calls.

    Raises:
        SpikeError: one of them is malformed or given twice.
    """
    given = [key for key in REASONING if item.get(key) not in (None, "")]
    if len(given) > 1:
        raise SpikeError(f": has both {given[0]!r} and {given[1]!r}; keep one")
    parts = [Part("think", checked(item[key], str, f".{key}")) for key in given]
    place = "tool_calls"
    calls = checked(item.get("tool_calls") or [], list, ".tool_calls")
    if "function_call" in item:
        if calls:
            raise SpikeError(": has both 'tool_calls' and 'function_call'; keep one")
        place, calls = "function_call", [item["function_call"]]
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
            raise SpikeError(f".{place}[{number}]{error}") from None
        parts.append(Part("tool_call", text))
        open_calls.append(name)
    return parts


def content_parts(content: Any) -> list[Part]:
    """Read the parts of a message's content; the kinds that its role allows are not checked here.

    Raises:
        SpikeError: it is neither a text nor a list of parts.
    """
    if isinstance(content, str):
        return [Part(TEXT, content)]
    if not isinstance(content, list):
        kind = "missing" if content is None else kind_name(content)
        raise SpikeError(f".content: is {kind}; write a text or a list of parts")
    parts = []
    for number, part in enumerate(content):
        place = f".content[{number}]"
        item = without_nulls(part) if isinstance(part, dict) else part
        if not isinstance(item, dict) or item.keys() != {"type", "text"}:
            raise SpikeError(f'{place}: is not a part; write {{"type": kind, "text": text}}')
        kind = checked_name(item["type"], KINDS, f"{place}.type")
        parts.append(Part(kind, checked(item["text"], str, f"{place}.text")))
    return parts


def split_markers(text: str, place: str = "text") -> list[Part]:
    """Cut text at the markers of reasoning, solutions and calls; nothing else is changed.

    Raises:
        SpikeError: a marker is not closed, or is inside another pair.

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
            if kind == TEXT:
                raise SpikeError(f"{place}: {piece} closes no marker; open one before it")
            opening, closing = AROUND[kind]
            raise SpikeError(f"{place}: {piece} follows an open {opening}; write {closing} first")
    if kind != TEXT:
        opening, closing = AROUND[kind]
        raise SpikeError(f"{place}: {opening} is not closed; write {closing}")
    return parts

"""Unread keys: raise an error for keys of chat records with text that is in no message."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from spiketok import Message
from spiketok.errors import SpikeError
from spiketok.json_values import shown

# Keys with text of a conversation in one shape of record, so perhaps in others too.
CONTEXTS = ("input", "context")
TEXT_KEYS = ("prompt", "instruction", "response", "completion", "output", *CONTEXTS)
TOOLS = ("tools", "functions")
MEDIA = ("image", "images", "audio", "audios", "video", "videos")


def check_all_read(
    record: dict[str, Any], read: Collection[str], messages: Sequence[Message]
) -> None:
    """Check that no key with text of a conversation is missing in the record's messages.

    Args:
        record: a decoded record, without nulls and ignored keys.
        read: the keys from which its messages were read.
        messages: the messages.

    Raises:
        SpikeError: a key is missing.
    """
    for key, value in record.items():
        if key in read or value in ("", [], {}):
            continue
        if key in MEDIA:
            raise unread(key, "only text is read")
        if key in TOOLS:
            check_tools(key, value, messages)
        elif key == "history" or looks_like_turns(value):
            raise unread(key, "has turns beside those of the record")
        elif key in TEXT_KEYS and not repeats(key, value, messages):
            raise unread(key, "is in no message of the record")


def unread(key: str, why: str) -> SpikeError:
    """Return the error of a key that would be lost."""
    return SpikeError(f"{key}: {why}; put it into the messages, or pass --ignore-key {key}")


def looks_like_turns(value: Any) -> bool:
    """Return whether a value is a turn of a conversation, or a list of them."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return False
    return first.keys() >= {"role", "content"} or first.keys() >= {"from", "value"}


def repeats(key: str, value: Any, messages: Sequence[Message]) -> bool:
    """Return whether a value is the text of a message, or context that a message contains."""
    if not isinstance(value, str):
        return not isinstance(value, list | dict)
    texts = [text_of(message).strip() for message in messages]
    if key in CONTEXTS:
        return any(value.strip() in text for text in texts)
    return value.strip() in texts


def text_of(message: Message) -> str:
    """Return the text of a message, its parts joined."""
    return "".join(part.text for part in message.parts)


def check_tools(key: str, value: Any, messages: Sequence[Message]) -> None:
    """Check that the system message names all tools: a model would call unknown ones.

    Raises:
        SpikeError: it does not name one, or the value is not JSON (see `unread`).
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise unread(key, "is not JSON") from None
    system = "".join(text_of(message) for message in messages if message.role == "system")
    for tool in value if isinstance(value, list) else [value]:
        function = tool.get("function", tool) if isinstance(tool, dict) else tool
        name = function.get("name") if isinstance(function, dict) else function
        if not isinstance(name, str) or name not in system:
            raise SpikeError(
                f"{key}: {shown(name)} is not in the system message; describe the tools there, "
                f"or pass --ignore-key {key}"
            )

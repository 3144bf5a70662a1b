"""Reads the common shapes of chat data sets, strictly, as the one shape of messages.

A record says by its keys which shape it is of; keys that belong to none are about the record, not
of it, and pass. docs/chat.md lists the shapes.
"""

from collections.abc import Sequence
from typing import Any

from spiketok import Message, message, read_messages
from spiketok.chat_messages import split_markers
from spiketok.errors import SpikeError
from spiketok.json_values import checked, checked_name

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "tool": "tool",
    "observation": "tool",
}
REPLIES = ("response", "completion", "output")
CONTEXTS = ("input", "context")
# The key that tells the shape of a record: one of the first pair, else one of the second.
SHAPES = (("messages", "conversations"), ("prompt", "instruction"))


def read_conversation(record: Any, parse_markers: bool = False) -> tuple[Message, ...]:
    """Return the messages of one decoded record; `parse_markers` is that of `read_messages`.

    Raises:
        SpikeError: the record is of no shape, or of several, or malformed; the place in it.

    >>> [said.role for said in read_conversation({"prompt": "1+1?", "response": "2"})]
    ['user', 'assistant']
    """
    groups = (keys for keys in SHAPES if any(key in record for key in keys))
    shape = only_key(record, next(groups, (*SHAPES[0], *SHAPES[1])))
    if shape == "messages":
        return read_messages(record[shape], parse_markers)
    if shape == "conversations":
        return turns(record[shape], parse_markers)
    if shape == "instruction" and "instances" in record:
        record = record | only_instance(record["instances"])
    return exchange(record, shape, parse_markers)


def turns(value: Any, parse_markers: bool) -> tuple[Message, ...]:
    """Return ShareGPT's turns, objects with `from` and `value`, as messages."""
    messages = []
    for number, turn in enumerate(checked(value, list, "conversations")):
        place = f"conversations[{number}]"
        if not isinstance(turn, dict) or turn.keys() != {"from", "value"}:
            raise SpikeError(f"{place}: must have 'from' and 'value', and nothing else")
        speaker = checked_name(turn["from"], SPEAKERS, f"{place}.from")
        messages.append(said(SPEAKERS[speaker], turn, "value", parse_markers, f"{place}."))
    return tuple(messages)


def only_instance(value: Any) -> dict[str, Any]:
    """Return the input and output of an instruction that has a list of one instance."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise SpikeError("instances: must be a list of one object; give each a line of its own")
    if unknown := value[0].keys() - {"input", "output"}:
        raise SpikeError(f"instances[0]: unknown key {min(unknown)!r}")
    return value[0]


def exchange(record: dict[str, Any], question: str, parse_markers: bool) -> tuple[Message, ...]:
    """Return a question and its answer as messages, after a system's message if there is one."""
    asked = checked(record[question], str, question)
    given = [key for key in CONTEXTS if record.get(key)] if question == "instruction" else []
    if given:
        context = only_key(record, given)
        asked += "\n\n" + checked(record[context], str, context)
    reply = said("assistant", record, only_key(record, REPLIES), parse_markers)
    if record.get("system"):
        return said("system", record, "system"), message("user", asked), reply
    return message("user", asked), reply


def said(
    role: str, record: dict[str, Any], key: str, parse_markers: bool = False, place: str = ""
) -> Message:
    """Return a member as a message; `place` words where the record is."""
    text = checked(record[key], str, f"{place}{key}")
    if parse_markers and role == "assistant":
        return Message(role, tuple(split_markers(text, f"{place}{key}")))
    return message(role, text)


def only_key(record: dict[str, Any], keys: Sequence[str]) -> str:
    """Return the one of some keys that a record has."""
    found = [key for key in keys if key in record]
    if len(found) != 1:
        there = " and ".join(map(repr, found)) or f"only {', '.join(map(repr, list(record)[:8]))}"
        raise SpikeError(f"exactly one of {', '.join(keys)} is needed; there is {there}")
    return found[0]

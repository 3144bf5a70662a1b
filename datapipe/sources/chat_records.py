"""Chat records: the common shapes of chat data sets, read strictly as one list of messages.

The keys of a record determine its shape. A key that holds conversation, or a mark of bad replies,
is read or raises an error that names it; other keys are metadata and ignored. docs/chat.md lists
the shapes.
"""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from spiketok import Message, message
from spiketok.chat.chatml import ASSISTANT
from spiketok.chat.messages import TRAINED, read_message
from spiketok.errors import SpikeError, parse_fault
from spiketok.json_values import checked, checked_name

from .chat_labels import check_marks
from .unread_keys import CONTEXTS, check_all_read

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": ASSISTANT,
    "assistant": ASSISTANT,
    "function_call": ASSISTANT,
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
CALL_SPEAKER = "function_call"
# Further keys that a turn with `from` and `value` may have.
BESIDE = {"name", "reasoning", "reasoning_content", "thinking", "tool_calls", *TRAINED}
TURNS = ("messages", "conversations", "conversation")
QUESTIONS = ("prompt", "instruction", "question", "query")
REPLIES = ("response", "completion", "output")
OPENAI_PREFERENCE = ("input", "preferred_output", "non_preferred_output")
SYSTEMS = ("system", "system_prompt")
# Reads the value of a key as messages, a plain text as one of that role.
Side: TypeAlias = Callable[[str, str], tuple[Message, ...]]


def read_conversation(
    record: Any,
    parse_markers: bool = False,
    ignored_keys: Collection[str] = (),
    nulls: bool = True,
) -> tuple[Message, ...]:
    """Return the messages of one decoded record.

    Args:
        record: the record; a key that is null, at any depth of objects, is as if it were absent.
        parse_markers: that of `read_messages`.
        ignored_keys: ignored keys of the record.
        nulls: whether there may be a null at all; a record without any is read faster.

    Raises:
        NotForTrainingError: the record is marked as a bad reply.
        SpikeError: the record is of no shape, or of several, or malformed; it names the place.

    >>> [said.role for said in read_conversation({"prompt": "1+1?", "response": "2"})]
    ['user', 'assistant']
    """
    try:
        record = {key: record[key] for key in record if key not in ignored_keys}
        record = without_nulls(record) if nulls else record
    except RecursionError:
        raise SpikeError("nested too deeply") from None
    if "preferred_output" in record:
        record = openai_preference(record)
    check_marks(record)
    open_calls: list[str | None] = []
    read = {*SYSTEMS, "rejected"}

    def side(key: str, role: str) -> tuple[Message, ...]:
        read.add(key)
        return one_side(record[key], key, role, open_calls, parse_markers)

    messages = read_sides(record, side, read)
    for key in SYSTEMS:
        if record.get(key):
            messages = with_system(messages, checked(record[key], str, key), key)
    check_all_read(record, read, messages)
    return messages


def read_sides(record: dict[str, Any], side: Side, read: set[str]) -> tuple[Message, ...]:
    """Return the messages of a record, without a system message under another key.

    `side` reads the value of a key as the text of one side; keys that are read here go into `read`.
    """
    if "rejected" in record and "chosen" not in record and record["rejected"] is not False:
        raise SpikeError("rejected: a bad reply without a chosen one; remove the record")
    chosen = "chosen" in record and record["chosen"] is not True
    if any(key in record for key in TURNS):
        messages = side(only_key(record, TURNS), "user")
        return preferred(messages, side("chosen", ASSISTANT)) if chosen else messages
    if chosen and not any(key in record for key in QUESTIONS):
        if isinstance(record["chosen"], str):
            raise SpikeError("chosen: a text without a prompt; cut it into messages")
        return preferred((), side("chosen", ASSISTANT))
    question = only_key(record, asked_by(record))
    if question == "instruction" and "instances" in record:
        record.update(only_instance(record.pop("instances")))
    reply = "chosen" if chosen else only_key(record, replies_to(question))
    before = history(record, read)
    asked = side(question, "user")
    given = [key for key in CONTEXTS if record.get(key)] if question == "instruction" else []
    if given:
        context = only_key(record, given)
        read.add(context)
        first = checked(record[question], str, question)
        asked = (message("user", f"{first}\n\n{checked(record[context], str, context)}"),)
    answered = side(reply, ASSISTANT)
    return preferred(before + asked, answered) if chosen else before + untrained(asked) + answered


def asked_by(record: dict[str, Any]) -> Sequence[str]:
    """Return the keys of which one holds the question; the first pair has priority."""
    pairs = (QUESTIONS[:2], QUESTIONS[2:])
    return next((keys for keys in pairs if any(key in record for key in keys)), TURNS + QUESTIONS)


def replies_to(question: str) -> Sequence[str]:
    """Return the keys of which one holds the reply; beside a prompt, `answer` is a solution."""
    return REPLIES if question in QUESTIONS[:2] else ("answer", *REPLIES)


def one_side(
    value: Any, key: str, role: str, open_calls: list[str | None], parse_markers: bool
) -> tuple[Message, ...]:
    """Return a text as a message of `role`, or an object or a list of them as turns."""
    if isinstance(value, list):
        turns, place = value, f"{key}[{{}}]"
    elif key in TURNS:
        turns, place = checked(value, list, key), key
    elif isinstance(value, dict):
        turns, place = [value], key
    else:
        turns, place = [{"role": role, "content": checked(value, str, key)}], key
    messages = []
    for number, turn in enumerate(turns):
        # Places are formatted only for errors: strings made in advance would cost much.
        try:
            messages.append(one_turn(turn, open_calls, parse_markers))
        except SpikeError as error:
            raise SpikeError(f"{place.format(number)}{error}") from None
    return tuple(messages)


def one_turn(turn: Any, open_calls: list[str | None], parse_markers: bool) -> Message:
    """Return one turn as a message: with `role` and `content`, or ShareGPT's `from`, `value`.

    Errors begin with the place in the turn, such as `.content`.
    """
    if isinstance(turn, dict) and ("from" in turn or "value" in turn):
        turn = shared_turn(turn)
    return read_message(turn, open_calls, parse_markers)


def shared_turn(turn: dict[str, Any]) -> dict[str, Any]:
    """Return a turn of ShareGPT's shape with the keys of a message."""
    beside = {key: value for key, value in turn.items() if key not in ("from", "value")}
    if not {"from", "value"} <= turn.keys() or not beside.keys() <= BESIDE:
        others = ", ".join(sorted(map(str, beside.keys() - BESIDE)))
        what = f"there is {others}" if others else "and perhaps a weight or a name"
        raise SpikeError(f": must have 'from' and 'value'; {what}")
    speaker = checked_name(turn["from"], SPEAKERS, ".from")
    text = checked(turn["value"], str, ".value")
    if speaker != CALL_SPEAKER:
        return {"role": SPEAKERS[speaker], "content": text, **beside}
    try:
        calls = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpikeError(f".value: not the JSON of a call ({parse_fault(error)})") from None
    calls = calls if isinstance(calls, list) else [calls]
    return {"role": ASSISTANT, "tool_calls": calls, **beside}


def history(record: dict[str, Any], read: set[str]) -> tuple[Message, ...]:
    """Return LLaMA-Factory's earlier turns, a list of pairs of question and reply."""
    if not record.get("history"):
        return ()
    messages: list[Message] = []
    for number, pair in enumerate(checked(record["history"], list, "history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise SpikeError(f"history[{number}]: not a pair of question and reply")
        asked, replied = (checked(text, str, f"history[{number}]") for text in pair)
        messages += (message("user", asked), message(ASSISTANT, replied))
    read.add("history")
    return tuple(messages)


def preferred(before: tuple[Message, ...], chosen: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the conversation that ends with a chosen reply; what comes before is not trained on.

    The reply may repeat what comes before it; it begins after the last user's message.
    """
    if chosen == before:
        before = ()
    start = max((n + 1 for n, said in enumerate(chosen) if said.role == "user"), default=0)
    asked, reply = chosen[:start], chosen[start:]
    if asked and before and asked[-len(before) :] != before:
        raise SpikeError("chosen: begins with another conversation than the one before it")
    if before and before[-1].role == ASSISTANT and not asked:
        raise SpikeError("chosen: follows a reply; remove that reply, or pass --ignore-key chosen")
    return untrained(asked or before) + reply


def untrained(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return messages as context: none of them is trained on."""
    return tuple(
        said._replace(trained=False) if said.role == ASSISTANT else said for said in messages
    )


def with_system(messages: tuple[Message, ...], text: str, key: str) -> tuple[Message, ...]:
    """Return the messages after a system's message of that text, unless they begin with it."""
    told = message("system", text)
    if messages and messages[0].role == "system":
        if messages[0] != told:
            raise SpikeError(f"{key}: the messages begin with another one; leave one of them")
        return messages
    return (told, *messages)


def openai_preference(record: dict[str, Any]) -> dict[str, Any]:
    """Return a preference of OpenAI's fine-tuning files with the keys of others."""
    asked = checked(record.get("input"), dict, "input")
    rest = {key: value for key, value in record.items() if key not in OPENAI_PREFERENCE}
    if both := sorted(rest.keys() & {*asked, "chosen", "rejected"}):
        raise SpikeError(f"{both[0]}: beside 'input' and 'preferred_output'; leave one of them")
    chosen, rejected = record["preferred_output"], record.get("non_preferred_output", "")
    return {**rest, **asked, "chosen": chosen, "rejected": rejected}


def only_instance(value: Any) -> dict[str, Any]:
    """Return the input and output of an instruction that has a list of one instance."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise SpikeError("instances: must be a list of one object; give each a line of its own")
    if unknown := value[0].keys() - {"input", "output"}:
        raise SpikeError(f"instances[0]: unknown key {min(unknown)!r}")
    return value[0]


def only_key(record: dict[str, Any], keys: Sequence[str]) -> str:
    """Return the one of some keys that a record has."""
    found = [key for key in keys if key in record]
    if len(found) != 1:
        there = " and ".join(map(repr, found)) or "only " + (
            ", ".join(map(repr, list(record)[:8])) or "an empty object"
        )
        raise SpikeError(f"exactly one of {', '.join(keys)} is needed; there is {there}")
    return found[0]


def without_nulls(value: Any) -> Any:
    """Return a decoded value whose objects have no key that is null, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value

"""Chat records: the common shapes of chat data sets, read strictly as one list of messages.

The keys of a record determine its shape. A key that holds conversation, or a mark of bad replies,
is read or raises an error that names it; other keys are metadata and ignored. docs/chat.md lists
the shapes.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from spiketok import Message, message
from spiketok.chat.loss_mask import ASSISTANT
from spiketok.chat.messages import read_message
from spiketok.errors import SpikeError
from spiketok.json_values import checked

from .chat_labels import check_marks
from .sharegpt import shared_turn
from .unread_keys import CONTEXTS, check_all_read

TURNS = ("messages", "conversations", "conversation")
QUESTIONS = ("prompt", "instruction", "question", "query")
REPLIES = ("response", "completion", "output")
OPENAI_PREFERENCE = ("input", "preferred_output", "non_preferred_output")
SYSTEMS = ("system", "system_prompt")
# Converts the value of a key to messages, a plain text to one of that role.
Side: TypeAlias = Callable[[str, str], tuple[Message, ...]]


def read_conversation(
    record: Any,
    parse_markers: bool = False,
    ignored_keys: Collection[str] = (),
    nulls: bool = True,
) -> tuple[Message, ...]:
    """Read the messages of one decoded record.

    Args:
        record: the record; keys that are null, at any depth of objects, are ignored.
        parse_markers: as for `read_messages`.
        ignored_keys: ignored keys of the record.
        nulls: whether there may be a null; a record without any is read faster.

    Raises:
        NotForTrainingError: the record is marked as a bad reply.
        SpikeError: the record is malformed, or of none or several of the known shapes.

    >>> [message.role for message in read_conversation({"prompt": "1+1?", "response": "2"})]
    ['user', 'assistant']
    """
    try:
        record = {key: record[key] for key in record if key not in ignored_keys}
        record = without_nulls(record) if nulls else record
    except RecursionError:
        raise SpikeError("is nested too deeply; flatten it") from None
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
    """Read the messages of a record, without a system message under another key.

    Args:
        record: the decoded record.
        side: converts the value of a key to messages.
        read: the keys read so far; keys that are read here are added.

    Raises:
        SpikeError: a bad reply has no good one, or a chosen reply no prompt.
    """
    if "rejected" in record and "chosen" not in record and record["rejected"] is not False:
        raise SpikeError("rejected: is a bad reply without a chosen one; remove the record")
    chosen = "chosen" in record and record["chosen"] is not True
    if any(key in record for key in TURNS):
        messages = side(only_key(record, TURNS), "user")
        return preferred(messages, side("chosen", ASSISTANT)) if chosen else messages
    if chosen and not any(key in record for key in QUESTIONS):
        if isinstance(record["chosen"], str):
            raise SpikeError("chosen: is a text without a prompt; split it into messages")
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
    """Return the keys of which one has the question; the first pair has priority."""
    pairs = (QUESTIONS[:2], QUESTIONS[2:])
    return next((keys for keys in pairs if any(key in record for key in keys)), TURNS + QUESTIONS)


def replies_to(question: str) -> Sequence[str]:
    """Return the keys of which one has the reply; beside a prompt, `answer` is a solution."""
    return REPLIES if question in QUESTIONS[:2] else ("answer", *REPLIES)


def one_side(
    value: Any, key: str, role: str, open_calls: list[str | None], parse_markers: bool
) -> tuple[Message, ...]:
    """Convert a text to a message of `role`, or an object or a list of objects to messages.

    Args:
        value: of the key.
        key: of the record, for errors.
        role: of a plain text.
        open_calls: the ids of calls without answer, updated.
        parse_markers: as for `read_messages`.

    Raises:
        SpikeError: a turn is malformed.
    """
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
    """Read one turn: with `role` and `content`, or ShareGPT's `from` and `value`.

    Raises:
        SpikeError: it is malformed; the text begins with the place in it, such as `.content`.
    """
    if isinstance(turn, dict) and ("from" in turn or "value" in turn):
        turn = shared_turn(turn)
    return read_message(turn, open_calls, parse_markers)


def history(record: dict[str, Any], read: set[str]) -> tuple[Message, ...]:
    """Read LLaMA-Factory's earlier turns, a list of pairs of question and reply.

    Raises:
        SpikeError: one is not such a pair.
    """
    if not record.get("history"):
        return ()
    messages: list[Message] = []
    for number, pair in enumerate(checked(record["history"], list, "history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise SpikeError(f"history[{number}]: is not a pair; write [question, reply]")
        asked, replied = (checked(text, str, f"history[{number}]") for text in pair)
        messages += (message("user", asked), message(ASSISTANT, replied))
    read.add("history")
    return tuple(messages)


def preferred(before: tuple[Message, ...], chosen: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the conversation that ends with a chosen reply; earlier messages are not trained on.

    `chosen` may repeat the messages before the reply, which begins after the last user's message.

    Raises:
        SpikeError: it does not continue the messages before it.
    """
    if chosen == before:
        before = ()
    start = max((n + 1 for n, each in enumerate(chosen) if each.role == "user"), default=0)
    asked, reply = chosen[:start], chosen[start:]
    if asked and before and asked[-len(before) :] != before:
        raise SpikeError("chosen: does not begin with the messages before it; remove one of them")
    if before and before[-1].role == ASSISTANT and not asked:
        raise SpikeError("chosen: follows a reply; remove that reply, or pass --ignore-key chosen")
    return untrained(asked or before) + reply


def untrained(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return messages as context: none of them is trained on."""
    return tuple(
        each._replace(trained=False) if each.role == ASSISTANT else each for each in messages
    )


def with_system(messages: tuple[Message, ...], text: str, key: str) -> tuple[Message, ...]:
    """Return the messages after a system message of that text, unless they begin with it.

    Raises:
        SpikeError: they begin with another system message.
    """
    system = message("system", text)
    if messages and messages[0].role == "system":
        if messages[0] != system:
            raise SpikeError(f"{key}: the messages begin with another one; remove one of them")
        return messages
    return (system, *messages)


def openai_preference(record: dict[str, Any]) -> dict[str, Any]:
    """Convert a preference of OpenAI's fine-tuning files to the keys of other preferences.

    Raises:
        SpikeError: it has a key of both shapes.
    """
    asked = checked(record.get("input"), dict, "input")
    rest = {key: value for key, value in record.items() if key not in OPENAI_PREFERENCE}
    if both := sorted(rest.keys() & {*asked, "chosen", "rejected"}):
        raise SpikeError(f"{both[0]}: is there beside 'input' and 'preferred_output'; remove it")
    chosen, rejected = record["preferred_output"], record.get("non_preferred_output", "")
    return {**rest, **asked, "chosen": chosen, "rejected": rejected}


def only_instance(value: Any) -> dict[str, Any]:
    """Return the input and output of an instruction that has a list of one instance.

    Raises:
        SpikeError: there is not exactly one, or it has other keys.
    """
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise SpikeError("instances: is not a list of one object; write one record for each")
    if unknown := value[0].keys() - {"input", "output"}:
        raise SpikeError(f"instances[0]: unknown key {min(unknown)!r}; remove it")
    return value[0]


def only_key(record: dict[str, Any], keys: Sequence[str]) -> str:
    """Return the one of some keys that a record has.

    Raises:
        SpikeError: it has none or several of them.
    """
    present = [key for key in keys if key in record]
    if len(present) != 1:
        fault = "is an empty object"
        if record:
            others = f"only {', '.join(map(repr, list(record)[:8]))}"
            fault = f"has {' and '.join(map(repr, present)) or others}"
        raise SpikeError(f"{fault}; write exactly one of {', '.join(keys)}")
    return present[0]


def without_nulls(value: Any) -> Any:
    """Return a decoded value without keys that are null, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value

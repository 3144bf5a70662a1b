"""Requests of the chat page: the conversation and texts in a JSON object, checked."""

from collections.abc import Callable
from typing import Any

from spike_lm.model.inference.chat import Conversation
from spiketok.errors import SpikeError

MAX_REPLIES = 1 << 31


class RefusedError(Exception):
    """Rejected request: HTTP status and reason."""


def requested_conversation(
    begin: Callable[[str], Conversation], fields: dict[str, Any]
) -> Conversation:
    """Return the conversation in a page's request: its system prompt and its turns as ids.

    Raises:
        RefusedError: the request is broken, or the system prompt is too long.
    """
    try:
        conversation = begin(text_of(fields, "system"))
    except SpikeError as error:
        raise RefusedError(400, str(error)) from None
    turns, replies = fields.get("turns", []), fields.get("replies", 0)
    if type(replies) is not int or not 0 <= replies < MAX_REPLIES:
        raise RefusedError(400, "replies is not a count; reload the page")
    if not (isinstance(turns, list) and all(isinstance(turn, list) for turn in turns)):
        raise RefusedError(400, "turns are not lists of ids; reload the page")
    size = conversation.tokenizer.vocab_size
    if not all(type(one) is int and 0 <= one < size for turn in turns for one in turn):
        raise RefusedError(400, f"turns have ids outside the vocabulary of {size}; reload the page")
    conversation.turns, conversation.replies = turns, replies
    return conversation


def text_of(fields: dict[str, Any], name: str) -> str:
    """Return a text from a request.

    Raises:
        RefusedError: it has no such text.
    """
    text = fields.get(name)
    if not isinstance(text, str):
        raise RefusedError(400, f"{name} is not a text; reload the page")
    return text.encode("utf-8", "replace").decode()

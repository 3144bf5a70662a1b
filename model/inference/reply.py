"""Chat replies: from a question to the parts of an answer, for terminals and pages."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from spiketok import Part, ReplyStream
from spiketok.chat.chatml import END
from spiketok.chat.reply_parser import joined

from .chat import Conversation, add_user_turn, generate_reply
from .sampling import SamplingParams

# Reasons for the end of a reply that a user is informed of, in words.
REMARKS = {
    "stopped": "stopped",
    "max-tokens": "cut off after --max-tokens",
    "context": "cut off, the context is full",
}


def stream_reply_parts(
    conversation: Conversation,
    sampling: SamplingParams,
    max_tokens: int,
    ids: list[int],
    should_stop: Callable[[], bool],
) -> Iterator[Part]:
    """Yield the parts of the reply to the last question as they are sampled.

    Args:
        conversation: with the question.
        sampling: sampling settings.
        max_tokens: largest number of tokens.
        ids: the reply's ids are appended to it.
        should_stop: called after each id; true ends the reply.
    """
    stream = ReplyStream(conversation.tokenizer)
    with closing(generate_reply(conversation, sampling, max_tokens)) as sampled:
        for token in sampled:
            ids.append(token)
            yield from stream.add(token)
            if should_stop():
                break
    yield from stream.finish()


def finish_reason(
    conversation: Conversation, max_tokens: int, ids: list[int], stopped: bool
) -> str:
    """Return why a reply ended: `end`, `stopped`, `max-tokens` or `context`.

    Args:
        conversation: with the reply.
        max_tokens: largest number of tokens of the reply.
        ids: of the reply.
        stopped: whether it was stopped by the user.
    """
    if ids and ids[-1] == conversation.tokenizer.special_ids[END]:
        return "end"
    if stopped:
        return "stopped"
    return "max-tokens" if len(ids) == max_tokens else "context"


def answer(
    conversation: Conversation, sampling: SamplingParams, max_tokens: int, question: str
) -> dict[str, Any]:
    """Return a whole answer, as `spike chat --json` prints it.

    Args:
        conversation: is extended by question and reply.
        sampling: sampling settings.
        max_tokens: largest number of tokens of the reply.
        question: text of the user's message.
    """
    dropped, ids = add_user_turn(conversation, question, max_tokens), list[int]()
    parts = joined(stream_reply_parts(conversation, sampling, max_tokens, ids, lambda: False))
    return {
        "question": question,
        "parts": [{"type": kind, "text": text} for kind, text in parts],
        "ids": ids,
        "ended": finish_reason(conversation, max_tokens, ids, stopped=False),
        "dropped_turns": dropped,
    }

"""Chat: a conversation with a model, as ids; sampled ids are kept and never encoded again."""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import chain

from spiketok import Tokenizer, encode_chat, message
from spiketok.chat.chatml import AROUND, END, KINDS_OF_ROLE, TEXT, marker_ids
from spiketok.chat.loss_mask import ASSISTANT
from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from ..runs.trained_ids import TrainedIds, unseen_ids
from .generate import check_some_id, generate
from .incremental import IncrementalDecoder
from .sampling import SamplingParams

# A turn is a user's message and the reply to it.
Turn = list[int]
# 1 / REPLY_SHARE of the context is kept free for a reply, unless fewer tokens are requested.
REPLY_SHARE = 4
SEEDS = 2**63


@dataclass(slots=True, kw_only=True)
class Conversation:
    """Conversation: the ids in the context and the model's KV cache."""

    model: LanguageModel
    tokenizer: Tokenizer
    system: Turn = field(default_factory=list)
    """Ids of the system's message; none without one."""
    turns: list[Turn] = field(default_factory=list)
    """Turns still in the context, oldest first."""
    replies: int = 0
    """Number of replies sampled."""
    reading: IncrementalDecoder
    """Decoder with the KV cache of the ids read so far."""
    banned_ids: frozenset[int] = frozenset()
    """Ids never sampled: those that no assistant's message has, and those unseen in training."""


def begin_conversation(
    model: LanguageModel, tokenizer: Tokenizer, system: str = "", trained_ids: TrainedIds = None
) -> Conversation:
    """Begin a conversation.

    Args:
        model: trained on conversations.
        tokenizer: the model's.
        system: text of the system's message; none if empty.
        trained_ids: bool [V], the only ids that replies are sampled from; None: all.

    Raises:
        SpikeError: the tokenizer has no chat markers; the context is too short for the system's
            message, a question and a reply of a quarter of it; or no id may be sampled.
    """
    marker_ids(tokenizer.special_ids)
    ids = encoded(tokenizer, "system", system) if system else []
    context = model.config.context
    around = 1 + len(encoded(tokenizer, "user", "")) + len(header(tokenizer))
    most = context - -(-context // REPLY_SHARE) - around
    if most <= 0:
        raise SpikeError(
            f"the context of {context} has no room for a question and its reply; "
            "use a model with a longer one"
        )
    if len(ids) >= most:
        raise SpikeError(
            f"the system prompt has {len(ids)} tokens, and the context of {context} has room for "
            f"{most - 1}; shorten it"
        )
    banned = suppressed_ids(tokenizer) | unseen_ids(trained_ids)
    check_some_id(model, banned)
    return Conversation(
        model=model,
        tokenizer=tokenizer,
        system=ids,
        reading=IncrementalDecoder(model),
        banned_ids=banned,
    )


def encoded(tokenizer: Tokenizer, role: str, text: str) -> list[int]:
    """Return the ids of a message of plain text; a marker's name in it is encoded as text."""
    ids: list[int] = encode_chat(tokenizer, [message(role, text)])[0].tolist()
    return ids


def header(tokenizer: Tokenizer) -> list[int]:
    """Return the ids of the header that begins an assistant's message."""
    ids: list[int] = encode_chat(tokenizer, [], generation_prompt=True)[0].tolist()
    return ids


def add_user_turn(conversation: Conversation, question: str, max_tokens: int) -> int:
    """Add a user's message; return the number of oldest turns that were dropped for it.

    There is then room for a reply: a quarter of the context, or `max_tokens`.

    Raises:
        SpikeError: the question alone is too long; nothing has changed.
    """
    tokenizer, context = conversation.tokenizer, conversation.model.config.context
    turn = encoded(tokenizer, "user", question)
    fixed = 1 + len(conversation.system) + len(turn) + len(header(tokenizer))
    room = context - min(max_tokens, -(-context // REPLY_SHARE)) - fixed
    if room < 0:
        raise SpikeError(
            f"the question has {len(turn)} tokens, with system prompt and reply {-room} too many "
            f"for the context of {context}; shorten it, or ask for fewer tokens"
        )
    dropped = 0
    while sum(map(len, conversation.turns[dropped:])) > room:
        dropped += 1
    if dropped:
        conversation.reading = IncrementalDecoder(conversation.model)
    conversation.turns = [*conversation.turns[dropped:], turn]
    return dropped


def generate_reply(
    conversation: Conversation, sampling: SamplingParams, max_tokens: int
) -> Generator[int, None, None]:
    """Yield the ids of a reply as they are sampled, up to `<|im_end|>`, and keep them.

    The reply also ends after `max_tokens`, at the end of the context, or when the caller closes the
    iterator. In each case its message is ended, so that a question may follow. The seed is that of
    the first reply; each later reply adds one.
    """
    tokenizer, turn = conversation.tokenizer, conversation.turns[-1]
    end = tokenizer.special_ids[END]
    turn += header(tokenizer)
    ids = [tokenizer.eos_id, *conversation.system, *chain(*conversation.turns)]
    sampled = generate(
        conversation.model,
        ids,
        replace(sampling, seed=(sampling.seed + conversation.replies) % SEEDS),
        max_tokens=min(max_tokens, conversation.model.config.context - len(ids)),
        stop_ids=[end],
        banned_ids=conversation.banned_ids,
        reading=conversation.reading,
    )
    conversation.replies += 1
    try:
        for token in sampled:
            turn.append(token.id)
            yield token.id
    finally:
        if turn[-1] != end:
            turn.append(end)
        turn += tokenizer.encode(b"\n").tolist()


def suppressed_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the special and reserved ids that no assistant's message can contain."""
    markers = {name for kind in KINDS_OF_ROLE[ASSISTANT] if kind != TEXT for name in AROUND[kind]}
    special = tokenizer.special_ids
    used = {special[name] for name in (END, *markers)}
    return frozenset({*special.values(), *tokenizer.vocabulary.reserved_ids} - used)

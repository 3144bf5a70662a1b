"""Samples during training: a prompt's continuation, or the reply to a conversation's prompt."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketok import Tokenizer
from spiketok.chat.chatml import END, START

from ..config.schema import Config
from ..families.language_model import LanguageModel
from ..inference.sampling import SamplingParams
from ..inference.text import continue_prompt, reply_to, text_after
from ..runs.trained_ids import TrainedIds
from .trainer import Sample


def training_sampler(
    config: Config, tokenizer: Tokenizer, chat_prompt: Callable[[Tokenizer], Sequence[int]]
) -> Callable[[LanguageModel, TrainedIds], Sample] | None:
    """Return the function that samples from the model during a run; None for no samples.

    Args:
        config: of the run.
        tokenizer: of its data.
        chat_prompt: returns the ids to reply to; empty: the configured prompt is continued.
    """
    if not config.sample.every:
        return None
    sampling, tokens = SamplingParams(temperature=0.8, top_p=0.95), config.sample.tokens
    ids = list(chat_prompt(tokenizer))

    def sample(model: LanguageModel, trained: TrainedIds) -> Sample:
        if trained is not None and not trained.any():
            trained = None
        if ids:
            text = reply_to(model, tokenizer, ids, tokens, sampling, trained)
            return Sample(conversation_text(tokenizer, ids), text)
        prompt = config.sample.prompt
        continuation = continue_prompt(
            model, tokenizer, prompt.encode(), tokens, sampling, trained_ids=trained
        )
        return Sample(prompt, "".join(text_after(tokenizer, *continuation)))

    return sample


def first_prompt(
    ids: NDArray[np.integer[Any]], mask: NDArray[np.bool_], separator: int, most: int
) -> list[int]:
    """Return the first prompt before a reply that has at most `most` ids; else the shortest.

    A prompt begins with its conversation and ends where the first reply begins.

    Args:
        ids: of conversations, [n].
        mask: true for ids of replies, bool [n].
        separator: the id between conversations.
        most: preferred largest number of ids.

    Returns:
        Ids; empty if there is no reply.
    """
    replies = np.flatnonzero(mask & ~np.concatenate([[False], mask[:-1]]))
    if not len(replies):
        return []
    begins = np.concatenate([[0], np.flatnonzero(ids == separator) + 1])
    begins = begins[np.searchsorted(begins, replies, "right") - 1]
    lengths = replies - begins
    fitting = np.flatnonzero(lengths <= most)
    chosen = fitting[0] if len(fitting) else lengths.argmin()
    prompt: list[int] = ids[begins[chosen] : replies[chosen]].tolist()
    return prompt


def conversation_text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Return the end of a prompt as text: its last message and the next role, `role: text`."""
    start, end = tokenizer.special_ids[START], tokenizer.special_ids[END]
    messages: list[list[int]] = []
    inside = False
    for token in ids:
        if token == start:
            messages.append([])
        elif inside and token != end:
            messages[-1].append(token)
        inside = token != end and (inside or token == start)
    texts = (tokenizer.decode_bytes(part).decode("utf-8", "replace") for part in messages[-2:])
    parts = (text.partition("\n") for text in texts)
    return "\n".join(f"{role}: {content}" for role, _, content in parts)

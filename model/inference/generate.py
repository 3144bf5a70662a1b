"""Generation: autoregressive sampling, one token after another."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import torch

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from .incremental import IncrementalDecoder
from .sampling import SamplingParams, penalize_repetition, sample_token


class SampledToken(NamedTuple):
    """Sampled token."""

    id: int
    log_probability: float
    """Log-probability in nats by the model's own distribution, before the sampling settings."""


def generate(
    model: LanguageModel,
    prompt_ids: Sequence[int],
    sampling: SamplingParams | None = None,
    *,
    max_tokens: int,
    stop_ids: Collection[int] = (),
    banned_ids: Collection[int] = (),
    choices: Callable[[Sequence[int]], Sequence[int] | None] = lambda _: None,
    reading: IncrementalDecoder | None = None,
) -> Iterator[SampledToken]:
    """Return an iterator over up to `max_tokens` tokens that continue the prompt.

    Args:
        model: reads at least the last half of its context at each step.
        prompt_ids: at least one id; the separator begins a text.
        sampling: sampling settings; None: the model's probabilities, with seed 0.
        max_tokens: largest number of tokens to sample.
        stop_ids: ids that end the generation; the id itself is yielded.
        banned_ids: ids never sampled: reserved ids, special ids except the separator, and ids
            unseen in training.
        choices: maps the new ids so far to the only ids that may follow; None: all may.
        reading: decoder that has read a part of the prompt already.

    Raises:
        SpikeError: the prompt is empty, or every id is banned.
    """
    if not len(prompt_ids):
        raise SpikeError("the prompt has no tokens; begin with the separator")
    sampling, reading = sampling or SamplingParams(), reading or IncrementalDecoder(model)
    check_some_id(model, banned_ids)
    banned = torch.tensor(sorted(banned_ids), dtype=torch.int64)
    generator = torch.Generator().manual_seed(sampling.seed)

    def tokens() -> Iterator[SampledToken]:
        ids = list(prompt_ids)
        for _ in range(max_tokens):
            logits = reading.next_logits(ids).double().cpu()
            allowed = penalize_repetition(logits, ids, sampling.repetition_penalty)
            allowed = allowed.index_fill(0, banned, -torch.inf)
            only = choices(ids[len(prompt_ids) :])
            if only is not None:
                masked = torch.full_like(allowed, -torch.inf)
                masked[list(only)] = allowed[list(only)]
                allowed = masked
            chosen = sample_token(allowed, sampling, generator)
            ids.append(chosen)
            yield SampledToken(chosen, float(logits[chosen] - logits.logsumexp(dim=-1)))
            if chosen in stop_ids:
                return

    return tokens()


def check_some_id(model: LanguageModel, banned_ids: Collection[int]) -> None:
    """Check that at least one id may be sampled.

    Raises:
        SpikeError: every id is banned.
    """
    if len(banned_ids) == model.vocab_size:
        raise SpikeError("no id that may be sampled was seen in training; use --allow-unseen")

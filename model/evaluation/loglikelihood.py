"""Log-likelihoods of continuations given their contexts (multiple-choice scoring)."""

from collections.abc import Iterator, Sequence

from spiketok.errors import SpikeError

from .border import Split, split_requests
from .causal_lm import CausalLM
from .items import Item, LogLikelihood
from .shared_prefix import TokenSequence, score_sequences

BORDERS = ("joint", "lm-eval")
# Items whose texts are encoded together, before the first of them is scored.
ENCODED_TOGETHER = 64


class LongContinuationError(SpikeError):
    """Continuation that is longer than the context of the model."""


def score_items(
    lm: CausalLM, items: Sequence[Item], border: str = "joint", context: int = 0
) -> Iterator[tuple[int, list[LogLikelihood]]]:
    """Score the requests of items, each item by itself.

    The result of an item does not depend on the other items or their order, to the bit.

    Args:
        lm: gives the predictions.
        items: multiple-choice items.
        border: `"joint"` or `"lm-eval"`, as in `border.py`.
        context: largest number of ids in a pass, if smaller than the model's; 0: the model's.

    Yields:
        The number of an item in `items`, and the log-likelihood of each of its requests.

    Raises:
        LongContinuationError: a continuation is longer than the context.
        SpikeError: the border is unknown, or a continuation is empty.
    """
    if border not in BORDERS:
        raise SpikeError(f"border {border!r} is unknown; use one of {', '.join(BORDERS)}")
    context = min(context or lm.context, lm.context)
    for begin in range(0, len(items), ENCODED_TOGETHER):
        part = items[begin : begin + ENCODED_TOGETHER]
        requests = [request for item in part for request in item.requests]
        places = [
            f"{item.source}: choice {number}"
            for item in part
            for number in range(len(item.requests))
        ]
        splits = split_requests(lm, requests, places, border)
        done = 0
        for number, item in enumerate(part, begin):
            own = slice(done, done + len(item.requests))
            yield number, _score_splits(lm, splits[own], places[own], context)
            done = own.stop


def _score_splits(
    lm: CausalLM, splits: Sequence[Split], places: Sequence[str], context: int
) -> list[LogLikelihood]:
    sequences = [
        fitting(split, place, context) for split, place in zip(splits, places, strict=True)
    ]
    if not sequences:
        return []
    return [
        LogLikelihood(
            nats=float(scores.log_probabilities.sum()),
            is_greedy=scores.is_greedy,
            tokens=len(scores.log_probabilities),
            crosses=split.crosses,
            truncated=len(sequence.ids) < len(split.ids),
        )
        for scores, split, sequence in zip(
            score_sequences(lm, sequences), splits, sequences, strict=True
        )
    ]


def fitting(split: Split, place: str, context: int) -> TokenSequence:
    """Return a token sequence without the first ids of a context that is too long.

    Raises:
        LongContinuationError: the continuation alone is longer than the context of the model.
    """
    # The last id is predicted and never read.
    cut = max(0, len(split.ids) - context - 1)
    if cut >= split.first:
        raise LongContinuationError(
            f"{place}: the continuation has {len(split.ids) - split.first} tokens, and the model's "
            f"context {context}; shorten it"
        )
    return TokenSequence(split.ids[cut:], split.first - cut)

"""Log-likelihoods of continuations given their contexts (multiple-choice scoring)."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise
from operator import sub

from spiketok.errors import SpikeError

from .border import Split, split_requests
from .causal_lm import CausalLM
from .exact import BytePaths, byte_paths, log_probability
from .items import Item, LogLikelihood
from .shared_prefix import TokenSequence, score_sequences

BORDERS = ("joint", "exact", "lm-eval")
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
        border: `"joint"` or `"lm-eval"`, as in `border.py`, or `"exact"`, as in `exact.py`; then
            tokens and `is_greedy` are those of the joint encoding.
        context: largest number of ids in a pass, if smaller than the model's; 0: the model's.

    Yields:
        The number of an item in `items`, and the log-likelihood of each of its requests.

    Raises:
        LongContinuationError: a continuation is longer than the context.
        SpikeError: the border is unknown, or is not supported for the model's tokenizer; or a
            continuation is empty.
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
        exact = border == "exact"
        splits = split_requests(lm, requests, places, "joint" if exact else border)
        paths = byte_paths(lm, requests) if exact else [None] * len(requests)
        done = 0
        for number, item in enumerate(part, begin):
            own = slice(done, done + len(item.requests))
            yield number, _log_likelihoods(lm, splits[own], paths[own], places[own], context)
            done = own.stop


def _log_likelihoods(
    lm: CausalLM,
    splits: Sequence[Split],
    paths: Sequence[BytePaths | None],
    places: Sequence[str],
    context: int,
) -> list[LogLikelihood]:
    """Score the requests of one item together."""
    sequences, ends, cuts = [], [], []
    for split, path, place in zip(splits, paths, places, strict=True):
        whole = path.whole if path else TokenSequence(split.ids, split.first)
        # The last id is predicted and never read.
        cuts.append(max(0, len(whole.ids) - context - 1))
        if cuts[-1] >= whole.first:
            raise LongContinuationError(
                f"{place}: the continuation has {len(whole.ids) - whole.first} tokens, and the "
                f"model's context {context}; shorten it"
            )
        sequences.append(whole.without_first(cuts[-1]))
        if path and path.context:
            sequences.append(path.context.without_first(cuts[-1]))
        ends.append(len(sequences))
    scores = score_sequences(lm, sequences) if sequences else []
    found = []
    for split, path, cut, (start, end) in zip(
        splits, paths, cuts, pairwise([0, *ends]), strict=True
    ):
        tokens = len(split.ids) - split.first
        if path:
            parts = map(log_probability, sequences[start:end], scores[start:end])
            nats = reduce(sub, parts)
        else:
            nats = float(scores[start].log_probabilities.sum())
        found.append(
            LogLikelihood(
                nats=nats,
                is_greedy=bool(scores[start].greedy[-tokens:].all()),
                tokens=tokens,
                crosses=split.crosses,
                truncated=cut > 0,
            )
        )
    return found

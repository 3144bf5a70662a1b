"""Exact border: the probability of a continuation's bytes given those of its context.

Let P(s) be the probability that a text begins with bytes s: the sum over the covers of s
(`spiketok/prefix_covers.py`), which are beginnings of the encoding of s, each with one more entry.
Then

    ln p(continuation | context) = ln P(context + continuation) − ln P(context).

With ids t₁ … tₙ of s, and the entries E(k) that may follow the first k of them,

    P(s) = Σₖ p(t₁ … tₖ) · Σ_{e ∈ E(k)} p(e | t₁ … tₖ),

where only a few k near the end of s have entries. So all terms are on one path of n tokens, and the
cost is that of the joint encoding, with a sum over a part of the vocabulary at a few rows. Ids that
begin every longer text are in both encodings; their probability cancels out and is not computed.

Left out is the probability that the model gives to token sequences that are no encoding of a text,
in the numerator and in the denominator. The sum over all continuations of one byte, and over the
end of the text, is 1 up to that part.

Where all tokens of a context are within reach of its end, the model reads the prefix token first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiketok import Vocabulary
from spiketok.errors import SpikeError
from spiketok.prefix_covers import Covers, PrefixCovers

from .causal_lm import CausalLM
from .items import Request
from .shared_prefix import TokenScores, TokenSequence


@dataclass(frozen=True, slots=True)
class BytePaths:
    """Token sequences whose scores give the probability of a continuation's bytes."""

    whole: TokenSequence
    """Of context and continuation."""
    context: TokenSequence | None
    """Of the context alone; None where it is empty, so that its probability is 1."""


def byte_paths(lm: CausalLM, requests: Sequence[Request]) -> list[BytePaths]:
    """Return the token sequences to score for each request, not yet cut to the model's context.

    Raises:
        SpikeError: the model's tokenizer is not by longest match.
    """
    if lm.tokenizer is None or not isinstance(lm.tokenizer.vocabulary, Vocabulary):
        raise SpikeError(
            f"{lm.name}: border 'exact' needs a longest-match tokenizer; use --border joint"
        )
    finder = PrefixCovers(lm.tokenizer)
    contexts = {text: finder.of(text.encode()) for text in {r.context for r in requests}}
    paths = []
    for request in requests:
        alone = contexts[request.context]
        whole = finder.of((request.context + request.continuation).encode())
        paths.append(
            BytePaths(
                _sequence(whole, alone.stable, lm.prefix_id),
                _sequence(alone, alone.stable, lm.prefix_id) if request.context else None,
            )
        )
    return paths


def _sequence(covers: Covers, first: int, prefix_id: int) -> TokenSequence:
    """Return the sequence that is scored from id `first` on, after the prefix token if from 0."""
    moved = 0 if first else 1
    ids: NDArray[np.int64] = np.concatenate([[prefix_id][:moved], covers.ids]).astype(np.int64)
    return TokenSequence(
        ids, first + moved, {place + moved: entries for place, entries in covers.last.items()}
    )


def log_probability(sequence: TokenSequence, scores: TokenScores) -> float:
    """Return ln P(s), less ln p of the ids before the first scored one."""
    before = np.concatenate([[0.0], np.cumsum(scores.log_probabilities)])
    terms = [before[place - sequence.first] + ln_p for place, ln_p in scores.covers.items()]
    return float(np.logaddexp.reduce(terms))

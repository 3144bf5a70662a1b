"""Border of context and continuation: which tokens of a request count with the continuation.

The ids of `context + continuation` need not begin with those of `context`. Longest match takes the
longest entry, so a token may cross the border; BPE may merge over it. docs/evaluation.md compares
the three rules with an example.

`joint` encodes both together. Tokens up to the first one in which this differs from the encoding of
the context alone are context; the others count with the continuation, also one that crosses.

`lm-eval` is the rule of lm-evaluation-harness 0.4.13 (`_encode_pair`): the ids of the context
alone, then those ids of both together that come after as many places. Where a token crosses, the
model reads ids that no encoding has, and bytes are lost or counted twice.

Both put the border before the context's trailing blanks, as the harness does.

**Without a crossing both rules are equal**, for every tokenizer: `joint` finds all ids of the
context at the start of the whole, which is where `lm-eval` splits. For longest match `crosses` is
true exactly where a token crosses the border:

* If no token of the whole crosses, the tokens before the border are each the longest match in the
  whole. They end before the border, so they are also the longest in the context: they are its ids.
* If one crosses, the same holds for those before it. The context's encoding continues with another
  token, as the crossing one does not fit into it. So the first difference is the crossing token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError

from .causal_lm import CausalLM
from .items import Request


@dataclass(frozen=True, slots=True)
class Split:
    """Split of a request's ids into context and continuation."""

    ids: NDArray[np.int64]
    """[n], of the text that the model reads."""
    first: int
    """Place of the continuation's first id, at least 1."""
    crosses: bool
    """Whether the encoding of both together does not begin with the context's."""


def split_requests(
    lm: CausalLM, requests: Sequence[Request], places: Sequence[str], border: str
) -> list[Split]:
    """Split requests by `joint` or `lm-eval`.

    Args:
        lm: has the tokenizer.
        requests: of any items.
        places: a place for error messages, for each request.
        border: `"joint"` or `"lm-eval"`.

    Raises:
        SpikeError: a continuation is empty, or `lm-eval` leaves it no token.
    """
    texts = [_stripped(request) for request in requests]
    wholes = lm.encode_batch([context + text for context, text in texts])
    contexts = lm.encode_batch([context for context, _ in texts])
    splits = []
    for request, (context, text), whole, ids, place in zip(
        requests, texts, wholes, contexts, places, strict=True
    ):
        if not request.continuation:
            raise SpikeError(f"{place}: the continuation is empty; give it at least one character")
        splits.append(_split(lm, whole, ids, border) if context else _after_prefix(lm, text))
        if splits[-1].first >= len(splits[-1].ids):
            raise SpikeError(
                f"{place}: the split of lm-eval leaves no token for {text!r}; use --border joint"
            )
    return splits


def _split(
    lm: CausalLM, whole: NDArray[np.int64], context: NDArray[np.int64], border: str
) -> Split:
    """Split the ids [n] of both texts together, given those of the context, [c]."""
    common = common_length(whole, context)
    crosses = common < len(context)
    if border == "lm-eval":
        return Split(np.concatenate([context, whole[len(context) :]]), len(context), crosses)
    if not common:  # the text's first token crosses
        return Split(np.concatenate([[lm.prefix_id], whole]), 1, crosses)
    return Split(whole, common, crosses)


def _stripped(request: Request) -> tuple[str, str]:
    """Return context and continuation, the blanks at the context's end moved to the latter."""
    context = request.context.rstrip()
    return context, request.context[len(context) :] + request.continuation


def _after_prefix(lm: CausalLM, text: str) -> Split:
    """Return the split of a text without context: it follows the prefix token."""
    (ids,) = lm.encode_batch([text], special=False)
    # The harness does not repeat a prefix token with which the text begins.
    begins = len(ids) > 1 and ids[0] == lm.prefix_id
    return Split(ids if begins else np.concatenate([[lm.prefix_id], ids]), 1, False)


def common_length(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Return the number of first ids that two sequences [n], [m] have in common.

    >>> common_length(np.array([5, 6, 7]), np.array([5, 6]))
    2
    """
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length

"""Reference implementation of this package's native code, by definition and slow."""

import math
from collections import Counter
from collections.abc import Sequence

from .kneser_ney import Discounts


class PlainCounts:
    """Counts of the tokens after each context in one row of tokens, in dictionaries."""

    def __init__(self, max_context: int, continuation: bool) -> None:
        """Initialise without counts."""
        self.max_context = max_context
        self.continuation = continuation
        self.row: list[int] = []
        self.followers: dict[tuple[int, ...], Counter[int]] = {}

    def contexts(self) -> list[tuple[int, ...]]:
        """Return the contexts of the next token, the empty one first."""
        size = len(self.row)
        return [tuple(self.row[size - k :]) for k in range(min(self.max_context, size) + 1)]

    def learn(self, token: int) -> None:
        """Count a token after its contexts.

        An n-gram's count is how often it was seen. With continuation, that of an n-gram shorter
        than the longest possible grows only where the n-gram that is one longer is new.
        """
        contexts = self.contexts()
        known = [k for k, c in enumerate(contexts) if self.followers.get(c, Counter())[token]]
        first = max(known, default=0) if self.continuation else 0
        for context in contexts[first:]:
            self.followers.setdefault(context, Counter())[token] += 1
        self.row.append(token)

    def probabilities(
        self, token: int, base: float, discounts: Discounts, min_context: int = 0
    ) -> list[float]:
        """Return Pₖ of a token, k = 0 … max_context; ngram_model.py has the formula.

        Args:
            token: the next one.
            base: its probability without any context.
            discounts: [max_context + 1, 4].
            min_context: shorter contexts are not used.
        """
        found, p = [], base
        contexts: list[tuple[int, ...] | None] = [*self.contexts(), *[None] * self.max_context]
        for k, context in enumerate(contexts[: self.max_context + 1]):
            counts = self.followers.get(context) if context is not None else None
            if counts and k >= min_context:
                one, two, more, weight = (float(item) for item in discounts[k])
                rare = [sum(c == n for c in counts.values()) for n in (1, 2)]
                many = len(counts) - sum(rare)
                c = counts[token]
                own = c - (more if c > 2 else two if c == 2 else one) if c else 0.0
                back = weight + one * rare[0] + two * rare[1] + more * many
                p = (own + back * p) / (counts.total() + weight)
            found.append(p)
        return found

    def longest_context(self) -> tuple[int, int, int]:
        """Return length, total and distinct followers of the longest context that has any."""
        for context in reversed(self.contexts()):
            if counts := self.followers.get(context):
                return len(context), counts.total(), len(counts)
        return 0, 0, 0


def plain_calibrated(
    logits: Sequence[float],
    bias_factors: Sequence[float],
    *,
    use_temperature: bool,
    sharpening: float,
    min_temperature: float,
    max_temperature: float,
) -> tuple[list[float], list[float], list[float], float]:
    """Return a distribution, plain, with temperature, with bias too; and the plain one's entropy.

    Args:
        logits: of all ids.
        bias_factors: of all ids; empty for none.
        use_temperature: as for `_counting.calibrated_probabilities`; so all that follow.
        sharpening: of a certain prediction.
        min_temperature: lower limit of the temperature.
        max_temperature: upper limit of the temperature.
    """
    top = max(logits)
    plain = _shares([math.exp(max(x - top, -72)) for x in logits])
    entropy = -sum(p * math.log(p) for p in plain)
    certainty = 1 - entropy / math.log(max(2, len(logits)))
    temperature = 1.0
    if use_temperature:
        temperature = min(max_temperature, max(min_temperature, 1 - sharpening * certainty))
    heated = _shares([math.exp(max(x - top, -72) / temperature) for x in logits])
    factors = bias_factors or [1.0] * len(heated)
    biased = _shares([p * factor for p, factor in zip(heated, factors, strict=True)])
    return plain, heated, biased, entropy


def _shares(weights: Sequence[float]) -> list[float]:
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


def plain_matches(
    row: Sequence[int], lengths: Sequence[int]
) -> list[tuple[int | None, int | None, float]]:
    """Return for each token of a row the prediction before it: token, length's index, accuracy."""
    matches: list[tuple[int | None, int | None, float]] = []
    tried, correct = [0] * len(lengths), [0] * len(lengths)
    for end, token in enumerate(row):
        found = _last_place(row[:end], lengths)
        if found is None:
            matches.append((None, None, 0.0))
            continue
        place, index = found
        matches.append((row[place], index, (correct[index] + 0.5) / (tried[index] + 1)))
        tried[index] += 1
        correct[index] += row[place] == token
    return matches


def _last_place(row: Sequence[int], lengths: Sequence[int]) -> tuple[int, int] | None:
    """Return where the longest context that occurred before ended last, and its length's index."""
    for index in reversed(range(len(lengths))):
        length = lengths[index]
        for place in range(len(row) - 1, length - 1, -1):
            if row[place - length : place] == row[len(row) - length :]:
                return place, index
    return None


def plain_mixture(
    rows: Sequence[Sequence[float]],
    sets: Sequence[int],
    initial_weights: Sequence[float],
    *,
    min_rate: float,
    fixed_share: float,
) -> list[float]:
    """Return the mixtures of rows of probabilities; mixer.hpp explains how the weights learn.

    Args:
        rows: of each place the probabilities of all experts.
        sets: of each place its weight set.
        initial_weights: of each expert.
        min_rate: lower limit of the learning rate.
        fixed_share: part of each weight that returns to the initial one after each place.
    """
    weights, uses, mixed = {s: list(initial_weights) for s in sets}, dict.fromkeys(sets, 0), []
    for row, chosen in zip(rows, sets, strict=True):
        now = weights[chosen]
        mean = sum(w * p for w, p in zip(now, row, strict=True))
        mixed.append(mean)
        if mean <= 1e-290:
            continue
        rate = max(min_rate, 1 / (uses[chosen] + 2))
        uses[chosen] += 1
        learned = [w * (1 - rate + rate * p / mean) for w, p in zip(now, row, strict=True)]
        learned = [w + fixed_share * (f - w) for w, f in zip(learned, initial_weights, strict=True)]
        weights[chosen] = [w / sum(learned) for w in learned]
    return mixed

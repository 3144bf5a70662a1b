"""Metrics of evaluation tasks: accuracy, its normalised kinds, binomial errors, perplexity."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, sqrt
from typing import Any

from .items import Item, LogLikelihood
from .task import Task


@dataclass(frozen=True, slots=True)
class ItemScore:
    """Score of an item: the log-likelihoods of its choices, and the choice by each metric."""

    item: Item
    likelihoods: tuple[LogLikelihood, ...]
    chosen: Mapping[str, int]
    """Metric → number of the choice that it takes."""

    def correct(self, metric: str) -> bool:
        """Return whether a metric takes the right choice."""
        return self.chosen[metric] == self.item.label


def item_score(task: Task, item: Item, likelihoods: Sequence[LogLikelihood]) -> ItemScore:
    """Return the score of an item.

    `acc` takes the choice with the largest log-likelihood, `acc_norm` and `acc_bytes` the one with
    the largest per character and per UTF-8 byte of the choice, without the blank before it. The
    first of equal ones is taken, as `numpy.argmax` does. A last word is right where each of its
    tokens is the most probable one.

    Args:
        task: with its kind and metrics.
        item: of the task.
        likelihoods: of its requests, in their order.
    """
    if task.kind == "last word":
        chosen = {"acc": 0 if likelihoods[0].is_greedy else -1}
        return ItemScore(item, tuple(likelihoods), chosen)
    nats = [one.nats for one in likelihoods]
    lengths = {
        "acc": [1] * len(nats),
        "acc_norm": [len(choice) for choice in item.choices],
        "acc_bytes": [len(choice.encode()) for choice in item.choices],
    }
    chosen = {
        metric: first_largest([n / size for n, size in zip(nats, lengths[metric], strict=True)])
        for metric in task.metrics
    }
    return ItemScore(item, tuple(likelihoods), chosen)


def first_largest(numbers: Sequence[float]) -> int:
    """Return the place of the largest number, of equal ones the first.

    >>> first_largest([-2.0, -1.0, -1.0])
    1
    """
    return max(range(len(numbers)), key=numbers.__getitem__)


def is_tie(score: ItemScore) -> bool:
    """Return whether the two largest log-likelihoods of an item are equal."""
    nats = sorted(one.nats for one in score.likelihoods)
    return len(nats) > 1 and nats[-1] == nats[-2]


def is_finite(likelihoods: Iterable[LogLikelihood]) -> bool:
    """Return whether all log-likelihoods are numbers."""
    return all(isfinite(one.nats) for one in likelihoods)


def binomial_error(share: float, items: int) -> float:
    """Return the standard error sqrt(p (1 - p) / n) of a share of n items.

    >>> round(binomial_error(0.3801, 2376), 4)
    0.01
    """
    return sqrt(share * (1 - share) / items)


def summary(task: Task, scores: Sequence[ItemScore]) -> dict[str, Any]:
    """Return the metrics of items with their errors and counts; no metrics without items.

    Args:
        task: of the items.
        scores: of all items that count.
    """
    found: dict[str, Any] = {"items": len(scores)}
    if not scores:
        return found
    for metric in task.metrics:
        if metric == "perplexity":
            mean = sum(one.likelihoods[0].nats for one in scores) / len(scores)
            found[metric] = bounded_exp(-mean)
            continue
        share = sum(one.correct(metric) for one in scores) / len(scores)
        found |= {metric: share, f"{metric}_error": binomial_error(share, len(scores))}
    likelihoods = [one for score in scores for one in score.likelihoods]
    if task.kind != "last word":
        found["chance"] = sum(1 / len(one.likelihoods) for one in scores) / len(scores)
        found["ties"] = sum(map(is_tie, scores))
    found["crossing"] = sum(any(one.crosses for one in score.likelihoods) for score in scores)
    found["truncated"] = sum(any(one.truncated for one in score.likelihoods) for score in scores)
    found["tokens"] = sum(one.tokens for one in likelihoods)
    return found


def grouped(
    task: Task, scores: Sequence[ItemScore], groups: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the main metric of each group, by the names of the grouping and of the group.

    Args:
        task: of the items.
        scores: of the items.
        groups: of each item.
    """
    members: dict[str, dict[str, list[ItemScore]]] = {}
    for score, names in zip(scores, groups, strict=True):
        for grouping, name in names.items():
            members.setdefault(grouping, {}).setdefault(name, []).append(score)
    metric = task.metrics[0]
    keys = ("items", metric, f"{metric}_error")
    return {
        grouping: {
            name: {key: value for key, value in summary(task, inside).items() if key in keys}
            for name, inside in sorted(named.items())
        }
        for grouping, named in members.items()
    }


def changed_choices(
    task: Task, some: Sequence[ItemScore], others: Sequence[ItemScore]
) -> dict[str, Any]:
    """Return the differences between two scorings of the same items, in the main metric.

    Args:
        task: of the items.
        some: scores of one kind.
        others: scores of another kind, of the same items.

    Returns:
        `difference`, of the shares that are right, others less some; `changed`, the items whose
        choice differs; `largest_nats`, the largest difference of a log-likelihood.
    """
    metric = task.metrics[0]
    pairs = list(zip(some, others, strict=True))
    gained = sum(b.correct(metric) - a.correct(metric) for a, b in pairs)
    changed = sum(a.chosen[metric] != b.chosen[metric] for a, b in pairs)
    nats = [
        abs(x.nats - y.nats)
        for a, b in pairs
        for x, y in zip(a.likelihoods, b.likelihoods, strict=True)
    ]
    return {
        "difference": gained / len(pairs) if pairs else 0.0,
        "changed": changed,
        "largest_nats": max(nats, default=0.0),
    }


def bounded_exp(nats: float) -> float:
    """Return exp of a number of nats; infinity where that is too large."""
    return exp(nats) if nats < 700 else float("inf")

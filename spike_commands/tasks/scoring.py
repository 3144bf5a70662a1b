"""Scoring of one evaluation task: its items under a model, with the results of an earlier call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from spike_lm.model.evaluation.causal_lm import CausalLM
from spike_lm.model.evaluation.items import Item, LogLikelihood
from spike_lm.model.evaluation.loglikelihood import LongContinuationError, score_items
from spike_lm.model.evaluation.metrics import ItemScore, bounded_exp, is_finite, item_score
from spike_lm.model.evaluation.rolling import rolling_nats
from spike_lm.model.scoring.bits_per_byte import bits_per_byte
from spiketok.errors import SpikeError

from .item_log import ItemLog, Origin, fits
from .task_files import TaskData, work_of

# Progress callback: the characters and the number of items that are done.
Done: TypeAlias = Callable[[int, int], None]
# Items of one call, as many as are encoded together.
TOGETHER = 64
LONG = "a continuation longer than the context"


class NotFiniteError(SpikeError):
    """A log-likelihood is no number."""


@dataclass(frozen=True, slots=True)
class ScoredItems:
    """Scores of a task's items; None for those that the context cannot hold."""

    scores: list[ItemScore | None]

    @property
    def whole(self) -> list[ItemScore]:
        """Those that have a score."""
        return [score for score in self.scores if score is not None]


def score_task(
    lm: CausalLM,
    data: TaskData,
    origin: Origin,
    log: ItemLog,
    report: Done,
) -> ScoredItems:
    """Score the items of a task; finished ones of the log are not scored again.

    Args:
        lm: the model.
        data: of the task.
        origin: what the scores depend on: border and context among them.
        log: where each item is written when it is done.
        report: called with the characters and the number of items that are done.

    Raises:
        NotFiniteError: a log-likelihood is no number.
        SpikeError: an item cannot be scored.
    """
    done, task = log.begin(origin), data.task
    scores: list[ItemScore | None] = [None] * len(data.items)
    todo = []
    finished, work = 0, 0
    for number, item in enumerate(data.items):
        before = done.get(item.source)
        if before is None or not fits(item, before):
            todo.append(number)
            continue
        scores[number] = item_score(task, item, before)
        work, finished = work + work_of(item), finished + 1
    items = [data.items[number] for number in todo]
    for place, found in scored_items(lm, items, origin.border, origin.context):
        number, item = todo[place], items[place]
        work, finished = work + work_of(item), finished + 1
        report(work, finished)
        if found is None:
            continue
        if not is_finite(found):
            raise NotFiniteError(f"{item.source}: a log-likelihood is no number; use another model")
        score = item_score(task, item, found)
        scores[number] = score
        log.add(origin, score, task.metrics[0])
    return ScoredItems(scores)


def scored_items(
    lm: CausalLM, items: Sequence[Item], border: str, context: int
) -> Iterator[tuple[int, Sequence[LogLikelihood] | None]]:
    """Yield the number and the log-likelihoods of items; None where the context is too short.

    Args:
        lm: the model.
        items: of a task.
        border: joint, exact or lm-eval.
        context: largest number of ids in a pass.
    """
    for begin in range(0, len(items), TOGETHER):
        part, done = items[begin : begin + TOGETHER], 0
        try:
            for place, found in score_items(lm, part, border, context):
                yield begin + place, found
                done = place + 1
        except LongContinuationError:
            for place in range(done, len(part)):
                yield begin + place, alone(lm, part[place], border, context)


def alone(lm: CausalLM, item: Item, border: str, context: int) -> list[LogLikelihood] | None:
    """Return the log-likelihoods of one item; None where the context is too short.

    Args:
        lm: the model.
        item: of a task.
        border: joint, exact or lm-eval.
        context: largest number of ids in a pass.
    """
    try:
        return next(score_items(lm, [item], border, context))[1]
    except LongContinuationError:
        return None


def score_text(lm: CausalLM, data: TaskData, context: int, report: Done) -> dict[str, Any]:
    """Return nats, byte perplexity and bits per byte of a task on text.

    Where a protocol fixes the context, windows do not overlap; else they move on by half.

    Args:
        lm: the model.
        data: of the task.
        context: tokens per window; 0: the model's context.
        report: called with the bytes that are done, and 0.
    """
    size = len(data.text)
    context = min(context or lm.context, lm.context)
    stride = context if data.task.context else 0
    nats = rolling_nats(lm, data.text, context, stride, lambda share: report(int(share * size), 0))
    lossless = lm.tokenizer is None or lm.tokenizer.lossless
    prefix = "" if lossless else "pseudo_"
    return {
        "bytes": size,
        "nats": nats,
        f"{prefix}byte_ppl": bounded_exp(nats / size),
        f"{prefix}bits_per_byte": bits_per_byte(nats, size),
    }


def left_out(data: TaskData, scored: Mapping[str, ScoredItems]) -> dict[str, int]:
    """Return the number of records and items that were left out, by reason."""
    long = max((one.scores.count(None) for one in scored.values()), default=0)
    return data.broken | ({LONG: long} if long else {})

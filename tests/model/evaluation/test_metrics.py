"""Metrics of items: by numpy's definitions, ties, errors, groups and differences."""

import math

import numpy as np
import pytest

from spike_lm.model.evaluation.items import Item, LogLikelihood, Request
from spike_lm.model.evaluation.metrics import (
    changed_choices,
    grouped,
    is_finite,
    item_score,
    summary,
)
from spike_lm.model.evaluation.tasks.selection import BY_NAME, own_task

TASK = own_task("mine.jsonl")


def likelihood(nats, greedy=False, crosses=False, truncated=False):
    return LogLikelihood(nats, greedy, 2, crosses, truncated)


def scored(choices, nats, label=0, task=TASK, **flags):
    item = Item(tuple(Request("c", f" {one}") for one in choices), tuple(choices), label, "x:1")
    return item_score(task, item, [likelihood(one, **flags) for one in nats])


def test_choices_are_those_of_numpy_argmax_over_the_harness_lengths():
    random = np.random.default_rng(3)
    for _ in range(500):
        size = int(random.integers(2, 6))
        choices = ["".join(random.choice(list("aß猫"), random.integers(1, 6))) for _ in range(size)]
        nats = random.integers(-4, 0, size).astype(float)  # with many ties
        found = scored(choices, nats.tolist()).chosen
        characters = np.array([float(len(one)) for one in choices])
        octets = np.array([float(len(one.encode("utf-8"))) for one in choices])
        assert found == {
            "acc": np.argmax(nats),
            "acc_norm": np.argmax(nats / characters),
            "acc_bytes": np.argmax(nats / octets),
        }


def test_summary_has_shares_errors_and_counts():
    scores = [
        scored(["a", "b"], [-1.0, -2.0], label=0),
        scored(["a", "b"], [-1.0, -2.0], label=1, crosses=True),
        scored(["a", "b", "c", "d"], [-2.0, -1.0, -1.0, -3.0], label=1, truncated=True),
        scored(["aaaa", "b"], [-2.0, -1.0], label=0),
    ]
    found = summary(TASK, scores)
    assert (found["items"], found["acc"], found["acc_norm"]) == (4, 0.5, 0.75)
    assert found["acc_error"] == pytest.approx(math.sqrt(0.25 / 4))
    assert found["chance"] == pytest.approx((0.5 * 3 + 0.25) / 4)
    assert (found["ties"], found["crossing"], found["truncated"]) == (1, 1, 1)
    assert found["tokens"] == 2 * 10
    assert summary(TASK, []) == {"items": 0}


def test_the_last_word_is_right_where_it_is_greedy_and_has_the_perplexity_of_the_word():
    task = BY_NAME["lambada"]
    scores = [scored(["w"], [-1.0], task=task, greedy=True), scored(["w"], [-3.0], task=task)]
    found = summary(task, scores)
    assert (found["acc"], found["perplexity"]) == (0.5, pytest.approx(math.exp(2.0)))
    assert "chance" not in found
    assert summary(task, [scored(["w"], [-9e9], task=task)])["perplexity"] == math.inf


def test_groups_add_up():
    scores = [scored(["a", "b"], [-1.0, -2.0], label=number % 2) for number in range(6)]
    names = [{"paradigm": "pq"[number % 2], "field": "f"} for number in range(6)]
    found = grouped(TASK, scores, names)
    assert found["paradigm"]["p"] == {"items": 3, "acc": 1.0, "acc_error": 0.0}
    assert (found["paradigm"]["q"]["acc"], found["field"]["f"]["acc"]) == (0.0, 0.5)


def test_differences_of_two_scorings():
    some = [scored(["a", "b"], [-1.0, -2.0]), scored(["a", "b"], [-2.0, -1.0])]
    others = [scored(["a", "b"], [-2.5, -2.0]), scored(["a", "b"], [-2.0, -1.0])]
    found = changed_choices(TASK, some, others)
    assert found == {"difference": -0.5, "changed": 1, "largest_nats": 1.5}
    assert changed_choices(TASK, some, some)["largest_nats"] == 0


def test_what_is_no_number_is_found():
    assert is_finite([likelihood(-1.0)])
    assert not is_finite([likelihood(-1.0), likelihood(math.nan)])
    assert not is_finite([likelihood(-math.inf)])

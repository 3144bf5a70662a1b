"""Generated arithmetic: right results, four different endings, the same items for a seed."""

import hashlib
import json
from collections import Counter

from spike_lm.model.evaluation.arithmetic_items import ITEMS, arithmetic_records


def test_results_are_right_and_endings_differ():
    records = list(arithmetic_records())
    assert len({record["ctx"] for record in records}) == len(records) == ITEMS
    for record in records:
        expression = record["ctx"].removesuffix(" =")
        value = eval(expression)
        numbers = [int(ending) for ending in record["endings"]]
        assert numbers[record["label"]] == value
        assert len(set(numbers)) == 4
        assert all(ending == f" {int(ending)}" for ending in record["endings"])
        operators = sum(expression.count(f" {sign} ") for sign in "+-*/")
        assert record["metadata"]["operator_count"] == operators
    labels = Counter(record["label"] for record in records)
    assert all(500 < labels[number] < 750 for number in range(4))


def test_items_of_a_seed_are_the_same_everywhere():
    digest = hashlib.sha256(json.dumps(list(arithmetic_records())).encode()).hexdigest()
    assert digest[:16] == "8044202359e9eca9"
    assert list(arithmetic_records(5, seed=1)) != list(arithmetic_records(5))
    assert list(arithmetic_records(5)) == list(arithmetic_records())[:5]

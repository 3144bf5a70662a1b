"""Counting exact copies: exact for few documents, an estimate in bounded memory for many."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.duplicate_documents import CopyCounter
from spiketok.holdout import document_id


def count(texts, most=1000):
    copies = CopyCounter(most)
    for text in texts:
        copies.add(document_id(text), len(text))
    return copies


@given(st.lists(st.binary(max_size=2)))
def test_few_documents_are_counted_exactly(texts):
    times = Counter(texts)
    assert count(texts).as_members() == {
        "copied_documents": sum(times.values()) - len(times),
        "copied_bytes": sum(len(text) * (number - 1) for text, number in times.items()),
    }


def test_many_documents_are_estimated_whatever_their_order():
    random = Random(1)
    texts = [b"text %d" % random.randrange(10_000) for _ in range(40_000)]
    whole, part = count(texts, 1 << 20), count(texts, 1000)
    assert len(part._seen) <= 1000
    assert part.copied_documents == pytest.approx(whole.copied_documents, rel=0.02)
    assert part.copied_bytes == pytest.approx(whole.copied_bytes, rel=0.02)
    random.shuffle(texts)
    assert count(texts, 1000).as_members() == part.as_members()
    names = np.frombuffer(b"".join(map(document_id, texts)), np.uint8).reshape(-1, 16)
    sizes = np.array([len(text) for text in texts])
    for most, expected in ((1 << 20, whole), (1000, part)):
        at_once = CopyCounter(most)
        for start in range(0, len(texts), 7000):
            at_once.add_all(names[start : start + 7000], sizes[start : start + 7000])
        assert at_once.as_members() == expected.as_members()

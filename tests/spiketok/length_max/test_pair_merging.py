from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import LengthMaxSettings, reference, train_length_max
from spiketok._native import PairMerger
from spiketok.id_layout import PIECE
from spiketok.length_max.pair_merging import merge_entries
from spiketok.text_buffers import join

SHAKESPEARE = Path(__file__).parents[3].parent / "shared/data/tinyshakespeare/input.txt"


def merger(documents, lengths, *, weights=(), merges=100, max_token_bytes=100, **options):
    ids = np.array([token for document in documents for token in document], np.uint8)
    offsets = np.array([0, *accumulate(map(len, documents))], np.int64)
    numbers = np.array(weights, np.int64), np.array(lengths, np.uint32)
    sizes = {"merges": merges, "max_token_bytes": max_token_bytes}
    rules = {"by_length": False, "threads": 1} | sizes | options
    return PairMerger(ids, offsets, *numbers, **rules)


def merged_pairs(found, merges, allowed=lambda left, right: True):
    pairs = []
    while len(pairs) < merges and (best := found.best()):
        if allowed(*best[:2]):
            found.merge()
            pairs.append(best)
        else:
            found.exclude()
    return pairs


@settings(deadline=None, max_examples=300)
@given(st.data(), st.integers(1, 4), st.booleans(), st.integers(1, 3), st.integers(0, 20))
def test_merges_are_learned_as_defined(data, letters, by_length, threads, max_positions):
    letter = st.integers(0, letters - 1)
    documents = data.draw(st.lists(st.lists(letter, max_size=40), max_size=5))
    size = len(documents)
    weights = data.draw(st.lists(st.integers(1, 3), min_size=size, max_size=size))
    lengths = data.draw(st.lists(st.integers(0, 2), min_size=letters, max_size=letters))
    max_token_bytes = data.draw(st.integers(1, 12))
    refused = data.draw(st.integers(0, 3))

    def allowed(left, right):
        return refused == 0 or (left * 5 + right) % 4 != refused

    rules = {"by_length": by_length, "max_token_bytes": max_token_bytes, "threads": threads}
    found = merger(documents, lengths, weights=weights, max_positions=max_positions, **rules)
    assert merged_pairs(found, 30, allowed) == reference.learn_merges(
        documents, weights, lengths, 30, by_length, max_token_bytes, allowed
    )


def test_more_ids_than_16_bits_hold_change_nothing():
    text = np.random.default_rng(0).integers(0, 9, 5000).tolist()
    narrow, wide = (merger([text], [1] * 9, merges=merges) for merges in (100, 1 << 16))
    assert merged_pairs(narrow, 100) == merged_pairs(wide, 100)


def test_runs_are_joined_from_the_left_and_without_overlap():
    assert merged_pairs(merger([[0] * 7, [0] * 2], [1]), 9) == [(0, 0, 4)]
    assert merged_pairs(merger([[0] * 8], [1]), 9) == [(0, 0, 4), (1, 1, 2)]


def test_a_large_run_is_as_any_other():
    # 2^20 equal ids halve with each merge.
    found = merged_pairs(merger([[0] * (1 << 20)], [1], max_token_bytes=1 << 30), 40)
    assert [count for _, _, count in found] == [1 << n for n in range(19, 0, -1)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lengths": [1]}, "has no length"),
        ({"weights": [1, 1]}, "for each document"),
        ({"weights": [0]}, "1 or more"),
    ],
    ids=str,
)
def test_merger_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        merger([[0, 1]], **{"lengths": [1, 1]} | wrong)


def test_merging_needs_a_best_pair():
    found = merger([[0, 1, 0, 1]], [1, 1])
    with pytest.raises(ValueError, match="no best pair"):
        found.merge()
    assert found.best() == (0, 1, 2)
    assert found.merge() == 2
    with pytest.raises(ValueError, match="no best pair"):
        found.exclude()
    assert found.best() is None


def test_merger_knows_how_many_merges_were_announced():
    found = merger([list(range(200)) * 2], [1] * 65_500, merges=5)
    assert len(merged_pairs(found, 5)) == 5
    with pytest.raises(ValueError, match="announced"):
        merged_pairs(found, 100)


TEXTS = [b"the cat and the dog and the cow", "käse größe 12345".encode(), b"aaaaaaaa", b"\xff\xfe"]


@pytest.mark.parametrize("objective", ["frequency", "freq-length"])
@pytest.mark.parametrize("digits", ["free", "split"])
def test_entries_are_merged_as_defined(objective, digits):
    options = LengthMaxSettings(
        vocab_size=290, layout="minimal", objective=objective, digits=digits, max_token_bytes=6
    )
    texts = TEXTS * 3
    allowed = options.allowed("none")
    entries = [bytes([byte]) for byte in range(256)]

    def joins_to_new_entry(left, right):
        # The definition asks about every pair, also about those that are not joined.
        piece = pieces[left] + pieces[right]
        return allowed(piece) and piece not in pieces

    pieces = entries
    rules = ([1] * len(texts), [1] * 256, 1, objective == "freq-length", 6)
    documents = [list(text) for text in texts]
    while len(pieces) < 286:
        # One merge at a time, since what is allowed depends on the entries there are.
        lengths = [len(piece) for piece in pieces]
        found = reference.learn_merges(
            documents, rules[0], lengths, 1, rules[3], rules[4], joins_to_new_entry
        )
        if not found:
            break
        left, right, _ = found[0]
        documents = [reference.join_pair(ids, left, right, len(pieces)) for ids in documents]
        pieces = [*pieces, pieces[left] + pieces[right]]
    assert merge_entries(options, join(texts), 2, lambda _: None) == pieces
    assert len(pieces) > 270


@pytest.mark.parametrize("objective", ["frequency", "freq-length"])
def test_a_vocabulary_is_trained_by_merges(objective):
    texts = [text + str(number).encode() for text in TEXTS for number in range(9)]
    batch = pa.record_batch({"text": pa.array(texts, pa.large_binary())})
    options = LengthMaxSettings(
        vocab_size=280, layout="minimal", objective=objective, held_out=0, min_frequency=0
    )
    vocabulary = train_length_max(lambda: [batch], options)
    assert len(vocabulary.ids_of(PIECE)) == 276
    assert vocabulary.settings["objective"] == objective
    assert max(map(len, vocabulary.entries)) > 3


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="shared data are not here")
def test_merges_of_real_text_do_not_depend_on_threads_and_are_told_of():
    texts = join([SHAKESPEARE.read_bytes()])
    options = LengthMaxSettings(vocab_size=1024, layout="minimal", objective="frequency")
    reports = []
    entries = merge_entries(options, texts, 1, reports.append)
    assert entries == merge_entries(options, texts, 3, lambda _: None)
    assert [report.entries for report in reports] == list(range(320, 1020, 64))
    assert reports[-1].bytes_per_token > 2.4

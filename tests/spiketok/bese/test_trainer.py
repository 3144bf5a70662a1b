import random
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import BeseSettings, BeseVocabulary, Tokenizer, reference, train_bese
from spiketok._native import SegmentCounter
from spiketok.bese import reference as bese_reference
from spiketok.bese.reference import BASE_IDS, MAX_BASE_IDS
from spiketok.errors import SpikeError
from spiketok.holdout import HeldOut, document_id
from spiketok.text_buffers import join

SHAKESPEARE = Path(__file__).parents[3].parent / "shared/data/tinyshakespeare/input.txt"
PHRASES = ["the cat sat", "On the mat\n", "THE END", " and ", "12:30", "naïve ’ “", "\n\n", "zzzz"]


def corpus(seed, documents=40):
    generator = random.Random(seed)
    return ["".join(generator.choices(PHRASES, k=30)).encode() for _ in range(documents)]


def reader(texts, size=7):
    return lambda: (
        pa.record_batch({"text": pa.array(texts[start : start + size], pa.large_binary())})
        for start in range(0, len(texts), size)
    )


def defined_merges(rows, number):
    weights = [1] * len(rows)
    found = reference.learn_merges(
        rows, weights, [1] * BASE_IDS, number, False, MAX_BASE_IDS, lambda left, right: True
    )
    return tuple((left, right) for left, right, _ in found)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PHRASES), max_size=30), st.integers(0, 12))
def test_merges_are_as_defined(phrases, number):
    texts = ["".join(phrases[first::3]).encode() for first in range(3)]
    if not any(texts):
        texts = [b"e"]
    options = BeseSettings(vocab_size=BASE_IDS + number, held_out=0)
    rows = [row for text in texts for row in bese_reference.segments(text)]
    assert train_bese(reader(texts), options).merges == defined_merges(rows, number)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PHRASES), max_size=30), st.integers(0, 12))
def test_published_merges_are_the_first_seen_of_the_most_frequent(phrases, number):
    texts = ["".join(phrases[first::3]).encode() for first in range(3)]
    if not any(texts):
        texts = [b"e"]
    options = BeseSettings(vocab_size=BASE_IDS + number, held_out=0, alphabet="bese-published")
    rows = [list(bese_reference.published_base_ids(text)) for text in texts]
    assert train_bese(reader(texts), options).merges == bese_reference.published_merges(
        rows, number
    )


def test_the_same_for_any_threads_and_order_even_sampled(tmp_path):
    texts = [text + str(number).encode() for number, text in enumerate(corpus(0, 3000))]
    options = BeseSettings(vocab_size=120, held_out=0.1, memory=1 << 20)
    contents = set()
    for threads in (1, 3):
        random.Random(threads).shuffle(texts)
        vocabulary = train_bese(reader(texts, threads + 5), options, threads=threads)
        vocabulary.write(tmp_path / "tokenizer.json")
        contents.add((tmp_path / "tokenizer.json").read_bytes())
    assert len(contents) == 1
    training = vocabulary.training
    assert training["sampled"]
    assert training["sampled_bytes"] < training["bytes"] / 2


def test_what_is_told_of_a_training():
    texts = corpus(1)
    reports = []
    options = BeseSettings(vocab_size=120, held_out=0.2)
    vocabulary = train_bese(reader(texts), options, inputs=["a.txt"], report=reports.append)
    training = vocabulary.training
    assert training["documents"] == 40
    assert not training["sampled"]
    assert training["sampled_bytes"] + training["held_out_bytes"] == training["bytes"]
    assert training["held_out_bytes_per_token"] > 2
    assert vocabulary.settings["held_out"] == 0.2
    assert vocabulary.inputs == (Path("a.txt").absolute(),)
    assert [report.entries for report in reports] == [56, 72, 88, 104, 120]
    assert reports[-1].bytes_per_token == pytest.approx(training["bytes_per_token"], abs=1e-6)


def test_bytes_per_token_are_those_of_the_encoder():
    texts = corpus(2)
    for alphabet in ("bese", "bese-published"):
        options = BeseSettings(vocab_size=100, held_out=0, alphabet=alphabet)
        vocabulary = train_bese(reader(texts), options)
        ids = Tokenizer(vocabulary).encode_batch(texts)[0]
        size = sum(map(len, texts))
        assert vocabulary.training["bytes_per_token"] == pytest.approx(size / len(ids), abs=1e-6)


def test_a_small_corpus_leaves_reserved_ids():
    vocabulary = train_bese(reader([b"ababab"]), BeseSettings(held_out=0))
    assert len(vocabulary) == 288
    assert len(vocabulary.merges) < 5
    assert vocabulary.reserved_ids == list(range(40 + len(vocabulary.merges), 288))


def test_the_smallest_vocabulary_is_the_alphabet():
    vocabulary = train_bese(reader([b"abc"]), BeseSettings(vocab_size=40, held_out=0))
    assert vocabulary.merges == ()
    assert BeseVocabulary(merges=(), vocab_size=40).fingerprint() == vocabulary.fingerprint()


@pytest.mark.parametrize("alphabet", ["bese", "bese-published"])
@pytest.mark.parametrize("texts", [[], [b""], [b"a"]])
def test_nothing_to_train_on(alphabet, texts):
    named = HeldOut(0, frozenset([document_id(b"a")]))
    with pytest.raises(SpikeError, match="no text"):
        train_bese(reader(texts), BeseSettings(alphabet=alphabet), held_out=named)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 39},
        {"vocab_size": 1 << 21},
        {"alphabet": "x"},
        {"held_out": 1},
        {"memory": 9},
    ],
    ids=str,
)
def test_wrong_settings(wrong):
    with pytest.raises(SpikeError):
        BeseSettings(**wrong)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(PHRASES), max_size=9).map("".join), max_size=6))
def test_segments_are_counted(parts):
    texts = [text.encode() for text in parts]
    counted = SegmentCounter(1 << 20)
    counted.add(*join(texts))
    ids, offsets, counts = (column.tolist() for column in counted.take())
    rows = [tuple(ids[a:b]) for a, b in pairwise(offsets)]
    found = dict(zip(rows, counts, strict=True))
    expected = [tuple(row) for text in texts for row in bese_reference.segments(text)]
    assert len(found) == len(rows)
    assert found == {row: expected.count(row) for row in expected}
    assert counted.halvings == 0


def test_what_is_left_of_segments_keeps_its_count():
    texts = corpus(3, 300) * 2
    whole, part = SegmentCounter(1 << 30), SegmentCounter(2000)
    for counted in (whole, part):
        counted.add(*join(texts))
    assert part.halvings > 0
    tables = []
    for counted in (whole, part):
        ids, offsets, counts = (column.tolist() for column in counted.take())
        rows = [tuple(ids[a:b]) for a, b in pairwise(offsets)]
        tables.append(dict(zip(rows, counts, strict=True)))
    assert 0 < len(tables[1]) < len(tables[0])
    assert tables[1].items() <= tables[0].items()


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="shared data are not here")
def test_real_text():
    texts = [text.encode() for text in SHAKESPEARE.read_text().split("\n\n")]
    training = train_bese(reader(texts, 500), BeseSettings(held_out=0.05)).training
    assert training["held_out_bytes_per_token"] > 1.7

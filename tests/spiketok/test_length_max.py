import random
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import LengthMaxSettings, Tokenizer, reference, train_length_max
from spiketok.candidates import Allowed, is_part_of_code_point
from spiketok.errors import SpikeError
from spiketok.layout import PIECE, TAKEN_NAMES
from spiketok.pruning import drop_cheapest, pieces_without

SHAKESPEARE = Path(__file__).parents[2].parent / "shared/data/tinyshakespeare/input.txt"
SMALL = LengthMaxSettings(vocab_size=300, layout="minimal", held_out=0.0)
PHRASES = [
    "the cat sat",
    "on the mat",
    " and ",
    "a dog ran",
    "äöü€",
    "1234567 89",
    "aaaaaa",
    "\r\n",
]


def batches(texts, size=7):
    for start in range(0, len(texts), size):
        rows = [text.encode() for text in texts[start : start + size]]
        yield pa.record_batch({"text": pa.array(rows, pa.large_binary())})


def corpus(seed, documents=60):
    generator = random.Random(seed)
    return [" ".join(generator.choices(PHRASES, k=40)) + str(i) for i in range(documents)]


def pieces(vocabulary):
    return [vocabulary.entries[token] for token in vocabulary.ids_of(PIECE)[256:]]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(alphabet="abc ä", min_size=1, max_size=60), min_size=1, max_size=6))
def test_training_is_as_defined(texts):
    trained = pieces(train_length_max(batches(texts), SMALL, threads=2))
    chunks = sorted({text.encode() for text in texts})
    defined = reference.train(chunks, 296, Allowed(24, within_word=False))
    assert sorted(trained) == [entry for entry in defined if len(entry) > 1]


def test_training_on_prose_is_as_defined():
    texts = corpus(0, documents=12)
    trained = pieces(train_length_max(batches(texts), SMALL))
    defined = reference.train([text.encode() for text in texts], 296, Allowed(24, False))
    assert sorted(trained) == [entry for entry in defined if len(entry) > 1]
    assert len(trained) == 40


def test_file_is_the_same_for_any_threads_and_order(tmp_path):
    texts = corpus(1)
    options = LengthMaxSettings(vocab_size=600, held_out=0.1, sample_bytes=1 << 16)
    contents = set()
    for threads in (1, 4):
        for seed in (0, 1):
            random.Random(seed).shuffle(texts)
            vocabulary = train_length_max(batches(texts, seed + 3), options, threads=threads)
            vocabulary.write(tmp_path / "tokenizer.json")
            contents.add((tmp_path / "tokenizer.json").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("boundary", ["none", "word"])
def test_entries_are_allowed(boundary):
    texts = [text + "<eos><think>" * 9 for text in corpus(2)]
    options = LengthMaxSettings(
        vocab_size=700, layout="chatml", boundary=boundary, max_token_bytes=9
    )
    vocabulary = train_length_max(batches(texts), options)
    found = pieces(vocabulary)
    assert len(found) == len(set(found)) > 50
    assert max(map(len, found)) <= 9
    assert not set(found) & TAKEN_NAMES
    for piece in found:
        try:
            piece.decode()
        except UnicodeDecodeError:
            assert is_part_of_code_point(piece)
    spanning = [piece for piece in found if re.search(rb"\w \w", piece)]
    assert bool(spanning) == (boundary == "none")


def test_small_corpus_leaves_reserved_ids():
    vocabulary = train_length_max(batches(["abab abab"]), SMALL)
    assert pieces(vocabulary)
    assert vocabulary.reserved_ids == list(range(260 + len(pieces(vocabulary)), 300))
    assert Tokenizer(vocabulary).decode(Tokenizer(vocabulary).encode("abcab")) == "abcab"


def test_smallest_vocabulary_has_no_pieces():
    vocabulary = train_length_max(batches(["aaaa"]), LengthMaxSettings(vocab_size=388))
    assert pieces(vocabulary) == []
    assert vocabulary.training["bytes_per_token"] == 1.0


@pytest.mark.parametrize("texts", [[], [""]])
def test_empty_corpus(texts):
    with pytest.raises(SpikeError, match="empty"):
        train_length_max(batches(texts), SMALL)


def test_everything_held_out():
    options = LengthMaxSettings(held_out=0.999999)
    with pytest.raises(SpikeError, match="held out"):
        train_length_max(batches(["a"]), options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 387},
        {"layout": "other"},
        {"boundary": "line"},
        {"max_token_bytes": 1},
        {"max_token_bytes": 256},
        {"held_out": 1.0},
        {"sample_bytes": 9},
    ],
    ids=str,
)
def test_wrong_settings(wrong):
    with pytest.raises(SpikeError):
        LengthMaxSettings(**wrong)


def test_progress_and_record():
    reports = []
    options = LengthMaxSettings(vocab_size=600, held_out=0.2)
    vocabulary = train_length_max(batches(corpus(3)), options, report=reports.append)
    rounds = [report.round for report in reports]
    assert rounds == sorted(rounds)
    assert all(report.round <= report.rounds for report in reports)
    training = vocabulary.training
    assert training["bytes_per_token"] > 2
    assert training["held_out_bytes_per_token"] > 2
    assert training["documents"] == 60
    assert training["sampled_bytes"] + training["held_out_bytes"] == training["bytes"]


def test_dropping_takes_what_costs_least():
    letters = [bytes([byte]) for byte in range(256)]
    # ab costs 5, abc 2 and abcd 1 × 9: after abc is gone, abcd falls into three and costs 18.
    entries, uses = [*letters, b"ab", b"abc", b"abcd"], [0] * 256 + [5, 2, 9]
    assert set(drop_cheapest(entries, uses, 258)) == {*letters, b"ab", b"abcd"}
    assert set(drop_cheapest(entries, uses, 257)) == {*letters, b"abcd"}
    assert drop_cheapest(entries, uses, 256) == letters
    assert pieces_without(b"abcd", set(entries)) == [b"abc", b"d"]


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="shared data are not here")
def test_real_text_makes_few_tokens():
    lines = SHAKESPEARE.read_text().split("\n\n")
    options = LengthMaxSettings(vocab_size=2048, layout="minimal", held_out=0.05)
    training = train_length_max(batches(lines, 500), options).training
    assert training["held_out_bytes_per_token"] > 3.2

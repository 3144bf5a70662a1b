import random
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spiketok import LengthMaxSettings, Tokenizer, Vocabulary, train_length_max
from spiketok.errors import SpikeError
from spiketok.holdout import HeldOut, document_id
from spiketok.id_layout import PIECE, TAKEN_NAMES
from spiketok.length_max.constraints import is_part_of_code_point
from spiketok.length_max.pruning import drop_cheapest, pieces_without

SHAKESPEARE = Path(__file__).parents[3].parent / "shared/data/tinyshakespeare/input.txt"
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
    "\n\n",
]


def batches(texts, size=7):
    rows = [text.encode() for text in texts]
    starts = range(0, len(texts), size)
    parts = [pa.array(rows[start : start + size], pa.large_binary()) for start in starts]
    return lambda: (pa.record_batch({"text": part}) for part in parts)


def corpus(seed, documents=60):
    generator = random.Random(seed)
    return [" ".join(generator.choices(PHRASES, k=40)) + str(i) for i in range(documents)]


def pieces(vocabulary):
    return [vocabulary.entries[token] for token in vocabulary.ids_of(PIECE)[256:]]


def test_file_is_the_same_for_any_threads_and_order(tmp_path):
    texts = corpus(1, documents=600)
    options = LengthMaxSettings(vocab_size=600, held_out=0.1, memory=1 << 20)
    contents = set()
    for threads in (1, 4):
        for seed in (0, 1):
            random.Random(seed).shuffle(texts)
            vocabulary = train_length_max(batches(texts, seed + 3), options, threads=threads)
            vocabulary.write(tmp_path / "tokenizer.json")
            contents.add((tmp_path / "tokenizer.json").read_bytes())
            assert vocabulary.training["sampled"]
    assert len(contents) == 1


@pytest.mark.parametrize("boundary", ["none", "word", "line"])
def test_entries_are_allowed(boundary):
    texts = [text + "<eos><think>" * 9 for text in corpus(2)]
    options = LengthMaxSettings(
        vocab_size=700, layout="chatml", boundary=boundary, max_token_bytes=9
    )
    vocabulary = train_length_max(batches(texts), options)
    found = pieces(vocabulary)
    assert len(found) == len(set(found)) > 40
    assert max(map(len, found)) <= 9
    assert not set(found) & TAKEN_NAMES
    for piece in found:
        try:
            piece.decode()
        except UnicodeDecodeError:
            assert is_part_of_code_point(piece)
    assert any(re.search(rb"\w \w", piece) for piece in found) == (boundary != "word")
    assert any(re.search(rb"\n.", piece) for piece in found) == (boundary != "line")


@pytest.mark.parametrize(
    ("digits", "rule"),
    [("free", rb".*"), ("split", rb"\D+"), ("group3", rb"\D+|\d{2,3}")],
)
def test_entries_keep_the_digit_rule(digits, rule):
    options = LengthMaxSettings(vocab_size=700, layout="minimal", digits=digits)
    found = pieces(train_length_max(batches(corpus(4)), options))
    assert len(found) > 50
    assert all(re.fullmatch(rule, piece, re.DOTALL) for piece in found)
    assert any(re.search(rb"\d", piece) for piece in found) == (digits != "split")


def test_a_pattern_says_what_a_word_is():
    options = LengthMaxSettings(vocab_size=500, boundary="word", pattern="[a-z]+")
    found = pieces(train_length_max(batches(corpus(5)), options))
    words = [piece for piece in found if not is_part_of_code_point(piece)]
    assert words
    assert all(re.fullmatch(rb"[a-z]+", piece) for piece in words)


def test_two_stages_give_words_their_share():
    texts = batches(corpus(6))
    options = LengthMaxSettings(vocab_size=330, layout="minimal", two_stage=0.5)
    found = pieces(train_length_max(texts, options))
    words = [piece for piece in found if options.allowed("word")(piece)]
    assert 10 <= len(words) < len(found) <= 70


def test_frequencies_are_a_recount(tmp_path):
    texts = corpus(7)
    options = LengthMaxSettings(vocab_size=600, held_out=0.0, min_frequency=3)
    train_length_max(batches(texts), options).write(tmp_path / "tokenizer.json")
    vocabulary = Vocabulary.read(tmp_path / "tokenizer.json")
    ids = Tokenizer(vocabulary).encode_batch(texts)[0]
    assert vocabulary.frequencies == tuple(np.bincount(ids, minlength=600))
    rare = [vocabulary.frequencies[token] for token in vocabulary.ids_of(PIECE)[256:]]
    assert rare == sorted(rare, reverse=True)
    assert min(rare) >= 3
    assert vocabulary.reserved_ids[0] < 600 - 128


def test_more_effort_makes_fewer_tokens():
    tokens = []
    for change in ({"objective": "freq-length"}, {"effort": "fast"}, {"effort": "max"}):
        options = LengthMaxSettings(vocab_size=330, layout="minimal", held_out=0.0, **change)
        vocabulary = train_length_max(batches(corpus(8)), options)
        tokens.append(sum(vocabulary.frequencies))
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[0] > tokens[2]


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


def test_never_all_is_held_out_by_a_fraction():
    options = LengthMaxSettings(vocab_size=388, held_out=0.999999)
    for texts in (["a"], ["a", "b"], ["a", "b", "a"]):
        training = train_length_max(batches(texts), options).training
        assert training["sampled_bytes"] == 1
        assert training["held_out_bytes"] == len(set(texts)) - 1
    named = HeldOut(0, frozenset([document_id(b"a")]))
    with pytest.raises(SpikeError, match=r"all 1 documents are held out; .*--validation"):
        train_length_max(batches(["a"]), options, held_out=named)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 387},
        {"layout": "other"},
        {"boundary": "page"},
        {"boundary": "word", "pattern": "("},
        {"pattern": "a"},
        {"digits": "two"},
        {"objective": "none"},
        {"effort": "some"},
        {"two_stage": 1.0},
        {"two_stage": 0.5, "boundary": "line"},
        {"two_stage": 0.5, "objective": "freq-length"},
        {"min_frequency": -1},
        {"max_token_bytes": 1},
        {"max_token_bytes": 256},
        {"held_out": 1.0},
        {"memory": 9},
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
    # abc falls into ab and c: without it ab is used 7 times, and costs 7.
    entries, numbers = [*letters, b"ab", b"abc", b"de"], [0] * 256 + [5, 2, 6]
    assert set(drop_cheapest(entries, numbers, numbers, 258)) == {*letters, b"ab", b"de"}
    assert set(drop_cheapest(entries, numbers, numbers, 257)) == {*letters, b"ab"}
    assert set(drop_cheapest(entries, numbers, numbers, 257, {b"de"})) == {*letters, b"de"}
    assert drop_cheapest(entries, numbers, numbers, 256) == letters
    entries = [*letters, b"ab", b"abc", b"abcd"]
    assert pieces_without(b"abcd", set(entries)) == [b"abc", b"d"]


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="shared data are not here")
def test_real_text_makes_few_tokens():
    lines = SHAKESPEARE.read_text().split("\n\n")
    options = LengthMaxSettings(vocab_size=2048, layout="minimal", held_out=0.05)
    training = train_length_max(batches(lines, 500), options).training
    assert training["held_out_bytes_per_token"] > 3.2

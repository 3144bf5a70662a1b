"""Encoding in slices that are joined gives the ids that one pass over each text gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary, reference
from spiketok._native import Matcher
from spiketok.longest_match import LongestMatch, matcher
from spiketok.text_buffers import join

WHOLE = 1 << 60  # slices so large that nothing is cut
SINGLES = [bytes([byte]) for byte in range(256)]
THREADS = st.integers(1, 9)
words = st.lists(st.sampled_from(b"ab\xc3"), min_size=2, max_size=9).map(bytes)


def repeated(word, length):
    return (word * length)[:length]


# What makes two slices disagree for long: chains of prefixes, and entries with one period.
vocabularies = st.one_of(
    st.lists(st.one_of(words, st.binary(min_size=2, max_size=6)), max_size=30),
    st.integers(2, 255).map(lambda longest: [b"a" * n for n in range(2, longest + 1)]),
    st.lists(st.tuples(words, st.integers(2, 255)), max_size=20).map(
        lambda drawn: [repeated(word, length) for word, length in drawn]
    ),
).map(lambda pieces: sorted({piece for piece in pieces if len(piece) > 1}))


@st.composite
def documents(draw, pieces):
    """Text of which much is entries, entries short of their last byte, and one word repeated."""
    part = st.one_of(
        st.binary(max_size=40),
        st.sampled_from(pieces or [b"a"]),
        st.sampled_from(pieces or [b"a"]).map(lambda piece: piece[:-1]),
        st.tuples(words, st.integers(0, 300)).map(lambda drawn: repeated(*drawn)),
    )
    return b"".join(draw(st.lists(part, max_size=12)))


@settings(deadline=None, max_examples=300)
@given(st.data(), vocabularies, THREADS, st.integers(1, 400))
def test_slices_are_joined_as_defined(data, pieces, threads, slice_bytes):
    vocabulary = build_vocabulary(pieces, 260 + len(pieces), "minimal")
    some = data.draw(st.lists(documents(pieces), max_size=5))
    ids, offsets = matcher(vocabulary).encode(*join(some), threads, False, slice_bytes)
    assert len(offsets) == len(some) + 1
    for document, start, stop in zip(some, offsets, offsets[1:], strict=False):
        assert ids[start:stop].tolist() == reference.encode(vocabulary, document)


@settings(deadline=None, max_examples=300)
@given(st.data(), vocabularies, st.integers(1, 400))
def test_parts_are_those_of_the_whole_text(data, pieces, part_bytes):
    vocabulary = build_vocabulary(pieces, 260 + len(pieces), "minimal")
    text = data.draw(documents(pieces))
    parts = LongestMatch(vocabulary).encode_parts(
        np.frombuffer(text, np.uint8), 2, False, part_bytes
    )
    assert [int(one) for part in parts for one in part] == reference.encode(vocabulary, text)


def same_in_slices(entries, text, threads=2):
    """Return the ids, after checking that many ways to cut the text give them."""
    table = Matcher(*join(entries), np.arange(len(entries), dtype=np.uint32))
    wide = len(entries) > 1 << 16
    whole, _ = table.encode(*join([text]), 1, wide, WHOLE)
    assert b"".join(entries[token] for token in whole) == text
    for slice_bytes in (0, 1, 7, 31, 32, 33, 64, 1000, len(text) - 1, len(text), len(text) + 1):
        ids, offsets = table.encode(*join([text, b"", text]), threads, wide, slice_bytes)
        assert offsets.tolist() == [0, len(whole), len(whole), 2 * len(whole)]
        assert np.array_equal(ids, np.concatenate([whole, whole]))
    return whole


@pytest.mark.parametrize("longest", [2, 31, 32, 33, 64, 255])
@pytest.mark.parametrize("ending", [b"", b"b"])
def test_runs_whose_slices_never_agree(longest, ending):
    entries = [*SINGLES, b"a" * longest]
    text = b"a" * (40 * longest + longest // 2) + ending
    assert len(same_in_slices(entries, text)) == 40 + longest // 2 + len(ending)


def test_tokens_longer_than_slices():
    entries = [*SINGLES, bytes(range(255)), bytes(range(1, 254))]
    same_in_slices(entries, bytes(range(255)) * 9 + bytes(range(1, 255)) * 9)


def test_entries_short_of_their_last_byte():
    generator = np.random.default_rng(3)
    long = [generator.integers(97, 99, 255, np.uint8).tobytes() for _ in range(50)]
    same_in_slices([*SINGLES, *long], b"".join(entry[:-1] for entry in long))


def test_a_large_vocabulary():
    generator = np.random.default_rng(4)
    rows = generator.integers(0, 60, (66_000, 4), dtype=np.uint8)
    entries = [*SINGLES, *sorted({row.tobytes() for row in rows})]
    assert len(entries) > 1 << 16
    text = generator.integers(0, 60, 50_000, np.uint8).tobytes()
    assert max(same_in_slices(entries, text)) > 65_535


@pytest.mark.parametrize("letters", [1, 2, 256])
@pytest.mark.parametrize("threads", range(1, 10))
def test_one_long_document_is_as_many_short_slices_of_it(letters, threads):
    generator = np.random.default_rng(letters)
    text = generator.integers(0, letters, 1_500_000, np.uint8)
    entries = [*SINGLES, bytes(2), bytes(5), b"\0\1", b"\1\0\0", b"\1\1\0\1\0"]
    table = Matcher(*join(entries), np.arange(len(entries), dtype=np.uint32))
    offsets = np.array([0, len(text)])
    ids, _ = table.encode(text, offsets, threads, False)
    assert np.array_equal(ids, table.encode(text, offsets, 1, False, WHOLE)[0])


def test_documents_of_every_size_around_a_slice():
    tokenizer = Tokenizer(build_vocabulary([b"aa", b"aaaaa", b"ab", b"ba"], 264, "minimal"))
    for middle in (32, 1024, 4096, 1 << 14):
        some = [repeated(b"aaaabab", size) for size in range(middle - 3, middle + 4)]
        ids, offsets = tokenizer.encode_batch(some, threads=3)
        for document, start, stop in zip(some, offsets, offsets[1:], strict=False):
            alone = tokenizer.encode(document)
            assert np.array_equal(ids[start:stop], alone)
            assert alone.tolist() == reference.encode(tokenizer.vocabulary, document)

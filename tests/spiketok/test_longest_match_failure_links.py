"""Texts that make longest match read far ahead in vain get the ids that are defined."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import reference
from spiketok._native import Matcher
from spiketok.text_buffers import join

SINGLES = [bytes([byte]) for byte in range(256)]
words = st.lists(st.sampled_from(b"ab"), min_size=1, max_size=4).map(bytes)
lengths = st.integers(2, 254)


def repeated(word: bytes, length: int) -> bytes:
    return (word * length)[:length]


runs = st.tuples(words, lengths).map(lambda drawn: repeated(*drawn))
# Entries that texts of a and b nearly are: nested, or with an ending that never comes.
entries = st.one_of(
    st.builds(lambda run, ending: run + ending, runs, st.sampled_from([b"", b"c", b"d"])),
    st.builds(lambda left, right: (left + right)[:254] + b"c", runs, runs),
    st.lists(st.sampled_from(b"abc"), min_size=2, max_size=9).map(bytes),
)
vocabularies = st.lists(entries, min_size=1, max_size=25).map(
    lambda drawn: sorted({entry for entry in drawn if len(entry) > 1})
)


def matcher(pieces: Sequence[bytes]) -> tuple[Matcher, dict[bytes, int]]:
    known = [*SINGLES, *pieces]
    table = Matcher(*join(known), np.arange(len(known), dtype=np.uint32))
    return table, {entry: token for token, entry in enumerate(known)}


def check(pieces: Sequence[bytes], documents: Sequence[bytes], threads: int, slice_bytes: int):
    table, ids = matcher(pieces)
    found, offsets = table.encode(*join(documents), threads, False, slice_bytes)
    for document, start, stop in zip(documents, offsets, offsets[1:], strict=False):
        expected = [ids[piece] for piece in reference.longest_match(document, ids)]
        assert found[start:stop].tolist() == expected


@settings(deadline=None, max_examples=200)
@given(st.data(), vocabularies, st.integers(1, 4), st.sampled_from([0, 1, 33, 64, 300, 1 << 40]))
def test_hostile_vocabularies_encode_as_defined(data, pieces, threads, slice_bytes):
    short = st.sampled_from(pieces or [b"aa"]).map(lambda entry: entry[:-1])
    part = st.one_of(short, short.map(lambda entry: entry * 3), runs, st.binary(max_size=5))
    documents = data.draw(st.lists(st.lists(part, max_size=5).map(b"".join), max_size=4))
    check(pieces, documents, threads, slice_bytes)


A = b"a"


@pytest.mark.parametrize(
    "pieces",
    [
        [A * 254 + b"b"],
        [A * 254 + b"b", A * 7],
        [A * length + b"b" for length in range(1, 255)],
        [A * length for length in range(2, 128)] + [A * 254 + b"b"],
        [A * 253 + bytes([left, right]) for left in b"abc" for right in b"bcd"],
        [bytes([left]) + A * 250 + bytes([right]) for left in b"abc" for right in b"bcd"],
        [repeated(b"ab", length) + b"c" for length in (3, 9, 100, 254)],
        [A * length for length in (2, 3, 5, 11, 47, 191)] + [A * 254 + b"b"],
    ],
    ids=["one", "never meet", "all", "nested", "fan", "both ends", "period two", "sparse"],
)
@pytest.mark.parametrize("slice_bytes", [0, 40, 300, 1 << 40])
def test_runs(pieces, slice_bytes):
    documents = [A * 2500, A * 253 + b"c" + A * 600, b"ab" * 600 + A * 31, A * 100, A * 31]
    check(pieces, documents, 3, slice_bytes)


def test_every_shared_beginning_has_its_own_pops():
    """Two letters in entries of 11 bytes with an ending that never comes: a full tree."""
    letters = [bytes(97 + (number >> bit & 1) for bit in range(10)) for number in range(1 << 10)]
    some = np.random.default_rng(7).integers(97, 99, 3000, np.uint8).tobytes()
    nested = [entry[:3] for entry in letters[::5]] + [entry[2:9] for entry in letters[::7]]
    pieces = sorted({*(entry + b"c" for entry in letters), *nested})
    check(pieces, [some], 1, 0)


def test_threads_that_find_hostile_text_at_once_share_the_links():
    documents = [A * 3000] * 200
    table, ids = matcher([A * 254 + b"b"])
    found, _ = table.encode(*join(documents), 8, False)
    assert np.array_equal(found, np.full(600_000, ids[A]))

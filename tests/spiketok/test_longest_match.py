"""The native half against its definition in spiketok.reference."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary, reference
from spiketok._native import Decoder, EntryTrie, Matcher, count_pairs
from spiketok.text_buffers import join

SINGLES = [bytes([byte]) for byte in range(256)]
# Few letters, so that entries overlap and nest.
dense = st.lists(st.sampled_from(b"ab\xc3\xa4"), max_size=60).map(bytes)
texts = st.lists(st.one_of(dense, st.binary(max_size=80)), max_size=8)
pieces = st.lists(
    st.one_of(dense, st.binary(max_size=12)).filter(lambda piece: len(piece) > 1),
    max_size=40,
    unique=True,
)


def prefix_chain(length):
    return [b"a" * n for n in range(2, length + 1)]


@settings(deadline=None, max_examples=300)
@given(pieces, texts, st.integers(1, 5))
def test_encode_is_leftmost_longest(some, documents, threads):
    vocabulary = build_vocabulary(some, 260 + len(some), "minimal")
    ids, offsets = Tokenizer(vocabulary).encode_batch(documents, threads)
    assert offsets.tolist()[0] == 0
    for document, start, stop in zip(documents, offsets, offsets[1:], strict=False):
        found = ids[start:stop].tolist()
        assert found == reference.encode(vocabulary, document)
        assert Tokenizer(vocabulary).decode_bytes(found) == document


@pytest.mark.parametrize("longest", [2, 17, 255])
@pytest.mark.parametrize("tail", [b"", b"b", b"ab"])
def test_prefix_chains_and_runs(longest, tail):
    chain = prefix_chain(longest)
    vocabulary = build_vocabulary(chain[::2] + [chain[-1] + b"x"][: longest < 255], 700, "minimal")
    text = b"a" * 1000 + tail + b"a" * 37
    assert Tokenizer(vocabulary).encode(text).tolist() == reference.encode(vocabulary, text)


def test_a_large_vocabulary_needs_32_bits_and_finds_every_entry():
    numbers = np.random.default_rng(0).integers(0, 256, (70_000, 6), dtype=np.uint8)
    some = sorted({row.tobytes() for row in numbers})
    tokenizer = Tokenizer(build_vocabulary(some, 260 + len(some), "minimal"))
    ids, _ = tokenizer.encode_batch(some)
    assert ids.dtype == np.uint32
    assert ids.tolist() == list(range(260, 260 + len(some)))


def test_many_threads_encode_as_one_does():
    generator = np.random.default_rng(1)
    documents = [
        generator.choice(np.frombuffer(b"the and", np.uint8), size).tobytes()
        for size in generator.integers(0, 40_000, 200)
    ]
    tokenizer = Tokenizer(build_vocabulary([b"the", b"he a", b"nd"], 400, "chatml"))
    one = tokenizer.encode_batch(documents, threads=1)
    for threads in (2, 7, None):
        many = tokenizer.encode_batch(documents, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize(
    ("entries", "ids", "message"),
    [
        (SINGLES[1:], 255, "single byte"),
        ([*SINGLES, b"ab", b"ab"], 258, "same bytes"),
        ([*SINGLES, b""], 257, "empty"),
        ([*SINGLES, b"a" * 256], 257, "longer than 255"),
        (SINGLES, 255, "one id for each"),
        ([], 0, "single byte"),
    ],
)
def test_matcher_refuses(entries, ids, message):
    with pytest.raises(ValueError, match=message):
        Matcher(*join(entries), np.arange(ids, dtype=np.uint32))


def test_matcher_refuses_an_id_of_two_entries():
    ids = np.array([*range(256), 7], np.uint32)
    with pytest.raises(ValueError, match="same id"):
        Matcher(*join([*SINGLES, b"ab"]), ids)


def test_matcher_refuses_wide_ids():
    with pytest.raises(ValueError, match="24 bits"):
        Matcher(*join(SINGLES), np.arange(256, dtype=np.uint32) + (1 << 24))
    matcher = Matcher(*join(SINGLES), np.arange(256, dtype=np.uint32) + 65_536)
    assert matcher.encode(*join([b"a"]), 1, True)[0].tolist() == [65_536 + 97]
    with pytest.raises(ValueError, match="16 bits"):
        matcher.encode(*join([b"a"]), 1, False)


@pytest.mark.parametrize("offsets", [[], [-1, 2], [0, 3, 2], [0, 5], [2**62, 2**63 - 1]])
def test_offsets_are_checked(offsets):
    four = np.frombuffer(b"text", np.uint8)
    places = np.array(offsets, np.int64)
    matcher = Matcher(*join(SINGLES), np.arange(256, dtype=np.uint32))
    with pytest.raises(ValueError, match="offsets"):
        matcher.encode(four, places, 1, False)
    with pytest.raises(ValueError, match="offsets"):
        Decoder(four, places)
    with pytest.raises(ValueError, match="offsets"):
        count_pairs(four.astype(np.uint16), places, 9, 1)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=5),
    st.integers(0, 12),
    st.integers(1, 3),
    st.sampled_from([np.uint16, np.uint32]),
)
def test_pairs_are_counted_as_defined(documents, limit, threads, dtype):
    ids = np.array([token for document in documents for token in document], dtype)
    offsets = np.array([0, *accumulate(map(len, documents))], np.int64)
    found = count_pairs(ids, offsets, limit, threads)
    rows = list(zip(*(column.tolist() for column in found), strict=True))
    assert rows == reference.count_pairs(documents, limit)


def test_many_different_pairs_are_counted():
    ids = np.random.default_rng(2).integers(0, 300, 400_000).astype(np.uint16)
    offsets = np.array([0, 100_000, len(ids)], np.int64)
    found = count_pairs(ids, offsets, 500, 2)
    rows = list(zip(*(column.tolist() for column in found), strict=True))
    parts = [ids[:100_000].tolist(), ids[100_000:].tolist()]
    assert rows == reference.count_pairs(parts, 500)


def test_runs_hold_pairs_that_do_not_overlap():
    ids = np.zeros(7, np.uint16)
    assert [column.tolist() for column in count_pairs(ids, np.array([0, 7]), 9, 1)] == [
        [0],
        [0],
        [3],
    ]


@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(1, 3))
def test_marginal_costs_are_as_defined(data, threads):
    some = data.draw(st.lists(st.text("ab", min_size=2, max_size=6), max_size=8, unique=True))
    documents = [text.encode() for text in data.draw(st.lists(st.text("ab", max_size=40)))]
    entries = [*SINGLES, *(text.encode() for text in some)]
    used = data.draw(st.integers(256, len(entries)))
    trie = EntryTrie(*join(entries))
    uses, change, tokens = trie.marginal_costs(used, True, *join(documents), threads)
    assert (change.tolist(), tokens) == reference.marginal_costs(entries, used, documents)
    assert uses[:used].sum() == tokens
    for entry, use in zip(entries[used:], uses[used:].tolist(), strict=True):
        known = dict.fromkeys([*entries[:used], entry], 0)
        assert use == sum(reference.longest_match(text, known).count(entry) for text in documents)
    without = trie.marginal_costs(used, False, *join(documents), threads)[1]
    assert not without[:used].any()
    assert without[used:].tolist() == change[used:].tolist()
    fewest = sum(reference.fewest_tokens(entries, text) for text in documents)
    assert trie.fewest_tokens(*join(documents), threads) == fewest


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (SINGLES[1:], "single bytes"),
        (SINGLES[::-1], "single bytes"),
        ([*SINGLES, b""], "empty"),
        ([*SINGLES, b"ab", b"ab"], "twice"),
        ([*SINGLES, b"a"], "twice"),
    ],
    ids=["missing", "order", "empty", "twice", "byte twice"],
)
def test_entry_trie_refuses(entries, message):
    with pytest.raises(ValueError, match=message):
        EntryTrie(*join(entries))


@pytest.mark.parametrize("used", [255, 258])
def test_entry_trie_refuses_to_use_entries_that_it_has_not(used):
    with pytest.raises(ValueError, match="range"):
        EntryTrie(*join([*SINGLES, b"ab"])).marginal_costs(used, True, *join([b"ab"]), 1)


def test_entry_trie_finds_every_entry_of_a_large_vocabulary():
    numbers = np.random.default_rng(3).integers(0, 256, (30_000, 3), dtype=np.uint8)
    some = sorted({row.tobytes() for row in numbers})
    uses = EntryTrie(*join([*SINGLES, *some])).marginal_costs(
        256 + len(some), False, *join(some), 2
    )[0]
    assert uses.tolist() == [0] * 256 + [1] * len(some)

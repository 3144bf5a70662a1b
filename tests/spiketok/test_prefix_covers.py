"""Prefix covers: those of all longer texts, found by encoding them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from spiketok.prefix_covers import PrefixCovers

# "c" stands for every byte that no piece has.
LETTERS, OTHER = b"ab", b"c"
PIECES = st.lists(st.lists(st.sampled_from(LETTERS), min_size=2, max_size=4).map(bytes), max_size=7)
TEXTS = st.lists(st.sampled_from(LETTERS + OTHER), max_size=6).map(bytes)


def covers_by_encoding(tokenizer, text, longest):
    """Encode every text that begins with `text`, as far as an entry can reach over its end."""
    found = set()
    for length in range(longest + 1):
        for rest in product(LETTERS + OTHER, repeat=length):
            ids = tokenizer.encode(text + bytes(rest)).tolist()
            ends = tokenizer.byte_offsets(ids)[1:]
            found.add(tuple(ids[: int(np.searchsorted(ends, len(text))) + 1]))
    return found


def covers(tokenizer, text):
    found = PrefixCovers(tokenizer).of(text)
    return [(*found.ids[:k].tolist(), e) for k, last in found.last.items() for e in last.tolist()]


@settings(deadline=None, max_examples=60)
@given(PIECES, TEXTS)
def test_covers_are_those_of_all_longer_texts(pieces, text):
    tokenizer = Tokenizer(build_vocabulary(sorted(set(pieces)), 400, "minimal"))
    found = covers(tokenizer, text)
    assert len(set(found)) == len(found)
    assert set(found) == (covers_by_encoding(tokenizer, text, 4) if text else set())


def test_an_entry_is_left_out_where_another_begins_further_left():
    tokenizer = Tokenizer(build_vocabulary([b"ab", b"bc", b"bcd", b"abc"], 400, "minimal"))
    # After "ab": "ab" itself, or "abc". Not "a" and "bc", which is encoded as "abc".
    names = [tokenizer.decode_bytes(cover) for cover in covers(tokenizer, b"ab")]
    assert sorted(names) == [b"ab", b"abc"]
    found = PrefixCovers(tokenizer).of(b"xxab")
    assert (found.stable, found.ids[:2].tolist()) == (2, tokenizer.encode(b"xx").tolist())


def test_other_tokenizers_are_rejected():
    class Other:
        vocabulary = None

    with pytest.raises(SpikeError, match="prefix covers need a longest-match tokenizer"):
        PrefixCovers(Other())

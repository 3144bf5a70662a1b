"""Longest repeats against a quadratic search, and their places in shards."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import Repeat, longest_repeats, read_manifest, read_split
from datapipe._overlap import RepeatFinder
from datapipe.overlap.longest_repeats import maximal
from spiketok import Tokenizer
from spiketok.errors import SpikeError

TEXTS = st.one_of(
    st.text("ab", max_size=60),
    st.text("abcdefgh", max_size=40),
    st.builds(lambda n, tail: "a" * n + tail, st.integers(0, 60), st.text("ab", max_size=9)),
)


def common_passages(text, segments, at_least):
    """Return all common substrings but those that are part of another."""
    common = {
        text[start:stop]
        for start in range(len(text))
        for stop in range(start + at_least, len(text) + 1)
        if any(text[start:stop] in segment for segment in segments)
    }
    return {one for one in common if not any(one in other for other in common - {one})}


@given(TEXTS, st.lists(st.lists(TEXTS, max_size=4), max_size=3), st.integers(1, 30))
@settings(max_examples=100)
def test_passages_equal_those_of_a_quadratic_search(text, scans, at_least):
    scans = [*scans, ["b" + text[len(text) // 3 :] + "a", text[: len(text) // 2]]]
    finder = RepeatFinder(np.frombuffer(text.encode(), np.uint8), at_least)
    longest = {}
    for segments in scans:
        data = "".join(segments)
        ends = np.cumsum([0, *map(len, segments)], dtype=np.int64)[1:]
        finder.scan(np.frombuffer(data.encode(), np.uint8), ends)
        for end, length, position in finder.take():
            # What is named is there, within one segment, and longer than before.
            assert data[position - length : position] == text[end - length : end]
            starts = [0, *ends.tolist()]
            assert any(
                first <= position - length and position <= stop for first, stop in pairwise(starts)
            )
            assert length > longest.get(end, (0,))[0]
            longest[end] = (length, position)
    repeats = [
        Repeat(start=end - length, end=end, source="", row=0, document=0, place=0)
        for end, (length, _) in longest.items()
    ]
    found = maximal(text.encode(), repeats, len(text))
    passages = [text[one.start : one.end] for one in found]
    assert sorted(passages) == sorted(common_passages(text, [*chain(*scans)], at_least))
    assert passages == sorted(passages, key=len, reverse=True)


def test_wrong_sizes_raise():
    with pytest.raises(ValueError, match="fit"):
        RepeatFinder(np.zeros(3, np.uint8), 0)
    with pytest.raises(ValueError, match="fit"):
        RepeatFinder(np.zeros((1 << 24) + 1, np.uint8), 9)


def test_places_in_shards(shard, tmp_path):
    shard(tmp_path / "data")
    manifest = read_manifest(tmp_path / "data")
    tokenizer = Tokenizer.load(tmp_path / "data" / "tokenizer.json")
    documents = [
        (tokenizer.decode_bytes(one.tokens[:-1]), int(one.source[0]), int(one.row[0]))
        for batch in read_split(tmp_path / "data", "train")
        for one in (batch.part(number, number + 1) for number in range(len(batch)))
    ]
    number = max(range(len(documents)), key=lambda n: len(documents[n][0]))
    content, source, row = documents[number]
    text = b"<<" + content[40:120] + b">>" + documents[3][0] + b"|" + content[41:99]
    first, *others = longest_repeats(tmp_path / "data", text, at_least=40)
    assert (first.end - first.start, first.document) == (len(documents[3][0]), 3) or (
        text[first.start : first.end] == content[40:120]
    )
    for one in (first, *others):
        content = documents[one.document][0]
        passage = text[one.start : one.end]
        assert content[one.place : one.place + len(passage)] == passage
        assert (manifest.sources.index(one.source), one.row) == documents[one.document][1:]
    whole = next(one for one in (first, *others) if one.start == 2)
    assert (whole.end, whole.document, whole.row) == (82, number, row)
    assert manifest.sources[source] == whole.source
    assert longest_repeats(tmp_path / "data", b"@" * 60) == []
    with pytest.raises(SpikeError, match="choose at most"):
        longest_repeats(tmp_path / "data", b"a", at_least=0)

from math import ceil

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.corpus_sample import (
    CHUNK_BYTES,
    ChunkSample,
    draw_sample,
    split_chunks,
    stream_chunks,
)
from spiketok.errors import SpikeError
from spiketok.holdout import HeldOut, document_id, is_held_out

TENTH = HeldOut(ceil(0.1 * 2**64))


@given(st.data())
def test_order_does_not_matter_and_small_hashes_stay(data):
    some = data.draw(st.lists(st.binary(min_size=1, max_size=40), max_size=40))
    shuffled = data.draw(st.permutations(some))
    budget = data.draw(st.integers(40, 400))
    one, other = ChunkSample(budget), ChunkSample(budget)
    for chunk in some:
        one.offer(chunk)
    for chunk in shuffled:
        other.offer(chunk)
    assert one.chunks() == other.chunks()
    assert one.bytes == sum(map(len, one.chunks())) <= budget
    everything = ChunkSample(1 << 30)
    for chunk in some:
        everything.offer(chunk)
    ranked = everything.chunks()
    assert set(ranked) == set(some)
    kept = len(one.chunks())
    assert one.chunks() == ranked[:kept]
    # Nothing more would have fitted.
    assert kept == len(ranked) or sum(map(len, ranked[: kept + 1])) > budget


@given(st.text(alphabet="aä€😀", max_size=60), st.integers(0, 3))
def test_chunks_end_with_a_code_point(text, shift):
    data = ("x" * (CHUNK_BYTES - 40 + shift) + text * 3).encode()
    chunks = list(split_chunks(data))
    assert b"".join(chunks) == data
    for chunk in chunks:
        assert 0 < len(chunk) <= CHUNK_BYTES
        chunk.decode()


def test_chunks_of_what_is_no_utf8():
    data = b"\x80" * (3 * CHUNK_BYTES)
    assert b"".join(split_chunks(data)) == data
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in split_chunks(data))


def test_held_out_documents_are_only_measured_on():
    texts = [f"document {number}".encode() for number in range(500)]
    batches = [
        pa.record_batch({"text": pa.array(texts[:200], pa.large_binary())}),
        pa.record_batch({"text": pa.array([text.decode() for text in texts[200:]])}),
    ]
    sample = draw_sample(batches, 1 << 20, TENTH)
    held_out = {text for text in texts if is_held_out(document_id(text), 0.1)}
    assert set(sample.held_out.chunks()) == held_out
    assert set(sample.training.chunks()) == set(texts) - held_out
    assert sample.held_out_documents == len(held_out)
    assert (sample.documents, sample.bytes) == (500, sum(map(len, texts)))
    total = sum(int.from_bytes(document_id(text), "big") for text in texts)
    assert sample.name == total % (1 << 128)


def test_nulls_are_refused():
    with pytest.raises(SpikeError, match="document 1 of the corpus is null"):
        draw_sample([pa.record_batch({"text": ["a", None]})], 1 << 20, HeldOut(0))


def test_streams_grow_with_their_share_and_begin_with_the_sample():
    texts = [f"document {number} ".encode() * 40 for number in range(400)]
    batches = [pa.record_batch({"text": pa.array(texts, pa.large_binary())})]
    streams = [
        list(stream_chunks(batches, TENTH, share, 1 << 12)) for share in (0.0, 0.2, 0.7, 1.0)
    ]
    assert streams[0] == []
    assert all(len(block) < 60 for block in streams[3])
    chunks = [{chunk for block in blocks for chunk in block} for blocks in streams]
    assert chunks[1] < chunks[2] < chunks[3]
    assert chunks[3] == {text for text in texts if not is_held_out(document_id(text), 0.1)}
    sample = set(draw_sample(batches, 1 << 14, TENTH).training.chunks())
    assert sample < chunks[1]

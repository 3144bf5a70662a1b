import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import Windows, batches, open_stream, permute
from datapipe.shards.schema import TokenSchema
from spiketok.errors import SpikeError
from tests.datapipe.sources.written_streams import stream_over

SMALL = TokenSchema(fingerprint="", vocab_size=60_000, separator=3)


def stream_of(sizes, made_by=SMALL):
    """A stream of the numbers 0, 1, … cut into batches of the given sizes."""
    borders = np.cumsum([0, *sizes])
    numbers = np.arange(borders[-1], dtype=made_by.dtype)
    parts = [numbers[start:stop].copy() for start, stop in itertools.pairwise(borders)]
    return stream_over(parts, made_by)


@pytest.mark.parametrize("n", range(1, 301))
def test_permutation_is_a_bijection(n):
    assert sorted(permute(np.arange(n), n, seed=7).tolist()) == list(range(n))


@given(st.integers(301, 50_000), st.integers(0, 2**64), st.integers(0, 9))
def test_permutation_is_a_bijection_of_larger_ranges(n, seed, epoch):
    assert np.array_equal(np.sort(permute(np.arange(n), n, seed, epoch)), np.arange(n))


@given(st.integers(2**32, 2**62), st.integers(0, 2**63))
def test_permutation_of_huge_ranges_stays_inside_and_apart(n, seed):
    found = permute(np.arange(200), n, seed)
    assert 0 <= found.min() <= found.max() < n
    assert len(set(found.tolist())) == 200


def test_permutation_is_pure_and_depends_on_seed_and_epoch():
    index = np.arange(1000)
    whole = permute(index, 1000, 1)
    assert np.array_equal(permute(index[500:510], 1000, 1), whole[500:510])
    for other in (permute(index, 1000, 2), permute(index, 1000, 1, 1)):
        assert (other == whole).mean() < 0.02
    # No trace of the order is left: neighbours are as far apart as chance has it.
    assert abs(np.corrcoef(index, whole)[0, 1]) < 0.1
    assert 250 < np.abs(np.diff(whole)).mean() < 420


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_windows_are_slices_of_the_repeated_stream(sizes, length):
    stream = stream_of(sizes)
    windows = Windows(stream, length)
    total = sum(sizes)
    assert stream.tokens == total
    assert windows.whole == total // length
    if total < length:
        assert windows.count == 0
        return
    assert windows.count == len(range(0, total, length))
    found, mask = windows.read(np.arange(2 * windows.count))
    assert mask is None
    assert found.shape == (2 * windows.count, length + 1)
    repeated = np.resize(np.arange(total), found[:, 1:].size)
    assert np.array_equal(found[:, 1:].ravel(), repeated)
    assert found[0, 0] == total - 1
    assert np.array_equal(found[1:, 0], found[:-1, -1])


def test_every_document_follows_a_separator_even_a_single_one():
    """One document and its separator: both are targets, and the first token after a separator."""
    tokens = np.array([5, 6, 7, 8, 9, 3], dtype=np.uint16)
    windows = Windows(stream_over([tokens], SMALL), 4)
    found, _ = windows.read(np.arange(windows.count))
    assert found.tolist() == [[3, 5, 6, 7, 8], [8, 9, 3, 5, 6]]


@settings(max_examples=20)
@given(st.integers(20, 200), st.integers(1, 7), st.integers(1, 9), st.integers(0, 100))
def test_epochs_hold_each_window_once_and_resume_is_exact(total, length, batch_size, start):
    stream = stream_of([total])
    windows = Windows(stream, length)
    count = windows.count

    def samples(start_sample, batch_size, number):
        found = batches(stream, length, batch_size, 3, start_sample)
        taken = [ids for ids, _ in itertools.islice(found, -(-number // batch_size))]
        return np.concatenate(taken)[:number]

    three = samples(0, batch_size, 3 * count)
    for epoch in range(3):
        found = three[epoch * count : (epoch + 1) * count]
        expected, _ = windows.read(np.arange(epoch * count, (epoch + 1) * count))
        assert sorted(found.tolist()) == sorted(expected.tolist())
        assert set(found[:, 1:].ravel().tolist()) == set(range(total))
    resumed = samples(start, 2, 10)
    assert np.array_equal(resumed, samples(0, batch_size, start + 10)[start:])


def test_epochs_differ():
    stream = stream_of([2001])
    (first, _), (second, _) = itertools.islice(batches(stream, 10, 200, seed=0), 2)
    assert not np.array_equal(first, second)


def test_stream_over_shards_and_batches(shard, tmp_path):
    shard(tmp_path / "data", workers=1)
    stream = open_stream(tmp_path / "data", "train")
    whole = stream.read(np.array([0]), stream.tokens)[0]
    assert whole[-1] == stream.made_by.separator
    for length in (1, 64, 3000):
        windows = Windows(stream, length)
        found, _ = windows.read(np.arange(windows.whole))
        size = windows.whole * length
        assert np.array_equal(found[:, 1:].ravel(), whole[:size])
        assert np.array_equal(found[:, :-1].ravel(), [whole[-1], *whole[: size - 1]])


def test_stream_refuses_what_is_not_there(shard, tmp_path):
    stream = stream_of([10])
    for start in (-1, 10):
        with pytest.raises(IndexError):
            stream.read(np.array([start]), 1)
    with pytest.raises(SpikeError, match="too few for one window"):
        next(batches(stream, 11, 1, seed=0))
    with pytest.raises(SpikeError, match="'test'"):
        open_stream(tmp_path, "test")


def test_ids_outside_the_vocabulary_never_leave_the_stream():
    stream = stream_of([100], TokenSchema(fingerprint="", vocab_size=50, separator=3))
    assert stream.read(np.array([0]), 50).max() == 49
    with pytest.raises(SpikeError, match="outside its vocabulary"):
        stream.read(np.array([10]), 50)

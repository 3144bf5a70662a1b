"""The native coder is equal to its definition, and takes no hostile input for good."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spike_lm.model._coding import cell_count, decode_symbols, encode_symbols
from spike_lm.model.artifact import adaptive_coder_reference as reference


def fresh(bits):
    return np.full(cell_count(bits), reference.FRESH_CELL, np.uint32)


def shapes():
    return arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


@st.composite
def matrices(draw):
    """Bits, a centre, and some matrices of symbols of so many bits, evenly or unevenly drawn."""
    bits = draw(st.integers(1, 8))
    largest = draw(st.integers(0, 2**bits - 1))
    symbols = arrays.arrays(np.uint8, shapes(), elements=st.integers(0, largest))
    return bits, draw(st.integers(0, 2**bits - 1)), draw(st.lists(symbols, min_size=1, max_size=3))


@given(matrices())
def test_native_coder_equals_its_definition(drawn):
    bits, centre, several = drawn
    ours, theirs, back = fresh(bits), fresh(bits).tolist(), fresh(bits)
    again = fresh(bits).tolist()
    for symbols in several:
        coded = encode_symbols(symbols, bits, centre, ours)
        assert coded == reference.encode(symbols.tolist(), bits, centre, theirs)
        assert ours.tolist() == theirs
        data = np.frombuffer(coded, np.uint8)
        decoded = decode_symbols(data, *symbols.shape, bits, centre, back)
        assert np.array_equal(decoded, symbols)
        assert np.array_equal(back, ours)
        assert reference.decode(coded, *symbols.shape, bits, centre, again) == symbols.tolist()


@given(st.binary(max_size=60), shapes(), st.integers(1, 8))
def test_hostile_bytes_are_read_as_the_definition_reads_them(data, shape, bits):
    def outcome(decode, cells, held):
        try:
            return np.array(decode(held, *shape, bits, 0, cells)).tolist()
        except ValueError as error:
            return str(error)

    native = outcome(decode_symbols, fresh(bits), np.frombuffer(data, np.uint8))
    assert native == outcome(reference.decode, fresh(bits).tolist(), data)


@pytest.mark.parametrize("bits", [4, 5, 6])
def test_bytes_are_within_two_percent_of_the_entropy(bits):
    rng = np.random.default_rng(bits)
    top = 2 ** (bits - 1) - 1
    drawn = np.round(rng.normal(0, top / 3, (256, 512))).clip(-top, top).astype(np.int64) + top
    counts = np.bincount(drawn.ravel())
    shares = counts[counts > 0] / drawn.size
    entropy = -math.fsum(shares * np.log2(shares)) * drawn.size / 8
    assert len(encode_symbols(drawn.astype(np.uint8), bits, top, fresh(bits))) < 1.02 * entropy


def test_rows_and_columns_of_different_size_cost_less_than_the_entropy():
    rng = np.random.default_rng(1)
    spread = np.exp(rng.normal(0, 0.7, (256, 1)) + rng.normal(0, 0.7, (1, 256)))
    drawn = np.round(4 * spread * rng.normal(size=(256, 256))).clip(-31, 31).astype(np.int64) + 31
    shares = np.bincount(drawn.ravel(), minlength=63) / drawn.size
    entropy = -sum(share * math.log2(share) for share in shares if share) * drawn.size / 8
    assert len(encode_symbols(drawn.astype(np.uint8), 6, 31, fresh(6))) < 0.92 * entropy


@pytest.mark.parametrize(
    ("symbols", "bits", "centre", "cells", "fault"),
    [
        (np.zeros((2, 2), np.uint8), 9, 0, fresh(8), "1 to 8"),
        (np.zeros((2, 2), np.uint8), 0, 0, fresh(1), "1 to 8"),
        (np.zeros((2, 2), np.uint8), 4, 0, fresh(5), "number of cells"),
        (np.zeros((2, 2), np.uint8), 4, 16, fresh(4), "centre"),
        (np.full((2, 2), 16, np.uint8), 4, 0, fresh(4), "too many bits"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(symbols, bits, centre, cells, fault):
    with pytest.raises(ValueError, match=fault):
        encode_symbols(symbols, bits, centre, cells)


@pytest.mark.parametrize("shape", [(2**40, 0), (2**62, 2**62), (2**33, 2**33)])
def test_impossible_shapes_are_refused_at_once(shape):
    with pytest.raises((ValueError, MemoryError)):
        decode_symbols(np.zeros(8, np.uint8), *shape, 4, 0, fresh(4))


def test_arrays_of_other_types_are_refused():
    symbols, cells = np.zeros((2, 2), np.uint8), fresh(4)
    cells.flags.writeable = False
    for arguments in ((symbols.astype(np.int64), fresh(4)), (symbols, cells), (symbols, [1])):
        with pytest.raises(TypeError):
            encode_symbols(arguments[0], 4, 0, arguments[1])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.quantization.quantized_matrix import LowRank, QuantizedMatrix, largest_code
from spiketok.errors import SpikeError


def matrix(rows=3, columns=4, bits=5, seed=0, correction=None):
    generator = np.random.default_rng(seed)
    top = largest_code(bits)
    return QuantizedMatrix(
        codes=generator.integers(-top, top + 1, (rows, columns), np.int8),
        scales=generator.random(rows).astype(np.float16),
        bits=bits,
        correction=correction,
    )


@given(
    rows=st.integers(0, 5),
    columns=st.integers(0, 5),
    bits=st.integers(2, 8),
    rank=st.integers(0, 3),
)
def test_is_codes_times_scales_and_the_product_of_the_factors(rows, columns, bits, rank):
    factors = LowRank(left=matrix(rank, rows, 4, 1), right=matrix(rank, columns, 4, 2))
    plain = matrix(rows, columns, bits)
    corrected = matrix(rows, columns, bits, correction=factors if rank else None)
    expected = plain.codes.astype(float) * plain.scales.astype(float)[:, None]
    assert plain.dequantize().dtype == np.float32
    np.testing.assert_array_equal(plain.dequantize(), expected)
    if rank:
        left, right = (f.codes.T * f.scales.astype(float) for f in (factors.left, factors.right))
        expected = expected + left @ right.T
    np.testing.assert_allclose(corrected.dequantize(), expected, rtol=1e-5, atol=1e-5)


def test_equal_where_everything_is():
    factors = LowRank(left=matrix(2, 3), right=matrix(2, 4))
    assert matrix() == matrix()
    assert matrix(correction=factors) == matrix(correction=factors)
    others = [matrix(seed=1), matrix(rows=2), matrix(correction=factors), "else"]
    others.append(QuantizedMatrix(codes=matrix().codes, scales=matrix().scales, bits=6))
    others.append(QuantizedMatrix(codes=matrix().codes, scales=matrix(seed=1).scales, bits=5))
    assert all(matrix() != other for other in others)


CODES, SCALES = np.zeros((2, 3), np.int8), np.ones(2, np.float16)


@pytest.mark.parametrize(
    ("codes", "scales", "bits", "word"),
    [
        (CODES, SCALES, 1, "1 bits"),
        (CODES, SCALES, 9, "9 bits"),
        (CODES.astype(np.int16), SCALES, 5, "int16"),
        (CODES[0], SCALES, 5, r"\(3,\)"),
        (CODES, SCALES.astype(np.float32), 5, "float32"),
        (CODES, np.ones(3, np.float16), 5, r"\(3,\)"),
        (CODES, -SCALES, 5, "negative"),
        (CODES, SCALES * np.float16(np.inf), 5, "infinite"),
        (CODES, SCALES * np.float16(np.nan), 5, "NaN"),
        (CODES + np.int8(16), SCALES, 5, "use -15 … 15"),
        (CODES + np.int8(-128), SCALES, 8, "use -127 … 127"),
    ],
)
def test_refuses_what_is_not_one(codes, scales, bits, word):
    with pytest.raises(SpikeError, match=word):
        QuantizedMatrix(codes=codes, scales=scales, bits=bits)


def test_refuses_corrections_that_do_not_fit():
    fitting = LowRank(left=matrix(2, 3), right=matrix(2, 4))
    with pytest.raises(SpikeError, match="ranks 1 and 2"):
        LowRank(left=matrix(1, 3), right=matrix(2, 4))
    with pytest.raises(SpikeError, match="a factor has a correction"):
        LowRank(
            left=matrix(2, 3),
            right=matrix(2, 4, correction=LowRank(left=matrix(1, 2), right=matrix(1, 4))),
        )
    with pytest.raises(SpikeError, match=r"\(3, 4\); use the shape of the codes, \(3, 5\)"):
        matrix(3, 5, correction=fitting)

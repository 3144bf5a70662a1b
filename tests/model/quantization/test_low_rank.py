import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.quantization.gptq import DAMPING, prepare_hessian, weighted_errors
from spike_lm.model.quantization.low_rank import low_rank_correction
from spike_lm.model.quantization.plan import Precision
from spike_lm.model.quantization.quantize import quantize_matrix


def matrices(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    weight, read = (torch.randn(n, columns, generator=generator) for n in (rows, 3 * columns))
    return weight, read.T @ read / len(read)


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(0, 1000), st.booleans()
)
def test_never_leaves_more_than_there_was(rows, columns, rank, seed, whitened):
    weight, hessian = matrices(rows, columns, seed)
    known = hessian if whitened else None
    plain = quantize_matrix(weight, Precision(2), known)
    corrected = quantize_matrix(weight, Precision(2), known, correction_rank=rank)
    before, after = (
        weighted_errors(weight - torch.from_numpy(m.dequantize()), known).sum().item()
        for m in (plain, corrected)
    )
    assert after <= before * (1 + 1e-5)
    assert (corrected.codes == plain.codes).all()


@pytest.mark.parametrize("whitened", [False, True])
def test_finds_a_product_of_its_rank(whitened):
    left, hessian = matrices(40, 2, 0)[0], matrices(1, 30, 1)[1]
    product = left @ matrices(2, 30, 2)[0]
    found = low_rank_correction(product, 2, prepare_hessian(hessian) if whitened else None)
    rest = product - torch.from_numpy(found.dequantize())
    known = hessian if whitened else None
    assert weighted_errors(rest, known).sum() < 0.05 * weighted_errors(product, known).sum()


def test_weighs_as_the_hessian_does():
    error, hessian = matrices(7, 9, 0)
    columns = prepare_hessian(hessian)
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(9)
    whitened = columns.whiten(error)
    expected = weighted_errors(error, damped).float()
    torch.testing.assert_close(whitened.square().sum(dim=1), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(columns.unwhiten(whitened), error, rtol=1e-4, atol=1e-4)


def test_nothing_is_corrected_by_nothing():
    for hessian in (None, torch.zeros(4, 4), torch.eye(4)):
        zero = quantize_matrix(torch.zeros(3, 4), Precision(4), hessian, correction_rank=2)
        assert zero.correction is None

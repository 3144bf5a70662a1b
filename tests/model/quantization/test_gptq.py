"""GPTQ equals optimal brain quantisation by definition, and never loses to rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.quantization.gptq import DAMPING, gptq_codes, prepare_hessian, weighted_errors
from spike_lm.model.quantization.plan import Precision
from spike_lm.model.quantization.pruning import smallest_weights
from spike_lm.model.quantization.quantize import quantize_matrix
from spike_lm.model.quantization.quantized_matrix import largest_code
from spike_lm.model.quantization.quantizer import quantize_codes, search_scales

sizes = st.tuples(st.integers(1, 6), st.integers(1, 20))
seeds, bits_of_codes = st.integers(0, 10_000), st.integers(2, 8)


def problem(rows, columns, seed, inputs=None):
    """Return a matrix, and the Hessian of inputs that hang together."""
    generator = torch.Generator().manual_seed(seed)
    weight, mixing = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((rows, columns), (columns, columns))
    )
    read = torch.randn(inputs or 3 * columns, columns, generator=generator).double() @ mixing
    return weight, read.T @ read / len(read)


def by_definition(weight, hessian, scales, bits, pruned):
    """Round one column after the other, each with the inverse of what is left, in float64.

    Optimal brain surgeon (Hassibi et al. 1993), as GPTQ takes it: the same order for all rows.
    """
    weight, top = weight.numpy().copy(), largest_code(bits)
    diagonal = np.diag(hessian.numpy())
    damped = hessian.numpy() + DAMPING * diagonal.mean() * np.eye(len(diagonal))
    codes = np.zeros_like(weight)
    left = list(np.argsort(-diagonal, kind="stable"))
    while left:
        inverse = np.linalg.inv(damped[np.ix_(left, left)])
        column = left[0]
        code = np.clip(np.rint(weight[:, column] / scales.numpy()), -top, top)
        if pruned is not None:
            code[pruned.numpy()[:, column]] = 0
        codes[:, column] = code
        error = weight[:, column] - code * scales.numpy()
        weight[:, left] -= np.outer(error, inverse[0] / inverse[0, 0])
        left.pop(0)
    return codes


@given(sizes, seeds, bits_of_codes, st.sampled_from([0.0, 0.3]))
def test_equals_its_definition(size, seed, bits, share):
    weight, hessian = problem(*size, seed)
    scales, pruned = search_scales(weight, bits), smallest_weights(weight, share)
    columns = prepare_hessian(hessian)
    found = gptq_codes(weight, scales, bits, columns, pruned)
    assert np.array_equal(found.numpy(), by_definition(weight, hessian, scales, bits, pruned))


def test_equals_its_definition_over_several_blocks():
    weight, hessian = problem(4, 300, 0)
    scales = search_scales(weight, 4)
    found = gptq_codes(weight, scales, 4, prepare_hessian(hessian))
    assert np.array_equal(found.numpy(), by_definition(weight, hessian, scales, 4, None))


def test_single_precision_is_enough():
    weight, hessian = problem(32, 200, 0)
    weight, hessian = weight.float(), hessian.float()
    scales = search_scales(weight, 4)
    found = gptq_codes(weight, scales, 4, prepare_hessian(hessian)).double()
    precise = by_definition(weight.double(), hessian.double(), scales.double(), 4, None)
    errors = [
        weighted_errors(weight - codes * scales[:, None], hessian).sum().item()
        for codes in (found, torch.from_numpy(precise))
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.02)


@given(
    sizes,
    seeds,
    bits_of_codes,
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([1, 2, None]),
    st.sampled_from([1.0, 1e-6, 1e6]),
)
def test_no_row_is_worse_than_rounded_on_its_grid(size, seed, bits, share, inputs, scale):
    weight, hessian = problem(*size, seed, inputs)
    weight, hessian = weight.float(), (scale * hessian).float()
    matrix = quantize_matrix(weight, Precision(bits), hessian, sparsity=share)
    scales = torch.from_numpy(matrix.scales).float()
    nearest = quantize_codes(weight, scales, bits)
    pruned = smallest_weights(weight, share)
    if pruned is not None:
        nearest[pruned] = 0
        assert not matrix.codes[pruned.numpy()].any()
    ours, theirs = (
        np.einsum("rc,cd,rd->r", error, hessian.double().numpy(), error)
        for error in (
            weight.double().numpy() - matrix.dequantize(),
            (weight - nearest * scales[:, None]).double().numpy(),
        )
    )
    assert (ours <= theirs * (1 + 1e-4) + 1e-6 * float(hessian.trace())).all()


def test_errors_are_made_up_for():
    weight, hessian = problem(64, 128, 0)
    weight, hessian = weight.float(), hessian.float()
    plain, careful = (
        quantize_matrix(weight, Precision(3), known, sparsity=0.05) for known in (None, hessian)
    )
    errors = [
        weighted_errors(weight - torch.from_numpy(matrix.dequantize()), hessian).sum()
        for matrix in (careful, plain)
    ]
    assert errors[0] < 0.6 * errors[1]


@given(st.integers(1, 20), seeds)
def test_the_factor_is_that_of_the_inverse(columns, seed):
    _, hessian = problem(1, columns, seed)
    arranged = prepare_hessian(hessian)
    diagonal = hessian.diagonal()
    assert (diagonal[arranged.order].diff() <= 0).all()
    damped = hessian + DAMPING * diagonal.mean() * torch.eye(columns, dtype=torch.float64)
    ordered = damped[arranged.order][:, arranged.order]
    inverse = arranged.factor.T @ arranged.factor
    torch.testing.assert_close(inverse @ ordered, torch.eye(columns, dtype=torch.float64))
    assert torch.equal(arranged.factor.triu(), arranged.factor)


@pytest.mark.parametrize("value", [0.0, torch.inf, torch.nan])
def test_without_anything_to_go_by_weights_are_rounded(value):
    weight, _ = problem(3, 5, 0)
    hessian = torch.full((5, 5), value)
    assert prepare_hessian(hessian) is None
    plain = quantize_matrix(weight.float(), Precision(4))
    assert quantize_matrix(weight.float(), Precision(4), hessian) == plain


def test_a_hessian_that_is_none_is_damped_until_it_is():
    hessian = torch.ones(50, 50)
    hessian[0, 1] = hessian[1, 0] = 3.0  # not positive definite, and no damping of 1 % makes it so
    columns = prepare_hessian(hessian)
    assert columns is not None and columns.factor.isfinite().all()


def test_inputs_that_are_always_zero_take_part_in_nothing():
    weight, hessian = problem(4, 6, 0)
    hessian[2, :] = hessian[:, 2] = 0.0
    matrix = quantize_matrix(weight.float(), Precision(6), hessian.float())
    nearest = quantize_codes(weight.float(), torch.from_numpy(matrix.scales).float(), 6)
    assert np.array_equal(matrix.codes[:, 2], nearest[:, 2].numpy())

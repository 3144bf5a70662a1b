import pytest
import torch

from spike_lm.model.training.muon import Muon, newton_schulz


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16, 6), (2, 6, 16), (1, 1, 5)])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_singular_values_come_near_one(shape, size):
    matrices = size * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    ours = newton_schulz(matrices)
    assert ours.shape == matrices.shape
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    large = values > 0.05 * values.amax(dim=-1, keepdim=True)
    got = (left.mT @ ours @ right.mT).diagonal(dim1=-2, dim2=-1)
    assert got[large].min() > 0.5
    assert got[large].max() < 1.3


def test_a_zero_matrix_stays_zero():
    assert torch.equal(newton_schulz(torch.zeros(1, 4, 3)), torch.zeros(1, 4, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_the_optimiser_of_torch(dtype):
    generator = torch.Generator().manual_seed(1)
    shapes = [(8, 8), (4, 8), (8, 8), (12, 4)]
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [[torch.randn(s, generator=generator) for s in shapes] for _ in range(5)]

    def trained(make):
        matrices = [matrix.clone().requires_grad_() for matrix in start]
        optimizer = make(matrices)
        for step in gradients:
            for matrix, gradient in zip(matrices, step, strict=True):
                matrix.grad = gradient.clone()
            optimizer.step()
        return matrices

    settings = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9}
    ours = trained(lambda matrices: Muon(matrices, ns_dtype=dtype, **settings))
    theirs = trained(lambda matrices: torch.optim.Muon(matrices, nesterov=True, **settings))
    # torch iterates in bfloat16, whose products differ in the third digit from float32's.
    for a, b, before in zip(ours, theirs, start, strict=True):
        moved = (b - before).norm()
        assert (a - b).norm() < 0.02 * moved


def test_matrices_without_gradient_stay():
    matrix = torch.ones(2, 2, requires_grad=True)
    Muon([matrix], lr=1.0, weight_decay=0.5, momentum=0.9).step()
    assert torch.equal(matrix, torch.ones(2, 2))


def test_a_momentum_that_rises_is_that_of_the_summed_gradients():
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(6, 4, generator=generator)
    gradients = [torch.randn(6, 4, generator=generator) for _ in range(5)]
    momenta = [0.5, 0.6, 0.7, 0.7, 0.7]
    ours = start.clone().requires_grad_()
    muon = Muon([ours], lr=0.1, weight_decay=0.2, momentum=0.7)
    expected, buffer, before = start.clone(), torch.zeros(6, 4), 0.5
    for gradient, momentum in zip(gradients, momenta, strict=True):
        muon.param_groups[0].update(momentum=momentum, rescale=(1 - momentum) / (1 - before))
        ours.grad, before = gradient.clone(), momentum
        muon.step()
        buffer = momentum * buffer + gradient
        ahead = gradient + momentum * buffer
        expected = expected * (1 - 0.1 * 0.2)
        expected -= 0.1 * (6 / 4) ** 0.5 * newton_schulz(ahead[None])[0]
    torch.testing.assert_close(ours.detach(), expected)

import pytest
import torch

from spike_lm.model.training.gradient_clipping import clip_gradients


def parameters(*gradients):
    rows = [torch.nn.Parameter(torch.zeros(len(row))) for row in gradients]
    for row, gradient in zip(rows, gradients, strict=True):
        row.grad = torch.tensor(gradient)
    return rows


@pytest.mark.parametrize(("limit", "share"), [(2.5, 0.5), (5.0, 1.0), (9.0, 1.0), (0.0, 1.0)])
def test_all_gradients_together_have_at_most_the_norm(limit, share):
    rows = parameters([3.0], [0.0, 4.0])
    assert clip_gradients(rows, limit) == pytest.approx(5)
    found = torch.cat([row.grad for row in rows])
    torch.testing.assert_close(found, share * torch.tensor([3.0, 0.0, 4.0]), rtol=1e-5, atol=0)


def test_a_norm_that_is_not_finite_is_returned():
    assert clip_gradients(parameters([float("inf")]), 1.0) == float("inf")

"""A step's gradients can be taken at other weights, and changed, before they move the model.

That is all that training with rounded weights (QAT) and penalties on them (CROWN-Q) will need.
torch's parametrizations would do the same under other names, which means and checkpoints go by.
"""

import functools
from contextlib import nullcontext

import pytest
import torch
from torch import _dynamo
from torch._dynamo.testing import CompileCounter
from torch.nn.utils import parametrize

from model.training.averaging import lent_weights
from model.training.run_state import start_run
from model.training.step import take_gradients, take_step
from tests.model.tiny import VOCAB, golf_config, open_batches, train_tiny

SMALLEST = 1 / 31


def rounded(weight):
    """Six bits a row, as the records round, with a floor of the step."""
    size = (weight.abs().amax(dim=1, keepdim=True) / 31).clamp(min=SMALLEST)
    return (weight / size).round().clamp(-32, 31) * size


class StraightThrough(torch.nn.Module):
    def forward(self, weight):
        return weight + (rounded(weight) - weight).detach()


def matrices(model):
    return {
        name: p.detach()
        for name, p in model.named_parameters()
        if name.startswith("blocks.") and p.ndim == 2
    }


@pytest.fixture
def run(tmp_path):
    run = start_run(golf_config(), tmp_path, VOCAB, 3, {}, resume=False)
    for batch, _ in zip(open_batches(0), range(3), strict=False):
        take_step(run, batch, 1.0, trunk=run.model.trunk, precision=nullcontext())
    return run


def gradients(run):
    batch = next(open_batches(100))
    take_gradients(run, batch, 1.0, trunk=run.model.trunk, precision=nullcontext())
    found = [parameter.grad.clone() for parameter in run.model.parameters()]
    run.model.zero_grad()
    return found


def test_gradients_at_rounded_weights_are_those_straight_through_rounding(run):
    own = {name: weight.clone() for name, weight in matrices(run.model).items()}
    with lent_weights(run.model, {name: rounded(weight) for name, weight in own.items()}):
        ours = gradients(run)
    assert all(torch.equal(weight, own[name]) for name, weight in matrices(run.model).items())
    plain = gradients(run)
    parameters = list(run.model.parameters())
    for module in list(run.model.blocks.modules()):
        if isinstance(module, torch.nn.Linear):
            parametrize.register_parametrization(module, "weight", StraightThrough())
    # The same tensors under other names and in another order.
    theirs = dict(zip(map(id, run.model.parameters()), gradients(run), strict=True))
    for parameter, gradient in zip(parameters, ours, strict=True):
        torch.testing.assert_close(gradient, theirs[id(parameter)], rtol=1e-4, atol=1e-7)
    assert not all(torch.allclose(a, b) for a, b in zip(ours, plain, strict=True))


def rounding_from(start, seen):
    """Return `take_gradients` at rounded weights, with CROWN-Q's penalty, from a share on."""

    def rounding(run, *arguments, **settings):
        if run.step < start * run.config.train.steps:
            return take_gradients(run, *arguments, **settings)
        seen.append(run.step + 1)
        with lent_weights(run.model, {n: rounded(w) for n, w in matrices(run.model).items()}):
            found = take_gradients(run, *arguments, **settings)
        named = dict(run.model.named_parameters())
        for name, weight in matrices(run.model).items():
            size = weight.abs().amax(dim=1, keepdim=True) / 31
            named[name].grad += 0.01 / 6 * weight * size.square() / weight.numel()
        return found

    return rounding


def test_rounding_that_begins_late_makes_no_graph_and_resumes(tmp_path, monkeypatch):
    counter, seen = CompileCounter(), []
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counter))
    monkeypatch.setattr("model.training.step.take_gradients", rounding_from(0.6, seen))
    _dynamo.reset()
    config = golf_config("train.compile=true", "golf.loop_from=0.25")
    result = train_tiny(tmp_path, config)
    assert (result.step, seen, counter.frame_count) == (8, [6, 7, 8], 2)
    assert train_tiny(tmp_path, config, resume=True).finished  # names and shapes are as ever

import pytest
import torch
from torch import nn

from spike_lm.model.config.schema import AveragingConfig
from spike_lm.model.training.ema_swa import (
    averaged_weights,
    averages_from_tensors,
    averages_to_tensors,
    init_averages,
    update_averages,
)

STEPS = [0.9, 1.0, 0.6, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1]


def averaged(**keys):
    """Return the means after the weights 1, 2, 3 … at the rates of STEPS, begun at 0."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    averages = init_averages(model, AveragingConfig(**keys))
    for step, lr_scale in enumerate(STEPS, 1):
        nn.init.constant_(model.weight, step)
        update_averages(averages, model, step, lr_scale)
    return averages, model


@pytest.mark.parametrize("every", [1, 2, 4])
def test_the_exponential_mean_equals_its_definition(every):
    averages, _ = averaged(ema_decay=0.75, ema_every=every, use="ema")
    mean = 0.0
    for step in range(every, 10, every):
        mean = 0.75 * mean + 0.25 * step
    assert averages.ema["weight"].item() == pytest.approx(mean)


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("below", [0.5, 1.0])
def test_the_plain_mean_is_of_its_snapshots(every, below):
    averages, _ = averaged(swa_every=every, swa_start_lr_ratio=below)
    taken = [s for s, f in enumerate(STEPS, 1) if s % every == 0 and f <= below]
    assert averages.snapshots == len(taken)
    assert averages.swa["weight"].item() == pytest.approx(sum(taken) / len(taken))


@pytest.mark.parametrize("kind", ["weights", "ema", "swa"])
def test_exported_weights_are_there_inside_the_block_alone(kind):
    averages, model = averaged(ema_decay=0.5, swa_every=1, use=kind)
    means = {"weights": 9.0, "ema": averages.ema["weight"].item(), "swa": 5.0}
    with averaged_weights(averages, model):
        assert model.weight.item() == pytest.approx(means[kind])
    assert model.weight.item() == 9.0


def test_without_a_snapshot_the_weights_are_exported():
    averages, model = averaged(swa_every=1, swa_start_lr_ratio=0.01, use="swa")
    with averaged_weights(averages, model):
        assert model.weight.item() == 9.0


def test_tensors_hold_all_that_goes_on():
    averages, model = averaged(ema_decay=0.5, swa_every=2)
    other = init_averages(model, averages.config)
    averages_from_tensors(other, averages_to_tensors(averages), "cpu")
    for means in (averages, other):
        nn.init.constant_(model.weight, 10)
        update_averages(means, model, 10, 0.05)
    assert other.snapshots == averages.snapshots == 5
    for kind in ("ema", "swa"):
        assert torch.equal(getattr(other, kind)["weight"], getattr(averages, kind)["weight"])


def test_off_keeps_nothing():
    averages, model = averaged()
    assert averages_to_tensors(averages) == {}
    with averaged_weights(averages, model):
        assert model.weight.item() == 9.0

"""Adjusted logits: distributions, from the past alone, whatever the size of calls."""

import math

import pytest
import torch

from model.evaluation.mixing import AdjustmentSettings, NetworkAdjustment

SETTINGS = AdjustmentSettings(interval=50, first=100)


def example(size=400, vocab=20):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(size, vocab, generator=generator)
    ids = torch.randint(0, 5, (size,), generator=generator)  # much oftener than expected
    return logits, ids


def test_rows_do_not_depend_on_calls_nor_on_the_future():
    logits, ids = example()
    whole, _ = NetworkAdjustment(20, SETTINGS).read(logits, ids)
    assert torch.allclose(whole.sum(dim=1), torch.ones(400, dtype=torch.float64), atol=1e-12)
    single = NetworkAdjustment(20, SETTINGS)
    for i in range(400):
        ahead, _ = single.peek(logits[i : i + 1])
        row, _ = single.read(logits[i : i + 1], ids[i : i + 1])
        assert torch.equal(ahead, row)
        assert torch.allclose(row[0], whole[i], rtol=1e-12, atol=0)
    other = torch.cat([ids[:275], torch.full((125,), 19)])
    changed, _ = NetworkAdjustment(20, SETTINGS).read(logits, other)
    assert torch.equal(changed[:275], whole[:275])
    # What was learned from 275 on counts from the next interval.
    assert torch.equal(changed[275:300], whole[275:300])
    assert not torch.equal(changed[300:], whole[300:])


def test_calibration_learns_how_often_ids_come():
    logits, ids = example(2_000)
    rows, _ = NetworkAdjustment(20, SETTINGS).read(logits, ids)
    plain = torch.softmax(logits.double(), dim=1)
    picked = (
        rows[torch.arange(2_000), ids].log().mean(),
        plain[torch.arange(2_000), ids].log().mean(),
    )
    assert picked[0] > picked[1] + 0.5


def test_temperature_follows_entropy_within_bounds():
    settings = AdjustmentSettings(calibrate=False)
    flat, sure = torch.zeros(1, 20), torch.zeros(1, 20)
    sure[0, 0] = 9.0
    rows, entropies = NetworkAdjustment(20, settings).peek(torch.cat([flat, sure]))
    assert torch.allclose(rows[0], torch.full((20,), 0.05, dtype=torch.float64))
    assert entropies[0].item() == pytest.approx(math.log(20))
    assert torch.allclose(rows[1], torch.softmax(sure[0].double() / 0.9, dim=0), rtol=1e-3)
    same = AdjustmentSettings(calibrate=False, sharpening=0.0)
    rows, _ = NetworkAdjustment(20, same).peek(sure)
    assert torch.allclose(rows, torch.softmax(sure.double(), dim=1))

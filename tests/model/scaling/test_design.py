"""Designs of probes: at most twelve, three widths and lengths at least, equal compute per size."""

import pytest

from spike_lm.model.scaling.design import (
    FEWEST_STEPS,
    TOTAL,
    ModelSize,
    chosen_batch,
    chosen_widths,
    probe_lengths,
)

SIZES = [
    ModelSize(dim=dim, parameters=12 * 4 * dim**2 + 4096 * dim, flops_per_token=300.0 * dim**2)
    for dim in range(16, 513, 16)
]


@pytest.mark.parametrize("flops", [1e9, 1e12, 1e14, 1e18])
def test_a_design_has_twelve_probes_of_bounded_compute(flops):
    chosen = chosen_widths(SIZES, 10 * flops)
    batch = chosen_batch(chosen, flops, 256, 8)
    lengths = probe_lengths(chosen, flops, 256 * batch)
    assert len(lengths) == 12
    assert len({length.size.dim for length in lengths}) == 4
    costs = [length.steps * 256 * batch * length.size.flops_per_token for length in lengths]
    shortest = min(length.steps for length in lengths)
    if shortest > 10:
        assert max(costs) <= 1.1 * flops
        assert sum(costs) == pytest.approx(TOTAL * flops, rel=0.1)
    for size in chosen:
        steps = [length.steps for length in lengths if length.size == size]
        assert steps == sorted(steps)
    assert batch == 1 or shortest >= 0.9 * FEWEST_STEPS


def test_larger_budgets_have_wider_probes_and_larger_batches():
    small, large = (chosen_widths(SIZES, flops) for flops in (1e13, 1e15))
    assert small[2].dim < large[2].dim
    batches = [chosen_batch(large, flops, 256, 64) for flops in (1e12, 1e13, 1e14)]
    assert batches == sorted(batches)
    assert batches[0] < batches[-1]

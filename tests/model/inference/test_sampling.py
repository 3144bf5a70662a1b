from collections import Counter

import pytest
import torch

from spike_lm.model.inference.sampling import SamplingParams, penalize_repetition, sample_token
from spiketok.errors import SpikeError

LOGITS = torch.tensor([0.3, 2.0, -1.0, 1.5, 0.0, -torch.inf], dtype=torch.float64)


def shares(sampling, times=4000):
    generator = torch.Generator().manual_seed(sampling.seed)
    counts = Counter(sample_token(LOGITS, sampling, generator) for _ in range(times))
    return torch.tensor([counts[i] / times for i in range(6)], dtype=torch.float64)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (SamplingParams(temperature=0.7), range(5)),
        (SamplingParams(temperature=2.0, top_k=2), [1, 3]),
        (SamplingParams(top_k=9), range(5)),
        (SamplingParams(top_p=0.5), [1]),
        (SamplingParams(top_p=0.8), [1, 3]),
        # Of the two that top_k leaves, the first has more than 0.6.
        (SamplingParams(top_k=2, top_p=0.6), [1]),
    ],
    ids=str,
)
def test_draws_by_the_probabilities_of_what_is_kept(sampling, kept):
    expected = torch.zeros(6, dtype=torch.float64)
    expected[list(kept)] = torch.exp(LOGITS[list(kept)] / sampling.temperature)
    torch.testing.assert_close(shares(sampling), expected / expected.sum(), rtol=0, atol=0.03)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_of_damaged_weights_are_refused(number, temperature):
    logits = torch.tensor([0.0, number], dtype=torch.float64)
    with pytest.raises(SpikeError, match="not finite"):
        sample_token(logits, SamplingParams(temperature=temperature), torch.Generator())


def test_a_penalty_divides_what_is_above_zero_and_multiplies_what_is_below():
    found = penalize_repetition(LOGITS, [1, 2, 2, 5], 2.0)
    assert found.tolist() == [0.3, 1.0, -2.0, 1.5, 0.0, -torch.inf]
    assert penalize_repetition(LOGITS, [1], 1.0) is LOGITS


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -1.0},
        {"temperature": 1e-9},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": float("nan")},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(SpikeError, match="is out of range"):
        SamplingParams(**bad)

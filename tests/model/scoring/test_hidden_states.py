import numpy as np
import pytest
import torch

from spike_lm.model.scoring.hidden_states import logits_in_slices, window_hidden_states
from spike_lm.model.scoring.sliding_windows import WindowConfig, sliding_windows
from tests.model.tiny import VOCAB

SEPARATOR = 3


def windows_of(lengths, reset=True):
    random = np.random.default_rng(0)
    documents = [(random.integers(0, VOCAB, n), random.random(n + 1) < 0.7, 2 * n) for n in lengths]
    return documents, list(
        sliding_windows(
            documents,
            WindowConfig(context=12, stride=4, reset=reset),
            eos_id=SEPARATOR,
            lookback=0,
        )
    )


@pytest.mark.parametrize("reset", [True, False])
def test_targets_come_in_the_order_of_the_text(model, reset):
    documents, windows = windows_of([0, 30, 5, 40, 1], reset)
    passes = list(window_hidden_states(model, windows, batch_windows=3))
    wanted = [np.append(ids, SEPARATOR)[counted] for ids, counted, _ in documents]
    assert torch.cat([rows.targets for rows in passes]).tolist() == np.concatenate(wanted).tolist()
    assert all(a is b for a, b in zip((w for r in passes for w in r.windows), windows, strict=True))
    assert sum(rows.passed for rows in passes) == sum(len(ids) + 1 for ids, _, _ in documents)


def test_passes_end_where_multiples_are_reached(model):
    _, windows = windows_of([100, 30], reset=False)  # 132 targets: 12, then fours
    passed = np.cumsum(
        [rows.passed for rows in window_hidden_states(model, windows, batch_windows=6, every=32)]
    )
    assert {32, 64, 96, 128} < {*passed.tolist()}
    assert passed[-1] == 132


def test_weights_are_those_of_the_time_of_asking(model):
    _, windows = windows_of([30])
    first = [rows.hidden for rows in window_hidden_states(model, windows, batch_windows=1)]
    passes = window_hidden_states(model, windows, batch_windows=1)
    same = next(passes).hidden
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    assert torch.equal(same, first[0])
    assert torch.allclose(next(passes).hidden, 2 * first[1])


def test_slices_are_all_the_logits(model):
    hidden = torch.randn(300, 16)
    assert torch.allclose(torch.cat([*logits_in_slices(model, hidden)]), model.logits(hidden))

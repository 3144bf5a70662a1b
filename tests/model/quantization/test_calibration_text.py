import numpy as np
import pytest
import torch

from spike_lm.model.families.build import build_model
from spike_lm.model.quantization.calibration_text import sample_calibration_text
from tests.model.tiny import VOCAB, golf_config, shaken, tiny_config, whale_config

FAMILIES = [tiny_config(), golf_config(), whale_config()]


@pytest.mark.parametrize("config", FAMILIES, ids=["plain", "golf", "whale"])
def test_is_drawn_as_the_model_predicts(config):
    model = shaken(build_model(config, VOCAB, eos_id=3, seed=1))
    banned = [0, 1, 2]
    count = 2000
    ids = sample_calibration_text(
        model, sequences=count, length=4, eos_id=3, banned_ids=banned, seed=5
    )
    assert ids.shape == (count, 4) and ids.dtype == np.int64
    assert (ids[:, 0] == 3).all() and not np.isin(ids, banned).any()
    again = sample_calibration_text(
        model, sequences=count, length=4, eos_id=3, banned_ids=banned, seed=5
    )
    assert np.array_equal(ids, again)
    # What is drawn is as likely as the model says: its surprise is the entropy, within the noise.
    logits = model(torch.from_numpy(ids[:, :-1])).index_fill(2, torch.tensor(banned), -torch.inf)
    sure = logits.log_softmax(dim=-1)
    drawn = sure.gather(2, torch.from_numpy(ids[:, 1:, None])).squeeze(2)
    expected = (sure.exp() * sure.masked_fill(sure == -torch.inf, 0.0)).sum(dim=2)
    difference = (drawn - expected).flatten()
    assert difference.mean().abs() < 4 * difference.std() / len(difference) ** 0.5

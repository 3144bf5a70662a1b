"""What only the last rows are wanted of is what the whole would have been, in every family."""

import pytest
import torch

from spike_lm.model.families.build import build_model
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, shaken, tiny_config, whale_config

CONFIGS = {
    "plain": tiny_config(),
    "golf": golf_config(),
    "golf, layers at the end loop": golf_config("golf.recur_layers=[4, 5]"),
    "whale": whale_config(),
    "whale, documents apart": whale_config("spikewhale.documents_apart=true"),
    "whale, one stream": whale_config("spikewhale.hc_mult=1", *WHALE_RARE),
}
IDS = torch.tensor([[3, 5, 1, 9, 3, 3, 17, 4, 30, 8], [2, 2, 7, 11, 5, 0, 1, 31, 6, 12]])
BEFORE = torch.tensor([[3, 3, 8], [1, 3, 9]])
REAL = torch.tensor([[1] * 10, [0, 0, 0] + [1] * 6 + [0]])


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("last", [1, 4, 10])
@pytest.mark.parametrize("attention_mask", [None, REAL], ids=["whole", "padded"])
def test_last_rows_are_those_of_the_whole(config, last, attention_mask):
    model = shaken(build_model(config, VOCAB, eos_id=3, seed=1)).double()
    before = BEFORE[:, -model.lookback :] if model.lookback else None
    whole = model.backbone(IDS, before, attention_mask=attention_mask)
    part = model.backbone(IDS, before, attention_mask=attention_mask, logits_to_keep=last)
    torch.testing.assert_close(part, whole[:, -last:], rtol=1e-10, atol=1e-10)

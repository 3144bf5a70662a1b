"""A text read in parts, or beside padding, is read as at once and alone, in every family."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spike_lm.model.families.build import build_model
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, shaken, tiny_config, whale_config

SEPARATOR = 3
IDS = torch.randint(4, VOCAB, (2, 12), generator=torch.Generator().manual_seed(3))
IDS[0, 5] = SEPARATOR
close = {"rtol": 0, "atol": 1e-12}
drawn = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
CONFIGS = {
    "plain": tiny_config(),
    "golf": golf_config(),
    "golf without memory": golf_config("golf.memory_tokens=0", "golf.smear_gate=false"),
    "spikewhale": whale_config(),
    **{f"spikewhale {rare}": whale_config(rare) for rare in WHALE_RARE[:2]},
    "spikewhale with experts": whale_config(*WHALE_RARE[2:]),
}


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    """Return a tiny model in double precision in which nothing is zero."""
    model = build_model(CONFIGS[request.param], VOCAB, eos_id=SEPARATOR, seed=1).double()
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    shaken(model)
    model.load_state_dict(frozen, strict=False)
    return model


@drawn
@given(cuts=st.sets(st.integers(1, 11)), padding=st.integers(0, 3))
def test_reading_in_parts_equals_reading_at_once(model, cuts, padding):
    attention_mask = torch.ones_like(IDS)
    attention_mask[1, :padding] = 0
    whole, cache = model.backbone(IDS, attention_mask=attention_mask), model.new_kv_cache(batch=2)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 12], strict=True):
        part = model.backbone(
            IDS[:, start:stop], attention_mask=attention_mask[:, start:stop], kv_cache=cache
        )
        torch.testing.assert_close(part[0], whole[0, start:stop], **close)
        inside = attention_mask[1, start:stop].bool()
        torch.testing.assert_close(part[1][inside], whole[1, start:stop][inside], **close)
    assert cache.length == 12
    torch.testing.assert_close(whole[0], model.backbone(IDS)[0], **close)


@drawn
@given(cut=st.integers(1, 11))
def test_a_window_in_parts_looks_back_on_what_stood_before_it(model, cut):
    before = torch.randint(0, VOCAB, (2, model.lookback)) if model.lookback else None
    whole, cache = model.backbone(IDS, before), model.new_kv_cache(batch=2)
    first = model.backbone(IDS[:, :cut], before, kv_cache=cache)
    parts = [first, model.backbone(IDS[:, cut:], kv_cache=cache)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **close)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(model, side):
    for length in range(1, 12):
        text = IDS[:1, 12 - length :]
        filler = torch.randint(0, VOCAB, (1, 12 - length))
        attention_mask = torch.cat([torch.zeros_like(filler), torch.ones_like(text)], 1)
        padded = torch.cat([filler, text], 1)
        if side == "right":
            attention_mask, padded = attention_mask.flip(1), torch.cat([text, filler], 1)
        for mask in (attention_mask, attention_mask.bool()):
            logits = model(padded, mask)
            assert logits.isfinite().all()
            found = logits[:, -length:] if side == "left" else logits[:, :length]
            torch.testing.assert_close(found, model(text), **close)

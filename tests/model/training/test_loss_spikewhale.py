import pytest
import torch
from torch.nn import functional

from spike_lm.model import chunked_backward
from spike_lm.model.families.build import build_model
from spike_lm.model.families.language_model import LOSS_NAMES
from spike_lm.model.layers.mtp import IGNORE_INDEX, mtp_targets
from spike_lm.model.training.loss import backward_loss
from tests.model.tiny import VOCAB, WHALE_RARE, shaken, whale_config

SEPARATOR = 3
IDS = torch.randint(4, VOCAB, (3, 9), generator=torch.Generator().manual_seed(0))
IDS[0, 4] = IDS[1, 8] = SEPARATOR
MASK = torch.rand((3, 8), generator=torch.Generator().manual_seed(1)) < 0.6


def whale(*overrides):
    config = whale_config(*overrides)
    model = shaken(build_model(config, VOCAB, eos_id=SEPARATOR).double()).requires_grad_(True)
    model.model.engram.compressor.requires_grad_(False)
    return model


@pytest.mark.parametrize("rows", [1, 5, 1000])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "some"])
@pytest.mark.parametrize("overrides", [[], WHALE_RARE], ids=["usual", "rare"])
def test_equals_its_definition(rows, mask, overrides, monkeypatch):
    monkeypatch.setattr(chunked_backward, "ROWS_ON_CPU", rows)
    model = whale(*overrides)
    inputs, targets = IDS[:, :-1], IDS[:, 1:]
    hidden_states = model.backbone(inputs)
    sums = backward_loss(model, hidden_states, targets, 10, mask=mask, share=0.5)
    found = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    expected = _sums(model, targets, mask)
    for part, name in enumerate(LOSS_NAMES):
        total, number = expected[name]
        assert sums[part].tolist() == pytest.approx([float(total.detach()), number], rel=1e-9)
    total = (
        sum(
            weight * expected[name][0]
            for name, weight in zip(LOSS_NAMES, (1, 0.3 / 2, 0.1 / 2, 0.001), strict=False)
        )
        / 10
    )
    (total + 0.5 * 0.01 * expected["aux_loss"][0] / 24).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-8, atol=1e-11)


def _sums(model, targets, mask):
    """Return each part's sum and number, one row at a time."""
    hidden_states = model.backbone(IDS[:, :-1])
    sums = {name: [torch.zeros(()).double(), 0] for name in LOSS_NAMES}

    def add(name, value):
        sums[name][0] = sums[name][0] + value
        sums[name][1] += 1

    for b in range(3):
        for t in range(8):
            if mask is not None and not mask[b, t]:
                continue
            logits = hidden_states[b, t] @ model.model.embed_tokens.weight.T
            add("loss", functional.cross_entropy(logits, targets[b, t]))
            add("z_loss", logits.logsumexp(0) ** 2)
            for k in (1, 2):
                counts = t + k < 8 and (mask is None or mask[b, t + k])
                if counts and SEPARATOR not in targets[b, t : t + k]:
                    state = (
                        hidden_states[b, t]
                        + model.mtp_heads[k - 1].proj.weight @ hidden_states[b, t]
                    )
                    logits = state @ model.model.embed_tokens.weight.T
                    add("mtp_loss", functional.cross_entropy(logits, targets[b, t + k]))
                inside = mask is None or mask[b, t + k - 1] if t + k < 8 else False
                if inside and SEPARATOR not in targets[b, t : t + k - 1]:
                    expected = model.jepa(hidden_states[b, t], k)
                    target = hidden_states[b, t + k].detach()
                    add("jepa_loss", 1 - functional.cosine_similarity(expected, target, dim=0))
    for experts in model.moe_layers():
        if experts.aux_loss is not None:
            sums["aux_loss"] = [experts.aux_loss * 24, 24]
    return sums


def test_nothing_is_predicted_beyond_the_end_of_a_document():
    targets = IDS[:, 1:]
    masked, running = mtp_targets(targets, 2), mtp_targets(targets, 2)
    whale().mask_future_targets(masked, targets)
    assert masked[0][0, 2:5].tolist() == [SEPARATOR, IGNORE_INDEX, IDS[0, 6].item()]
    assert masked[1][0, 1:5].tolist() == [SEPARATOR, IGNORE_INDEX, IGNORE_INDEX, IDS[0, 7].item()]
    whale("spikewhale.layout=published").mask_future_targets(running, targets)
    assert torch.equal(running[0][:, :-1], IDS[:, 2:])


def test_parts_that_are_off_are_not_counted():
    model = whale(
        "spikewhale.num_nextn_predict_layers=0",
        "spikewhale.jepa_horizon=0",
        "spikewhale.zloss_coef=0",
    )
    sums = backward_loss(model, model.backbone(IDS[:, :-1]), IDS[:, 1:], 24)
    assert sums[:, 1].tolist() == [24, 0, 0, 0, 0]

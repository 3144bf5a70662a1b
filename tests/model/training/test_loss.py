import pytest
import torch

from spike_lm.model import chunked_backward
from spike_lm.model.families.build import build_model
from spike_lm.model.layers.mtp import IGNORE_INDEX, mtp_targets
from spike_lm.model.training.loss import backward_loss
from tests.model.tiny import VOCAB, build_plain, golf_config, tiny_config


@pytest.mark.parametrize("tied", ["true", "false"])
@pytest.mark.parametrize("softcap", [0.0, 2.0])
@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_in_slices_as_in_one(tied, softcap, rows, monkeypatch):
    monkeypatch.setattr(chunked_backward, "ROWS_ON_CPU", rows)
    config = tiny_config(f"model.tie_embeddings={tied}", f"model.logit_softcap={softcap}").model
    model = build_plain(config, VOCAB).double()
    ids = torch.randint(0, VOCAB, (3, 9), generator=torch.Generator().manual_seed(0))
    inputs, targets = ids[:, :-1], ids[:, 1:]

    nats = backward_loss(model, model.backbone(inputs), targets, 24)[0, 0]
    sliced = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    logits = model(inputs).flatten(0, 1)
    whole = torch.nn.functional.cross_entropy(logits, targets.flatten())
    whole.backward()

    assert nats.item() / 24 == pytest.approx(whole.item(), rel=1e-12)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(sliced[name], parameter.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 5, 1000])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_targets_outside_the_mask_do_not_count(rows, share, monkeypatch):
    monkeypatch.setattr(chunked_backward, "ROWS_ON_CPU", rows)
    model = build_plain(tiny_config().model, VOCAB).double()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, VOCAB, (3, 9), generator=generator)
    mask = torch.rand((3, 8), generator=generator) < share
    inputs, targets = ids[:, :-1], ids[:, 1:]

    nats = backward_loss(model, model.backbone(inputs), targets, 24, mask=mask)[0, 0]
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    each = torch.nn.functional.cross_entropy(
        model(inputs).flatten(0, 1), targets.flatten(), reduction="none"
    )
    total = (each * mask.flatten()).sum()
    (total / 24).backward()

    assert nats.item() == pytest.approx(total.item(), rel=1e-12)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rows", [5, 1000])
def test_heads_that_look_ahead_add_their_mean(rows, monkeypatch):
    monkeypatch.setattr(chunked_backward, "ROWS_ON_CPU", rows)
    model = build_model(golf_config(), VOCAB, eos_id=3).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    ids = torch.randint(0, VOCAB, (3, 9), generator=generator)
    mask = torch.rand((3, 8), generator=generator) < 0.6
    inputs, targets = ids[:, :-1], ids[:, 1:]

    hidden_states = model.backbone(inputs)
    model.set_progress(1.0, 1.5)  # the weight 0.2 times 1.5
    sums = backward_loss(model, hidden_states, targets, 10, mask=mask)
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    hidden_states = model.backbone(inputs)
    logits = [
        model.logits(hidden_states),
        *(5 * torch.tanh(x / 5) for x in model.mtp_heads(hidden_states)),
    ]
    wanted_sums = [
        torch.nn.functional.cross_entropy(
            these[mask], wanted[mask], reduction="sum", ignore_index=IGNORE_INDEX
        )
        for these, wanted in zip(logits, [targets, *mtp_targets(targets, 2, mask)], strict=True)
    ]
    ((wanted_sums[0] + 0.3 * (wanted_sums[1] + wanted_sums[2]) / 2) / 10).backward()

    mtp = wanted_sums[1] + wanted_sums[2]
    assert sums[:2, 0].tolist() == pytest.approx([wanted_sums[0].item(), mtp.item()], rel=1e-12)
    assert found["mtp_heads.1.weight"].any()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-9, atol=1e-12)

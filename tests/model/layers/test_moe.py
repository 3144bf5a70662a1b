import pytest
import torch
from torch.nn import functional

from spike_lm.model.layers.moe import MoE
from tests.model.layers.causality import noise

IDS = torch.randint(0, 50, (2, 5), generator=torch.Generator().manual_seed(0))
STREAM = noise(2, 5, 4)


def experts(hashed, shared=2):
    return MoE(
        dim=4,
        ffn_dim=3,
        num_experts=5,
        top_k=2,
        num_shared=shared,
        routed_scaling_factor=1.5,
        hash_routing=hashed,
    ).double()


@pytest.mark.parametrize("hashed", [False, True])
def test_equals_its_definition(hashed):
    block = experts(hashed)
    found, load, likely = block(STREAM, IDS), torch.zeros(5), torch.zeros(5)
    for b in range(2):
        for t in range(5):
            row, index = STREAM[b, t], int(IDS[b, t])
            weights = {index % 5: 0.75, (index + 1) % 5: 0.75}
            if not hashed:
                logits = block.gate.weight @ row
                scores = functional.softplus(logits).sqrt()
                best = scores.argsort(descending=True)[:2].tolist()
                weights = {e: 1.5 * scores[e] / (sum(scores[best]) + 1e-8) for e in best}
                load[best] += 1
                likely += logits.softmax(0).detach()
            expected = sum(w * block.experts[e](row) for e, w in weights.items())
            torch.testing.assert_close(found[b, t], expected + block.shared_experts(row) / 2)
    if hashed:
        assert block.aux_loss is None
    else:
        balance = 5 * (load / 10 * likely / 10).sum()
        torch.testing.assert_close(block.aux_loss.detach(), balance.double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("hashed", [False, True])
def test_other_tokens_change_nothing(hashed):
    block = experts(hashed)
    before = block(STREAM, IDS)
    for t in range(5):
        stream, ids = STREAM + 1, IDS + 1
        stream[:, t], ids[:, t] = STREAM[:, t], IDS[:, t]
        after = block(stream, ids)
        # Experts multiply as many rows at once as they are given, and round accordingly.
        torch.testing.assert_close(after[:, t], before[:, t], rtol=0, atol=1e-12)
        assert not torch.allclose(after, before)


def test_even_work_costs_least():
    block, rows = experts(hashed=False), noise(4000, 4).view(1, -1, 4)
    torch.nn.init.zeros_(block.gate.weight)
    block(rows, torch.zeros(1, 4000, dtype=torch.int64))
    assert block.aux_loss.item() == pytest.approx(2)
    block.aux_loss.backward()
    assert block.gate.weight.grad.abs().max() > 0

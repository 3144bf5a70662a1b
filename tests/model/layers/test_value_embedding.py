import torch

from spike_lm.model.layers.value_embedding import ValueEmbedding
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    block = ValueEmbedding(vocab_size=11, table_dim=3, kv_dim=6, layers=2).double()
    block.scale.data, block.layer_scales.data = noise(1, seed=1), noise(2, seed=2)
    ids = torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(0))
    for layer, added in enumerate(block(ids)):
        widened = block.table.weight[ids] @ block.proj.weight.T
        torch.testing.assert_close(added, block.layer_scales[layer] * block.scale * widened)
        assert_causal(lambda x, layer=layer: block(x)[layer].detach(), ids)

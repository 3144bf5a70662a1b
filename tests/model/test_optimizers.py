import pytest
import torch

from model.training.muon import Muon
from model.training.optimizers import build_optimizers, scale_learning_rates
from model.transformer import build_transformer
from tests.model.tiny import VOCAB, tiny_config


@pytest.mark.parametrize("muon", ["true", "false"])
@pytest.mark.parametrize("tied", ["true", "false"])
def test_every_parameter_has_one_optimiser(muon, tied):
    config = tiny_config(f"optimizer.muon={muon}", f"model.tied_embeddings={tied}")
    model = build_transformer(config.model, VOCAB)
    optimizers = build_optimizers(model, config.optimizer)
    taken = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(taken) == sorted(id(p) for p in model.parameters())


def test_muon_takes_the_matrices_of_the_blocks_and_vectors_do_not_decay():
    config = tiny_config("optimizer.adamw_weight_decay=0.25")
    model = build_transformer(config.model, VOCAB)
    adamw, muon = build_optimizers(model, config.optimizer)
    assert isinstance(muon, Muon)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    matrices = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert len(matrices) == 2 * 7
    assert all(name.startswith("blocks.") and "norm" not in name for name in matrices)
    tables, vectors = adamw.param_groups
    assert [names[id(p)] for p in tables["params"]] == ["embedding.weight"]
    assert (tables["weight_decay"], vectors["weight_decay"]) == (0.25, 0.0)


def test_learning_rates_are_shares_of_the_configured_ones():
    parameter = torch.zeros(2, 2, requires_grad=True)
    optimizer = torch.optim.AdamW([parameter], lr=0.5)
    for factor, expected in [(0.5, 0.25), (0.1, 0.05), (1.0, 0.5)]:
        scale_learning_rates([optimizer], factor)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)

import numpy as np
import pytest
import torch

from spike_lm.model.config.quantization import QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import quantizable_weights
from spike_lm.model.quantization.gptq import weighted_errors
from spike_lm.model.quantization.hessian import gather_hessians
from spike_lm.model.quantization.plan import Precision, quantization_plan
from spike_lm.model.quantization.quantize import put_quantized, quantize_matrix, quantize_model
from spike_lm.model.quantization.quantized_matrix import QuantizedMatrix
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, shaken, tiny_config, whale_config

FAMILIES = {
    "plain": tiny_config(),
    "golf": golf_config(),
    "whale": whale_config(*WHALE_RARE, "spikewhale.moe_layers=[1]"),
}
IDS = np.random.default_rng(0).integers(0, VOCAB, (6, 12))
MIXED = QuantizeConfig(bits="mlp=int4,attn=int6,embed=int8,other=fp32")


def fresh(family, seed=1):
    return shaken(build_model(FAMILIES[family], VOCAB, eos_id=3, seed=seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_another_model_becomes_the_rounded_one(family):
    model, other = fresh(family), build_model(FAMILIES[family], VOCAB, eos_id=3, seed=7)
    weights = quantize_model(model, quantization_plan(model, MIXED), gather_hessians(model, [IDS]))
    put_quantized(other, weights)
    tokens = torch.from_numpy(IDS)
    put_quantized(model, weights)
    assert torch.equal(model(tokens), other(tokens))
    for name, value in weights.items():
        if isinstance(value, QuantizedMatrix):
            assert np.array_equal(other.get_parameter(name).detach(), value.dequantize())
    again = quantize_model(
        fresh(family), quantization_plan(model, MIXED), gather_hessians(fresh(family), [IDS])
    )
    assert all(
        np.array_equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(weights.values(), again.values(), strict=True)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_tensor_is_as_planned(family):
    model, names = fresh(family), []
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plan = quantization_plan(model, QuantizeConfig(bits="mlp=int4,attn=fp16,embed=int8"))
    weights = quantize_model(model, plan, report=names.append)
    assert names == list(weights)
    assert own.keys() - weights.keys() == {n for n in own if n.startswith(("mtp_heads", "jepa"))}
    for name, value in weights.items():
        assert torch.equal(model.state_dict()[name], own[name])
        bits = plan[name].bits if name in plan else 32
        if bits < 16:
            assert value.bits == bits
        else:
            assert value.dtype == (torch.float16 if bits == 16 else own[name].dtype)
            torch.testing.assert_close(value.to(own[name].dtype), own[name], rtol=1e-3, atol=1e-6)


def test_hessians_make_the_whole_error_smaller():
    model = fresh("plain")
    plan = quantization_plan(model, QuantizeConfig(bits="mlp=int3,attn=int3,embed=int3"))
    hessians = gather_hessians(model, [IDS])

    def error(weights):
        matrices = quantizable_weights(model)
        return sum(
            weighted_errors(matrices[name] - torch.from_numpy(weights[name].dequantize()), known)
            .sum()
            .item()
            for name, known in hessians.items()
        )

    assert error(quantize_model(model, plan, hessians)) < 0.7 * error(quantize_model(model, plan))


def test_the_smallest_weights_become_zero_and_stay_it():
    weight = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    read = torch.randn(200, 64, generator=torch.Generator().manual_seed(1))
    for hessian in (None, read.T @ read):
        codes = quantize_matrix(weight, Precision(6), hessian, sparsity=0.25).codes
        smallest = weight.abs() < weight.abs().flatten().sort().values[256]
        assert smallest.sum() == 256
        assert not codes[smallest.numpy()].any()


def test_refuses_plans_and_weights_of_other_models():
    model = fresh("plain")
    plan = quantization_plan(model, MIXED)
    with pytest.raises(SpikeError, match=r"model.embed_tokens.weight: without a precision"):
        quantize_model(model, {n: p for n, p in plan.items() if n != "model.embed_tokens.weight"})
    with pytest.raises(SpikeError, match=r"head.weight: no matrix of this model"):
        quantize_model(model, plan | {"head.weight": Precision(4)})
    weights = quantize_model(model, plan)
    before = model.state_dict()["model.norm.weight"].clone()
    changed = {"model.norm.weight": before + 1}
    with pytest.raises(SpikeError, match="more: shape"):
        put_quantized(model, weights | changed | {"more": torch.zeros(1)})
    with pytest.raises(SpikeError, match=r"model.embed_tokens.weight: shape None"):
        put_quantized(
            model, {n: v for n, v in weights.items() if n != "model.embed_tokens.weight"} | changed
        )
    with pytest.raises(SpikeError, match=r"model.embed_tokens.weight: shape \(3,\)"):
        put_quantized(model, weights | changed | {"model.embed_tokens.weight": torch.zeros(3)})
    assert torch.equal(model.state_dict()["model.norm.weight"], before)

"""Training at rounded weights is straight-through rounding of every matrix named, also compiled.

torch's parametrizations would do the same under other names, which means and checkpoints go by. In
published runs the compiler had folded the switch away, and nothing was rounded.
"""

import copy
import functools
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import _dynamo
from torch._dynamo.testing import CompileCounter
from torch.nn.utils import parametrize

from spike_lm.model.config.quantization import parse_bits
from spike_lm.model.families.parameter_roles import quantizable_weights, role_of
from spike_lm.model.families.spikewhale.model import SpikeWhaleLM
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.training.compile import step_backbone
from spike_lm.model.training.lr_schedule import lr_multiplier
from spike_lm.model.training.qat import fake_quantized, has_begun
from spike_lm.model.training.state import start_run
from spike_lm.model.training.step import compute_gradients
from tests.model.tiny import (
    FACTS,
    WHALE_RARE,
    bytes_of_run,
    golf_config,
    open_batches,
    tiny_config,
    train_tiny,
    whale_config,
)

ROOT = Path(__file__).parents[3]
ALL_PARTS = "mlp=int3,attn=int3,embed=int4,other=int3"
LATE = [f'quantize.bits="{ALL_PARTS}"', "quantize.clip=max", "quantize.qat=progress=0.5"]
SOME = ['quantize.bits="mlp=int5,attn=int6"', "quantize.clip=max", "quantize.qat=start"]
FAMILIES = {
    "plain": tiny_config("model.tie_embeddings=false", *LATE),
    "golf": golf_config(*LATE),
    "whale": whale_config(*LATE),
    "experts": whale_config(*WHALE_RARE, "spikewhale.num_hash_layers=0", *LATE),
}


def by_definition(weight, bits):
    """Round each row to multiples of its largest size / (2^(bits - 1) - 1), kept as float16."""
    top = 2 ** (bits - 1) - 1
    steps = np.maximum(np.abs(weight).max(1, keepdims=True) / top, 2.0**-24).astype(np.float16)
    steps = steps.astype(weight.dtype)
    return np.clip(np.rint(weight / steps), -top, top) * steps


def dequantized(run, spared=""):
    """Return what the weights are to be, by name, but for one matrix."""
    bits = parse_bits(run.config.quantize.bits)
    return {
        name: torch.from_numpy(
            by_definition(weight.detach().numpy(), bits[role_of(name).quantization])
        )
        for name, weight in quantizable_weights(run.model).items()
        if name != spared and bits[role_of(name).quantization] < 16
    }


def gradients(run, backbone=None):
    """Return the sum of the losses, and every parameter's gradient."""
    batch = next(open_batches(100))
    with fake_quantized(run, 1.0):
        sums, _ = compute_gradients(
            run, batch, 1.0, backbone=backbone or run.model.backbone, precision=nullcontext()
        )
    found = {name: p.grad for name, p in run.model.named_parameters() if p.grad is not None}
    run.model.zero_grad(set_to_none=True)
    if isinstance(run.model, SpikeWhaleLM):
        for experts in run.model.moe_layers():
            experts.aux_loss = None  # of a graph, which no copy is made of
    return sums[0, 0].item(), found


def plain_gradients(run, weights):
    """Do the same, without any rounding, on a copy of the model with these weights."""
    other = copy.copy(run)
    other.model = copy.deepcopy(run.model)
    for name, weight in weights.items():
        other.model.get_parameter(name).data = weight.clone()
    other.config = without_compress(run.config)
    return gradients(other)


def without_compress(config):
    return msgspec.structs.replace(config, quantize=None)


def shaken_run(config, folder):
    """Return a run before its first step, in double precision; no weight that trains is zero."""
    run = start_run(config, folder, FACTS, lineage={}, resume=False)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in run.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    run.model.double()
    return run


IN_ONE_GRAPH = ["plain", "golf", "whale"]


# torch's own compiler still imports what torch calls deprecated.
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")
@pytest.mark.parametrize(
    ("family", "backend"),
    [
        *((family, None) for family in FAMILIES),
        # Which experts see a token is decided by numbers, where graphs end.
        *((family, "eager") for family in IN_ONE_GRAPH),
        *(pytest.param(family, "inductor", marks=pytest.mark.slow) for family in IN_ONE_GRAPH),
    ],
)
def test_every_matrix_named_is_rounded_compiled_or_not(family, backend, tmp_path, monkeypatch):
    run = shaken_run(FAMILIES[family], tmp_path)
    backbone = run.model.backbone
    if backend:
        _dynamo.reset()
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
        run.config = with_compile(run.config)
        backbone = step_backbone(run, nullcontext())
    run.step = 4  # rounding begins here, after graphs were made
    loss, found = gradients(run, backbone)
    expected, wanted = plain_gradients(run, dequantized(run))
    assert loss == pytest.approx(expected, rel=1e-11)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-6, atol=1e-9)
    for name in quantizable_weights(run.model):
        spared, _ = plain_gradients(run, dequantized(run, spared=name))
        assert abs(spared - expected) > 1e-9 * expected, name


def with_compile(config):
    train = msgspec.structs.replace(config.train, compile=True)
    return msgspec.structs.replace(config, train=train)


class StraightThrough(torch.nn.Module):
    def __init__(self, bits):
        super().__init__()
        self.bits = bits

    def forward(self, weight):
        rounded = torch.from_numpy(by_definition(weight.detach().numpy(), self.bits))
        return weight + (rounded - weight).detach()


def test_gradients_are_those_straight_through_rounding(tmp_path):
    run = shaken_run(golf_config(*SOME), tmp_path)
    own = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    _, ours = gradients(run)
    for name, parameter in run.model.named_parameters():
        assert torch.equal(parameter, own[name])
    of_name = {name: id(p) for name, p in run.model.named_parameters()}
    for block in run.model.layers:
        for modules, bits in ((block.self_attn, 6), (block.mlp, 5)):
            for module in list(modules.modules()):
                if isinstance(module, torch.nn.Linear):
                    parametrize.register_parametrization(module, "weight", StraightThrough(bits))
    run.config = without_compress(run.config)
    _, renamed = gradients(run)
    theirs = {id(p): renamed.get(name) for name, p in run.model.named_parameters()}
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[of_name[name]], rtol=1e-6, atol=1e-9)


def test_the_penalty_has_the_gradient_of_its_formula(tmp_path):
    run = shaken_run(golf_config(*SOME, "quantize.crown_q=0.3"), tmp_path)
    _, with_penalty = gradients(run)
    run.config = golf_config(*SOME)
    _, without = gradients(run)
    penalty = torch.zeros(())
    for name, weight in quantizable_weights(run.model).items():
        if role_of(name).quantization in ("mlp", "attn"):
            top = {"mlp": 15, "attn": 31}[role_of(name).quantization]
            steps = weight.detach().abs().amax(dim=1, keepdim=True) / top
            penalty = penalty + 0.3 / 12 * (weight.square() * steps.square()).mean()
    penalty.backward()
    for name, parameter in run.model.named_parameters():
        if name in without:
            extra = with_penalty[name] - without[name]
            wanted = torch.zeros_like(extra) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(extra, wanted, rtol=2e-3, atol=1e-12)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["quantize.qat=off"], []),
        (["quantize.qat=start"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["quantize.qat=progress=0.5"], [5, 6, 7, 8]),
        (["quantize.qat=progress=0.55"], [6, 7, 8]),
        # Rates 0.5 (rising), 1, 1, 1, 0.8, 0.6, 0.4, 0.2.
        (["quantize.qat=rate=0.5"], [7, 8]),
        (["quantize.qat=rate=0.7"], [6, 7, 8]),
    ],
)
def test_begins_when_it_is_to(keys, expected, tmp_path):
    schedule = ["warmup_fraction=0.25", "decay_fraction=0.625", "min_lr_ratio=0.0"]
    config = tiny_config(*SOME[:2], *keys, *(f"schedule.{key}" for key in schedule))
    run = start_run(config, tmp_path, FACTS, lineage={}, resume=False)
    begun = []
    for run.step in range(8):
        lr_scale = lr_multiplier(run.step + 1, 8, config.schedule)
        if has_begun(run, config.quantize, lr_scale):
            begun.append(run.step + 1)
    assert begun == expected


def test_a_section_without_rounding_changes_no_weight(tmp_path):
    train_tiny(tmp_path / "with", tiny_config(SOME[0]))
    train_tiny(tmp_path / "without")
    ours, theirs = (
        (newest_checkpoint(tmp_path / name) / "model.safetensors").read_bytes()
        for name in ("with", "without")
    )
    assert ours == theirs


def test_rounding_that_begins_late_makes_no_graph(tmp_path, monkeypatch):
    counter = CompileCounter()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counter))
    _dynamo.reset()
    config = golf_config(*LATE, "train.compile=true", "golf.recur_start=0.25")
    assert train_tiny(tmp_path, config).finished
    assert counter.frame_count == 2


RESUMED = [*LATE, "quantize.qat=rate=0.7", "quantize.crown_q=0.01"]
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.model.training.test_qat import RESUMED
from tests.model.tiny import golf_config, train_tiny

def die(progress):
    if progress.step == 6:
        os.kill(os.getpid(), signal.SIGKILL)

train_tiny(Path(sys.argv[1]), golf_config(*RESUMED), report=die)
"""


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    config = golf_config(*RESUMED)
    train_tiny(tmp_path / "whole", config)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    train_tiny(tmp_path / "killed", config, resume=True)
    assert bytes_of_run(tmp_path / "killed") == bytes_of_run(tmp_path / "whole")

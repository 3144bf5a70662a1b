import pytest
import torch

from spike_lm.model import device
from spiketok.errors import SpikeError
from tests.model.tiny import tiny_config


@pytest.mark.parametrize(
    ("flags", "knows"),
    [
        ("flags : fpu avx512_bf16 sse", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features : asimd bf16 i8mm", True),
        ("flags : fpu avx2 avx512f bf16ish", False),
    ],
)
def test_bfloat16_is_known_by_the_flags(flags, knows, tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(flags)
    assert device.cpu_supports_bfloat16(path) is knows


def test_bfloat16_is_not_known_where_the_kernel_is_silent(tmp_path):
    assert not device.cpu_supports_bfloat16(tmp_path / "absent")


def test_bfloat16_on_a_cpu_without_it_is_refused(monkeypatch):
    monkeypatch.setattr(device, "cpu_supports_bfloat16", lambda: False)
    with pytest.raises(SpikeError, match=r"train\.precision"):
        device.autocast(tiny_config("train.precision=bfloat16").train, "cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_precision_of_products_on_a_cpu(precision, dtype, monkeypatch):
    monkeypatch.setattr(device, "cpu_supports_bfloat16", lambda: True)
    with device.autocast(tiny_config(f"train.precision={precision}").train, "cpu"):
        assert torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype is dtype


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto") == device.choose_device("cpu") == "cpu"
    with pytest.raises(SpikeError, match="no CUDA device"):
        device.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_device("auto") == device.choose_device("cuda") == "cuda"
    assert device.choose_device("cpu") == "cpu"

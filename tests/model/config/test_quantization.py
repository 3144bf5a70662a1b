import pytest

from spike_lm.model import dump_config, load_config
from spike_lm.model.config.quantization import PARTS
from spiketok.errors import SpikeError


def load(*keys):
    return load_config("base", ['quantize.bits="mlp=int5"', *keys])


def test_without_the_section_nothing_is_written():
    assert load_config("base").quantize is None
    assert "quantize" not in dump_config(load_config("base"))


def test_is_written_and_read_again(tmp_path):
    config = load("quantize.clip=max", "quantize.qat=rate=0.15", "quantize.crown_q=0.01")
    file = tmp_path / "config.toml"
    file.write_text(dump_config(config))
    assert load_config(str(file)) == config


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("bits=mpl=int5", f"`mpl` is no part of a model; name some of {', '.join(PARTS)}"),
        ("bits=mlp=int9", "mlp: `int9` is no precision; write one of int2, int3"),
        ("bits=mlp", "mlp: `` is no precision"),
        ("bits=", "`` is no part"),
        ("bits=mlp=int5,mlp=int6", "mlp is named twice"),
        ("clip=median", "`median` is no clip rule; write search, max"),
        ("clip=percentile=101", "no clip rule"),
        ("clip=percentile=nan", "no clip rule"),
        ("clip=std", "no clip rule"),
        ("clip=max=3", "no clip rule"),
        ("qat=soon", "`soon` is no start; write off, start"),
        ("qat=rate=0", "is no start"),
        ("qat=progress=x", "is no start"),
        ("qat=progress=1", "is no start"),
        ("qat=start", "quantize.clip: QAT needs a clip rule"),
        ("crown_q=0.1", "quantize.crown_q: quantize.qat is off"),
        ("width=5", "quantize.width: no such key"),
    ],
)
def test_refuses_what_cannot_be(key, message):
    with pytest.raises(SpikeError, match=message) as refused:
        load(f"quantize.{key}")
    assert "quantize." in str(refused.value)


@pytest.mark.parametrize(
    ("schedule", "reached"),
    [
        (["min_lr_ratio=0.1"], True),
        (["min_lr_ratio=0.15"], False),
        (["min_lr_ratio=0.15", "decay_shape=adaptive-cosine"], True),
        (["min_lr_ratio=0.1", "decay_fraction=0.0"], False),
        (["min_lr_ratio=0.1", "decay_fraction=0.0", "decay_steps=5"], True),
    ],
)
def test_rates_must_fall_to_where_rounding_begins(schedule, reached):
    keys = ["quantize.clip=max", "quantize.qat=rate=0.15", *(f"schedule.{k}" for k in schedule)]
    if reached:
        assert load(*keys).quantize.qat == "rate=0.15"
        return
    with pytest.raises(SpikeError, match=r"quantize.qat: the learning rates never fall below 0.15"):
        load(*keys)


def test_the_matrices_must_be_named():
    with pytest.raises(SpikeError, match="quantize"):
        load_config("base", ["quantize.sparsity=0.05"])

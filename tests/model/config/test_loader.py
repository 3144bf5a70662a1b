import tomllib
from importlib.resources import files

import pytest

from spike_lm.model import (
    Config,
    config_fingerprint,
    dump_config,
    load_config,
    parse_config,
    preset_names,
)
from spike_lm.model.config import checks as configuration_checks
from spike_lm.model.config.renamed import RENAMED
from spike_lm.model.config.schema import keys_of
from spike_lm.model.layers import engram
from spiketok.errors import SettingError, SpikeError


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_survive_a_round_trip(name, tmp_path):
    config = load_config(name)
    assert load_config(f"{name}.toml") == config
    path = tmp_path / "config.toml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(str(path)) == config
    assert config_fingerprint(load_config(str(path))) == config_fingerprint(config)


def test_later_keys_leave_old_fingerprints_alone():
    """Runs that were made before a key came must resume: these are their fingerprints."""
    assert config_fingerprint(load_config("base")).startswith("5d71b1146e1fc030")
    demo = load_config("demo", ['sample.prompt="def "'])
    assert config_fingerprint(demo).startswith("d5c3032867037d58")
    changed = load_config("base", ["optimizer.muon_momentum_warmup=1"])
    assert config_fingerprint(changed) != config_fingerprint(load_config("base"))
    same = load_config("base", ["optimizer.muon_momentum_start=0.0"])
    assert config_fingerprint(same) == config_fingerprint(load_config("base"))


def test_base_has_every_key_of_its_sections():
    sections = tomllib.loads((files("spike_lm.model.config") / "presets/base.toml").read_text())
    assert {name: set(keys) for name, keys in sections.items()} == {
        name: set(keys_of(name)) for name in sections
    }


def test_the_presets_have_base_and_demo():
    assert {"base", "demo"} <= set(preset_names())


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("base", ["averaging", "golf", "spikewhale", "distill", "quantize", "tasks", "log"]),
        ("bese-golf", ["spikewhale", "distill", "quantize", "tasks", "log"]),
        ("byrne-tiny", ["averaging", "golf", "distill", "quantize", "tasks", "log"]),
    ],
)
def test_dump_keeps_the_order_of_sections(name, without):
    lines = dump_config(load_config(name)).splitlines()
    sections = [line.strip("[]") for line in lines if line.startswith("[")]
    assert sections == [name for name in Config.__struct_fields__ if name not in without]


def test_a_file_says_only_what_differs(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nsteps = 3\n")
    base = load_config("base")
    assert load_config(str(path)) == load_config("base", ["train.steps=3"]) != base


def test_overrides_are_toml_or_bare_strings():
    config = load_config(
        "base",
        [
            "data.path=my data",
            'sample.prompt="def "',
            "optimizer.adamw_betas=[0.8, 0.9]",
            "train.grad_clip=2",
            "optimizer.muon=false",
        ],
    )
    assert config.data.path == "my data"
    assert config.sample.prompt == "def "
    assert config.optimizer.adamw_betas == (0.8, 0.9)
    assert config.train.grad_clip == 2.0
    assert config.optimizer.muon is False


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.stepz=1", ["train.stepz", "did you mean `steps`?"]),
        ("trian.steps=1", ["trian", "did you mean `train`?"]),
        ("train.xyzzy=1", ["known here", "steps"]),
        ("train.steps=0", ["train.steps", ">= 1"]),
        ("train.steps=1.5", ["; write a whole number"]),
        ("train.steps=five", ["; write a whole number"]),
        ("train.grad_clip=nan", ["train.grad_clip"]),
        ("optimizer.muon_learning_rate=inf", ["optimizer.muon_learning_rate"]),
        ("train.device=tpu", ["train.device is 'tpu'; write one of auto, cpu, cuda"]),
        ("train.compile=1", ["train.compile is 1; write true or false"]),
        ("optimizer.adamw_betas=[0.9]", ["optimizer.adamw_betas"]),
        ("optimizer.adamw_betas=[0.9, 1.0]", ["optimizer.adamw_betas[1]", "< 1"]),
        ("model.head_dim=7", ["model.head_dim"]),
        ("model.heads=5", ["model.heads", "multiple of model.kv_heads = 2"]),
        (
            "train.micro_batch_size=3",
            ["train.batch_size", "multiple of train.micro_batch_size = 3"],
        ),
        ("schedule.decay_fraction=1", ["schedule.decay_fraction"]),
        ("train.seed=-1", ["train.seed", ">= 0"]),
        ("golf.lops=3", ["golf.lops", "did you mean `num_loops`?"]),
        ("golf.rope_dims=34", ["golf.rope_dims", "model.head_dim = 32"]),
        ("golf.rope_dims=3", ["golf.rope_dims"]),
        ("golf.recur_layers=[1, 3]", ["golf.recur_layers", "follow one another"]),
        ("golf.recur_layers=[3, 4]", ["golf.recur_layers", "last layer, 3"]),
        ("golf.recur_layers=[-1, 0]", ["golf.recur_layers", ">= 0"]),
        ("golf.bigram_vocab_size=1", ["golf.bigram_vocab_size", "at least 2"]),
        ("golf.memory_tokens=256", ["golf.memory_tokens", "model.context = 256"]),
        ("golf.ve_last_n=5", ["golf.ve_last_n", "model.layers = 4"]),
        ("golf.xsa_last_n=5", ["golf.xsa_last_n", "model.layers = 4"]),
        ("golf.parallel_residual_last_n=5", ["golf.parallel_residual_last_n", "model.layers = 4"]),
        ("spikewhale.hc_mul=2", ["spikewhale.hc_mul", "did you mean `hc_mult`?"]),
        ("spikewhale.qk_rope_head_dim=34", ["spikewhale.qk_rope_head_dim", "model.head_dim = 32"]),
        ("spikewhale.moe_layers=[0, 4]", ["spikewhale.moe_layers", "last layer, 3"]),
        ("spikewhale.num_experts_per_tok=7", ["spikewhale.num_experts_per_tok", "experts = 6"]),
        ("spikewhale.layout=other", ["spikewhale.layout", "other"]),
        ("averaging.use=ema", ["averaging.use", "averaging.ema_decay is 0"]),
        ("averaging.use=swa", ["averaging.use", "averaging.swa_every is 0"]),
        ("schedule.decay_shape=round", ["schedule.decay_shape", "round"]),
        ("steps=1", ["section.key=value"]),
        ("train.steps", ["section.key=value"]),
        ("train.steps=1\nseed=2", ["; write a whole number"]),
    ],
)
def test_a_bad_override_is_reported_in_one_line(override, words):
    between_keys = ("golf.", "spikewhale.", "averaging.", "schedule.", "model.heads", "train.micro")
    kind = SpikeError if override.startswith(between_keys) else SettingError
    with pytest.raises(kind) as error:
        load_config("base", [override])
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[train]\nsteps = = 3\n", ["mine.toml", "line 2"]),
        (b"\xff", ["mine.toml", "UTF-8"]),
        (b"train = 3\n", ["mine.toml", "train", "table"]),
        (b"[train]\nbatch_sizes = 3\n", ["mine.toml", "train.batch_sizes", "`batch_size`"]),
        (b"[train]\nsteps = 'x'\n", ["mine.toml: train.steps is 'x'; write a whole number"]),
        (b"[[train]]\nsteps = 3\n", ["mine.toml", "train", "table"]),
    ],
)
def test_a_bad_file_is_reported_in_one_line(text, words, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(text)
    with pytest.raises(SpikeError) as error:
        load_config(str(path))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["golf.num_loops=2", "spikewhale.hc_mult=2"], ["spikewhale", "one family"]),
        (["spikewhale.hc_mult=2", "model.tie_embeddings=false"], ["model.tie_embeddings"]),
        (
            ["spikewhale.engram_table_size=9", "model.dim=23"],
            ["spikewhale.engram_table_size", "≥ 24"],
        ),
    ],
)
def test_keys_that_do_not_go_together_are_reported_in_one_line(overrides, words):
    with pytest.raises(SpikeError) as error:
        load_config("base", overrides)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_the_engram_and_the_checks_agree_on_the_bits_of_an_id():
    assert configuration_checks.ID_BITS == engram.ID_BITS


def test_renamed_keys_are_refused_with_their_new_name():
    for old, new in RENAMED[1:]:
        sections = [name for name in Config.__struct_fields__ if new in keys_of(name)]
        assert sections, new
        for section in sections:
            with pytest.raises(SettingError, match=rf"{section}\.{old} is now {section}\.{new};"):
                load_config("base", [f"{section}.{old}=1"])
    with pytest.raises(SettingError, match="compress is now quantize;"):
        load_config("base", ["compress.clip=max"])


def test_neither_file_nor_preset():
    with pytest.raises(SettingError, match=r"nothing: neither .*base, bese-golf, .*demo"):
        load_config("nothing")
    with pytest.raises(SettingError, match=r"bse: neither .*did you mean `base`\?"):
        load_config("bse")


def test_a_file_extends_a_preset_or_another_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "parent.toml").write_text('extends = "bese-golf-tiny"\n[train]\nsteps = 3\n')
    child = tmp_path / "deep/child.toml"
    child.write_text('extends = "../parent.toml"\n[train]\nbatch_size = 8\nmicro_batch_size = 1\n')
    expected = ["train.steps=3", "train.batch_size=8", "train.micro_batch_size=1"]
    assert load_config(str(child)) == load_config("bese-golf-tiny", expected)
    assert "extends" not in dump_config(load_config(str(child)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('extends = "nowhere"', ["mine.toml: extends: nowhere: neither a file"]),
        ('extend = "base"', ["mine.toml: extend: no such key; did you mean `extends`?"]),
        ("xyzzy = 1", ["mine.toml: xyzzy: no such key; known here: extends, model, "]),
        ('extends = "mine.toml"', ["mine.toml: extends itself"]),
        ("extends = 3", ["mine.toml: extends is no text; name"]),
        ('[train]\nextends = "base"', ["train.extends: no such key"]),
    ],
)
def test_what_cannot_be_extended_is_refused(text, words, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(SpikeError) as error:
        load_config(str(tmp_path / "mine.toml"))
    assert not isinstance(error.value, SettingError)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_the_configuration_of_an_artifact_extends_nothing():
    with pytest.raises(SpikeError, match="extends: no such key"):
        parse_config("artifact", 'extends = "/etc/passwd"')


def test_no_torch_is_needed():
    import subprocess
    import sys

    code = "import sys, model; model.load_config('base'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_golf_family_ties_its_tables():
    with pytest.raises(SpikeError, match=r"model.tie_embeddings: the golf family"):
        load_config("bese-golf", ["model.tie_embeddings=false"])


def test_a_check_that_an_override_breaks_names_the_option_and_not_the_file(tmp_path):
    path = tmp_path / "base.toml"
    path.write_text("[train]\nsteps = 5\n")
    with pytest.raises(SettingError, match=r"^--set: train\.batch_size: 3 "):
        load_config(str(path), ["train.batch_size=3"])
    path.write_text("[train]\nbatch_size = 3\n")
    for overrides in ([], ["train.steps=7"]):
        with pytest.raises(SpikeError, match=r"base\.toml: train\.batch_size: 3 ") as error:
            load_config(str(path), overrides)
        assert not isinstance(error.value, SettingError)

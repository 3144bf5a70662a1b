"""One file holds a model, and damage is told."""

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spike_lm.model.artifact.artifact import Artifact, artifact_to_bytes, read_artifact
from spike_lm.model.artifact.open import open_artifact, open_run, unpack_artifact
from spike_lm.model.artifact.pack import pack_run
from spike_lm.model.config.quantization import QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_state
from spike_lm.model.quantization.quantized_matrix import QuantizedMatrix
from spike_lm.model.runs.folder import Run
from spiketok import Tokenizer
from spiketok.bese.vocabulary import BeseVocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import golf_config, shaken, tiny_config, whale_config

IDS = torch.arange(24).reshape(2, 12) % 48


def tokenizer():
    return Tokenizer(BeseVocabulary(alphabet="bese", vocab_size=48, merges=((4, 5), (23, 6))))


def run_of(config, seed=1):
    letters = tokenizer()
    model = build_model(config, letters.vocab_size, eos_id=letters.eos_id, seed=seed)
    fingerprints = {"tokenizer": letters.fingerprint, "config": "c", "data": "d"}
    return Run(
        config=config,
        model=shaken(model),
        tokenizer=letters,
        step=7,
        fingerprints=fingerprints,
        digest="",
    )


QUANTIZE = QuantizeConfig(bits="mlp=int4,attn=int5,embed=fp16", method="rtn", correction_rank=1)


@pytest.fixture(scope="module")
def data():
    return pack_run(run_of(golf_config()), QUANTIZE).data


@pytest.fixture
def file(tmp_path, data):
    (tmp_path / "golf.spike").write_bytes(data)
    return tmp_path / "golf.spike"


@pytest.mark.parametrize("make", [tiny_config, golf_config, whale_config])
def test_every_family_is_read_back_as_it_was_rounded(make, tmp_path):
    run = run_of(make())
    result = pack_run(run, QUANTIZE)
    assert pack_run(run, QUANTIZE).data == result.data
    path = tmp_path / "x.spike"
    path.write_bytes(result.data)
    opened = open_run(path)
    assert (opened.step, opened.fingerprints) == (run.step, run.fingerprints)
    assert opened.tokenizer.fingerprint == run.tokenizer.fingerprint
    assert not [
        name for name in opened.model.state_dict() if name.startswith(("mtp_heads", "jepa"))
    ]
    state = opened.model.state_dict()
    assert state.keys() == exported_state(run.model).keys()
    for name, weight in result.artifact.weights.items():
        expected = weight.dequantize() if isinstance(weight, QuantizedMatrix) else weight
        assert np.array_equal(state[name].numpy(), expected.astype(np.float32)), name
    assert torch.isfinite(opened.model(IDS)).all()


def test_unpacking_makes_a_run_that_predicts_the_same(file, tmp_path):
    assert unpack_artifact(file, tmp_path / "run").step == 7
    unpacked, packed = open_run(tmp_path / "run"), open_run(file)
    assert torch.equal(unpacked.model(IDS), packed.model(IDS))
    assert unpacked.step == 7
    torch.rand(1)
    unpack_artifact(file, tmp_path / "again")
    for made in (path for path in (tmp_path / "run").rglob("*") if path.is_file()):
        again = tmp_path / "again" / made.relative_to(tmp_path / "run")
        assert made.read_bytes() == again.read_bytes(), made.name
    with pytest.raises(SpikeError, match="exists already"):
        unpack_artifact(file, tmp_path / "run")


@pytest.mark.parametrize("step", ["create_run", "save_checkpoint"])
def test_unpacking_that_fails_leaves_no_folder(step, file, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"spike_lm.model.artifact.open.{step}", fail)
    with pytest.raises(OSError, match="No space"):
        unpack_artifact(file, tmp_path / "run")
    assert not list(tmp_path.glob("*run*"))


def test_tables_are_kept_and_have_names_of_their_own(tmp_path, file):
    artifact = read_artifact(file)
    more = replace(artifact, tables={"ngrams": b"\0\1" * 50})
    (tmp_path / "more.spike").write_bytes(artifact_to_bytes(more))
    assert read_artifact(tmp_path / "more.spike").tables == {"ngrams": b"\0\1" * 50}
    with pytest.raises(SpikeError, match="a section has this name"):
        artifact_to_bytes(replace(artifact, tables={"weights": b""}))


def test_a_budget_is_met_with_the_steps_that_it_needs():
    run = run_of(golf_config("model.dim=64", "model.ffn_dim=256"))
    settings = QuantizeConfig(bits="mlp=int8,attn=int8,embed=int8,other=int8", method="rtn")
    free = len(pack_run(run, settings).data)
    sizes = {}
    for budget in (free * 3 // 4, free // 2):
        result = pack_run(run, settings, budget=budget)
        assert 0.97 * budget < len(result.data) <= budget
        errors = [
            np.square(weight.dequantize() - run.model.state_dict()[name].numpy()).sum()
            for name, weight in result.artifact.weights.items()
            if isinstance(weight, QuantizedMatrix)
        ]
        sizes[budget] = sum(errors)
    assert sizes[free * 3 // 4] < sizes[free // 2]
    assert len(pack_run(run, settings, budget=100).data) > 100


@pytest.mark.parametrize("method", ["rtn", "gptq"])
def test_a_damaged_run_is_not_packed(method):
    run = run_of(golf_config())
    run.model.model.embed_tokens.weight[2, 1] = torch.nan
    settings = QuantizeConfig(bits="mlp=int4,attn=int5,embed=int8", method=method)
    for budget in (None, 5000):
        with pytest.raises(SpikeError, match=r"embed_tokens\.weight: not all numbers are finite"):
            pack_run(run, settings, budget=budget)


def test_weights_of_another_shape_are_refused(tmp_path, file):
    artifact = read_artifact(file)
    name = next(iter(artifact.weights))
    for weights in (
        {**artifact.weights, name: np.zeros((3, 2), np.float32)},
        {key: value for key, value in artifact.weights.items() if key != name},
        {**artifact.weights, "more": np.zeros(2, np.float32)},
    ):
        wrong = tmp_path / "wrong.spike"
        wrong.write_bytes(artifact_to_bytes(replace(artifact, weights=weights)))
        with pytest.raises(SpikeError, match=r"the configuration (needs|has no such)"):
            open_artifact(wrong)


def test_a_cut_at_every_percent_is_told(tmp_path, data):
    path = tmp_path / "cut.spike"
    for percent in range(100):
        path.write_bytes(data[: len(data) * percent // 100])
        with pytest.raises(SpikeError, match=r"cut\.spike: .*; "):
            open_artifact(path)


HOSTILE = """
import random, resource, sys
from pathlib import Path
import hashlib, struct
from spike_lm.model.artifact.open import open_artifact
from spiketok.errors import SpikeError

data, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
weights = [t.clone() for t in open_artifact(Path(sys.argv[1])).model.state_dict().values()]
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (500, 500))
chance = random.Random(1)

def attempt(wrong, resealed):
    if resealed:
        wrong = wrong[:-32] + hashlib.sha256(wrong[:-32]).digest()
    path.write_bytes(wrong)
    try:
        opened = open_artifact(path)
    except SpikeError as error:
        assert "\\n" not in str(error), error
        return "refused"
    same = all(map(bool, (
        a.equal(b) for a, b in zip(weights, opened.model.state_dict().values(), strict=True)
    )))
    assert same or resealed
    return "opened"

counts = {}
for number in range(1000):
    place = chance.randrange(len(data)) if number % 2 else chance.randrange(2500)
    wrong = bytearray(data)
    wrong[place] ^= 1 << chance.randrange(8)
    for resealed in (False, True) if number % 5 == 0 else (False,):
        found = attempt(bytes(wrong), resealed)
        counts[found, resealed] = counts.get((found, resealed), 0) + 1
huge = [b"\\xff" * 8, struct.pack("<Q", 1 << 40), struct.pack("<Q", len(data) * 60)]
for place in range(8, 24 + 40 * 5, 4):
    for value in huge:
        for resealed in (False, True):
            wrong = data[:place] + value + data[place + 8 :]
            attempt(wrong, resealed)
print(counts)
assert counts["refused", False] == 1000
"""


@pytest.mark.slow
def test_flips_and_huge_lengths_are_told_without_memory_or_time(tmp_path, file):
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, file, tmp_path / "wrong.spike"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_an_artifact_names_what_it_is_made_of(file):
    artifact = read_artifact(file)
    assert isinstance(artifact, Artifact)
    assert artifact.compression["bits"] == QUANTIZE.bits
    assert artifact.config.data.path == ""
    assert artifact.config.golf.mtp_num_heads == 0
    assert artifact.config.averaging is None


def test_trained_ids_come_back_and_an_artifact_without_them_has_none(tmp_path):
    run = run_of(tiny_config())
    trained = np.arange(48) % 3 == 0
    result = pack_run(replace(run, trained_ids=trained), QUANTIZE)
    plain = pack_run(run, QUANTIZE)
    assert 0 < len(result.data) - len(plain.data) < 60
    path = tmp_path / "x.spike"
    path.write_bytes(result.data)
    opened = open_run(path)
    assert opened.trained_ids.tolist() == trained.tolist()
    assert opened.tables == {}
    unpack_artifact(path, tmp_path / "run")
    assert open_run(tmp_path / "run").trained_ids.tolist() == trained.tolist()
    (tmp_path / "plain.spike").write_bytes(plain.data)
    assert open_run(tmp_path / "plain.spike").trained_ids is None
    wrong = replace(result.artifact, trained_ids=trained[:-9])
    path.write_bytes(artifact_to_bytes(wrong))
    with pytest.raises(SpikeError, match=r"trained-ids.*not a bitmap of 48 ids"):
        read_artifact(path)

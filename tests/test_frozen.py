"""Files, window order and scores are, byte for byte, those that `frozen.json` recorded.

A rename or a move must not change them. Where a change is meant, record it in a commit of its own
that says why: python -m tests.test_frozen
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from cli import run
from datapipe import batches, open_stream
from spike_lm.model.artifact.pack import pack_run
from spike_lm.model.config.loader import load_config
from spike_lm.model.config.quantization import QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.runs.folder import Run
from spiketok import Tokenizer
from tests.conftest import CHATS, TINY, document

RECORDED = Path(__file__).with_name("frozen.json")
PRESETS = {
    "base": [word for word in TINY if "=" in word],
    "bese-golf-tiny": ["model.context=64"],
    "memory-golf-tiny": ["model.context=64"],
    "ngram-golf-tiny": ["model.context=64"],
    "escarda-tiny": ["model.context=64"],
    "byrne-tiny": ["model.context=64"],
}
QUANTIZE = QuantizeConfig(bits="mlp=int5,attn=int6,embed=int7", method="rtn")

# Commands whose results have the keys recorded; the others are run by `measure` itself.
COMMANDS = [
    ["tokenizer", "inspect", "tokenizer.json"],
    ["tokenizer", "encode", "the quick"],
    ["tokenizer", "compare", "tokenizer.json", "--text", "held.txt"],
    ["data", "inspect", "data"],
    ["data", "inspect", "data", "--document", "3"],
    ["data", "verify", "data"],
    ["data", "overlap", "data", "--text", "held.txt"],
    ["data", "at", "runs/base", "--step", "2"],
    ["eval", "runs/base", "--text", "held.txt", "--ttt", "chunk=50,blocks=1"],
    ["eval", "runs/base", "--text", "held.txt", "--with", "ngram,mixture"],
    ["generate", "runs/base", "the", "--max-tokens", "3", "--seed", "3"],
    ["pack", "runs/base", "--method", "rtn", "--out", "packed.spike"],
    ["inspect", "packed.spike"],
    ["unpack", "packed.spike", "--to", "runs/unpacked"],
    ["compress", "held.txt", "-m", "base.spike", "-o", "held.spikez"],
    ["decompress", "held.spikez", "-m", "base.spike", "-o", "again.txt"],
    ["export", "tokenizer", "--to", "exported"],
    ["export", "model", "runs/base", "--to", "exported-model"],
    ["import", "exported-model", "--to", "runs/imported"],
]


def spike(*arguments):
    """Run a command in this process and return its JSON result."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(output):
        status = run([*map(str, arguments), "--json", "--quiet"])
    assert status == 0, arguments
    return json.loads(output.buffer.getvalue())


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def keys(value, place=""):
    """Yield the paths of all keys; those of a list's entries are one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{place}.{name}"
            yield from keys(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{place}[]")


def make_inputs():
    Path("corpus").mkdir()
    lines = [json.dumps({"text": document(number)}) for number in range(120)]
    Path("corpus/words.jsonl").write_text("\n".join(lines))
    Path("chats.jsonl").write_text("\n".join(json.dumps(chat) for chat in CHATS))
    Path("held.txt").write_text(document(1000))
    for path in ("corpus/words.jsonl", "chats.jsonl", "held.txt"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def set_weights(model):
    """Give each tensor small multiples of 1/256, equal on any machine."""
    with torch.no_grad():
        for number, tensor in enumerate(model.state_dict().values()):
            if tensor.is_floating_point():
                values = np.random.default_rng(number).integers(-96, 97, tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(values / 256.0))


def artifact(preset, tokenizer):
    config = load_config(preset, PRESETS[preset])
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, seed=0)
    set_weights(model)
    fingerprints = {"tokenizer": tokenizer.fingerprint, "config": "c", "data": "d"}
    lineage = Run(
        config=config,
        model=model,
        tokenizer=tokenizer,
        step=7,
        fingerprints=fingerprints,
        digest="",
    )
    return pack_run(lineage, QUANTIZE).data


def windows():
    """Return the sha256 of the ids of the first 1,000 windows in training order."""
    found = hashlib.sha256()
    stream = open_stream(Path("data"), "train")
    for ids, _ in itertools.islice(batches(stream, 32, batch_size=8, seed=3), 125):
        found.update(ids.astype("<u4").tobytes())
    return found.hexdigest()


def machine(path):
    """Return what a compressed file's predictions depend on beside the model (docs/formats.md)."""
    data = Path(path).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
    return header["machine"]


def measure():
    """Return everything that is frozen, made in the current folder."""
    make_inputs()
    scores, results = (
        {},
        {
            "tokenizer train": spike(
                *("tokenizer", "train", "corpus/", "--vocab", 400, "--validation", 0.1)
            ),
            "tokenizer train bese": spike(
                *("tokenizer", "train", "corpus/", "--algorithm", "bese", "--vocab", 60),
                *("--out", "bese.json"),
            ),
            "shard": spike("shard", "--out", "data", "--validation", 0.1),
            "shard chat": spike(
                *("shard", "--format", "chat", "chats.jsonl", "--validation", 0.2, "--out", "chats")
            ),
            "train dry run": spike("train", "--config", "base", *TINY, "--dry-run"),
            "train": spike("train", "--config", "base", *TINY),
            "eval data": spike("eval", "runs/base", "--data", "data"),
        },
    )
    letters = Tokenizer.load("tokenizer.json")
    for preset in PRESETS:
        path = Path(f"{preset}.spike")
        path.write_bytes(artifact(preset, letters))
        results[f"eval {preset}"] = found = spike("eval", path, "--text", "held.txt")
        scores[preset] = found["bits_per_byte"]
    for words in COMMANDS:
        results[" ".join(words)] = spike(*words)
    made = [Path("tokenizer.json"), Path("bese.json"), *(Path(f"{name}.spike") for name in PRESETS)]
    made += [path for name in ("data", "chats") for path in Path(name).rglob("*") if path.is_file()]
    return {
        "sha256": {str(path): sha256(path) for path in sorted(made)},
        "compressed": {"machine": machine("held.spikez"), "sha256": sha256("held.spikez")},
        "windows": windows(),
        "bits_per_byte": scores,
        "json": {name: sorted(set(keys(result))) for name, result in results.items()},
    }


def test_nothing_differs_from_what_was_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded, found = json.loads(RECORDED.read_text()), measure()
    scores = recorded.pop("bits_per_byte")
    assert found.pop("bits_per_byte") == pytest.approx(scores, rel=1e-5)
    # A compressed file depends on the machine's arithmetic: another machine makes another one.
    compressed, expected = found.pop("compressed"), recorded.pop("compressed")
    if compressed["machine"] == expected["machine"]:
        assert compressed == expected
    assert found == recorded


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = measure()
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")

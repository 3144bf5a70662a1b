"""`spike compare`: keys that differ, validation after the same tokens, and paired texts."""

import json
import shutil

import jsonschema
import pytest

from spike_commands.report.run_comparison import differing
from tests.conftest import schema_of

SCHEMA = schema_of("compare")


@pytest.fixture(scope="module")
def two(folder, tiny, process):
    """A second run that differs in two keys, one of which changes the tokens of a step."""
    keys = ["--set", "model.ffn_dim=96", "--set", "optimizer.muon_learning_rate=0.02"]
    options = ["--config", "base.toml", "--out", "runs/other", *tiny, *keys, "--quiet"]
    done = process(folder, "train", *options)
    assert done.returncode == 0, done.stderr
    (folder / "many.jsonl").write_text(
        "\n".join(json.dumps({"text": f"the quick fox {n} jumps over {n * 7}"}) for n in range(20))
    )
    yield folder
    shutil.rmtree(folder / "runs/other")


def test_keys_and_validation(line, two):
    status, out, _ = line("compare", "runs/base", "runs/other", "--json")
    found = json.loads(out)
    assert status == 0
    jsonschema.validate(found, SCHEMA)
    assert found["config"] == {
        "model.ffn_dim": [64, 96],
        "optimizer.muon_learning_rate": [0.01, 0.02],
    }
    assert found["same_validation_text"] is True
    assert [row["tokens"] for row in found["validation"]] == [256, 512]
    for row in found["validation"]:
        assert row["difference"] == row["scores"][1] - row["scores"][0]
    for number, run in enumerate(("base", "other")):
        lines = (two / f"runs/{run}/metrics.jsonl").read_text().splitlines()
        last = json.loads(lines[-1])["validation_bits_per_byte"]
        assert found["validation"][-1]["scores"][number] == last


def test_texts_are_scored_as_eval_scores_them(line, two):
    options = ("--text", "many.jsonl", "--json", "-q")
    whole = json.loads(line("compare", "runs/base", "runs/other", *options)[1])
    jsonschema.validate(whole, SCHEMA)
    found = whole["text"]
    for number, run in enumerate(("runs/base", "runs/other")):
        alone = json.loads(line("eval", run, *options)[1])
        assert found["scores"][number] == pytest.approx(alone["bits_per_byte"], rel=1e-6)
    assert found["items"] == len(found["documents"]) == 20
    low, high = found["interval"]
    assert low <= found["difference"] <= high


def test_a_run_and_itself_cannot_be_distinguished(line, two):
    status, out, _ = line("compare", "runs/base", "runs/base", "--text", "many.jsonl", "-q")
    assert status == 0
    assert out.startswith("all keys and fingerprints are equal\n")
    assert out.rstrip().endswith("cannot be distinguished")


def test_one_document_has_no_interval_and_split_text_makes_more(line, two):
    (two / "long.txt").write_text("the quick brown fox\n" * 200)
    options = ("--text", "long.txt", "--json", "-q")
    whole = json.loads(line("compare", "runs/base", "runs/other", *options)[1])["text"]
    parts = json.loads(
        line("compare", "runs/base", "runs/other", *options, "--split-text", "1024")[1]
    )["text"]
    assert (whole["items"], whole["interval"]) == (1, None)
    assert parts["items"] > 2
    assert parts["bytes"] == whole["bytes"]


def test_other_validation_text_is_said(line, two, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(two / "runs/other", other)
    lineage = json.loads((other / "run.json").read_text())
    lineage["fingerprints"]["data"] = "0" * 64
    (other / "run.json").write_text(json.dumps(lineage))
    shutil.rmtree(other / "checkpoints")
    found = json.loads(line("compare", "runs/base", str(other), "--json")[1])
    assert found["same_validation_text"] is False
    assert found["config"]["data"][1] == "0" * 64
    assert "not paired" in " ".join(line("compare", "runs/base", str(other))[1].split())


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("runs/none", "runs/base"), 1),
        (("runs/base", "held.txt"), 1),
        (("runs/base",), 2),
        (("runs/base", "runs/base", "--text", "nothing.txt"), 1),
        (("runs/base", "runs/base", "--text", "held.txt", "--split-text", "3"), 2),
    ],
)
def test_errors_are_one_line(line, words, status):
    found = line("compare", *words)
    assert (found[0], found[1], found[2].count("\n")) == (status, "", 1)


def test_keys_that_one_lacks_are_none():
    assert differing({"a": 1}, {"b": [2]}) == {"a": [1, None], "b": [None, [2]]}

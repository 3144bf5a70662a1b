"""Every command that uses a tokenizer, with each of BESE's alphabets."""

import json
from pathlib import Path

import jsonschema
import pytest

from spike_commands.tokenizer.adapter import segment
from spike_commands.tokenizer.open import open_any
from tests.test_cli import SCHEMAS


@pytest.fixture(params=["bese", "bese-published"])
def alphabet(request):
    return request.param


@pytest.fixture
def road(line, tmp_path, tiny, alphabet):
    """Train tokenizer and model; a function that runs a command and returns its JSON."""

    def result(schema, *arguments):
        status, output, errors = line(*arguments, "--json", "--quiet")
        assert status == 0, errors
        found = json.loads(output)
        jsonschema.validate(found, SCHEMAS[schema])
        return found

    tokenizer = str(tmp_path / "bese.json")
    train = ["tokenizer", "train", "corpus/", "--algorithm", "bese", "--alphabet", alphabet]
    found = result("tokenizer-inspect", *train, "--vocab", "100", "--out", tokenizer)
    assert found["lossless"] == (alphabet == "bese")
    assert found["vocab_size"] == 100
    data, run = str(tmp_path / "data"), str(tmp_path / "run")
    shard = ["shard", "corpus/", "--tokenizer", tokenizer, "--validation", "0.1", "--out", data]
    result("data-inspect", *shard)
    options = ["--data", data, "--out", run, *tiny, "--set", "model.vocab_size=100"]
    trained = result("train", "train", "--config", "base.toml", *options)
    return result, tokenizer, data, run, trained


def test_what_bese_cannot_do_is_one_clear_line(line, road, tmp_path):
    tokenizer, out = road[1], str(tmp_path / "out")
    chat = tmp_path / "chat.jsonl"
    chat.write_text(json.dumps({"prompt": "a", "response": "b"}))
    for arguments, told in (
        (["export", "tokenizer", tokenizer, "--to", out], "only length-max ones can be exported"),
        (
            ["shard", "--format", "chat", str(chat), "--tokenizer", tokenizer, "--out", out],
            "train a length-max one with --special-tokens chatml (BESE has no chat markers)",
        ),
    ):
        status, output, errors = line(*arguments)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert told in errors
        assert not Path(out).exists()


def test_the_road(road, folder, alphabet):
    result, tokenizer, data, run, trained = road
    lossless = alphabet == "bese"
    name = "bits_per_byte" if lossless else "pseudo_bits_per_byte"
    other = "pseudo_bits_per_byte" if lossless else "bits_per_byte"
    assert result("data-verify", "data", "verify", data)["intact"]
    text = (folder / "held.txt").read_text()
    score = result("eval", "eval", run, "--text", "held.txt")
    assert score["bytes"] == len(text)
    assert score[name] > 0
    assert other not in score
    assert trained[f"validation_{name}"] > 0
    assert f"validation_{other}" not in trained
    metrics = (folder / run / "metrics.jsonl").read_text()
    assert f'"validation_{name}"' in metrics
    assert f'"validation_{other}"' not in metrics
    generate = ["generate", run, "the", "--max-tokens", "20", "--seed"]
    assert any(result("generate", *generate, seed)["text"] for seed in "01234")
    assert result("data-document", "data", "inspect", data, "--document", "3")["text"]
    (folder / "capitals.txt").write_text(text.title())
    pair = ["tokenizer", "compare", tokenizer, "tokenizer.json", "--text", "capitals.txt"]
    rows = result("tokenizer-compare", *pair)["tokenizers"]
    assert rows[0]["bytes"] == rows[1]["bytes"]
    assert rows[0]["tokens"] != rows[1]["tokens"]
    assert rows[0]["lossless"] == lossless
    encode = ["tokenizer", "encode", "The UK’s\n", "--tokenizer", tokenizer]
    encoded = result("tokenizer-encode", *encode)
    assert "".join(encoded["pieces"])[:3] == ("The" if lossless else "the")


def test_parts_are_shown_where_ids_end(line, tmp_path):
    tokenizer = str(tmp_path / "bese.json")
    train = ["tokenizer", "train", "corpus/", "--algorithm", "bese", "--vocab", "40"]
    assert line(*train, "--out", tokenizer, "--quiet")[0] == 0
    text = "The “UK”\n".encode()
    parts = segment(open_any(Path(tokenizer)), text)
    assert parts.tokens == len(parts.ends) == 4 + 1 + 4 + 5 + 4 + 1
    assert parts.ends.tolist() == [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13]


def test_options_of_the_other_algorithm_are_refused(line):
    for options in (
        ["--algorithm", "bese", "--effort", "max"],
        ["--algorithm", "bese", "--special-tokens", "minimal"],
        ["--alphabet", "bese"],
    ):
        status, _, errors = line("tokenizer", "train", "corpus/", *options)
        assert status == 2
        assert "is no option of algorithm" in errors

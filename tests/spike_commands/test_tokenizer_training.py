"""`spike tokenizer train`: what it reports, remarks and refuses."""

import json

import pytest

GOOD = "the quick brown fox jumps over the lazy dog, and the quick fox is gone "


@pytest.fixture
def train(line, tmp_path):
    """Train on the lines of a jsonl file: (status, result or None, stderr)."""

    def run(records, *options):
        path = tmp_path / "words.jsonl"
        path.write_text("\n".join(records))
        out = ["--out", str(tmp_path / "tokenizer.json"), "--json"]
        status, output, errors = line("tokenizer", "train", str(path), *out, *options)
        return status, json.loads(output) if output else None, errors

    return run


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
def test_left_out_records_are_counted(train, line, algorithm):
    records = [json.dumps({"text": GOOD * number}) for number in range(1, 9)]
    records += ["{", "[]", '{"text": 5}', '{"body": "x"}', "{"]
    expected = {
        "broken JSON": 2,
        "not an object": 1,
        "no text field": 1,
        "text is not a string": 1,
    }
    options = ["--errors", "skip", "--algorithm", algorithm, "--vocab", "400"]
    status, result, errors = train(records, *options)
    assert status == 0, errors
    assert result["training"]["dropped"] == expected
    assert "left out 5 records: broken JSON 2, no text field 1" in errors
    inspected = json.loads(line("tokenizer", "inspect", result["file"], "--json")[1])
    assert inspected["training"]["dropped"] == expected
    assert train(records[:8], *options)[1]["training"]["dropped"] == {}


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
@pytest.mark.parametrize(
    ("records", "told"),
    [
        (["{", '{"body": "x"}'], ["broken JSON 1", "no text field 1", "line 1", "broken JSON ("]),
        (['{"text": ""}'], ["empty 1"]),
        ([""], ["the corpus has no text to train on: it is empty"]),
    ],
)
def test_why_nothing_is_left_is_told(train, algorithm, records, told):
    status, _, errors = train(records, "--errors", "skip", "--algorithm", algorithm)
    assert (status, errors.count("\n")) == (1, 1)
    assert [part for part in told if part not in errors] == []

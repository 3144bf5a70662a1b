"""`spike tokenizer train`: what it reports, remarks and refuses."""

import json

import pytest

from spiketok import BeseSettings, LengthMaxSettings
from spiketok.errors import SpikeError

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
    assert "left out 5 records of words.jsonl: broken JSON 2, no text field 1" in errors
    inspected = json.loads(line("tokenizer", "inspect", result["file"], "--json")[1])
    assert inspected["training"]["dropped"] == expected
    assert train(records[:8], *options)[1]["training"]["dropped"] == {}


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
@pytest.mark.parametrize(
    ("records", "told"),
    [
        (["{", '{"body": "x"}'], ["broken JSON 1", "no text field 1", "line 1", "broken JSON ("]),
        (['{"text": ""}'], ["empty 1"]),
        ([""], ["words.jsonl: the file is empty; name a file with text"]),
    ],
)
def test_why_nothing_is_left_is_told(train, algorithm, records, told):
    status, _, errors = train(records, "--errors", "skip", "--algorithm", algorithm)
    assert (status, errors.count("\n")) == (1, 1)
    assert [part for part in told if part not in errors] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pattern a", "--pattern: only boundary word"),
        ("--boundary word --pattern (", "--pattern: '(' is not a regular expression"),
        ("--boundary word --pattern (?!x)", "--pattern: '(?!x)' matches only the empty text"),
        ("--boundary word --pattern=", "--pattern: '' matches only the empty text"),
        ("--boundary word --pattern ^$|x{0}", "matches only the empty text"),
        ("--two-stage 0.5 --boundary line", "--two-stage: its second stage has no boundary"),
        ("--two-stage 0.5 --objective frequency", "--two-stage: needs objective tokens"),
        ("--two-stage nan", "'--two-stage': nan is not in the range"),
        ("--validation nan", "'--validation': nan is not in the range 0<=x<=0.5"),
        ("--validation 0.6", "'--validation': 0.6 is not in the range 0<=x<=0.5"),
        (
            "--vocab 387",
            "--vocab: 387 is out of range; choose 388 to 16,777,215 for layout chatml",
        ),
        ("--vocab -1", "--vocab: -1 is out of range"),
        ("--vocab 16777216", "--vocab: 16,777,216 is out of range"),
        ("--algorithm bese --vocab 39", "--vocab: 39 is out of range; choose 40 to 1,048,576"),
        ("--algorithm bese --vocab 1048577", "--vocab: 1,048,577 is out of range"),
        ("--algorithm bese --effort max", "--effort is no option of algorithm bese"),
    ],
)
def test_settings_that_cannot_be_are_usage_errors(train, options, message):
    status, result, errors = train(["{}"], *options.split(" "))
    assert (status, result, errors.count("\n")) == (2, None, 1)
    assert message in errors
    assert errors.endswith("(see spike tokenizer train --help)\n")


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
def test_ids_that_the_corpus_cannot_fill_are_told(train, algorithm):
    records = [json.dumps({"text": GOOD})]
    options = ["--algorithm", algorithm, "--validation", "0", "--vocab"]
    _, result, errors = train(records, *options, "2000")
    room = 2000 - (388 if algorithm == "length-max" else 40)
    found = room - result["reserved"] + (111 if algorithm == "length-max" else 0)
    assert f"the corpus has only {found} of {room:,} entries" in errors
    assert 0 < found < room
    assert train(records, *options, "390")[2] == "" or algorithm == "bese"
    assert train(records, *options, "45")[2] == "" or algorithm == "length-max"


def test_settings_are_shown(train, line):
    options = ["--boundary", "word", "--digits", "split", "--effort", "fast", "--vocab", "390"]
    _, result, _ = train([json.dumps({"text": GOOD})], *options, "--validation", "0")
    expected = {"boundary": "word", "digits": "split", "effort": "fast", "errors": "strict"}
    assert expected.items() <= result["settings"].items()
    shown = line("tokenizer", "inspect", result["file"], "--verbose")[1]
    assert "\nsettings\n  vocab size " in shown
    assert "\n  boundary         word\n" in shown
    assert max(map(len, shown.splitlines())) < 200


@pytest.mark.parametrize("pattern", ["foo", r"(?:foo)?", r"\p{Han}+", r" ?[a-z]+|\d", "the "])
def test_patterns_that_match_something_are_taken(pattern):
    LengthMaxSettings(boundary="word", pattern=pattern)


def test_settings_keep_their_names_in_python():
    with pytest.raises(SpikeError, match=r"^two_stage: nan is out of range"):
        LengthMaxSettings(two_stage=float("nan"))
    with pytest.raises(SpikeError, match=r"^vocab_size: 3 is out of range"):
        BeseSettings(vocab_size=3)

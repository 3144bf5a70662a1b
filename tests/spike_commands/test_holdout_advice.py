"""Advice on the validation split: it is given where it helps, and following it helps."""

import json
import shlex

import pytest

from datapipe import find_sources
from spike_commands.holdout_advice import WINDOW, splitting, undivided
from spike_lm.model import load_config

WORDS = "the quick brown fox jumps over the lazy dog and runs away from it"
NUMBERED = "\n".join(f"{number * 7919} {WORDS}" for number in range(800))


@pytest.fixture
def run(line, tmp_path, monkeypatch):
    """Run a command in an empty folder: (result, stderr); it must succeed."""
    monkeypatch.chdir(tmp_path)

    def run_there(*arguments):
        status, output, errors = line(*arguments, "--json")
        assert status == 0, errors
        return json.loads(output), errors

    return run_there


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        ("x", None),
        ("one line and no more of it here\n", None),
        ("\n \n\t\n", None),
        ("the same\nthe same\n", None),
        ("one\n\ntwo\n", "--split-text lines"),
        ("word " * 300, None),
        ("word " * 2000, "--split-text 1024"),
        (NUMBERED, "--split-text 2048"),
    ],
)
def test_an_advised_way_to_split_makes_documents_to_hold_out(run, tmp_path, text, helps):
    (tmp_path / "a.txt").write_text(text)
    train = ("tokenizer", "train", "a.txt", "--vocab", "400", "--effort", "fast")
    _, errors = run(*train, "--split-text", "none")
    shards, more = run("shard", "--split-text", "none")
    assert shards["validation_documents"] == 0
    assert ("the train split has" in more) == (shards["train_tokens"] < WINDOW)
    if helps is None:
        assert "--split-text" not in errors + more
        return
    assert helps in errors
    assert helps in more
    found, errors = run(*train, *shlex.split(helps))
    assert found["training"]["held_out_documents"] > 0
    assert "nothing is held out" not in errors


def test_a_record_is_not_advised_to_be_split(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "one\ntwo\n"}))
    sources, _ = find_sources([tmp_path / "a.jsonl"])
    assert splitting(sources, 8) is None
    assert undivided(sources, 8, "train") == "too little text to hold any out; add more"
    assert undivided(sources, 9000, "train").endswith("add other documents")


def test_copies_of_one_document_are_no_single_document(run, tmp_path):
    (tmp_path / "a.jsonl").write_text(3 * (json.dumps({"text": WORDS}) + "\n"))
    _, errors = run("tokenizer", "train", "a.jsonl", "--vocab", "400")
    assert "nothing is held out: all documents are copies of one" in errors
    assert "no validation: all documents are copies of one" in run("shard")[1]


@pytest.mark.parametrize("length", [40, 120, 230])
def test_a_short_validation_split_is_told_with_a_fraction_that_suffices(run, tmp_path, length):
    texts = [
        f"{number * 7919} {WORDS} "[: 30 + number % 40] * 50 for number in range(12_000 // length)
    ]
    lines = "".join(json.dumps({"text": text[:length]}) + "\n" for text in texts)
    (tmp_path / "a.jsonl").write_text(lines)
    run("tokenizer", "train", "a.jsonl", "--vocab", "400", "--validation", "0.001")
    shards, errors = run("shard", "--validation", "0.0001")
    told = f"the validation split has {shards['validation_tokens']} tokens, fewer than a window"
    assert told in errors
    fraction = errors.split("--validation ")[-1].split()[0]
    shards, errors = run("shard", "--validation", fraction, "--out", "more")
    assert min(shards["train_tokens"], shards["validation_tokens"]) >= WINDOW
    assert "fewer than a window" not in errors


def test_no_training_is_suggested_that_must_fail(line, run, tmp_path):
    (tmp_path / "a.txt").write_text("fifteen tokens\nor so\n")
    run("tokenizer", "train", "a.txt", "--vocab", "400", "--split-text", "lines")
    shards, errors = run("shard")
    told = f"the train split has {shards['train_tokens']} tokens, fewer than a window of base (256)"
    assert f"{told}; shard more text" in errors
    assert "next:" not in line("shard")[2]
    (tmp_path / "held.txt").write_text("held out\n")
    (tmp_path / "large.txt").write_text(NUMBERED)
    _, errors = run("shard", "large.txt", "--validation", "held.txt", "--out", "named")
    assert "fewer than a window of base (256); name more text with --validation" in errors
    named = ("large.txt", "--validation", "held.txt", "--out", "named")
    assert "next: spike train --config base --data named" in line("shard", *named)[2]


def test_shards_of_bese_are_trained_on_by_its_preset(line, run, tmp_path):
    (tmp_path / "a.txt").write_text(NUMBERED)
    run("tokenizer", "train", "a.txt", "--algorithm", "bese", "--vocab", "288")
    assert "next: spike train --config bese-golf-tiny --data data" in line("shard")[2]


def test_the_window_is_that_of_the_suggested_presets():
    assert load_config("base").model.context == WINDOW
    assert load_config("bese-golf-tiny").model.context == WINDOW


def test_exact_copies_of_conversations_are_told(run, tmp_path):
    (tmp_path / "a.txt").write_text(NUMBERED)
    run("tokenizer", "train", "a.txt", "--vocab", "400", "--effort", "fast")
    said = [[f"{number} {WORDS}", f"{WORDS} {number}"] for number in range(10)]
    chats = [
        {"messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
        for a, b in [*said, *said[:1] * 90]
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    found, errors = run("shard", "--format", "chat", "a.jsonl", "--out", "chats")
    assert (found["documents"], found["copied_documents"]) == (100, 90)
    assert "% of the bytes are exact copies of other documents" in errors

"""Inputs on the command line: remote paths, pipes, endings, splitting, validation files."""

import json
from io import BytesIO, TextIOWrapper

import click
import pytest

from cli import spike

BODY = "".join(
    f"{number} the quick brown fox jumps over lazy dog {number * 7919}\n" + "\n" * (number % 5 == 0)
    for number in range(9000)
)


def path_parameters(group=spike, words=()):
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from path_parameters(command, (*words, name))
            continue
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                yield (*words, name), parameter


@pytest.mark.parametrize(("words", "parameter"), list(path_parameters()), ids=str)
def test_no_command_takes_a_remote_path(words, parameter):
    context = click.Context(click.Command(" ".join(words)))
    with pytest.raises(click.BadParameter, match="s3://bucket/x: is a remote path"):
        parameter.type.convert("s3://bucket/x", parameter, context)


def test_a_remote_folder_is_not_made(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, errors = line("shard", "corpus/", "--out", "s3://bucket/x")
    assert status == 2
    assert "s3://bucket/x: is a remote path" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run(line, tmp_path, monkeypatch):
    """Run a command in an empty folder: (result, stderr); it must succeed."""

    def run_there(*arguments, stdin=b"", status=0):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(stdin)))
        found, output, errors = line(*arguments, "--json")
        assert found == status, errors
        return json.loads(output) if output else None, errors

    return run_there


def test_one_text_file_has_a_validation_split(run, tmp_path):
    (tmp_path / "input.txt").write_text(BODY)
    tokenizer, _ = run("tokenizer", "train", "input.txt", "--vocab", "420", "--effort", "fast")
    assert tokenizer["settings"]["split_text"] == "auto"
    assert tokenizer["training"]["held_out_documents"] >= 1
    shards, errors = run("shard")
    assert errors == ""
    assert shards["text_bytes"] == len(BODY)
    assert shards["validation_documents"] == tokenizer["training"]["held_out_documents"]
    assert shards["documents"] == tokenizer["training"]["documents"] == round(len(BODY) / 32768)
    whole, errors = run("shard", "--split-text", "none", "--out", "whole")
    assert whole["documents"] == 1
    assert "split the text into other documents" in errors
    assert "no validation: all text is one document; shard it with --split-text 16384" in errors
    _, errors = run("tokenizer", "train", "input.txt", "--split-text", "none", "--vocab", "400")
    assert "nothing is held out: all text is one document; train with --split-text" in errors


def test_standard_input_and_its_tokenizer(run):
    run("tokenizer", "train", "-", "--vocab", "400", "--effort", "fast", stdin=BODY.encode())
    _, errors = run("shard", status=1)
    assert "tokenizer.json: names no inputs; name them: spike shard INPUT…" in errors
    lines = "".join(json.dumps({"text": text}) + "\n" for text in BODY.split("\n\n"))
    shards, _ = run("shard", "-", stdin=lines.encode())
    assert shards["documents"] == len(BODY.split("\n\n"))


def test_endings_are_kept_with_the_tokenizer(run, tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.rst", "c.txt", "d.png"):
        (tmp_path / "docs" / name).write_text(f"{name}: {BODY[:3000]}")
    words = ("--ext", "md,rst", "--vocab", "400", "--effort", "fast")
    tokenizer, errors = run("tokenizer", "train", "docs", *words)
    assert errors.startswith("left out files of other kinds (1): docs/d.png; pass --ext png if")
    assert tokenizer["settings"]["ext"] == ["md", "rst"]
    assert run("shard")[0]["documents"] == 3


def test_files_for_validation_are_kept_from_the_tokenizer_too(run, tmp_path):
    for name, text in (("a.txt", BODY[:9000]), ("held.txt", BODY[9000:12000])):
        (tmp_path / name).write_text(text)
    train = ("tokenizer", "train", "a.txt", "held.txt", "--vocab", "400", "--effort", "fast")
    run(*train)
    shards, errors = run("shard", "--validation", "held.txt")
    assert (shards["train_bytes"], shards["validation_bytes"]) == (9000, 3000)
    assert "held.txt; hold it out with spike tokenizer train --validation held.txt" in errors
    tokenizer, _ = run(*train, "--validation", "held.txt", "--out", "t.json")
    assert tokenizer["training"]["sampled_bytes"] == 9000
    assert tokenizer["training"]["held_out_bytes"] == 3000
    assert tokenizer["settings"]["held_out_files"] == ["held.txt"]
    shards, errors = run("shard", "--tokenizer", "t.json", "--out", "again")
    assert (shards["train_bytes"], shards["validation_bytes"], errors) == (9000, 3000, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--validation", "0.1", "--validation", "0.2"], "one fraction, or files"),
        (["--validation", "0.1", "--validation", "a.txt"], "one fraction, or files"),
        (["--validation", "0.6"], "not in the range"),
        (["--validation", "nan"], "not in the range"),
        (["--validation", "hf://a"], "is a remote path"),
        (["--split-text", "7"], "7 bytes are too few"),
        (["--split-text", ""], "the marker is empty"),
        (["--split-text", "lines", "--format", "chat"], "go with --format text"),
    ],
)
def test_options_that_mean_nothing_are_refused(line, options, message):
    status, _, errors = line("shard", "--out", "nowhere", *options)
    assert status == 2
    assert message in errors


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
def test_exact_copies_are_counted_and_told(run, tmp_path, algorithm):
    texts = [BODY[number : number + 600] for number in range(10)]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in [*texts, *texts[:1] * 90])
    (tmp_path / "a.jsonl").write_text(lines)
    train = ("tokenizer", "train", "a.jsonl", "--algorithm", algorithm, "--vocab", "400")
    tokenizer, errors = run(*train)
    told = "90 % of the bytes are exact copies of other documents"
    assert told in errors
    assert "sampled" not in errors
    training = tokenizer["training"]
    assert (training["copied_documents"], training["copied_bytes"]) == (90, 54_000)
    shards, errors = run("shard")
    assert told in errors
    assert (shards["copied_documents"], shards["copied_bytes"]) == (90, 54_000)


def test_a_marker_in_the_text_is_told(run, tmp_path):
    (tmp_path / "stories.txt").write_text(BODY.replace("\n\n", "\n<|endoftext|>\n"))
    train = ("tokenizer", "train", "stories.txt", "--vocab", "400", "--effort", "fast")
    _, errors = run(*train)
    told = "stories.txt: the text contains <|endoftext|>; split documents there with --split-text"
    assert told in errors
    assert told in run("shard", "--out", "one")[1]
    tokenizer, errors = run(*train, "--split-text", "<|endoftext|>")
    assert told not in errors
    shards, errors = run("shard")
    assert errors == ""
    assert shards["documents"] == tokenizer["training"]["documents"] == BODY.count("\n\n") + 1

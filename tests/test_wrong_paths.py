"""A path that holds something else: one line says what it holds, and what the command needs."""

import json
import shutil

import pytest

from spiketok.path_contents import path_contents

# What a command needs → commands, with P in the place of the path.
NEEDS = {
    "a run folder": [
        ["export", "model", "P", "--to", "x"],
        ["train", "--config", "base", "--data", "data", "--init", "P", "--out", "x"],
        ["train", "--resume", "P"],
    ],
    "a shard folder": [
        ["data", "inspect", "P"],
        ["data", "verify", "P"],
        ["train", "--config", "base", "--data", "P", "--out", "x"],
    ],
    "packed model": [["inspect", "P"], ["unpack", "P", "--to", "x"]],
    "file": [
        ["generate", "runs/base", "--prompts", "P"],
        ["compress", "P", "-m", "runs/base", "-o", "x"],
    ],
}
OTHERS = {
    "a run folder": ["corpus", "data", "held.txt", "packed.spike", "nowhere"],
    "a shard folder": ["corpus", "runs/base", "held.txt", "packed.spike", "nowhere"],
    "packed model": ["corpus", "data", "runs/base", "held.txt", "tokenizer.json", "nowhere"],
    "file": ["corpus", "data", "runs/base"],
}


@pytest.fixture(scope="module")
def artifact(folder, process):
    process(folder, "pack", "runs/base", "--method", "rtn", "--out", "packed.spike")
    return folder / "packed.spike"


@pytest.mark.parametrize("needed", NEEDS)
def test_the_path_what_it_holds_and_what_is_needed_are_named(line, folder, artifact, needed):
    assert path_contents(artifact) == "is a packed model"
    for command in NEEDS[needed]:
        for other in OTHERS[needed]:
            words = [other if word == "P" else word for word in command]
            status, output, errors = line(*words)
            assert (status, output, errors.count("\n")) == (1, "", 1), (words, errors)
            assert other in errors, (words, errors)
            assert needed in errors, (words, errors)
            if needed != "file":
                assert path_contents(folder / other) in errors, (words, errors)
            assert not (folder / "x").exists()


def test_contents_are_distinct_prefixes(line, folder, tmp_path):
    assert path_contents(folder / "runs/base") == "is a run folder"
    assert path_contents(folder / "data") == "is a shard folder"
    assert path_contents(folder / "tokenizer.json") == "is a tokenizer of spike"
    assert path_contents(folder / "hf.json") == "is a tokenizer of Hugging Face"
    assert path_contents(folder / "corpus") == "is a folder with 'words.jsonl'"
    assert path_contents(tmp_path) == "is an empty folder"
    shutil.copytree(folder / "data", tmp_path / "data")
    (tmp_path / "data/manifest.json").unlink()
    assert path_contents(tmp_path / "data") == "is an unfinished shard folder"
    (tmp_path / "odd.json").write_text('{"a": ' * 5000)
    assert path_contents(tmp_path / "odd.json") == "is a file"
    assert "Hugging Face tokenizer" in line("shard", "corpus", "--tokenizer", "hf.json")[2]
    assert "name data/tokenizer.json" in line("tokenizer", "inspect", "data")[2]


def test_the_argument_that_a_path_was_given_as_is_named(line):
    command = ["compress", "corpus", "-m", "runs/base", "-o", "x"]
    assert "corpus: is a folder; name a file as FILE" in line(*command)[2]
    status, _, errors = line("generate", "runs/base", "--prompts", "nowhere.txt")
    assert (status, "; name another file as --prompts" in errors) == (1, True)


def test_a_page_is_not_written_over(line, tmp_path):
    page = tmp_path / "page.html"
    assert line("tokenizer", "view", "held.txt", "--html", str(page))[0] == 0
    before = page.read_bytes()
    status, _, errors = line("tokenizer", "view", "corpus/words.jsonl", "--html", str(page))
    assert (status, page.read_bytes()) == (1, before)
    assert "exists already" in errors


def test_a_full_disk_is_told_in_bytes(line, monkeypatch, tmp_path):
    usage = shutil.disk_usage("/")._replace(free=1234)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (tmp_path / "more.jsonl").write_text("\n".join([json.dumps({"text": "word " * 40})] * 40))
    status, _, errors = line("shard", str(tmp_path / "more.jsonl"), "--out", str(tmp_path / "new"))
    assert status == 1
    assert "bytes are needed and 1,234 bytes are free" in errors


def test_the_name_of_a_file_is_no_text_of_it(line, folder, tmp_path, monkeypatch):
    text = tmp_path / "text"
    text.write_text("hello")
    status, _, errors = line("tokenizer", "encode", "held.txt")
    assert (status, "not the file of that name: held.txt; leave TEXT out" in errors) == (0, True)
    assert line("tokenizer", "encode", "hello " * 999)[2] == ""
    assert line("tokenizer", "encode", "held.txt", "--quiet")[2] == ""
    with text.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert "not standard input; leave TEXT out" in line("tokenizer", "encode", "hello")[2]
        assert line("tokenizer", "encode")[2] == ""


def test_a_tokenizer_that_is_missing_can_be_trained(line):
    advice = "nowhere.json: No such file or directory; name a tokenizer file, or train one: spike"
    assert advice in line("shard", "corpus", "--tokenizer", "nowhere.json")[2]


def test_the_tokenizer_of_a_run_is_exported(line, tmp_path):
    status, output, errors = line("export", "tokenizer", "runs/base", "--to", str(tmp_path / "hf"))
    assert (status, "ids" in output) == (0, True), errors


@pytest.mark.parametrize("command", ["unpack a", "import a", "export model a", "export tokenizer"])
def test_the_option_of_other_commands_names_that_of_this_one(line, command):
    status, _, errors = line(*command.split(), "--out", "x")
    assert (status, "no such option: --out; use --to" in errors) == (2, True)


def test_a_missing_transformers_is_told(line, tmp_path, monkeypatch):
    words = ("export", "model", "runs/base", "--to")
    monkeypatch.setattr("spike_commands.huggingface.export.find_spec", lambda name: object())
    assert "pip install" not in line(*words, str(tmp_path / "a"))[2]
    monkeypatch.setattr("spike_commands.huggingface.export.find_spec", lambda name: None)
    assert "load the folder: pip install transformers" in line(*words, str(tmp_path / "b"))[2]


@pytest.mark.parametrize(
    "command",
    [
        ["compress", "endless", "-m", "runs/base", "-o", "x"],
        ["decompress", "endless", "-m", "runs/base", "-o", "x"],
        ["generate", "runs/base", "--prompts", "endless"],
        ["eval", "runs/base", "--text", "endless"],
        ["eval", "runs/base", "--text", "endless", "--as", "bytes"],
        ["pack", "runs/base", "--method", "rtn", "--out", "x", "--text", "endless"],
    ],
)
def test_devices_without_an_end_are_refused(line, folder, command):
    (folder / "endless").symlink_to("/dev/zero")
    try:
        status, output, errors = line(*command)
    finally:
        (folder / "endless").unlink()
    assert (status, output, errors.count("\n")) == (1, "", 1), errors
    assert "endless: is a device, which may have no end; name a file" in errors
    assert not (folder / "x").exists()

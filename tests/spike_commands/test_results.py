"""What people see of results: few rows, a yardstick, the next command; and how it is laid out."""

import json
import random
import shlex
import shutil
import subprocess

import click
import pytest

from spike_commands.results import row_lines, table_lines
from spike_commands.scored_bytes import target_contents
from spike_commands.xz_baseline import MAX_BYTES, xz_bytes
from tests.test_cli import commands

MAX_ROWS = 7  # six, and one more where records were left out or coding was proved


def named(lines):
    """Return the lines that begin a row."""
    return [line for line in lines if line and not line.startswith(" ")]


ALWAYS_WHOLE = {("generate",), ("chat",), ("tokenizer", "encode"), ("card",)}


@pytest.mark.parametrize("width", [20, 60, 80])
def test_rows_keep_to_the_width_and_lose_no_word(width):
    random.seed(width)
    words = [random.choice("abcdefgh") * random.randint(1, 9) for _ in range(60)]
    rows = {"first": " ".join(words), "other": "", "longest": "x"}
    lines = list(row_lines(rows, width))
    assert max(map(len, lines)) <= max(width, 9 + 20)
    assert " ".join(line[9:] for line in lines[:-2]).split() == words
    assert next(iter(row_lines(rows, None))) == f"first    {rows['first']}"


def test_columns_of_a_table_begin_or_end_at_one_place():
    heading, rows = ["name", "n", "share"], [["b", "1,000", "5.0 %"], ["long name", "7", "–"]]
    lines = list(table_lines(heading, rows))
    assert all(map(str.startswith, lines, ["name", "b", "long"]))
    assert len({len(line) for line in lines}) == 1


def test_every_result_can_be_had_whole():
    for path, command in commands():
        options = {name for parameter in command.params for name in parameter.opts}
        if "--json" in options and path not in ALWAYS_WHOLE:
            assert "--verbose" in options, path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tokenizer", "inspect", "tokenizer.json"], ["bytes each", "400 ids"]),
        (["data", "inspect", "data"], ["train", "validation", "bytes each"]),
        (["data", "verify", "data"], ["intact"]),
        (["eval", "runs/base", "--text", "held.txt"], ["bits per byte", "xz -9"]),
        (["eval", "runs/base", "--text", "held.txt", "--with", "all"], ["up to", "mixture"]),
        (["tokenizer", "compare", "tokenizer.json", "--text", "held.txt"], ["bytes/token"]),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_results_are_few_rows_and_more_on_request(line, arguments, words):
    status, few, errors = line(*arguments)
    assert (status, "next:" in errors) == (0, False)
    assert 1 <= len(named(few.splitlines())) <= MAX_ROWS
    assert all(word in few for word in words)
    status, more, _ = line(*arguments, "--verbose")
    assert status == 0
    assert len(more.splitlines()) > len(few.splitlines())
    assert line(*arguments, "--json", "--verbose")[1].startswith("{")


def test_each_step_names_the_next_which_works_as_it_stands(line, folder, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(folder / "data")
    made = {
        "tokenizer train": ["corpus", "--vocab", "400", "--out", str(tmp_path / "made.json")],
        "shard": ["corpus", "--tokenizer", "tokenizer.json", "--out", str(tmp_path / "with blank")],
        "pack": ["runs/base", "--method", "rtn", "--out", str(tmp_path / "a.spike")],
        "unpack": [str(tmp_path / "a.spike"), "--to", str(tmp_path / "unpacked")],
        "compress": ["held.txt", "-m", "runs/base", "-o", str(tmp_path / "held.z")],
        "export model": ["runs/base", "--to", str(tmp_path / "model")],
        "import": [str(tmp_path / "model"), "--to", str(tmp_path / "back")],
    }
    named_next = {}
    for command, arguments in made.items():
        status, output, errors = line(*command.split(), *arguments)
        assert status == 0, errors
        assert "next:" not in output
        (found,) = [text for text in errors.splitlines() if text.startswith("next: ")]
        named_next[command] = shlex.split(found.removeprefix("next: "))
    shorter = {
        "shard": ["--dry-run"],
        "unpack": ["--max-tokens", "3"],
        "import": ["--max-tokens", "3"],
    }
    for command in ("shard", "unpack", "compress", "import"):
        program, *arguments = named_next[command]
        assert program == "spike"
        status, _, errors = line(*arguments, *shorter.get(command, []))
        assert status == 0, errors
    assert named_next["pack"][:3] == ["spike", "eval", str(tmp_path / "a.spike")]
    assert named_next["export model"][:2] == ["python", "-c"]
    compile(named_next["export model"][2], "next", "exec")
    restored = tmp_path / "held.z.txt"
    assert restored.read_bytes() == (folder / "held.txt").read_bytes()


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_nothing_but_the_result_where_it_is_asked_for(line, tmp_path, option):
    arguments = ["pack", "runs/base", "--method", "rtn", "--out", str(tmp_path / "a.spike")]
    assert line(*arguments, option)[2] == ""
    score = line("eval", "runs/base", "--text", "held.txt", option)
    assert score[2] == ""
    assert ("xz" in score[1]) == (option == "--json")


def test_the_yardstick_is_what_xz_makes_of_the_same_bytes(line, folder):
    contents = [(folder / "held.txt").read_bytes(), (folder / "corpus/words.jsonl").read_bytes()]
    whole = b"".join(contents)
    score = json.loads(line("eval", "runs/base", "--text", "held.txt", "--json")[1])
    assert score["xz_bits_per_byte"] == 8 * xz_bytes(contents[:1]) / len(contents[0])
    assert xz_bytes([]) is xz_bytes([b""]) is xz_bytes([b"a" * MAX_BYTES, b"a"]) is None
    if shutil.which("xz") is None:
        pytest.skip("there is no xz")
    packed = subprocess.run(["xz", "-9", "-c"], input=whole, capture_output=True, check=True)
    assert xz_bytes(contents) == len(packed.stdout)


def test_bytes_of_validation_windows_are_those_of_their_targets(folder):
    import numpy as np

    from datapipe import Windows, open_stream
    from spiketok import Tokenizer

    tokenizer = Tokenizer.load(folder / "data/tokenizer.json")
    ids, mask = Windows(open_stream(folder / "data", "validation"), 32).read(np.arange(4))
    half = np.zeros_like(ids)
    half[:, ::2] = 1
    for kept, given in ((np.ones_like(ids), mask), (half, half)):
        size = sum(map(len, target_contents((ids, given), tokenizer)))
        assert size == int((tokenizer.byte_lengths[ids[:, 1:]] * kept[:, 1:]).sum())


def test_the_next_command_is_left_to_the_command_that_runs_another():
    from spike_commands.results import LEFT_TO_CALLER, print_result, result_options

    @click.command()
    @click.option("--quiet", is_flag=True)
    @result_options
    def make(quiet, as_json):
        print_result({"a": 1}, as_json, {"a": "1"}, ("spike", "x"))

    with make.make_context("make", []) as context:
        context.meta[LEFT_TO_CALLER] = True
        make.invoke(context)


def test_the_next_command_names_folders_that_are_new(tmp_path, monkeypatch):
    from spike_commands.result_rows import after_sharding, after_tokenizer

    monkeypatch.chdir(tmp_path)
    file, found = tmp_path / "bpe.json", {"inputs": ["corpus"]}
    enough = {"train_tokens": 256}
    assert after_tokenizer(file, found)[-2:] == ("--out", "data")
    assert after_tokenizer(file, {"inputs": []})[2] == "FILE"
    assert after_sharding(tmp_path / "data", {"train_tokens": 255}, "length-max") == ()
    assert after_sharding(tmp_path / "data", enough, "length-max")[-2:] == (
        "--data",
        str(tmp_path / "data"),
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "runs/base").mkdir(parents=True)
    assert after_tokenizer(file, found)[-2:] == ("--out", "bpe-data")
    assert after_sharding(tmp_path / "more", enough, "length-max")[-2:] == (
        "--out",
        "runs/more",
    )
    chat = after_sharding(tmp_path / "chats", enough | {"train_trained_tokens": 5}, "length-max")
    assert chat[-4:] == ("--init", "runs/base", "--out", "runs/chat")

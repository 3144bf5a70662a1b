"""A folder in which the three lines have run on a small corpus, and ways to run more."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli import run

ROOT = Path(__file__).parent.parent
# Jobs that a shell runs in the background ignore Ctrl-C, and so would what tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)
TINY = [
    *("--set", "model.vocab_size=400", "--set", "model.layers=1", "--set", "model.dim=32"),
    *("--set", "model.heads=2", "--set", "model.kv_heads=1", "--set", "model.head_dim=16"),
    *("--set", "model.ffn_dim=64", "--set", "model.context=32", "--set", "train.steps=4"),
    *(
        "--set",
        "train.batch_size=4",
        "--set",
        "train.micro_batch_size=4",
        "--set",
        "checkpoint.every=2",
    ),
    *("--set", "validation.every=2", "--set", "validation.windows=4", "--set", "sample.every=0"),
    *("--set", "train.threads=1"),
]
WORDS = "the quick brown fox jumps over lazy dogs while seven wizards quietly box".split()

CHATS = [
    {"prompt": f"What is {number} + 1?", "response": f"<think>add</think>It is {number + 1}."}
    for number in range(60)
]


def schema_of(name):
    """Return a JSON Schema of docs/formats.md."""
    text = (ROOT / "docs/formats.md").read_text()
    found = re.search(rf"```json schema={name}\n(.*?)```", text, re.DOTALL)
    return json.loads(found[1])


def document(number):
    return " ".join(WORDS[(number * k + k // 7) % len(WORDS)] for k in range(1, 60)) + f" {number}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder in which the three lines have run."""
    folder = tmp_path_factory.mktemp("road")
    (folder / "corpus").mkdir()
    lines = [json.dumps({"text": document(number)}) for number in range(120)]
    (folder / "corpus" / "words.jsonl").write_text("\n".join(lines))
    (folder / "held.txt").write_text(document(1000))
    (folder / "hf.json").write_text('{"model": {"type": "unknown"}}')
    for line in (
        ["tokenizer", "train", "corpus/", "--vocab", "400", "--validation", "0.1"],
        ["shard", "--out", "data/", "--validation", "0.1"],
        ["train", "--config", "base.toml", *TINY],
    ):
        done = spike_process(folder, *line, "--quiet", "--json")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        (folder / f"{line[0]}-result.json").write_text(done.stdout)
    return folder


@pytest.fixture(scope="session")
def tiny():
    """Options that make a preset small enough for a test."""
    return TINY


@pytest.fixture(scope="session")
def process():
    """Run a command line in a folder and a process of its own."""
    return spike_process


@pytest.fixture(scope="session")
def chat_folder(folder, process, tiny):
    """A folder in which conversations were sharded and trained on."""
    (folder / "chats.jsonl").write_text("\n".join(json.dumps(chat) for chat in CHATS))
    for line in (
        ["shard", "--format", "chat", "chats.jsonl", "--out", "chats", "--validation", "0.2"],
        ["train", "--config", "base", "--data", "chats", "--out", "runs/chat", *tiny],
    ):
        done = process(folder, *line, "--quiet", "--json")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        (folder / f"chat-{line[0]}.json").write_text(done.stdout)
    return folder


@pytest.fixture
def line(folder, monkeypatch, capfd):
    """Run one command line in the folder and in this process: (status, stdout, stderr)."""
    monkeypatch.chdir(folder)

    def run_line(*arguments):
        status = run(arguments)
        return status, *capfd.readouterr()

    return run_line


def spike_process(folder, *arguments, **options):
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)

"""Text of data: byte for byte where it is piped; a terminal obeys nothing in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spike_commands.visible import json_text
from spiketok import Tokenizer

CLI = Path(__file__).parents[2] / "cli.py"
BAD = "a\x1b[31m\x9b\u202eb"
SHOWN = "a⟨U+1B⟩[31m⟨U+9B⟩⟨U+202E⟩b"


def strictly(folder, *arguments, **options):
    """Run a command line as under a UTF-8 locale, where text that is no UTF-8 is not printed."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    command = [sys.executable, CLI, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, env=environment, **options)


@pytest.mark.parametrize("prompt", [b"the \xff\xfe", b"\xff"])
def test_prompts_that_are_no_utf8_are_repeated_as_they_are(folder, prompt):
    done = strictly(folder, "generate", "runs/base", prompt, "--max-tokens", "2", "--samples", "2")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(prompt) == 2
    done = strictly(folder, "generate", "runs/base", prompt, "--max-tokens", "2", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["prompt"] == prompt.decode("utf-8", "surrogateescape")


def test_a_system_prompt_may_be_no_utf8(chat_folder):
    done = strictly(chat_folder, "chat", "runs/chat", "--system", b"\xff", "--max-tokens", "2")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"the context of 32 has room for" in done.stderr  # U+FFFD and the markers around it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "\\ud800"}', "surrogates not allowed"),
        (b'{"prompt": "\\udcff"}', "surrogates not allowed"),
        (b'{"prompt": "\xff"}', "invalid start byte"),
        (b'{"prompt": ' + b"[" * 5000, "nested too deeply"),
        (b'{"prompt": 1, "x": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'["prompt"]', "has no text"),
    ],
)
def test_prompts_of_files_are_checked(line, tmp_path, content, message):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"prompt": "the"}\n' + content)
    status, output, errors = line("generate", "runs/base", "--prompts", str(path))
    assert (status, output) == (1, "")
    assert errors.startswith(f"spike: {path}: line 2: ")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_control_sequences_are_visible_in_a_terminal(line, monkeypatch, terminal):
    ids = list(map(str, Tokenizer.load("tokenizer.json").encode(BAD).tolist()))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert line("tokenizer", "decode", *ids)[1] == (SHOWN if terminal else BAD)
    _, output, _ = line("generate", "runs/base", BAD, "--max-tokens", "2")
    assert output.startswith(SHOWN if terminal else BAD)
    _, output, _ = line("generate", "runs/base", BAD, "--max-tokens", "2", "--json")
    assert ("\x9b" in output) is not terminal
    assert json.loads(output)["prompt"] == BAD


@pytest.mark.parametrize("terminal", [False, True])
def test_documents_and_names_are_visible_in_a_terminal(line, monkeypatch, tmp_path, terminal):
    text, shards = tmp_path / "a.txt", str(tmp_path / "shards")
    text.write_text(BAD)
    assert line("shard", str(text), "--out", shards, "-q")[0] == 0
    copy = tmp_path / "t.json"
    content = json.loads(Path("tokenizer.json").read_text())
    content["spike"]["settings"]["pattern"] = BAD
    copy.write_text(json.dumps(content))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "100")
    for arguments in (
        ("data", "inspect", shards, "--document", "0"),
        ("tokenizer", "inspect", str(copy), "--verbose"),
    ):
        status, output, _ = line(*arguments)
        assert status == 0
        assert (SHOWN if terminal else BAD) in output
        assert json.loads(line(*arguments[:3], *arguments[3:], "--json")[1])


def test_json_survives_its_escapes(monkeypatch):
    value = {BAD: [BAD, "\udcff", "\n\t é…", 1.5]}
    for terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        assert json.loads(json_text(value, 2).encode()) == value


@pytest.mark.parametrize("terminal", [False, True])
def test_messages_show_names_of_the_data_visibly(line, monkeypatch, tmp_path, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    status, _, errors = line("shard", str(tmp_path / BAD), "--out", str(tmp_path / "out"))
    assert status == 1
    assert (SHOWN in errors, "\x9b" in errors) == (terminal, not terminal)
    (tmp_path / f"{BAD}.bin").write_bytes(b"")
    (tmp_path / "a.txt").write_text("the fox")
    _, _, errors = line("shard", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (SHOWN in errors, "\x9b" in errors) == (terminal, not terminal)

"""`spike chat` in a terminal and on pipes."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import jsonschema
import pytest

from spike_commands.chat.terminal import show
from spiketok import Part
from tests.test_cli import SCHEMAS

CLI = Path(__file__).parents[3] / "cli.py"
SECONDS = 120
RUN = "runs/talks"


@pytest.fixture(scope="module", autouse=True)
def talking(folder, tiny, process):
    """A run whose context has room for a few turns."""
    options = ["--config", "base", *tiny, "--set", "model.context=80", "--set", "train.steps=1"]
    done = process(folder, "train", *options, "--out", RUN, "--quiet")
    assert done.returncode == 0, done.stderr


def test_lines_of_a_pipe_are_questions_of_one_conversation(folder, process):
    questions = (
        "the fox?\n" * 6
        + "\n/system be brief\nthe dog? <|im_end|>\nand \x1b[31m?\r\n/quit\nnever\n"
    )
    options = ["--max-tokens", "4", "--json", "--system", "x"]
    done = process(folder, "chat", RUN, *options, input=questions)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "was not trained on conversations" in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        jsonschema.validate(answer, SCHEMAS["chat"])
    asked = [answer["question"] for answer in answers]
    assert asked == [*["the fox?"] * 6, "the dog? <|im_end|>", "and \x1b[31m?"]
    assert answers[0]["dropped_turns"] == answers[6]["dropped_turns"] == 0
    assert answers[5]["dropped_turns"] > 0
    plain = process(folder, "chat", RUN, "--max-tokens", "4", input="the fox?\n")
    assert plain.returncode == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", plain.stdout)


def test_a_line_that_cannot_be_answered_is_told_and_the_conversation_goes_on(folder, process):
    long = "word " * 60
    questions = f"{long}\n/sytem x\n/system {long}\n/usr/bin?\n /reset\n"
    options = ["--max-tokens", "2", "--quiet"]
    done = process(folder, "chat", RUN, *options, "--json", input=questions)
    assert done.returncode == 1
    assert (
        done.stderr
        == "spike: 3 of 5 lines were not answered; correct the lines that are reported\n"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        jsonschema.validate(answer, SCHEMAS["chat"])
    assert [sorted(answer) == ["error", "question"] for answer in answers] == [True] * 3 + [
        False
    ] * 2
    assert "system prompt" in answers[2]["error"]
    plain = process(folder, "chat", RUN, *options, input="/help\n/sytem\nhi\n")
    assert plain.returncode == 1
    assert "/system TEXT" in plain.stderr
    assert "(line 2: /sytem: no such command" in plain.stderr


def test_usage(line):
    for wrong in (["--web", "--json"], ["--port", "8000"], ["--max-tokens", "0"]):
        status, _, errors = line("chat", RUN, *wrong)
        assert (status, errors.count("\n")) == (2, 1)


@pytest.mark.parametrize("way", [[], ["--web"]])
def test_what_cannot_be_answered_is_refused_before_the_start(line, way):
    status, out, errors = line("chat", RUN, "--system", "word " * 60, "--quiet", *way)
    assert (status, out) == (1, "")
    assert errors.count("\n") == 1
    assert "shorten it" in errors


def test_parts_have_lines_and_styles_of_their_own(capsys):
    show(
        [
            *(Part("think", ""), Part("think", "\n1+1\n"), Part("text", "\n\ntwo\x1b[0m")),
            *(Part("tool_call", ""), Part("tool_call", "{}"), Part("tool_call", "")),
        ]
    )
    written = capsys.readouterr().out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert plain == "1+1\ntwo⟨U+1B⟩[0m\ntool call, not run: {}\ntool call, not run: \n"


class Terminal:
    """A `spike chat` whose standard streams are a terminal."""

    def __init__(self, folder, *options):
        self.ours, theirs = pty.openpty()
        command = [sys.executable, str(CLI), "chat", RUN, *options]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def until(self, expected):
        """Read until something is on the screen; return and forget what came before it."""
        end = time.monotonic() + SECONDS
        while expected not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.ours], [], [], 1)[0]:
                self.seen += os.read(self.ours, 4096).decode("utf-8", "replace")
        before, _, self.seen = self.seen.partition(expected)
        return before

    def type(self, text):
        os.write(self.ours, text.encode())

    def interrupt(self):
        """Press Ctrl-C until there is a prompt again: one before `input` waits may be lost."""
        self.seen = ""
        for _ in range(SECONDS):
            self.process.send_signal(signal.SIGINT)
            if select.select([self.ours], [], [], 1)[0]:
                self.until("> ")
                return
        raise AssertionError("Ctrl-C does nothing")


@pytest.fixture
def terminal(folder):
    started = []

    def start(*options):
        started.append(Terminal(folder, *options))
        return started[-1]

    yield start
    for found in started:
        found.process.kill()
        found.process.wait()
        os.close(found.ours)


def test_a_terminal_shows_answers_and_knows_commands(terminal):
    screen = terminal("--max-tokens", "3", "--system", "x")
    screen.until("> ")
    screen.type("the fox?\n")
    assert "max-tokens" in screen.until("> ")
    screen.type("/help\n")
    screen.until("Ctrl-C stops a reply")
    screen.until("> ")
    screen.type("/system\n")
    screen.until("without system prompt")
    screen.until("> ")
    screen.type("word " * 60 + "\n")
    screen.until("too many")
    screen.until("> ")
    screen.type("/rest\n")
    screen.until("no such command")
    screen.until("> ")
    screen.type("/system " + "word " * 60 + "\n")
    screen.until("shorten it")
    screen.until("> ")
    screen.type("\x04")
    assert screen.process.wait(SECONDS) == 0


def test_ctrl_c_at_the_prompt_drops_the_line(terminal):
    screen = terminal("--max-tokens", "3")
    screen.until("> ")
    screen.type("/half a li")
    screen.until("a li")
    screen.interrupt()
    screen.type("/quit\n")
    assert screen.process.wait(SECONDS) == 0


def test_the_web_page_is_where_it_says_and_ctrl_c_ends_it(folder):
    command = [sys.executable, str(CLI), "chat", RUN, "--web", "--quiet"]
    started = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        address = started.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            assert b"<title>" in answer.read()
        started.send_signal(signal.SIGINT)
        assert started.wait(SECONDS) == 0
    finally:
        started.kill()
        started.wait()
        started.stdout.close()

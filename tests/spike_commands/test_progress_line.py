"""Progress on stderr: numbers survive narrow terminals, and logs have lines instead of a bar."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from spike_commands import console
from spike_commands.progress_line import Pace, clock, line_in_width, plain_line

ROOT = Path(__file__).parents[2]
REMARK = "2.345 bits per byte, lr 0.0123, 12,345 tokens/s"
MOVING = f"""
from spike_commands.console import progress_bar, remark
import time
with progress_bar("train", 700, "steps", False) as show:
    for step in range(1, 4):
        time.sleep(0.05)
        show(step, "{REMARK}", step == 3, [9, 8, 7, 6, 5, 4, 3, 2.5, 2.4, 2.3])
        if step == 2:
            remark("a line above", False)
"""


def paced(total, *reports):
    pace = Pace(total)
    for seconds, done in reports:
        pace.add(seconds, done)
    return pace


@given(
    width=some.integers(40, 200),
    done=some.integers(2, 9_999),
    elapsed=some.floats(0, 1e5),
    trend=some.lists(some.floats(), max_size=70),
    in_ascii=some.booleans(),
)
def test_numbers_fit_into_any_width(width, done, elapsed, trend, in_ascii):
    pace = paced(10_000, (0.0, 1), (elapsed + 1.0, done))
    line = line_in_width(width, "train", pace, "steps", REMARK, elapsed, trend, in_ascii)
    assert len(line) <= width
    assert line.isascii() or not in_ascii
    for number in (f"{done:,}/10,000", "2.345", "lr 0.0123", f"eta {pace.eta()}"):
        assert number in line


def test_remaining_time_is_known_from_the_second_report_on():
    assert paced(10, (5.0, 1)).eta() == ""
    assert paced(10, (5.0, 1), (7.0, 2)).eta() == clock(16)
    assert paced(100, (0.0, 50), (10.0, 10), (20.0, 20)).speed() == 1.0  # it began again at 10
    slow_then_fast = paced(1000, (0.0, 0), (100.0, 1), (161.0, 2), (170.0, 92))
    assert slow_then_fast.speed() == pytest.approx(91 / 70)


def test_a_plain_line_has_amount_share_remark_and_remaining_time():
    pace = paced(700, (0.0, 1), (119.0, 120))
    expected = (
        "train: 120/700 steps (17%), 2.345 bits per byte, lr 0.0123, 12,345 tokens/s, eta 9:40"
    )
    assert plain_line("train", pace, "steps", REMARK) == expected
    megabytes = paced(142, (0.0, 0), (10.0, 45))
    assert plain_line("shard", megabytes, "MB", "") == "shard: 45/142 MB (32%), 4.5 MB/s, eta 0:22"


def test_logs_get_a_line_when_due_and_every_30_seconds(monkeypatch, capsys):
    now = iter([0.0, 1.0, 29.0, 31.0, 40.0, 60.9, 61.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.progress_bar("eval", 10, "tokens", quiet=False) as report:
        report(1, "", True)
        for done in (2, 3, 4, 5, 6):
            report(done, "")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in lines] == ["eval: 1", "eval: 3", "eval: 6"]


def test_quiet_is_silent(capsys):
    with console.progress_bar("eval", 10, "tokens", quiet=True) as report:
        report(10, "", True)
    assert capsys.readouterr().err == ""


def in_terminal(columns, term, **variables):
    """Return what `MOVING` writes to a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment |= {"TERM": term, **variables}
    started = subprocess.Popen(
        [sys.executable, "-c", MOVING],
        cwd=ROOT,
        stderr=slave,
        env={**environment, "TERM": term} | variables,
    )
    os.close(slave)
    written = b""
    try:
        while piece := os.read(master, 65_536):
            written += piece
    except OSError:  # the other side is closed
        pass
    os.close(master)
    assert started.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()).replace("\r", "\n").split("\n")


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_a_terminal_shows_the_numbers_of_the_last_step(columns):
    lines = [line.rstrip() for line in in_terminal(columns, "xterm") if line.strip()]
    assert "a line above" in lines
    assert max(map(len, lines)) <= columns
    last = lines[-1]
    assert all(number in last for number in ("3/700", "2.345", "lr 0.0123", "eta 0:"))
    assert ("━" in last or "─" in last) == (columns == 100)
    assert ("█" in last) == (columns >= 80)


def test_a_terminal_without_unicode_gets_ascii():
    lines = [line.rstrip() for line in in_terminal(100, "xterm", PYTHONIOENCODING="ascii") if line]
    last = next(line for line in reversed(lines) if "3/700" in line)
    assert last.isascii()
    assert "#" in last


def test_a_dumb_terminal_gets_lines():
    lines = [line.rstrip() for line in in_terminal(60, "dumb") if line.strip()]
    assert lines[0] == "a line above"
    assert lines[1].startswith("train: 3/700 steps (0%), 2.345 bits per byte, lr 0.0123")
    assert len(lines) == 2

"""The whole road on real text: the demo, and the three lines on books."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BOOKS = ROOT.parent / "shared" / "data" / "books_en"
WIKITEXT = ROOT.parent / "shared" / "data" / "wikitext2" / "wiki.test.raw"
SHORT = ["--set", "train.steps=20", "--set", "validation.every=0", "--set", "sample.every=0"]
pytestmark = pytest.mark.slow


def spike(folder, *arguments):
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_demo_goes_from_text_to_score(tmp_path):
    output = spike(tmp_path, "demo", *SHORT)
    for expected in ("bits per byte", "xz -9", "def read_lines(path):", "spike generate"):
        assert expected in output
    assert (tmp_path / "spike-demo/run/checkpoints").is_dir()


@pytest.mark.skipif(not BOOKS.exists(), reason="needs ../shared/data/books_en")
def test_three_lines_on_books(tmp_path):
    (tmp_path / "corpus").mkdir()
    for name in ("books-00.parquet", "books-01.jsonl.zst", "books-02.jsonl.zst"):
        (tmp_path / "corpus" / name).symlink_to(BOOKS / name)
    spike(tmp_path, "tokenizer", "train", "corpus/", "--vocab", "16512")
    spike(tmp_path, "shard", "--out", "data/")
    spike(tmp_path, "train", "--config", "base.toml", *SHORT)
    spike(tmp_path, "data", "verify", "data")
    found = json.loads(spike(tmp_path, "tokenizer", "inspect", "tokenizer.json", "--json"))
    assert (found["vocab_size"], found["reserved"]) == (16512, 111)
    text = tmp_path / "wiki.txt"
    text.write_bytes(WIKITEXT.read_bytes()[:50_000])
    score = json.loads(spike(tmp_path, "eval", "runs/base", "--text", str(text), "--json"))
    assert score["bytes"] == 50_000
    assert 1 < score["bits_per_byte"] < 8
    assert math.isclose(score["bits_per_byte"], score["nats"] / math.log(2) / 50_000)

import gzip
import json
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import settings
from pyarrow import parquet

from datapipe import ShardSettings, find_sources, write_shards
from datapipe.shards import plan
from datapipe.shards import writer as shard_writer
from datapipe.sources import lines

settings.register_profile("spike", deadline=None)
settings.load_profile("spike")

SPECIALS = ["<pad>", "<unk>", "<bos>", "<eos>"]
PIECES = [b"the", b" the ", b"an", b"and ", b"in", b" of ", b"er", b"ab", b"abab"]


def write_tokenizer(path, pieces=PIECES):
    """Write a tokenizer of the bytes and some pieces, by hand, as docs/formats.md says."""
    keys = SPECIALS + [chr(byte) for byte in range(256)]
    keys += [piece.decode("latin-1") for piece in pieces]
    content = {
        "vocab": {key: number for number, key in enumerate(keys)},
        "max_token_len": 24,
        "vocab_size": len(keys),
        "algorithm": "length-max",
        "special_tokens": [],
        "spike": {
            "format": 1,
            "layout": "minimal",
            "reserved": [],
            "settings": {},
            "training": {},
            "inputs": [],
        },
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="session")
def wide_tokenizer_path(tmp_path_factory) -> Path:
    """A vocabulary too large for uint16."""
    firsts = [byte for byte in range(256) if byte != ord("t")] + [ord("t")]
    pairs = [bytes([first, second]) for first in firsts for second in range(256)]
    return write_tokenizer(tmp_path_factory.mktemp("wide") / "tokenizer.json", pairs)


def make_corpus(folder):
    """Write a small corpus of every kind of file, with some broken and empty records."""
    folder.mkdir()
    random = Random(1)
    words = ["the", "and", "of", "an", "abab", "in", "zebra", "naïve", "日本"]

    def text(longest=60):
        return " ".join(random.choices(words, k=random.randrange(1, longest)))

    def records(count):
        return "".join(
            json.dumps({"id": number, "text": text()}, ensure_ascii=number % 2 == 0) + "\n"
            for number in range(count)
        ).encode()

    (folder / "a.jsonl").write_bytes(records(120) + b'{"text":""}\n' + records(80))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(records(60), mtime=0))
    with pa.CompressedOutputStream(str(folder / "c.jsonl.zst"), "zstd") as stream:
        stream.write(records(60))
    table = pa.table({"text": [text() for _ in range(50)], "n": list(range(50))})
    parquet.write_table(table, folder / "d.parquet", row_group_size=20)
    (folder / "e.txt").write_text(text(2000), encoding="utf-8")
    (folder / "sub").mkdir()
    (folder / "sub" / "f.txt").write_text("short", encoding="utf-8")
    (folder / "notes.md").write_text("left out")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("inputs") / "corpus")


@pytest.fixture
def small_units(monkeypatch):
    """Make units, batches and blocks so small that a small corpus has many of each."""
    monkeypatch.setattr(plan, "UNIT_BYTES", 6000)
    monkeypatch.setattr(shard_writer, "BATCH_TOKENS", 700)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(lines, "PIECE_BYTES", 1000)


@pytest.fixture
def small_shards() -> ShardSettings:
    return ShardSettings(validation=0.2, shard_tokens=2000)


@pytest.fixture
def shard(corpus, tokenizer_path, small_units, small_shards):
    """Return a function that shards the corpus into a folder."""

    def run(out, **options):
        options = {"workers": 2, **options}
        settings = options.pop("settings", small_shards)
        sources = find_sources([corpus])[0]
        return write_shards(sources, tokenizer_path, out, settings, **options)

    return run


@pytest.fixture
def content_of():
    """Return a function that reads every file below a folder."""

    def read(folder):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read

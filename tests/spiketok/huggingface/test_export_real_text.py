"""Real text has the same ids at all doors: native, plain Python, class, stock file."""

import gzip
import json
import os
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from datapipe import find_sources, read_texts
from spiketok import LengthMaxSettings, Tokenizer, train_length_max
from spiketok.huggingface import export_tokenizer

DATA = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "unicode").exists(), reason="shared data are not here")


def unicode_lines():
    """The lines of the Unicode files, as bytes: some are meant to be no UTF-8."""
    lines = []
    for path in sorted((DATA / "unicode").iterdir()):
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        lines += text.splitlines(keepends=True)
    strings = json.loads((DATA / "unicode" / "blns.json").read_bytes())
    return [*lines, *(text.encode() for text in strings)]


def document_lines(folder):
    sources, _ = find_sources([DATA / folder])
    texts = [
        text
        for batch in read_texts(sources, "text", "strict")
        for text in batch.column("text").to_pylist()
    ]
    return [line for text in texts for line in text.splitlines(keepends=True)]


@pytest.fixture(scope="module")
def tokenizer():
    """One trained on some of every kind of text, so that its entries are many and odd."""
    lines = unicode_lines()[::3]
    for folder in ("multilingual", "code"):
        lines += document_lines(folder)[::40]
    column = pa.array([b"".join(lines[start : start + 50]) for start in range(0, len(lines), 50)])
    batch = pa.record_batch({"text": column})
    settings = LengthMaxSettings(vocab_size=6000, effort="fast", held_out=0)
    return Tokenizer(train_length_max(lambda: iter([batch]), settings))


@pytest.fixture(scope="module")
def lines():
    """All lines: unicode, multilingual, code."""
    return [*unicode_lines(), *document_lines("multilingual"), *document_lines("code")]


def native(tokenizer, lines):
    ids, offsets = tokenizer.encode_batch(lines)
    return [ids[start:stop].tolist() for start, stop in pairwise(offsets)]


def plain(generated, tokenizer, lines):
    vocabulary = tokenizer.vocabulary
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "spiketok", None)
        encode = generated.Encoder(vocabulary.entries, vocabulary.kinds)
    assert not encode.native
    return encode._encode(lines)  # bytes, which may be no UTF-8


def test_unicode_in_plain_python(generated, tokenizer):
    lines = unicode_lines()
    assert len(lines) > 20_000
    assert plain(generated, tokenizer, lines) == native(tokenizer, lines)


@pytest.mark.slow
def test_every_line_in_plain_python(generated, tokenizer, lines):
    assert len(lines) > 300_000
    assert plain(generated, tokenizer, lines) == native(tokenizer, lines)


@pytest.mark.slow
@pytest.mark.parametrize("fast", [False, True], ids=["class", "stock"])
def test_every_line_in_transformers(tokenizer, lines, fast, tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setitem(os.environ, "TOKENIZERS_PARALLELISM", "true")
    export_tokenizer(tokenizer.vocabulary, tmp_path / "out", fast)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=True)
    texts = [line.decode("utf-8", "replace") for line in lines]
    found = loaded(texts, split_special_tokens=True)["input_ids"]
    assert found == native(tokenizer, texts)

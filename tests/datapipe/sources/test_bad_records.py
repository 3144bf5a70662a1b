"""What a broken record's message offers: the options that help at its fault, and no others."""

import gzip
import json

import pytest

from datapipe import encoded_conversations, find_sources, read_texts
from datapipe.sources.reader import first_fault
from spiketok import Tokenizer, Vocabulary, build_vocabulary
from spiketok.errors import SpikeError

CUT_OFF = gzip.compress(b'{"text": "fine"}\n' * 1000)[:60]


@pytest.mark.parametrize(
    ("name", "content", "offered"),
    [
        ("a.jsonl", b'{"text": "\xff"}', "fix it, or pass --errors skip or replace"),
        ("a.txt", b"\xff", "fix it, or pass --errors skip or replace"),
        ("a.jsonl", b'{"text": "\\ud800"}', "fix it, or pass --errors skip or replace"),
        ("a.jsonl", b'{"text":', "fix it, or pass --errors skip"),
        ("a.jsonl", b"[]", "fix it, or pass --errors skip"),
        ("a.jsonl", b'{"text": null}', "fix it, or pass --errors skip"),
        ("a.jsonl", b'{"text": 5}', "fix it, or pass --text-field or --errors skip"),
        ("a.jsonl", b'{"body": ""}', "fix it, or pass --text-field or --errors skip"),
        ("a.jsonl.gz", CUT_OFF, "fix it, or pass --errors skip"),
    ],
)
def test_only_what_helps_is_offered(tmp_path, name, content, offered):
    (tmp_path / name).write_bytes(content)
    sources, _ = find_sources([tmp_path / name])
    with pytest.raises(SpikeError) as caught:
        list(read_texts(sources))
    assert str(caught.value).endswith(f"; {offered}")
    assert str(caught.value).startswith(str(first_fault(sources)))
    for errors in ("replace", "skip"):
        lost = not list(filter(len, read_texts(sources, errors=errors)))
        assert lost or errors == "replace" or name.endswith("gz")
        assert errors == "skip" or not lost or "replace" not in offered


def test_kinds_of_values_have_the_names_of_json(tmp_path):
    for text, kind in (("5", "a number"), ("0.5", "a number"), ("{}", "an object")):
        (tmp_path / "a.jsonl").write_text(f'{{"text": {text}}}')
        fault = first_fault(find_sources([tmp_path / "a.jsonl"])[0])
        assert fault.endswith(f"text is not a string ('text' is {kind})")


def test_whole_records_have_no_first_fault(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n{"text": "a"}')
    assert first_fault(find_sources([tmp_path / "a.jsonl"])[0]) is None


def test_scoring_offers_no_way_around_a_broken_conversation(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"prompt": "a", "response": 5}))
    vocabulary: Vocabulary = build_vocabulary([], 388, "chatml")
    (source,), _ = find_sources([tmp_path / "a.jsonl"])
    with pytest.raises(SpikeError, match=r"; correct it$"):
        list(encoded_conversations(source, Tokenizer(vocabulary)))

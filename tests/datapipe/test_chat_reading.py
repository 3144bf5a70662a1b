import gzip
import json
from collections import Counter

import numpy as np
import pytest

from datapipe import chat_encoding, find_sources, lines, read_conversations
from spiketok import Tokenizer, build_vocabulary, encode_chat, read_messages
from spiketok.errors import SpikeError
from tests.spiketok.test_chat_encoding import GREEDY

TOKENIZER = Tokenizer(build_vocabulary(GREEDY, 420, "chatml"))


def conversation(number):
    return [
        {"role": "system", "content": ["é", "plain"][number % 2] * (number % 3)},
        {"role": "user", "content": f"<|im_end|> {number}"},
        {"role": "assistant", "content": "a\n" * (number % 5), "reasoning": f"r{number}"},
    ]


def write(path, rows):
    data = "\n".join(rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return find_sources([path])[0][0]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_batches_encode_as_single_conversations(tmp_path, monkeypatch, name):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 700)
    monkeypatch.setattr(lines, "PIECE_BYTES", 300)
    wanted = [conversation(number) for number in range(40)]
    rows = [json.dumps({"messages": messages}, ensure_ascii=False) for messages in wanted]
    source = write(tmp_path / name, ["\ufeff" + rows[0], "", *rows[1:]])
    found = list(chat_encoding.encoded_conversations(source, TOKENIZER))
    assert len(found) == 40
    for (ids, mask), messages in zip(found, wanted, strict=True):
        expected_ids, expected_mask = encode_chat(TOKENIZER, read_messages(messages))
        assert np.array_equal(ids, expected_ids)
        assert np.array_equal(mask, expected_mask == 1)
    batches = list(read_conversations(source, 0, -1))
    assert len(batches) > 3
    content = (gzip.decompress if name.endswith("gz") else bytes)(source.path.read_bytes())
    for row in (row for batch in batches for row in batch["row"].to_pylist()):
        assert json.loads(content[row:].split(b"\n")[0].removeprefix(b"\xef\xbb\xbf"))


BROKEN = {
    "{": "broken JSON",
    "[]": "not an object",
    '{"prompt": "a", "response": 1}': "malformed conversation",
    '{"messages": [{"role": "user", "content": "hi"}]}': "conversation without an assistant",
    '{"prompt": "\\ud800", "response": "a"}': "lone surrogate",
    '{"prompt": "a", "response": "b", "n": ' + "1" * 5000 + "}": "broken JSON",
    "[" * 100_000: "broken JSON",
}


@pytest.mark.parametrize(("line", "reason"), BROKEN.items(), ids=lambda value: value[:30])
def test_malformed_conversations_are_named_with_file_and_line(tmp_path, line, reason):
    good = '{"prompt": "a", "response": "b"}'
    source = write(tmp_path / "a.jsonl", [good, "", line, good])
    with pytest.raises(SpikeError) as caught:
        list(read_conversations(source, 0, -1))
    assert f"{source.path}: line 3 (byte {len(good) + 2}): {reason}" in str(caught.value)
    dropped = Counter()
    batches = list(read_conversations(source, 0, -1, errors="skip", dropped=dropped))
    assert sum(map(len, batches)) == 2
    assert dropped == {reason: 1}


def test_the_place_in_the_conversation_is_told(tmp_path):
    source = write(tmp_path / "a.jsonl", ['{"messages": [{"role": "user", "text": "hi"}]}'])
    with pytest.raises(SpikeError, match=r"line 1 .*\(messages\[0\]: unknown key 'text'"):
        list(read_conversations(source, 0, -1))


def test_replacing_mends_text(tmp_path):
    source = write(tmp_path / "a.jsonl", ['{"prompt": "\\ud800", "response": "b"}'])
    (batch,) = read_conversations(source, 0, -1, errors="replace")
    assert batch["text"][0].as_py() == "user\n\ufffd\nassistant\nb\n".encode()


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (source,) = find_sources([tmp_path / "a.txt"])[0]
    with pytest.raises(SpikeError, match=r"a\.txt: conversations are read from \.jsonl files only"):
        list(read_conversations(source, 0, -1))

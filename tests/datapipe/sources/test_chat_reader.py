import gzip
import json
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datapipe import find_sources, read_conversations
from datapipe.shards import chat_encoding
from datapipe.sources import json_array, lines
from datapipe.sources.bad_records import Dropped
from datapipe.sources.source_range import SourceRange
from spiketok import Tokenizer, build_vocabulary, encode_chat, read_messages
from spiketok.errors import SpikeError
from tests.spiketok.chat.test_encoding import GREEDY

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
    batches = list(read_conversations(SourceRange(source)))
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
        list(read_conversations(SourceRange(source)))
    assert f"{source.path}: line 3 (byte {len(good) + 2}): {reason}" in str(caught.value)
    dropped = Dropped()
    batches = list(read_conversations(SourceRange(source), errors="skip", dropped=dropped))
    assert sum(map(len, batches)) == 2
    assert dropped == {reason: 1}


def test_the_place_in_the_conversation_is_told(tmp_path):
    source = write(tmp_path / "a.jsonl", ['{"messages": [{"role": "user", "text": "hi"}]}'])
    with pytest.raises(SpikeError, match=r"line 1 .*\(messages\[0\]: unknown key 'text'"):
        list(read_conversations(SourceRange(source)))


def test_replacing_mends_text(tmp_path):
    source = write(tmp_path / "a.jsonl", ['{"prompt": "\\ud800", "response": "b"}'])
    (batch,) = read_conversations(SourceRange(source), errors="replace")
    assert batch["text"][0].as_py() == "user\n\ufffd\nassistant\nb\n".encode()


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a"])
def test_other_kinds_of_files_are_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    (source,) = find_sources([tmp_path / name])[0]
    with pytest.raises(
        SpikeError, match=rf"{name}: is not a file of conversations; name \.jsonl, \.json"
    ):
        list(read_conversations(SourceRange(source)))


def texts_of(source, **options):
    batches = list(read_conversations(SourceRange(source), **options))
    return [text for batch in batches for text in batch["text"].to_pylist()], [
        row for batch in batches for row in batch["row"].to_pylist()
    ]


RECORDS = [{"messages": conversation(number), "n": number} for number in range(600)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    return texts_of(write(path, [json.dumps(record) for record in RECORDS]))[0]


def write_table(path, kind):
    table = pa.Table.from_pylist(RECORDS)
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=130)
    else:
        opened = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        options = pa.ipc.IpcWriteOptions(compression="zstd" if kind == "file" else None)
        with opened(path, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=290)
    return find_sources([path])[0][0]


@pytest.mark.parametrize(
    ("name", "kind"), [("a.parquet", "parquet"), ("a.arrow", "file"), ("a.arrow", "stream")]
)
def test_tables_give_what_lines_give(tmp_path, expected, name, kind):
    source = write_table(tmp_path / name, kind)
    done = []
    found, rows = texts_of(source, progress=done.append)
    assert (found, rows) == (expected, list(range(600)))
    assert 0 < sum(done) <= source.bytes
    if kind == "parquet":
        parts = [read_conversations(SourceRange(source, first, first + 2)) for first in (0, 2)]
        parts.append(read_conversations(SourceRange(source, 4, -1)))
        rows = [row for part in parts for batch in part for row in batch["row"].to_pylist()]
        assert rows == list(range(600))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_large_rows_of_tables_are_left_out(tmp_path, name):
    table = pa.table({"prompt": list("abc"), "response": ["d", "e" * 3000, "f"]})
    if name == "a.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
    (source,) = find_sources([tmp_path / name])[0]
    dropped = Dropped()
    assert texts_of(source, errors="skip", dropped=dropped, max_record=1000)[1] == [0, 2]
    assert dropped == {"larger than --max-record": 1}
    with pytest.raises(SpikeError, match="row 1: larger than --max-record"):
        texts_of(source, max_record=1000)


def test_what_datasets_saves_is_read_as_a_folder(tmp_path, expected):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(RECORDS).save_to_disk(tmp_path / "saved", num_shards=2)
    sources, skipped = find_sources([tmp_path / "saved"])
    assert [source.kind for source in sources] == ["arrow"] * 2
    left_out = sorted(chain.from_iterable(skipped.values()))
    assert left_out == ["saved/dataset_info.json", "saved/state.json"]
    assert list(chain.from_iterable(texts_of(source)[0] for source in sources)) == expected


@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_give_what_lines_give(tmp_path, monkeypatch, expected, indent):
    monkeypatch.setattr(json_array, "BLOCK_BYTES", 5000)
    text = "\ufeff " + json.dumps(RECORDS, indent=indent, ensure_ascii=indent is None) + "\n"
    for size in (7, 1 << 16):
        monkeypatch.setattr(json_array, "PIECE_BYTES", size)
        source = write(tmp_path / "a.json", [text])
        done = []
        found, rows = texts_of(source, progress=done.append)
        assert found == expected
        content = source.path.read_bytes()
        assert all(content[row : row + 1] == b"{" for row in rows)
        assert sum(done) == source.bytes


def test_lines_in_a_json_file_are_lines(tmp_path, expected):
    rows = [json.dumps(record) for record in RECORDS]
    assert texts_of(write(tmp_path / "a.json", rows))[0] == expected


GOOD = '{"prompt": "a", "response": "]}\\"b"}'
ARRAYS = {
    f"[{GOOD}, {GOOD}]": {},
    f"[{GOOD},{{'a': 1}}, {GOOD}]": {"broken JSON": 1},
    f"[{GOOD}, [], {GOOD}]": {"not an object": 1},
    f"[{GOOD} {GOOD}]": {"broken JSON": 1},
    f"[{GOOD}, 5, {GOOD}]": {"broken JSON": 1},
    f"[{GOOD}, {GOOD},]": {"broken JSON": 1},
    f"[{GOOD}, {GOOD}] x": {"broken JSON": 1},
    f"[{GOOD}, {GOOD}": {"truncated input": 1},
    f'[{GOOD}, {GOOD}, {{"a': {"truncated input": 1},
}


@pytest.mark.parametrize(("text", "dropped"), ARRAYS.items())
def test_broken_elements_spoil_no_others(tmp_path, monkeypatch, text, dropped):
    for size in (3, 1 << 16):
        monkeypatch.setattr(json_array, "PIECE_BYTES", size)
        source = write(tmp_path / "a.json", [text])
        counted = Dropped()
        assert len(texts_of(source, errors="skip", dropped=counted)[0]) == 2
        assert counted == dropped
        if dropped:
            with pytest.raises(SpikeError, match=r"a\.json: (record|after byte|byte) \d+"):
                texts_of(source)
    (empty,) = find_sources([tmp_path / "a.json"])[0]
    empty.path.write_text("[]")
    assert texts_of(empty) == ([], [])


def test_bad_rows_of_tables_are_named(tmp_path):
    pq.write_table(
        pa.table({"prompt": ["a", "b"], "response": ["c", None]}), tmp_path / "a.parquet"
    )
    (source,) = find_sources([tmp_path / "a.parquet"])[0]
    with pytest.raises(SpikeError, match=r"a\.parquet: row 1: malformed .*exactly one"):
        texts_of(source)
    table = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["prompt", "prompt"])
    with pa.ipc.new_file(tmp_path / "b.arrow", table.schema) as writer:
        writer.write_table(table)
    (source,) = find_sources([tmp_path / "b.arrow"])[0]
    with pytest.raises(SpikeError, match=r"b\.arrow: has two columns 'prompt'; rename one"):
        texts_of(source)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_damaged_arrow_files_are_one_error(tmp_path, kind):
    source = write_table(tmp_path / "a.arrow", kind)
    whole = source.path.read_bytes()
    random = np.random.default_rng(0)
    for number in range(60):
        wrong = bytearray(whole[: len(whole) // 2] if number % 3 == 0 else whole)
        wrong[random.integers(len(wrong))] ^= 1 << random.integers(8)
        source.path.write_bytes(wrong)
        try:
            texts_of(source, errors="skip")
        except SpikeError as error:
            assert "damaged Arrow file" in str(error)


def test_what_is_not_for_training_is_no_error(tmp_path):
    rows = [
        '{"prompt": "a", "completion": "b", "label": true}',
        '{"prompt": "a", "completion": "c", "label": false}',
        '{"messages": [{"role": "assistant", "content": "d", "weight": 0}]}',
    ]
    dropped = Dropped()
    found, _ = texts_of(write(tmp_path / "a.jsonl", rows), dropped=dropped)
    assert len(found) == 1
    assert dropped == {"marked as not for training": 2}
    found, _ = texts_of(write(tmp_path / "a.jsonl", rows[:2]), ignored_keys=["label"])
    assert len(found) == 2

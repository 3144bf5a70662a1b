"""Parquet of every shape is read in memory for a batch and the largest row, and read right."""

from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datapipe import find_sources, read_range
from datapipe.sources import parquet
from datapipe.sources.bad_records import Dropped
from datapipe.sources.source_range import SourceRange
from spiketok.errors import SpikeError

MIB = 1 << 20
BATCH_BYTES = MIB
POOLS = []  # what was allocated from a pool may outlive a test


def text(size, seed):
    return Random(seed).randbytes(size // 2).hex()


LONG = [text(MIB // 8, seed) for seed in range(3)]
SHAPES = {
    # 300 rows of 128 KiB, of which three are different.
    "repeated": [LONG[number % 3] for number in range(300)],
    "repeated, then different": LONG * 60 + [text(2000, seed) for seed in range(1000)],
    "small, then large": ["a"] * 5000 + [text(MIB // 16, seed) for seed in range(200)],
    "large among small": [
        text(2 * MIB, 1) if number == 700 else text(100 + number, number) for number in range(2000)
    ],
    "null among large": [None if number % 3 else LONG[number % 2] for number in range(300)],
    "rising": [text(number**2 // 8, number) for number in range(500)],
}
# Arrow looks at a page's size after each so many rows; a page is decompressed whole.
OPTIONS = {"write_batch_size": 1}
DICTIONARY = pa.dictionary(pa.int32(), pa.string())
WRITTEN = {
    "plain": {"use_dictionary": False},
    "dictionary": {"dictionary_pagesize_limit": 16 * MIB},
    "dictionary type": {},
    "default": {},
    "prefixes": {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    "lengths": {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}},
}


@pytest.fixture(autouse=True)
def own_pool():
    """Restore Arrow's memory pool after a test that sets another."""
    before = pa.default_memory_pool()
    yield
    pa.set_memory_pool(before)


def test_null_columns_hold_null_texts(tmp_path):
    """Writers give a part of a data set without any text the type null."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.nulls(3), "n": [1, 2, 3]}), path)
    (source,), _ = find_sources([path])
    dropped = Dropped()
    assert not sum(map(len, read_range(SourceRange(source), errors="skip", dropped=dropped)))
    assert dropped == {"null text": 3}
    with pytest.raises(SpikeError, match="row 0: null text"):
        list(read_range(SourceRange(source)))
    pq.write_table(pa.table({"text": pa.nulls(0)}), path)
    (source,), _ = find_sources([path])
    assert not list(read_range(SourceRange(source)))


def test_two_columns_of_one_name_are_said(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, path)
    (source,), _ = find_sources([path])
    for errors in ("strict", "skip"):
        with pytest.raises(SpikeError, match="has two columns 'text'; rename one"):
            list(read_range(SourceRange(source), errors=errors))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("written", WRITTEN)
def test_memory_is_a_batch_the_largest_row_and_the_dictionary(
    tmp_path, monkeypatch, shape, written
):
    monkeypatch.setattr(parquet, "SMALL_GROUP_BYTES", MIB)
    monkeypatch.setattr(parquet, "BATCH_BYTES", BATCH_BYTES)
    texts, path = SHAPES[shape], tmp_path / "a.parquet"
    kind = DICTIONARY if written == "dictionary type" else pa.string()
    table = pa.table({"text": pa.array(texts).cast(kind)})
    pq.write_table(table, path, **OPTIONS, **WRITTEN[written])
    del table
    pool = pa.proxy_memory_pool(pa.system_memory_pool())
    POOLS.append(pool)
    pa.set_memory_pool(pool)
    (source,), _ = find_sources([path])
    largest = max(len(text) for text in texts if text)
    different = sum(len(text) for text in {*texts} if text)
    expected = [(text, row) for row, text in enumerate(texts) if text]
    found = 0
    for batch in read_range(SourceRange(source), errors="skip"):
        assert batch["text"].nbytes <= BATCH_BYTES + largest + 9 * len(batch)
        for given, row in zip(batch["text"], batch["row"].to_pylist(), strict=True):
            assert (given.as_py().decode(), row) == expected[found]
            found += 1
    assert found == len(expected)
    in_dictionary = different if written.startswith("dictionary") else MIB // 4
    assert pool.max_memory() <= 5 * BATCH_BYTES + 4 * largest + 6 * in_dictionary


def test_a_row_group_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "SMALL_GROUP_BYTES", MIB)
    monkeypatch.setattr(parquet, "BATCH_BYTES", BATCH_BYTES)
    path = tmp_path / "a.parquet"
    texts = [text(MIB // 16, seed) for seed in range(400)]
    options = {"use_dictionary": False, "compression": "none", "data_page_size": MIB // 4}
    pq.write_table(pa.table({"text": texts}), path, **OPTIONS, **options)
    # What is read ahead comes from the pool of Arrow's C++, whatever pool Python sets.
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    (source,), _ = find_sources([path])
    rows = most = 0
    for batch in read_range(SourceRange(source)):
        rows += len(batch)
        most = max(most, pool.bytes_allocated() - before)
    assert rows == len(texts)
    assert path.stat().st_size > 24 * MIB
    assert most <= 8 * BATCH_BYTES


def test_rows_above_the_limit_are_left_out(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a" * 10, "b" * 11, None, "c"]}), path)
    (source,), _ = find_sources([path])
    dropped = Dropped()
    found = []
    for batch in read_range(SourceRange(source), errors="skip", dropped=dropped, max_record=10):
        found += batch["text"].to_pylist()
    assert found == [b"a" * 10, b"c"]
    assert dropped == {"larger than --max-record": 1, "null text": 1}
    with pytest.raises(SpikeError, match="row 1: larger than --max-record"):
        list(read_range(SourceRange(source), max_record=10))


def test_dictionaries_of_arrow_files_are_decoded_by_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH_BYTES", MIB)
    texts = SHAPES["null among large"]
    table = pa.table({"text": pa.array(texts).cast(DICTIONARY)})
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    (source,), _ = find_sources([tmp_path / "a.arrow"])
    found = []
    for batch in read_range(SourceRange(source), errors="skip"):
        assert batch["text"].nbytes <= MIB + 9 * len(batch)
        rows = batch["row"].to_pylist()
        found += zip((text.decode() for text in batch["text"].to_pylist()), rows, strict=True)
    assert found == [(text, row) for row, text in enumerate(texts) if text]


def test_what_arrow_cannot_read_is_not_called_damaged(tmp_path):
    path = tmp_path / "a.parquet"
    column = pa.array(["one", "two"]).cast(DICTIONARY)
    pq.write_table(pa.table({"text": column}), path, **WRITTEN["prefixes"])
    (source,), _ = find_sources([path])
    with pytest.raises(SpikeError, match=r"pyarrow [0-9.]+ cannot read it"):
        list(read_range(SourceRange(source), errors="skip"))

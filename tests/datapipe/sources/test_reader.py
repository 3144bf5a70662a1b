import csv
import gzip
import json
from io import StringIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import Dropped, find_sources, read_range, read_texts
from datapipe.sources import csv_table, json_array, parquet
from datapipe.sources.arrow_tables import table_records
from datapipe.sources.bad_records import ErrorPolicy
from datapipe.sources.source_range import SourceRange
from spiketok.errors import SpikeError


def source_at(path):
    return find_sources([path])[0][0]


def documents(source, start=0, stop=-1, errors="strict", dropped=None, text_field="text"):
    found = []
    for batch in read_range(SourceRange(source, start, stop), text_field, errors, dropped):
        assert batch.schema.types == [pa.large_binary(), pa.int64()]
        found += zip(batch["text"].to_pylist(), batch["row"].to_pylist(), strict=True)
    return found


TYPES = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_parquet_columns_of_text(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH_BYTES", 100)
    texts = [f"text {number % 9}" for number in range(100)]
    table = pa.table({"n": range(100), "text": pa.array(texts).cast(kind)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=30)
    source = source_at(tmp_path / "a.parquet")
    expected = [(text.encode(), row) for row, text in enumerate(texts)]
    assert documents(source) == expected
    assert documents(source, 1, 3) == expected[30:90]
    assert documents(source, 3, 4) == expected[90:]


def test_parquet_faults(tmp_path):
    texts = [b"good", None, b"bad \xff", b"", b"good too"]
    pq.write_table(pa.table({"text": pa.array(texts, pa.binary())}), tmp_path / "a.parquet")
    source = source_at(tmp_path / "a.parquet")
    with pytest.raises(SpikeError, match=r"a\.parquet: row 1: null text"):
        documents(source)
    dropped = Dropped()
    assert documents(source, errors="skip", dropped=dropped) == [(b"good", 0), (b"good too", 4)]
    assert dropped == {"null text": 1, "invalid UTF-8": 1, "empty": 1}
    dropped = Dropped()
    found = documents(source, errors="replace", dropped=dropped)
    assert found == [(b"good", 0), ("bad \ufffd".encode(), 2), (b"good too", 4)]
    assert dropped == {"null text": 1, "empty": 1}


def test_parquet_files_without_text_are_refused(tmp_path):
    pq.write_table(pa.table({"body": ["a"], "n": [1]}), tmp_path / "a.parquet")
    source = source_at(tmp_path / "a.parquet")
    with pytest.raises(SpikeError, match=r"no column 'text' \(but 'body', 'n'\)"):
        documents(source)
    with pytest.raises(SpikeError, match="'n' has int64, not text; pass --text-field body"):
        documents(source, text_field="n")
    assert documents(source, text_field="body") == [(b"a", 0)]


def test_damaged_parquet_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["some text"] * 1000}), path)
    whole = path.read_bytes()
    for spoilt in (b"", b"PAR1", whole[:-20], whole[: len(whole) // 2]):
        path.write_bytes(spoilt)
        with pytest.raises(SpikeError, match=r"a\.parquet: is a damaged parquet file.*; download"):
            documents(source_at(path), errors="skip")


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_checksums_of_parquet_pages_are_compared(tmp_path, compression):
    """One byte of text that is another letter gives as good a document but for the checksum."""
    path = tmp_path / "a.parquet"
    rows = [[{"role": "user", "content": "question"}, {"role": "x", "content": "answer"}]]
    table = pa.table({"text": ["some words"], "messages": rows})
    options = {"use_dictionary": False, "write_statistics": False, "compression": compression}
    pq.write_table(table, path, write_page_checksum=True, **options)
    whole = path.read_bytes()
    damage = r"a\.parquet: is a damaged parquet file: .*checksum.*; download it again"
    for word, read in ((b"words", documents), (b"answer", conversations)):
        path.write_bytes(whole)
        assert read(source_at(path))
        assert whole.count(word) == 1
        path.write_bytes(whole.replace(word, b"b" + word[1:], 1))
        with pytest.raises(SpikeError, match=damage):
            read(source_at(path))


def conversations(source):
    """Return the rows of a table as objects."""
    return list(
        table_records(SourceRange(source), ErrorPolicy(source.shown, "strict"), lambda _: None)
    )


def test_txt_is_one_document(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"two\nlines\n")
    assert documents(source_at(path)) == [(b"two\nlines\n", 0)]
    path.write_bytes(b"bad \xff")
    with pytest.raises(SpikeError, match=r"a\.txt: the text: invalid UTF-8 .* at byte 4"):
        documents(source_at(path))
    dropped = Dropped()
    assert documents(source_at(path), errors="skip", dropped=dropped) == []
    assert dropped == {"invalid UTF-8": 1}
    assert documents(source_at(path), errors="replace") == [("bad \ufffd".encode(), 0)]
    path.write_bytes(b"")
    assert documents(source_at(path), dropped=dropped) == []
    assert dropped["empty"] == 1


def test_texts_of_all_sources_in_order(corpus):
    sources = find_sources([corpus])[0]
    heard = []
    texts = [text for batch in read_texts(sources, report=heard.append) for text in batch["text"]]
    assert [text.as_py() for text in texts] == [
        text for source in sources for text, _ in documents(source)
    ]
    assert heard == sorted(heard)


def test_unknown_policy_is_refused(corpus):
    with pytest.raises(SpikeError, match="is unknown; use one of strict, replace, skip"):
        documents(source_at(corpus / "e.txt"), errors="lenient")


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_compressed_text_is_text(tmp_path, ending):
    path = tmp_path / f"a.md{ending}"
    text = "compressed ünïcode\n".encode() * 500
    with pa.output_stream(path, compression={".gz": "gzip", ".zst": "zstd"}[ending]) as stream:
        stream.write(text)
    assert documents(source_at(path)) == [(text, 0)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", r"a\.png: the text: no text but binary content \(by"),
        ("a.txt", "text".encode("utf-16"), "UTF-16; convert it with iconv"),
    ],
)
def test_files_that_are_no_text_say_what_to_do(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpikeError, match=message):
        documents(source_at(tmp_path / name))
    if name in ("a.png", "a.txt"):
        for errors in ("skip", "replace"):
            dropped = Dropped()
            assert documents(source_at(tmp_path / name), errors=errors, dropped=dropped) == []
            assert dropped == {"no text but binary content": 1}


@pytest.mark.parametrize("kind", ["file", "stream", "datasets"])
def test_text_of_arrow_files(tmp_path, kind):
    texts = [f"text {number}" * (number % 7) for number in range(700)]
    table = pa.table({"text": [*texts, None], "n": range(701)})
    path = tmp_path / "a.arrow"
    if kind == "datasets":
        dataset = pytest.importorskip("datasets").Dataset.from_dict(table.to_pydict())
        dataset.save_to_disk(tmp_path / "saved")
        path = tmp_path / "saved"
    else:
        opened = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with opened(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=300)
    (source,) = find_sources([path])[0]
    dropped = Dropped()
    batches = list(read_range(SourceRange(source), errors="skip", dropped=dropped))
    found = {row: text for batch in batches for text, row in zip(*batch.columns, strict=True)}
    wanted = {row: text.encode() for row, text in enumerate(texts) if text}
    assert {row.as_py(): text.as_py() for row, text in found.items()} == wanted
    assert dropped == {"empty": 100, "null text": 1}
    with pytest.raises(SpikeError, match=r"no column 'body' \(but 'text', 'n'\)"):
        list(read_range(SourceRange(source), "body"))


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_two_csv_columns_of_one_name_are_said(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    for heading, row in ((b"text,n,text", b"a,1,b"), (b"text,text,n,n", b"a,b,1,\xff")):
        lines = heading + b"\n" + row + b"\n"
        path.write_bytes(lines if ending == "csv" else lines.replace(b",", b"\t"))
        with pytest.raises(SpikeError, match=f"a.{ending}: has two columns 'text'; rename one"):
            documents(source_at(path))
    path.write_bytes(path.read_bytes().replace(b"text", b"body", 1))
    assert documents(source_at(path)) == [(b"b", 0)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.csv.zst"])
def test_csv_columns_of_text(tmp_path, monkeypatch, name):
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 200)
    texts = ["plain", 'quoted "words", and\nlines', "NULL", "", "naïve"] * 9
    content = StringIO()
    writer = csv.writer(content, delimiter="\t" if ".tsv" in name else ",")
    writer.writerows([["id", "text"], *enumerate(texts)])
    data = b"\xef\xbb\xbf" + content.getvalue().encode()
    compression = {".gz": "gzip", ".zst": "zstd"}.get((tmp_path / name).suffix)
    with pa.output_stream(tmp_path / name, compression=compression) as stream:
        stream.write(data)
    found = documents(source_at(tmp_path / name))
    assert found == [(text.encode(), row) for row, text in enumerate(texts) if text]
    told = r"'body' \(but 'id', 'text'\); name one .*--text-field, or .*--ext "
    with pytest.raises(SpikeError, match=told + ("tsv" if ".tsv" in name else "csv")):
        documents(source_at(tmp_path / name), text_field="body")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_only_column_is_named_as_an_option(tmp_path, name):
    table = pa.table({"the body": ["a"]})
    write = pq.write_table if name == "a.parquet" else pa.csv.write_csv
    write(table, tmp_path / name)
    with pytest.raises(SpikeError, match=r"but 'the body'\); pass --text-field 'the body'"):
        documents(source_at(tmp_path / name))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv_rows_that_are_no_utf8_go_by_the_policy(tmp_path, pack, mark, capfd):
    path = tmp_path / ("a.csv" if pack is bytes else "a.csv.gz")
    rows = ["text,é", "naïve,1", "\udcff\udce9,2,3", "a\udcff,4", "last,5"]
    path.write_bytes(pack(mark + "\n".join(rows).encode("utf-8", "surrogateescape")))
    with pytest.raises(SpikeError, match=r"row 3: broken CSV \(3 columns instead of 2\)"):
        list(read_range(SourceRange(source_at(path))))
    for errors, kept, lost in (
        ("skip", ["naïve", "last"], {"broken CSV": 1, "invalid UTF-8": 1}),
        ("replace", ["naïve", "a\ufffd", "last"], {"broken CSV": 1}),
    ):
        dropped = Dropped()
        found = read_range(SourceRange(source_at(path)), errors=errors, dropped=dropped)
        assert [text.decode() for batch in found for text in batch["text"].to_pylist()] == kept
        assert dropped == lost
    numbers = [b["text"].to_pylist() for b in read_range(SourceRange(source_at(path)), "é", "skip")]
    assert numbers == [[b"1", b"4", b"5"]]
    assert capfd.readouterr().err == ""


def test_broken_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,n\none,1\ntwo\nbad \xff,3\nfour,4\n")
    with pytest.raises(SpikeError, match=r"a\.csv: row 3: broken CSV \(1 columns instead of 2\)"):
        documents(source_at(path))
    dropped = Dropped()
    found = documents(source_at(path), errors="skip", dropped=dropped)
    assert found == [(b"one", 0), (b"four", 2)]
    assert dropped == {"broken CSV": 1, "invalid UTF-8": 1}
    path.write_bytes(b"")
    with pytest.raises(SpikeError, match=r"a\.csv: Empty CSV file"):
        documents(source_at(path))
    path.write_bytes(b"text\n" + b"a" * (20 << 20) + b"\nb\n")
    with pytest.raises(SpikeError, match=r"a\.csv: has a row of more than 8 MiB, or .*; repair"):
        documents(source_at(path))


def test_quotes_that_are_not_closed_are_broken_csv(tmp_path):
    path = tmp_path / "a.csv"
    rows_of_quotes = ['a,"b"', "c,d", '"', '"e,f', "g", 'h"', '""', 'i,"']

    @settings(max_examples=200)
    @given(
        st.sampled_from(["n,text", "text"]), st.lists(st.sampled_from(rows_of_quotes), max_size=9)
    )
    def reads(head, rows):
        path.write_text("\n".join([head, *rows]))
        # By definition: what comes after the file stands in its last value.
        lines = path.read_text().splitlines(keepends=True)
        names, *found = filter(None, csv.reader([*lines, "\n", "THE END"]))
        whole = found[-1] == ["THE END"]
        good = [row for row in found[:-1] if len(row) == len(names)]
        broken = len(found) - 1 - len(good) + (not whole)
        dropped, source = Dropped(), source_at(path)
        texts = [text.decode() for text, _ in documents(source, errors="skip", dropped=dropped)]
        assert texts == [row[-1] for row in good if row[-1]]
        assert dropped["broken CSV"] == broken
        if broken == 1 and not whole:
            place = rf"a\.csv: row {len(found) + 1}: .*a quote in it is not closed"
            with pytest.raises(SpikeError, match=place):
                documents(source)

    reads()
    path.write_text('n,"text\n1,a\n')
    with pytest.raises(SpikeError, match=r"a\.csv: row 1: it is empty, or a quote in it is not cl"):
        documents(source_at(path))


def test_json_arrays_of_text(tmp_path, monkeypatch):
    monkeypatch.setattr(json_array, "BLOCK_BYTES", 100)
    texts = [f"text {number}" * (number % 5) + "é" for number in range(50)]
    content = json.dumps([{"id": 1, "text": text} for text in texts], indent=1).encode()
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + content)
    found = documents(source_at(path))
    assert [text.decode() for text, _ in found] == texts
    assert all(path.read_bytes()[row:].startswith(b"{") for _, row in found)
    path.write_bytes(b'[{"text": "a"}, {"body": "b"}, {"text": "c"}]')
    with pytest.raises(SpikeError, match=r"a\.json: record 2 \(byte 16\): no text field"):
        documents(source_at(path))
    dropped = Dropped()
    found = documents(source_at(path), errors="skip", dropped=dropped)
    assert found == [(b"a", 1), (b"c", 31)]
    assert dropped == {"no text field": 1}
    with pytest.raises(SpikeError, match=r"record 1 \(byte 1\): larger than --max-record"):
        list(read_range(SourceRange(source_at(path)), max_record=12))
    path.write_bytes(b'{"text": "a"}\n{"text": "b"}\n')
    assert documents(source_at(path)) == [(b"a", 0), (b"b", 14)]
    assert find_sources([path], ["json"])[0][0].kind == "txt"

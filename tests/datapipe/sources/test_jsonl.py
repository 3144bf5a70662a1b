import gzip
import json
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe import read_range
from datapipe.sources import jsonl, lines
from datapipe.sources.bad_records import BadRecordError, Dropped, ErrorPolicy
from datapipe.sources.files import Source
from datapipe.sources.jsonl import parse_block, parse_line
from datapipe.sources.source_range import SourceRange
from spiketok.errors import SpikeError

HOSTILE = [
    b'{"text":"a","text":"b"}',
    b'{"x":1,"text":"a","x":2}',
    b'{"text":1}',
    b'{"text":null}',
    b"{}",
    b'{"text":"\\ud800"}',
    b'{"text":"\\udc00 \\ud83d\\ude00"}',
    b'{"text":"\xff"}',
    b'{"text":"a","b":"\xff"}',
    b'{"text":"\xed\xa0\x80"}',
    b'{"text":"a"} {"text":"b"}',
    b'{"text":"a"}{"text":"b"}',
    b'{"text":"a"}\r{"text":"b"}',
    b'{"text":"a"} {"x":{}',
    b'{"text":',
    b'"a"}',
    b'{"text":"a"}\0{"text":"b"}',
    b'{"text":"\0"}',
    b'{"text":"\\u0000"}',
    b"[1]",
    b'["text"]',
    b"1",
    b'{"text":"a",}',
    b'{"text":"a","n":01}',
    b'{"text":"a","n":-NaN}',
    b'{"text":"a","n":NaN}',
    b'{"text":"a","n":Inf}',
    b'{"text":NaN}',
    b'{"text":"a","n":1e999}',
    b'{"text":"a","n":' + b"9" * 5000 + b"}",
    b'{"text":"a","n":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"te\\u0078t":"a"}',
    b'{"text":{"text":"a"}}',
    b'{"text":["a"]}',
    b'{"text":"\\x"}',
    b'{"text":""}',
    b' {"text":"a"}',
    b'{"text":"a"} ',
    b'{"text":"a"}\r',
    b"",
    b"  ",
    b"\r",
    b'\xef\xbb\xbf{"text":"a"}',
    b'{"text":"caf\xc3\xa9","id":7}',
    b'{"id":{"a":[{}]},"text":"x"}',
]


def write(folder, content, name="a.jsonl"):
    path = Path(folder) / name
    path.write_bytes(content)
    return Source(name, path, "".join(path.suffixes)[1:], len(content))


def documents(source, start=0, stop=-1, errors="strict", dropped=None):
    found = []
    for batch in read_range(SourceRange(source, start, stop), errors=errors, dropped=dropped):
        found += zip(batch["text"].to_pylist(), batch["row"].to_pylist(), strict=True)
    return found


def by_definition(block, errors):
    """Parse line by line with the definition alone."""
    found, dropped, start = [], Dropped(), 0
    faults = ErrorPolicy(Path("x"), errors)
    for line in block.split(b"\n"):
        record = line.removeprefix(b"\xef\xbb\xbf")
        if record.strip(b" \t\r"):
            try:
                found.append((parse_line(record, "text", faults), start))
            except BadRecordError as fault:
                dropped[fault.reason] += 1
        start += len(line) + 1
    return found, dropped


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_quick_way_agrees_with_the_definition_wherever_it_answers(chosen, newline):
    block = newline.encode().join(chosen)
    quick = parse_block(block, "text")
    found, dropped = by_definition(block, "skip")
    if quick is not None:
        assert not dropped
        assert list(zip(quick[0].to_pylist(), quick[1].tolist(), strict=True)) == found


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.booleans())
def test_quick_way_answers_for_clean_lines(texts, ascii_only):
    records = [json.dumps({"n": 1, "text": text}, ensure_ascii=ascii_only) for text in texts]
    block = "".join(record + "\n" for record in records).encode()
    if texts:
        quick = parse_block(block, "text")
        assert quick is not None
        assert quick[0].to_pylist() == [text.encode() for text in texts]


@given(st.lists(st.sampled_from(HOSTILE), max_size=8), st.integers(1, 40))
def test_large_lines_are_read_as_others(tmp_path_factory, chosen, block_bytes):
    source = write(tmp_path_factory.mktemp("j"), b"\n".join(chosen))
    found = []
    for size in (block_bytes, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines, "PIECE_BYTES", 7)
            patch.setattr(lines, "BLOCK_BYTES", size)
            patch.setattr(jsonl, "LARGE_BYTES", size)
            dropped = Dropped()
            found.append((documents(source, errors="skip", dropped=dropped), dropped))
    assert found[0] == found[1]


@given(st.lists(st.sampled_from(HOSTILE), max_size=8), st.sampled_from(["skip", "replace"]))
def test_each_record_is_kept_or_counted(tmp_path_factory, chosen, errors):
    content = b"\n".join(chosen)
    source = write(tmp_path_factory.mktemp("j"), content)
    dropped = Dropped()
    found = documents(source, errors=errors, dropped=dropped)
    expected, lost = by_definition(content, errors)
    empty = sum(not text for text, _ in expected)
    assert found == [(text, row) for text, row in expected if text]
    assert dropped == lost + Counter(empty=empty)
    assert all(text.decode() for text, _ in found)


@given(
    st.lists(st.integers(0, 40), max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.data(),
)
def test_ranges_share_out_the_lines(tmp_path_factory, sizes, newline, ends, data):
    records = [b'{"text":"%s"}' % (b"%d" % number * size) for number, size in enumerate(sizes)]
    content = newline.join(records) + (newline if ends else b"")
    source = write(tmp_path_factory.mktemp("j"), content)
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=5))
    borders = sorted({0, len(content), *cuts})
    joined = [
        found for start, stop in pairwise(borders) for found in documents(source, start, stop)
    ]
    assert joined == documents(source)
    assert [text for text, _ in joined] == [
        b"%d" % number * size for number, size in enumerate(sizes) if size
    ]
    for text, row in joined:
        assert content[row:].startswith(b'{"text":"' + text)


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 1000])
def test_blocks_do_not_matter(tmp_path, monkeypatch, block_bytes):
    content = b"".join(b'{"text":"%s"}\n' % (b"x" * (n % 97 + 1)) for n in range(200))
    source = write(tmp_path, content)
    whole = documents(source)
    monkeypatch.setattr(lines, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(lines, "PIECE_BYTES", 11)
    assert documents(source) == whole
    assert len(whole) == 200


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text":', "broken JSON"),
        (b'{"text":"\xff"}', "invalid UTF-8"),
        (b'{"text":"\\ud800"}', "lone surrogate"),
        (b'{"text":7}', "text is not a string"),
        (b'{"text":null}', "null text"),
        (b"[]", "not an object"),
        (b'{"txt":"a"}', "no text field"),
    ],
)
def test_strict_names_file_line_and_reason(tmp_path, line, reason):
    good = b'{"text":"good"}\n'
    source = write(tmp_path, good * 2 + line + b"\n" + good)
    place = rf"a\.jsonl: line 3 \(byte {2 * len(good)}\): {reason}"
    with pytest.raises(SpikeError, match=place):
        documents(source)
    with pytest.raises(SpikeError, match=place):
        documents(source, start=20, stop=-1)
    packed = write(tmp_path, gzip.compress(source.path.read_bytes()), "b.jsonl.gz")
    with pytest.raises(SpikeError, match=place.replace(r"a\.jsonl", r"b\.jsonl\.gz")):
        documents(packed)
    dropped = Dropped()
    assert len(documents(source, errors="skip", dropped=dropped)) == 3
    assert dropped == {reason: 1}


@pytest.mark.parametrize("kind", ["", ".gz", ".zst"])
def test_joined_files_may_each_begin_with_a_byte_order_mark(tmp_path, kind):
    part = b'\xef\xbb\xbf{"text":"a"}\n{"text":"\xef\xbb\xbfb"}\n'
    members = [part if not kind else compress(part, kind[1:])] * 2
    source = write(tmp_path, b"".join(members), f"a.jsonl{kind}")
    texts = [text.decode() for text, _ in documents(source)]
    assert texts == ["a", "\ufeffb"] * 2


def test_replace_mends_text(tmp_path):
    source = write(tmp_path, b'{"text":"a\xffb"}\n{"text":"c\\ud800d"}\n')
    found = [text.decode() for text, _ in documents(source, errors="replace")]
    assert found == ["a\ufffdb", "c\ufffdd"]


def compress(content, kind):
    if kind == "gz":
        return gzip.compress(content)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_equals_plain(tmp_path, kind):
    content = b"".join(b'{"text":"%d"}\n' % number for number in range(20000))
    packed = compress(content[:1000], kind) + compress(content[1000:], kind)
    plain = documents(write(tmp_path, content))
    assert documents(write(tmp_path, packed, f"b.jsonl.{kind}")) == plain


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_truncated_stream_is_told_and_the_rest_kept(tmp_path, kind):
    content = b"".join(
        b'{"text":"%d %d"}\n' % (number, number**7 % 1000003) for number in range(50000)
    )
    packed = compress(content, kind)
    source = write(tmp_path, packed[: len(packed) * 9 // 10], f"b.jsonl.{kind}")
    with pytest.raises(SpikeError, match="truncated input"):
        documents(source)
    dropped = Dropped()
    found = documents(source, errors="skip", dropped=dropped)
    assert dropped == {"truncated input": 1}
    assert 10000 < len(found) < 50000
    assert found == documents(write(tmp_path, content))[: len(found)]


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=12),
    st.integers(11, 60),
    st.integers(1, 40),
    st.booleans(),
)
def test_lines_above_the_limit_are_left_out_one_by_one(
    tmp_path_factory, sizes, max_record, piece_bytes, ends
):
    records = [b'{"text":"%s"}' % (b"x" * size) for size in sizes]
    content = b"\n".join(records) + (b"\n" if ends else b"")
    source = write(tmp_path_factory.mktemp("j"), content)
    starts = [sum(len(record) + 1 for record in records[:index]) for index in range(len(records))]
    expected = [
        (b"x" * size, start)
        for record, size, start in zip(records, sizes, starts, strict=True)
        if size and len(record) <= max_record
    ]
    large = sum(len(record) > max_record for record in records)
    empty = sum(record == b'{"text":""}' for record in records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "PIECE_BYTES", piece_bytes)
        patch.setattr(lines, "BLOCK_BYTES", 100)
        for cut in (len(content), len(content) // 2):
            dropped, found = Dropped(), []
            for start, stop in ((0, cut), (cut, len(content))):
                for batch in read_range(
                    SourceRange(source, start, stop),
                    errors="skip",
                    dropped=dropped,
                    max_record=max_record,
                ):
                    found += zip(batch["text"].to_pylist(), batch["row"].to_pylist(), strict=True)
            assert found == expected
            assert +dropped == +Counter({"larger than --max-record": large, "empty": empty})


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_small_file_that_decompresses_to_an_endless_line_takes_no_memory(tmp_path, kind):
    bomb = b'{"text":"a"}\n{"text":"' + b"x" * (64 << 20) + b'"}\n{"text":"b"}\n'
    source = write(tmp_path, compress(bomb, kind), f"a.jsonl.{kind}")
    tracemalloc.start()
    found = []
    for batch in read_range(SourceRange(source), errors="skip", max_record=1 << 20):
        found += batch["text"].to_pylist()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [b"a", b"b"]
    assert most < 8 << 20
    with pytest.raises(SpikeError, match=r"line 2 \(byte 13\): larger than --max-record"):
        list(read_range(SourceRange(source), max_record=1 << 20))

"""Pieces of plain text: where they are cut, that nothing is lost, that reads do not matter."""

import gzip
import json
import tracemalloc
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapipe import (
    Dropped,
    ShardSettings,
    describe,
    find_sources,
    read_range,
    show_document,
    write_shards,
)
from datapipe.sources import plain_text
from datapipe.sources import text_splitting as text_pieces
from datapipe.sources.source_range import SourceRange
from datapipe.sources.text_splitting import Buffer, check_split
from spiketok.errors import SettingError, SpikeError

BLANKS = b" \t\r\n"
SIZE = 7
TEXTS = st.lists(
    st.sampled_from(
        [b"a", b"bc", b"\n", b"\n\n", b" ", b"\r\n", b"--", b"-", "é😀".encode(), b"\xe2"]
    )
).map(b"".join)
SPLITS = ["none", "lines", "paragraphs", str(SIZE), "--"]


def cut(data, split, read_bytes=1 << 20):
    stream = BytesIO(data)
    buffer = Buffer(lambda size: stream.read(min(size, read_bytes)))
    return [(at, bytes(piece)) for at, piece in text_pieces.text_pieces(buffer, split)]


def with_offsets(pieces):
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    return list(zip(starts, pieces, strict=False))


def lines_by_definition(data, paragraphs):
    """Begin a piece at each line that is not blank, or at each such line after a blank one."""
    pieces, is_begun, after_blank = [b""], False, True
    for line in data.splitlines(keepends=True) if b"\r" not in data else split_lines(data):
        blank = not line.strip(BLANKS)
        if not blank and is_begun and (after_blank or not paragraphs):
            pieces.append(b"")
        pieces[-1] += line
        is_begun, after_blank = is_begun or not blank, blank
    return with_offsets(pieces)


def split_lines(data):
    parts = [part + b"\n" for part in data.split(b"\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


def even_by_definition(data, size):
    cuts = [0]
    for begin in range(size, len(data) - size // 2 + 1, size):
        block = data[begin : begin + size]
        ends = [
            at
            for at in range(2, len(block) + 1)
            if block[at - 1 : at] == b"\n"
            and b"\n" in block[: at - 1]
            and not block[: at - 1].rpartition(b"\n")[2].strip(BLANKS)
        ]
        # Later line ends belong to the first run of blank lines as long as all between is blank.
        runs = [at for at in ends if not block[ends[0] : at].strip(BLANKS)] if ends else []
        if runs:
            cuts.append(begin + runs[-1])
        elif b"\n" in block:
            cuts.append(begin + block.index(b"\n") + 1)
        else:
            starts = [at for at in range(begin, begin - 4, -1) if data[at] & 0xC0 != 0x80]
            cuts.append(starts[0] if starts else begin)
    cuts = sorted({*cuts, len(data)} | {0})
    return [(start, data[start:stop]) for start, stop in pairwise(cuts)] or [(0, b"")]


def marked_by_definition(data, marker):
    parts, found, at = data.split(marker), [], 0
    for number, part in enumerate(parts):
        text = part.lstrip(BLANKS) if number else part
        begin = at + len(part) - len(text)
        text = text.rstrip(BLANKS) if number < len(parts) - 1 else text
        if text:
            found.append((begin, text))
        at += len(part) + len(marker)
    return found or [(0, b"")]


@pytest.mark.parametrize("split", SPLITS)
@given(data=TEXTS, read_bytes=st.integers(1, 9))
@example(data=b"", read_bytes=1)
@example(data=b"\n \n", read_bytes=1)
@example(data=b"a\n  b\n \n", read_bytes=1)
def test_pieces_are_those_of_the_definition(split, data, read_bytes):
    expected = {
        "none": lambda: [(0, data)],
        "lines": lambda: lines_by_definition(data, paragraphs=False),
        "paragraphs": lambda: lines_by_definition(data, paragraphs=True),
        str(SIZE): lambda: even_by_definition(data, SIZE),
        "--": lambda: marked_by_definition(data, b"--"),
    }[split]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_pieces, "READ_BYTES", read_bytes)
        pieces = cut(data, split, read_bytes)
    assert pieces == expected
    if split != "--":
        assert b"".join(piece for _, piece in pieces) == data
        repaired = "".join(piece.decode("utf-8", "replace") for _, piece in pieces)
        assert repaired == data.decode("utf-8", "replace")


@given(data=st.binary(max_size=80))
def test_cuts_between_code_points_repair_to_the_same_text(data):
    pieces = [piece for _, piece in cut(data.replace(b"\n", b"\x80"), str(SIZE))]
    joined = b"".join(pieces)
    repaired = "".join(piece.decode("utf-8", "replace") for piece in pieces)
    assert repaired == joined.decode("utf-8", "replace")
    assert all(len(piece) <= 2 * SIZE for piece in pieces)


def test_auto_cuts_large_texts_at_blank_lines():
    line = b"a line of the text, and then some more of it\n"
    text = b"".join(line * (3 + number % 5) + b"\n" for number in range(3000))
    assert cut(text[: text_pieces.AUTO_ABOVE], "auto") == [(0, text[: text_pieces.AUTO_ABOVE])]
    pieces = [piece for _, piece in cut(text, "auto")]
    assert b"".join(pieces) == text
    assert len(pieces) == round(len(text) / text_pieces.AUTO_BYTES)
    assert all(piece.endswith(b"\n\n") for piece in pieces[:-1])
    sizes = [len(piece) for piece in pieces[:-1]]
    assert max(abs(size - text_pieces.AUTO_BYTES) for size in sizes) < 300
    changed = text[:-100_000] + text[-100_000:].replace(b"and", b"AND")
    same = [piece for _, piece in cut(changed, "auto")]
    assert same[: len(pieces) - 5] == pieces[:-5]


@pytest.mark.parametrize("split", ["", "1", "1023", "-5", "line", "64k", "32KiB", "1.5MB"])
def test_ways_to_split_that_mean_nothing_are_refused(split):
    with pytest.raises(SettingError, match="split_text"):
        check_split(split)


def documents(path, split, errors="strict", dropped=None):
    (source,) = find_sources([path])[0]
    return [
        pair
        for batch in read_range(SourceRange(source), "text", errors, dropped, split_text=split)
        for pair in zip(batch["row"].to_pylist(), batch["text"].to_pylist(), strict=True)
    ]


@pytest.mark.parametrize("split", ["auto", "lines", "paragraphs", "5000", "a word"])
def test_files_are_read_in_pieces_whatever_their_compression(tmp_path, monkeypatch, split):
    monkeypatch.setattr(plain_text, "BATCH_BYTES", 50_000)
    text = b"".join(
        b"line %d with a word\n" % number + b"\n" * (number % 7 == 0) for number in range(30_000)
    )
    (tmp_path / "a.txt").write_bytes(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text))
    found = documents(tmp_path / "a.txt", split)
    assert found == cut(text, split) == documents(tmp_path / "a.txt.gz", split)
    assert len(found) > 10


def test_one_broken_piece_is_lost_or_repaired_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\nbad \xff\nfine\n")
    with pytest.raises(SpikeError, match=r"a\.txt: the text from byte 5: invalid UTF-8 .* byte 4"):
        documents(path, "lines")
    dropped = Dropped()
    found = documents(path, "lines", "skip", dropped)
    assert found == [(0, b"good\n"), (12 - 1, b"fine\n")]
    assert dropped == {"invalid UTF-8": 1}
    assert documents(path, "lines", "replace")[1] == (5, "bad \ufffd\n".encode())


def test_a_cut_file_keeps_the_text_before_the_cut(tmp_path):
    lines = [f"line {number} of the text {number * 7919}\n".encode() for number in range(20_000)]
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"".join(lines))[:-30_000])
    with pytest.raises(SpikeError, match="truncated input"):
        documents(path, "lines")
    dropped = Dropped()
    found = [text for _, text in documents(path, "lines", "skip", dropped)]
    assert found[:-1] == lines[: len(found) - 1]
    assert len(found) > 1000
    assert dropped["truncated input"] == 1


def test_memory_does_not_grow_with_the_text(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        for number in range(45):
            file.write((b"%d text of a line\n" % number * 60 + b"\n") * 900)
    (source,) = find_sources([path])[0]
    tracemalloc.start()
    size = sum(batch["text"].nbytes for batch in read_range(SourceRange(source), split_text="auto"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > source.bytes
    assert source.bytes > 40e6 > 3 * peak


def test_shards_of_one_text(tmp_path, tokenizer_path):
    text = b"".join(b"the %d and the other of it\n\n" % number for number in range(20_000))
    (tmp_path / "input.txt").write_bytes(text)
    sources, _ = find_sources([tmp_path / "input.txt"])
    for out, split in (("auto", None), ("none", "none"), ("lines", "lines")):
        settings = ShardSettings(**({"split_text": split} if split else {}), validation=0)
        write_shards(sources, tokenizer_path, tmp_path / out, settings)
        planned = json.loads((tmp_path / out / "plan.json").read_text())["settings"]
        assert planned["split_text"] == out
        found = describe(tmp_path / out)
        assert found["text_bytes"] == len(text)
        number = found["documents"] - 1
        shown = show_document(tmp_path / out, "train", number)
        assert text[shown["row"] :].decode() == shown["text"]
    assert describe(tmp_path / "auto")["documents"] == round(len(text) / text_pieces.AUTO_BYTES)
    assert describe(tmp_path / "none")["documents"] == 1
    assert describe(tmp_path / "lines")["documents"] == 20_000
    with pytest.raises(SpikeError, match="split_text was 'auto' and is now 'none'"):
        write_shards(
            sources,
            tokenizer_path,
            tmp_path / "auto",
            ShardSettings(split_text="none", validation=0),
        )


def test_small_texts_and_records_do_not_depend_on_the_splitting(shard, content_of, tmp_path):
    contents = []
    for split in ("auto", "none", str(1 << 20)):
        shard(tmp_path / split, settings=ShardSettings(split_text=split, validation=0.2))
        content = content_of(tmp_path / split)
        contents.append({name: data for name, data in content.items() if name.endswith(".arrow")})
    assert contents[0] == contents[1] == contents[2]

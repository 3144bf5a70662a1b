"""Damaged gzip and zstd files keep all that they delivered; sound but unusual ones are read."""

import gzip
import zlib
from itertools import pairwise

import pyarrow as pa
import pytest

from datapipe import ShardSettings, find_sources, read_range, read_texts, write_shards
from datapipe.sources.bad_records import Dropped
from datapipe.sources.decompression import DamagedStreamError, open_decompressed
from datapipe.sources.source_range import SourceRange
from datapipe.sources.zstd_frames import read_header
from spiketok.errors import SpikeError

LINES = [b'{"text":"%d %d"}\n' % (number, number**7 % 1000003) for number in range(3000)]
SKIPPABLE = bytes.fromhex("502a4d18 05000000") + b"about"
# A header that asks for a window of 2^31 bytes (as zstd --long=31 does), and an empty last block.
LONG_WINDOW = bytes.fromhex("28b52ffd 00 a8 010000")
DICTIONARY = bytes.fromhex("28b52ffd 21 2a 00 010000")


def compress(content, codec):
    if codec == "gzip":
        return gzip.compress(content, mtime=0)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def read_all(path, codec, size=1000):
    """Return the content and the damage that ended it, or None."""
    content = b""
    with open_decompressed(path, codec) as stream:
        try:
            while piece := stream.read(size):
                assert len(piece) <= size
                content += piece
        except DamagedStreamError as damage:
            with pytest.raises(DamagedStreamError):
                stream.read(size)
            return content, damage
    return content, None


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_cut_loses_no_whole_member(tmp_path, codec):
    """For cuts in and between 30 small members."""
    members = [compress(line, codec) for line in LINES[:30]]
    ends = [sum(map(len, members[:count])) for count in range(31)]
    packed = b"".join(members)
    for cut in sorted({*range(1, len(packed), 37), *ends}):
        (tmp_path / "a").write_bytes(packed[:cut])
        if cut < 4:
            continue
        content, damage = read_all(tmp_path / "a", codec, 64)
        whole = sum(end <= cut for end in ends[1:])
        assert content.startswith(b"".join(LINES[:whole]))
        assert b"".join(LINES).startswith(content)
        if cut in ends:
            assert damage is None
        else:
            assert damage.cut
            assert damage.position == cut
            assert 0 <= damage.lost_bytes <= cut - ends[whole]


def test_gzip_keeps_what_zlib_gives_byte_by_byte(tmp_path):
    content = b"".join(LINES)
    packed = bytearray(gzip.compress(content))
    for place in (30, 1000, 5000, len(packed) - 6):
        spoilt = bytearray(packed)
        spoilt[place : place + 2] = b"\xff\xff"
        decoder, expected = zlib.decompressobj(31), b""
        with pytest.raises(zlib.error):
            for byte in spoilt:
                expected += decoder.decompress(bytes([byte]))
        (tmp_path / "a").write_bytes(spoilt)
        found, damage = read_all(tmp_path / "a", "gzip")
        assert found == expected
        assert not damage.cut
        assert damage.position + damage.lost_bytes == len(packed)


def test_zstd_keeps_the_blocks_before_damage(tmp_path):
    """Blocks hold 128 KiB of content; only the damaged one and those after it are lost."""
    content = b"".join(b"%d " % (number**7 % 1000003) for number in range(100_000))
    packed = compress(content, "zstd")
    header = read_header(packed)
    starts, place, last = [], header.size, False
    while not last:
        starts.append(place)
        number = int.from_bytes(packed[place : place + 3], "little")
        last, place = number & 1, place + 3 + (number >> 3)
    assert len(starts) >= 4
    for index, (start, stop) in enumerate(pairwise(starts)):
        for cut in (start + 2, stop - 1):
            (tmp_path / "a").write_bytes(packed[:cut])
            found, damage = read_all(tmp_path / "a", "zstd", 65536)
            assert found == content[: index << 17]
            assert damage.cut
        spoilt = bytearray(packed)
        spoilt[start] |= 6  # a reserved kind of block
        (tmp_path / "a").write_bytes(spoilt)
        found, damage = read_all(tmp_path / "a", "zstd", 65536)
        assert found == content[: index << 17]
        assert not damage.cut
        assert start <= damage.position <= start + 3


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("padding", [b"\0", b"\0" * 3, b"\0" * 100_000])
def test_padding_is_no_damage(tmp_path, codec, padding):
    packed = compress(LINES[0], codec) + compress(LINES[1], codec)
    (tmp_path / "a").write_bytes(packed + padding)
    assert read_all(tmp_path / "a", codec) == (LINES[0] + LINES[1], None)
    (tmp_path / "a").write_bytes(packed + padding + b"x")
    content, damage = read_all(tmp_path / "a", codec)
    assert content == LINES[0] + LINES[1]
    assert damage is not None


def test_skippable_frames_are_no_damage(tmp_path):
    frames = [compress(line, "zstd") for line in LINES[:2]]
    for packed in (SKIPPABLE + b"".join(frames), SKIPPABLE.join([*frames, b""])):
        for padding in (b"", b"\0" * 10):
            (tmp_path / "a").write_bytes(packed + padding)
            assert read_all(tmp_path / "a", "zstd") == (LINES[0] + LINES[1], None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl.zst", LONG_WINDOW, "window of 2,048 MiB .* zstd -d --long=31"),
        ("a.jsonl.zst", compress(LINES[0], "zstd") + LONG_WINDOW, "window of 2,048 MiB"),
        ("a.jsonl.zst", DICTIONARY, "zstd dictionary 42"),
        ("a.jsonl.zst", gzip.compress(LINES[0]), "not a zstd file, it begins with 1f 8b"),
        ("a.jsonl.gz", LINES[0], "not a gzip file"),
        ("a.jsonl.gz", b"\0" * 100, "not a gzip file"),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "replace", "skip"])
def test_a_file_that_cannot_be_read_at_all_is_never_skipped(
    tmp_path, name, content, message, errors
):
    (tmp_path / name).write_bytes(content)
    (source,), _ = find_sources([tmp_path / name])
    with pytest.raises(SpikeError, match=message):
        list(read_range(SourceRange(source), errors=errors))


def test_strict_names_the_byte_of_the_file(tmp_path):
    packed = gzip.compress(b"".join(LINES))
    (tmp_path / "a.jsonl.gz").write_bytes(packed[:-4])
    (source,), _ = find_sources([tmp_path / "a.jsonl.gz"])
    place = f"byte {len(packed) - 4} of the file: truncated input"
    with pytest.raises(SpikeError, match=place):
        list(read_range(SourceRange(source)))


def test_lost_bytes_are_recorded(tmp_path, tokenizer_path):
    packed = gzip.compress(b"".join(LINES[:100])) + b"what follows is no gzip data"
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    sources, _ = find_sources([tmp_path / "a.jsonl.gz"])
    dropped = Dropped()
    kept = [
        len(batch) for batch in read_range(SourceRange(sources[0]), errors="skip", dropped=dropped)
    ]
    assert sum(kept) == 100
    assert dropped == {"damaged input": 1}
    assert dropped.lost_bytes == 28
    cut = gzip.compress(b"".join(LINES[:100]) + b'{"text":"the beginning of a')[:-8]
    (tmp_path / "b.jsonl.gz").write_bytes(cut)
    dropped = Dropped()
    list(
        read_range(
            SourceRange(find_sources([tmp_path / "b.jsonl.gz"])[0][0]), "text", "skip", dropped
        )
    )
    assert dropped == {"truncated input": 1}
    assert dropped.lost_bytes == 27
    settings = ShardSettings(errors="skip")
    manifest = write_shards(sources, tokenizer_path, tmp_path / "data", settings)
    assert manifest.lost_bytes == 28
    assert manifest.documents == 101


def test_a_file_that_cannot_be_read_is_named_before_others_are(tmp_path, tokenizer_path):
    (tmp_path / "a.jsonl").write_bytes(b"".join(LINES))
    (tmp_path / "b.jsonl.zst").write_bytes(LONG_WINDOW)
    sources, _ = find_sources([tmp_path / "a.jsonl", tmp_path / "b.jsonl.zst"])
    heard = []
    with pytest.raises(SpikeError, match="window of 2,048 MiB"):
        list(read_texts(sources, errors="skip", report=heard.append))
    with pytest.raises(SpikeError, match="window of 2,048 MiB"):
        write_shards(sources, tokenizer_path, tmp_path / "d", ShardSettings(), report=heard.append)
    assert heard == []
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("ending", [".jsonl.gz", ".txt.gz"])
def test_a_checksum_behind_a_broken_record_is_told_first(tmp_path, ending):
    """A flipped bit of stored bytes breaks a record long before the checksum is read."""
    path = tmp_path / f"a{ending}"
    whole = gzip.compress(b'{"text": "good"}\n' * 3, compresslevel=0)
    for old, new in ((b'"text"', b"'text\""), (b"good", b"go\xffd")):
        path.write_bytes(whole.replace(old, new, 1))
        with pytest.raises(SpikeError, match=r"byte \d+ of the file: damaged input .*data check"):
            list(read_texts(find_sources([path])[0]))
    path.write_bytes(gzip.compress(b"go\xffd\n"))
    with pytest.raises(SpikeError, match=r"broken JSON|invalid UTF-8"):
        list(read_texts(find_sources([path])[0]))

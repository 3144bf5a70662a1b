"""Shards that change after they were opened: one line, before a window with the change is out."""

import itertools
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import TokenStream, Windows, batches, describe, open_stream, read_split, show_document
from datapipe._reading import read_rows
from datapipe.loader import token_stream as stream_module
from datapipe.shards.checked_reader import shard_documents
from datapipe.shards.checksums import RANGE_BYTES
from datapipe.shards.schema import TokenSchema
from spiketok.errors import SpikeError
from tests.conftest import ROOT
from tests.datapipe.sources.written_streams import described, write_shard

MADE_BY = TokenSchema(fingerprint="", vocab_size=60_000, separator=3)
LENGTH, BATCH = 500, 4
FIRST = np.array([0])


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two shards of a few ranges each, with loss masks and record batches that end anywhere."""
    folder = tmp_path_factory.mktemp("shards")
    random = np.random.default_rng(5)
    found = []
    for name, sizes in (("a", [40_000, 0, 3, 70_001]), ("b", [1, 90_000])):
        parts = [random.integers(4, 60_000, size, dtype=np.uint16) for size in sizes]
        masks = [(part % 3 == 0).astype(np.uint8) for part in parts]
        found.append(write_shard(folder / f"{name}.arrow", parts, MADE_BY, masks))
    return found


@pytest.fixture
def copies(shards, tmp_path):
    """The same shards, to be spoilt."""
    for shard in shards:
        shutil.copy(shard.path, tmp_path)
    return [
        described(tmp_path / shard.path.name, shard.tokens, MADE_BY, masked=True)
        for shard in shards
    ]


def overwrite(path, position, data):
    """Change bytes in place, as a disk or another program does."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


def epoch_of(stream):
    """Yield the batches of one epoch, the last one going on into the next."""
    count = Windows(stream, LENGTH).count
    return itertools.islice(batches(stream, LENGTH, BATCH, seed=1), -(-count // BATCH))


def flipped(path, position):
    byte = path.read_bytes()[position]
    overwrite(path, position, bytes([byte ^ (1 << position % 8)]))


def test_any_flipped_byte_that_a_window_reads_is_noticed_before_the_window_is_out(copies):
    whole = [list(map(list, zip(*batch, strict=True))) for batch in epoch_of(stream_of(copies))]
    sizes = [shard.size for shard in copies]

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, sum(sizes) - 1))
    def flip(place):
        number = int(place >= sizes[0])
        path, position = copies[number].path, place - number * sizes[0]
        stream = stream_of(copies)
        stream.read(np.array([0, copies[0].tokens]), 1)
        stream.start_epoch()
        flipped(path, position)
        delivered, sentence = 0, ""
        try:
            for batch, expected in zip(epoch_of(stream), whole, strict=True):
                assert all(
                    np.array_equal(found, wanted)
                    for row, old in zip(zip(*batch, strict=True), expected, strict=True)
                    for found, wanted in zip(row, old, strict=True)
                )
                delivered += 1
        except SpikeError as error:
            sentence = str(error)
        finally:
            flipped(path, position)
        start = position // RANGE_BYTES * RANGE_BYTES
        stop = min(start + RANGE_BYTES, sizes[number])
        if sentence:
            assert (
                f"{path}: is damaged in range {start // RANGE_BYTES} (bytes {start} to {stop})"
                in (sentence)
            )
            assert "\n" not in sentence
        else:
            # Nothing but the ends of a file has ranges that no window reads.
            assert delivered == len(whole)
            assert stop == sizes[number] or start == 0

    flip()


def stream_of(shards):
    return TokenStream(shards, MADE_BY, "")


@pytest.mark.parametrize("how", ["zeros", "swap", "other file"])
@pytest.mark.parametrize("when", ["before the first batch", "between epochs"])
def test_changed_content_is_named_with_its_range(copies, how, when):
    stream = stream_of(copies)
    path = copies[0].path
    found = batches(stream, LENGTH, BATCH, seed=1)
    epoch = -(-Windows(stream, LENGTH).count // BATCH)
    if when == "between epochs":
        for _ in range(epoch):
            next(found)
    data = path.read_bytes()
    if how == "zeros":
        overwrite(path, RANGE_BYTES, bytes(RANGE_BYTES))
    elif how == "swap":
        overwrite(path, 0, data[RANGE_BYTES : 2 * RANGE_BYTES] + data[:RANGE_BYTES])
    else:
        path.write_bytes(np.random.default_rng(1).bytes(len(data)))
    with pytest.raises(SpikeError, match=rf"^{re.escape(str(path))}: is damaged in range \d+ \("):
        for _ in range(2 * epoch):
            next(found)


def test_what_a_program_writes_is_noticed_within_the_epoch(copies, monkeypatch):
    monkeypatch.setattr(stream_module, "LOOK_SECONDS", 0.0)
    stream, path = stream_of(copies), copies[1].path
    whole = stream.read(FIRST, stream.tokens)
    os.utime(path)  # touched, and the same
    assert np.array_equal(stream.read(FIRST, stream.tokens), whole)
    overwrite(path, RANGE_BYTES, bytes(10))
    os.utime(path, ns=(1, 1))
    with pytest.raises(SpikeError, match=r"b\.arrow: is damaged in range 1 "):
        stream.read(FIRST, stream.tokens)


@pytest.mark.parametrize("kept", [0, 8, RANGE_BYTES, 2 * RANGE_BYTES + 17])
@pytest.mark.parametrize("read", [0, 1, 1000])
def test_a_file_that_was_cut_is_one_line_and_no_signal(copies, kept, read):
    """Cut before the first read, after one batch, and when every range was compared already."""
    stream = stream_of(copies)
    found = batches(stream, LENGTH, BATCH, seed=1)
    for _ in range(read):
        next(found)
    os.truncate(copies[0].path, kept)
    expected = f"{copies[0].path}: has {kept} bytes instead of {copies[0].size}"
    with pytest.raises(SpikeError, match=re.escape(expected)):
        for _ in range(1000):
            next(found)


def test_a_file_that_replaces_another_by_name_changes_nothing_that_was_opened(copies, tmp_path):
    """The bytes under the open descriptor stay; a file opened later is compared as ever."""
    stream, untouched = stream_of(copies), stream_of(copies)
    whole = stream.read(FIRST, stream.tokens)
    for shard in copies:
        (tmp_path / "new").write_bytes(bytes(shard.size))
        (tmp_path / "new").replace(shard.path)
    stream.start_epoch()
    assert np.array_equal(stream.read(FIRST, stream.tokens), whole)
    with pytest.raises(SpikeError, match="damaged in range 0"):
        untouched.read(FIRST, 1)


def test_the_last_of_many_shards_is_not_opened_before_it_is_read(copies):
    copies[1].path.unlink()
    stream = stream_of(copies)
    assert len(stream.read(FIRST, copies[0].tokens)[0]) == copies[0].tokens
    with pytest.raises(SpikeError, match=r"b\.arrow: No such file or directory; restore"):
        stream.read(FIRST, copies[0].tokens + 1)


def test_ranges_are_compared_once_an_epoch(copies, monkeypatch):
    compared = []
    from datapipe.shards import checked_file as summed_file

    digest = summed_file.xxhash.xxh3_64_hexdigest
    monkeypatch.setattr(
        summed_file.xxhash, "xxh3_64_hexdigest", lambda data: compared.append(1) or digest(data)
    )
    stream = stream_of(copies)
    ranges = sum(-(-shard.size // RANGE_BYTES) for shard in copies)
    stream.read(FIRST, stream.tokens)
    stream.read_mask(FIRST, stream.tokens)
    stream.read(np.array([5, 900]), 17)
    assert ranges - 2 <= len(compared) <= ranges
    stream.start_epoch()
    stream.read(np.array([5]), 17)
    assert len(compared) <= ranges + 1


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_record_batches_are_refused(tmp_path, codec):
    options = pa.ipc.IpcWriteOptions(compression=codec)
    parts = [np.full(9_000, 7, np.uint16), np.arange(4, 900, dtype=np.uint16)]
    shard = write_shard(tmp_path / "a.arrow", parts, MADE_BY, options=options)
    with pytest.raises(SpikeError, match=r"a\.arrow: .*compressed"):
        stream_of([shard]).read(FIRST, 10)
    with pytest.raises(SpikeError, match=r"a\.arrow: .*compressed"):
        next(shard_documents(shard))


def test_a_shard_with_right_sums_and_false_claims_is_refused(copies, tmp_path):
    for change, words in (
        ({"tokens": copies[0].tokens + 1}, "does not have"),
        ({"masked": False}, "unlike in the manifest"),
        ({"sums": copies[0].sums[:-1]}, "damaged in range"),
        (
            {"made_by": TokenSchema(fingerprint="x", vocab_size=60_000, separator=3)},
            "is  instead of x",
        ),
    ):
        with pytest.raises(SpikeError, match=words):
            stream = stream_of([replace(copies[0], **change)])
            stream.read(FIRST, stream.tokens)
    path = tmp_path / "c.arrow"
    whole = copies[0].path.read_bytes()
    end = whole.rindex(b"\xff\xff\xff\xff\0\0\0\0")
    for size in (end, end + 1, end + 7):
        path.write_bytes(whole[:size])
        with pytest.raises(SpikeError, match=r"c\.arrow: (ends without|has no Arrow message)"):
            stream_of([described(path, copies[0].tokens, MADE_BY, masked=True)]).read(FIRST, 1)
    for junk in (b"", b"ARROW1\0\0", b"ARROW1\0\0" + b"\xff" * 4000, bytes(100_000)):
        path.write_bytes(junk)
        with pytest.raises(SpikeError, match=r"c\.arrow: (is not an Arrow|has no Arrow)"):
            stream_of([described(path, 7, MADE_BY)]).read(FIRST, 1)


def test_metadata_is_compared_with_its_sums_before_it_is_believed(copies):
    """Every byte before the tokens: a batch that begins elsewhere would read other tokens."""
    path = copies[0].path
    first = path.read_bytes()[:1500]
    for position in range(0, len(first), 7):
        flipped(path, position)
        with pytest.raises(SpikeError, match="damaged in range 0"):
            stream_of(copies).read(np.array([80_000]), 1)
        flipped(path, position)


def test_documents_of_a_split_are_compared_as_they_are_read(shard, tmp_path):
    """What `spike eval --data` reads."""
    folder = tmp_path / "data"
    shard(folder)
    expected = [documents.tokens.tolist() for documents in read_split(folder, "train")]
    tokens = open_stream(folder, "train").read(FIRST, sum(map(len, expected)))[0]
    assert tokens.tolist() == list(itertools.chain.from_iterable(expected))
    path = max(folder.glob("train-*.arrow"), key=lambda path: path.stat().st_size)
    found = read_split(folder, "train")
    next(found)
    overwrite(path, path.stat().st_size - 2000, b"\xaa" * 10)
    with pytest.raises(SpikeError, match=rf"{path.name}: is damaged in range"):
        list(found)


def test_a_look_inside_is_compared_too(shard, tmp_path):
    """The text of a document, and the ids by which copies are counted."""
    folder = tmp_path / "data"
    shard(folder)
    found = describe(folder)
    texts = [show_document(folder, "train", n) for n in range(found["train_documents"])]
    assert sum(one["bytes"] for one in texts) == found["train_bytes"]
    paths = sorted(folder.glob("train-*.arrow"))
    for path in paths:
        flipped(path, path.stat().st_size // 2)
    with pytest.raises(SpikeError, match=rf"{paths[0].name}: is damaged in range 0"):
        show_document(folder, "train", 0)
    with pytest.raises(SpikeError, match=rf"{paths[0].name}: is damaged in range 0"):
        describe(folder)


def test_more_shards_are_read_than_a_process_may_have_open_files(shard, tmp_path):
    manifest = shard(tmp_path / "data")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/dev/fd").iterdir()))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 4, limits[1]))
        stream = open_stream(tmp_path / "data")
        assert len(manifest.splits["train"].shards) > 8
        assert len(stream.read(FIRST, stream.tokens)[0]) == stream.tokens
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_native_reader_refuses_what_does_not_fit():
    starts, runs = FIRST, np.full((5, 2), -1)
    flags, rows = np.ones(1, np.uint8), np.empty((1, 2), np.uint8)
    assert read_rows(starts, runs, 3, flags, RANGE_BYTES, 2, rows, 0) == 0
    fixed = rows.copy()
    fixed.flags.writeable = False
    for odd in (starts.astype(np.int32), starts[None]), (starts, fixed):
        with pytest.raises(TypeError):
            read_rows(odd[0], runs, 3, flags, RANGE_BYTES, 2, odd[1], 0)
    for line, width, count in (2, 2, 1), (5, 2, 1), (3, 0, 1), (3, 9, 1), (3, 2, 2):
        with pytest.raises(ValueError, match="do not fit"):
            read_rows(np.zeros(count, np.int64), runs, line, flags, RANGE_BYTES, width, rows, 0)


def test_a_run_ends_with_one_line_that_names_the_shard(folder, tmp_path, tiny):
    """Through the command, as a user meets it: zeros, and a file that is cut."""
    spoil = {"zero": lambda path: overwrite(path, 0, bytes(path.stat().st_size)), "cut": cut}
    runs = {}
    for how in spoil:
        shutil.copytree(folder / "data", tmp_path / how)
        options = ["--data", how, "--out", f"run-{how}", *tiny, "--set", "train.steps=1000000"]
        command = [sys.executable, str(ROOT / "cli.py"), "train", "--config", "base", *options]
        runs[how] = subprocess.Popen(
            [*command, "--set", "validation.every=0", "--set", "checkpoint.every=1000000"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    for how, run in runs.items():
        metrics = tmp_path / f"run-{how}" / "metrics.jsonl"
        while run.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.05)
        for path in (tmp_path / how).glob("train-*.arrow"):
            spoil[how](path)
    for how, run in runs.items():
        out, errors = run.communicate(timeout=60)
        assert (run.returncode, out) == (1, "")
        *_, last = errors.splitlines()
        words = (
            r"is damaged in range 0 \(bytes 0 to"
            if how == "zero"
            else r"has 100 bytes instead of \d+"
        )
        assert re.match(rf"spike: .*/{how}/train-\d+-000\.arrow: {words}", last), errors
        assert "Traceback" not in errors


def cut(path):
    os.truncate(path, 100)

"""Windows seen in shards, against sets of windows; native code on random and hostile segments."""

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import find_sources, read_manifest, read_split, training_overlap, write_shards
from datapipe._overlap import TokenBytes, WindowSet
from datapipe.overlap.shard_bytes import tokenizer_of
from datapipe.overlap.training_overlap import BYTE_WINDOW, TOKEN_WINDOW, total_overlap
from datapipe.shards.schema import token_schema_of
from datapipe.shards.settings import ChatSettings, ShardSettings
from spiketok import Tokenizer
from spiketok.errors import SpikeError
from tests.conftest import CHATS
from tests.datapipe.conftest import write_tokenizer

# Few letters and long runs, so that windows repeat within and between texts.
ROWS = st.one_of(
    st.lists(st.integers(0, 1), max_size=70),
    st.lists(st.integers(0, 255), max_size=20),
    st.builds(lambda letter, n, rest: [letter] * n + rest, st.integers(0, 1), st.integers(0, 70),
              st.lists(st.integers(0, 2), max_size=12)),
)  # fmt: skip


def windows_of(text, window):
    size = min(window, len(text))
    return [tuple(text[at : at + size]) for at in range(len(text) - size + 1 if size else 0)]


def expected(texts, segments, window):
    """Return the windows of each text and those seen, by sets of all windows of the segments."""
    known = {}
    rows = []
    for text in texts:
        own = windows_of(text, window)
        size = len(own[0]) if own else 0
        if size not in known:
            known[size] = {w for segment in segments for w in windows_of(segment, size)}
        rows.append((len(own), sum(w in known[size] for w in own)))
    return rows


def joined(rows, dtype):
    flat = [item for row in rows for item in row]
    return np.array(flat, dtype), np.cumsum([0, *map(len, rows)], dtype=np.int64)[1:]


def counted(found, texts):
    windows, seen = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    found.count(windows, seen)
    return list(zip(windows.tolist(), seen.tolist(), strict=True))


@given(
    st.lists(ROWS, max_size=6),
    st.lists(st.lists(ROWS, max_size=5), max_size=3),
    st.integers(1, 60),
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
)
@settings(max_examples=100)
def test_windows_equal_those_of_sets(texts, scans, window, dtype):
    # A piece of a text in a segment, so that long windows are seen too.
    scans = [*scans, [[*text[len(text) // 5 :], 0] for text in texts]]
    found = WindowSet(*joined(texts, dtype), window)
    for segments in scans:
        found.scan(*joined(segments, dtype))
    assert counted(found, len(texts)) == expected(texts, [*chain(*scans)], window)


def test_many_windows_and_one_at_each_end_of_a_segment():
    random = np.random.default_rng(0)
    text = random.integers(0, 256, 20_000).astype(np.uint8)
    found = WindowSet(text, np.array([len(text)]), 50)
    noise = random.integers(0, 256, 400).astype(np.uint8)
    for start, before, after in [(0, 0, 0), (19_950, 7, 0), (777, 0, 33), (10_000, 111, 222)]:
        segment = [noise[:before], text[start : start + 50], noise[:after]]
        data = np.concatenate([noise, *segment, text[:49]])
        found.scan(data, np.array([400, 400 + before + 50 + after, len(data)]))
    assert counted(found, 1) == [(19_951, 4)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((np.zeros(3, np.uint8), np.array([3]), 0), ValueError),
        ((np.zeros(3, np.uint8), np.array([3]), 1025), ValueError),
        ((np.zeros(3, np.uint8), np.array([4]), 2), ValueError),
        ((np.zeros(3, np.uint8), np.array([2, 1]), 2), ValueError),
        ((np.zeros(3, np.uint8), np.array([-1]), 2), ValueError),
        ((np.zeros(3, np.float32), np.array([3]), 2), TypeError),
        ((np.zeros(3, np.uint8), np.array([3], np.int32), 2), TypeError),
    ],
)
def test_wrong_texts_raise(arguments, error):
    with pytest.raises(error):
        WindowSet(*arguments)


def test_wrong_segments_and_ids_raise():
    found = WindowSet(np.zeros(3, np.uint8), np.array([3]), 2)
    decoder = TokenBytes(np.frombuffer(b"abc", np.uint8), np.array([0, 1, 3]))
    one = np.array([1])
    for call in (
        lambda: found.scan(np.zeros(2, np.uint16), one),
        lambda: found.scan(np.zeros(2, np.uint8), np.array([3])),
        lambda: found.scan_decoded(np.array([2], np.uint16), decoder),
        lambda: WindowSet(np.zeros(3, np.uint16), one, 2).scan_decoded(
            np.zeros(2, np.uint16), decoder
        ),
        lambda: found.count(np.zeros(2, np.int64), np.zeros(1, np.int64)),
        lambda: TokenBytes(np.zeros(3, np.uint8), np.array([1, 3])),
        lambda: TokenBytes(np.zeros(3, np.uint8), np.array([0, 4])),
    ):
        with pytest.raises(ValueError, match=r"fit|unknown|type"):
            call()


def segments_of(folder, split="train"):
    """Return the ids of each document, and the bytes between ids that have none."""
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    ids, texts = [], []
    for batch in read_split(folder, split):
        for row in np.split(batch.tokens, batch.ends[:-1]):
            ids.append(row.tolist())
            texts += split_bytes(tokenizer, row)
    return tokenizer, ids, texts


def split_bytes(tokenizer, row):
    parts, part = [], b""
    for token in row.tolist():
        if tokenizer.byte_lengths[token]:
            part += tokenizer.decode_bytes([token])
        else:
            parts.append(part)
            part = b""
    return [*parts, part]


def check_folder(folder, texts, split="train"):
    """Compare the overlap with shards with that of sets; return it."""
    tokenizer, ids, contents = segments_of(folder, split)
    found = training_overlap(folder, texts, split=split)
    encoded = [tokenizer.encode(text).tolist() for text in texts]
    of_tokens = expected(encoded, ids, TOKEN_WINDOW)
    of_bytes = expected(texts, contents, BYTE_WINDOW)
    assert [(one.token_windows, one.token_windows_seen) for one in found] == of_tokens
    assert [(one.byte_windows, one.byte_windows_seen) for one in found] == of_bytes
    return found


def test_overlap_with_shards_of_text(shard, tmp_path):
    shard(tmp_path / "data")
    _, _, contents = segments_of(tmp_path / "data")
    long = max(contents, key=len)
    one, other = [content for content in contents if len(content) > 40][:2]
    neighbours = one[-40:] + other[:40]
    texts = [long, long[9:90], b"", b"zebra", b"not in there", neighbours, b"\xff" * 70, long[1:61]]
    tokens = []
    found = check_folder(tmp_path / "data", texts)
    training_overlap(tmp_path / "data", [b"a"], report=tokens.append)
    assert found[0].byte_windows_seen == found[0].byte_windows > 50
    assert found[2].byte_windows == 0
    assert not found[2].is_seen
    assert found[3].byte_windows_seen == 1
    assert not found[4].is_seen
    assert found[5].byte_windows_seen < found[5].byte_windows
    assert total_overlap(found).byte_windows == sum(one.byte_windows for one in found)
    assert tokens[-1] == read_manifest(tmp_path / "data").splits["train"].tokens
    check_folder(tmp_path / "data", texts, "validation")


def test_wide_ids(corpus, wide_tokenizer_path, tmp_path):
    write_shards(find_sources([corpus])[0], wide_tokenizer_path, tmp_path / "data", ShardSettings())
    text = segments_of(tmp_path / "data")[2][0]
    assert check_folder(tmp_path / "data", [text])[0].byte_windows_seen


def test_windows_of_conversations_do_not_cross_messages(folder, tmp_path):
    (tmp_path / "chats.jsonl").write_text("\n".join(json.dumps(chat) for chat in CHATS))
    write_shards(
        find_sources([tmp_path / "chats.jsonl"])[0],
        folder / "tokenizer.json",
        tmp_path / "data",
        ShardSettings(chat=ChatSettings(), validation=0.2),
    )
    texts = [b"What is 7 + 1?", b"It is 8.", b"1?It is", b"addIt is", b"add", b"What is 7 + 2?"]
    found = check_folder(tmp_path / "data", texts)
    assert [one.byte_windows_seen for one in found][2:4] == [0, 0]


def test_a_tokenizer_that_is_not_lossless(process, tmp_path):
    text = "The quick brown Fox; jumps over the lazy dog, and WAITS for the seven wizards. " * 3
    (tmp_path / "a.txt").write_text(text)
    for line in (
        ["tokenizer", "train", "a.txt", "--algorithm", "bese", "--vocab", "60", "-q"],
        ["shard", "--out", "data", "-q"],
    ):
        done = process(tmp_path, *line)
        assert done.returncode == 0, done.stderr
    found = training_overlap(tmp_path / "data", [text[:120].encode(), b"unseen " * 12])
    assert found[0].byte_windows_seen == found[0].byte_windows > 50
    assert not found[1].is_seen


def test_another_tokenizer_in_the_folder_is_an_error(shard, tmp_path):
    shard(tmp_path / "data")
    write_tokenizer(tmp_path / "data" / "tokenizer.json", [b"xyz"])
    with pytest.raises(SpikeError, match=r"tokenizer.json: is missing or damaged; make it again"):
        training_overlap(tmp_path / "data", [b"a"])
    manifest = read_manifest(tmp_path / "data")
    with pytest.raises(SpikeError, match=r"tokenizer"):
        tokenizer_of(tmp_path / "data", manifest)
    own = Tokenizer.load(tmp_path / "data" / "tokenizer.json")
    more_ids = replace(token_schema_of(own), vocab_size=own.vocab_size + 1)
    with pytest.raises(SpikeError, match=r"manifest.json: its numbers of ids are not those"):
        tokenizer_of(tmp_path / "data", replace(manifest, tokenizer=more_ids))

"""Shards of conversations: their loss mask on the whole road from lines to windows."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe import (
    ChatSettings,
    ShardSettings,
    Windows,
    batches,
    describe,
    find_sources,
    open_as_dataset,
    open_stream,
    read_manifest,
    show_document,
    verify_folder,
    write_shards,
)
from datapipe.shards.checksums import RangeSums
from datapipe.shards.json_files import to_json
from datapipe.shards.manifest import file_entry, signature
from datapipe.shards.schema import TokenSchema
from spiketok import encode_chat, read_messages
from spiketok.atomic_files import Disk
from spiketok.errors import SpikeError
from tests.datapipe.shards.test_build_crash import Failing
from tests.datapipe.sources.test_chat_reader import TOKENIZER, conversation
from tests.datapipe.sources.written_streams import stream_over

COUNT = 120


@pytest.fixture
def chats(tmp_path, small_units):
    """Return a function that shards some conversations into a folder."""
    rows = [json.dumps({"messages": conversation(number)}) for number in range(COUNT)]
    (tmp_path / "chats.jsonl").write_text("\n".join([*rows[:70], "broken", *rows[70:]]))
    TOKENIZER.save(tmp_path / "chat.json")

    def run(name, workers=2, tokenizer="chat.json", disk=None, parse_markers=False, **options):
        chat = ChatSettings(parse_markers=parse_markers)
        settings = ShardSettings(validation=0.2, shard_tokens=900, errors="skip", chat=chat)
        sources = find_sources([tmp_path / "chats.jsonl"])[0]
        out = tmp_path / name
        write_shards(
            sources,
            tmp_path / tokenizer,
            out,
            settings,
            workers=workers,
            disk=disk or Disk(),
            **options,
        )
        return out

    return run


def whole(stream):
    """Return all tokens of a stream and their mask."""
    start = np.zeros(1, np.int64)
    return stream.read(start, stream.tokens)[0], stream.read_mask(start, stream.tokens)[0]


def test_every_conversation_arrives_with_its_mask(chats):
    folder = chats("data")
    expected = []
    for number in range(COUNT):
        ids, mask = encode_chat(TOKENIZER, read_messages(conversation(number)))
        expected.append((*ids.tolist(), TOKENIZER.eos_id, *mask.tolist(), 0))
    found = []
    for split in ("train", "validation"):
        tokens, mask = whole(open_stream(folder, split))
        ends = np.flatnonzero(tokens == TOKENIZER.eos_id) + 1
        for ids, part in zip(np.split(tokens, ends)[:-1], np.split(mask, ends)[:-1], strict=True):
            found.append((*ids.tolist(), *part.tolist()))
        told = describe(folder)
        assert told[f"{split}_trained_tokens"] == np.count_nonzero(mask)
        assert told[f"{split}_bytes"] == TOKENIZER.byte_lengths[tokens].sum()
    assert sorted(found) == sorted(expected)
    assert told["dropped"] == {"broken JSON": 1}
    assert verify_folder(folder) == []
    shown = show_document(folder, "train", 0)
    assert 0 < shown["trained_tokens"] < shown["tokens"]


@pytest.mark.parametrize("workers", [1, 5])
def test_workers_do_not_matter(chats, content_of, workers):
    assert content_of(chats("one", workers)) == content_of(chats("two"))


@pytest.mark.parametrize("k", [5, 20, 37])
def test_an_interrupted_run_goes_on(chats, content_of, tmp_path, k):
    with pytest.raises(SpikeError, match="No space left"):
        chats("data", disk=Failing(k), workers=1)
    assert content_of(chats("data")) == content_of(chats("clean"))


def test_another_way_to_read_is_another_plan(chats):
    folder = chats("data")
    assert json.loads((folder / "plan.json").read_text())["settings"]["chat"] == {
        "parse_markers": False
    }
    with pytest.raises(
        SpikeError, match=r"without markers in their text and are now read as .* with"
    ):
        chats("data", parse_markers=True)


def test_a_tokenizer_without_markers_is_refused_before_anything_is_made(
    chats, tokenizer_path, tmp_path
):
    with pytest.raises(SpikeError, match="lacks the chat markers"):
        chats("data", tokenizer=tokenizer_path)
    assert not (tmp_path / "data").exists()


def test_datasets_see_the_mask(chats):
    folder = chats("data")
    table = open_as_dataset(folder).with_format("arrow")[:]
    tokens, mask = whole(open_stream(folder))
    assert table["tokens"].combine_chunks().values.to_numpy().tolist() == tokens.tolist()
    assert table["loss_mask"].combine_chunks().values.to_numpy().tolist() == mask.tolist()


def test_windows_deliver_the_mask_beside_the_tokens(chats):
    stream = open_stream(chats("data"))
    tokens, mask = whole(stream)
    windows = Windows(stream, 30)
    ids, chosen = windows.read(np.arange(windows.count))
    assert chosen.dtype == np.bool_
    size = ids[:, 1:].size
    assert np.array_equal(ids[:, 1:].ravel(), np.resize(tokens, size))
    assert np.array_equal(chosen[:, 1:].ravel(), np.resize(mask, size))
    first, first_mask = next(batches(stream, 30, 4, seed=1))
    place = np.flatnonzero((ids == first[0]).all(axis=1))[0]
    assert np.array_equal(first_mask[0], chosen[place])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(1, 12))
def test_masks_are_cut_as_tokens_are(sizes, length):
    numbers = np.split(np.arange(sum(sizes), dtype=np.uint16), np.cumsum(sizes)[:-1])
    made_by = TokenSchema(fingerprint="", vocab_size=1000, separator=3)
    stream = stream_over(numbers, made_by, [(part % 3 == 0).astype(np.uint8) for part in numbers])
    windows = Windows(stream, length)
    if windows.count:
        ids, mask = windows.read(np.arange(windows.count))
        assert np.array_equal(mask, ids % 3 == 0)


def rewrite(folder, change):
    """Change the mask of the first shard, and forge every sum that is not of its content."""
    path = folder / "train-000000-000.arrow"
    with pa.ipc.open_file(path) as reader:
        table, schema = reader.read_all(), reader.schema
    columns = change({name: table[name] for name in table.schema.names})
    schema = pa.schema([schema.field(name) for name in columns], schema.metadata)
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_table(pa.table(list(columns.values()), schema=schema))
    sums = RangeSums()
    sums.update(path.read_bytes())
    record = folder / "records" / "train-000000-000.json"
    size = {"bytes": path.stat().st_size}
    record.write_bytes(to_json(json.loads(record.read_bytes()) | size | {"ranges": sums.digests()}))
    content = json.loads((folder / "manifest.json").read_bytes())
    entry = file_entry(record)
    content["files"]["records/train-000000-000.json"] = {
        "bytes": entry.bytes,
        "xxh3_128": entry.xxh3_128,
    }
    content["splits"]["train"]["shards"][0] |= size
    content["fingerprint"] = signature(content)
    (folder / "manifest.json").write_bytes(to_json(content))
    return path


def mapped(mask, function):
    mask = mask.combine_chunks()
    values = pa.array(function(mask.values.to_numpy().copy()), pa.uint8())
    return pa.LargeListArray.from_arrays(mask.offsets, values, type=mask.type)


def swapped(values):
    first, last = np.flatnonzero(values == 1)[0], np.flatnonzero(values == 0)[-1]
    values[[first, last]] = values[[last, first]]
    return values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda columns: columns, None),
        (lambda columns: columns | {"loss_mask": mapped(columns["loss_mask"], swapped)}, "content"),
        (
            lambda columns: columns | {"loss_mask": mapped(columns["loss_mask"], lambda v: v * 2)},
            "values beside 0 and 1",
        ),
        (lambda columns: columns | {"loss_mask": columns["loss_mask"][::-1]}, "does not fit"),
        (
            lambda columns: {name: columns[name] for name in columns if name != "loss_mask"},
            "unlike in the manifest",
        ),
    ],
)
def test_a_wrong_mask_is_noticed_even_under_right_checksums(chats, change, words):
    folder = chats("data")
    path = rewrite(folder, change)
    found = verify_folder(folder)
    if words is None:
        assert found == []
        return
    assert [str(path) in sentence and words in sentence for sentence in found] == [True]
    with pytest.raises(SpikeError, match=r"data|train"):
        open_as_dataset(folder)


def test_a_manifest_that_forgets_a_mask_contradicts_itself(chats):
    folder = chats("data")
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["splits"]["train"]["shards"][0]["trained_tokens"]
    content["fingerprint"] = signature(content)
    (folder / "manifest.json").write_bytes(to_json(content))
    with pytest.raises(SpikeError, match="some shards have a loss mask and others have none"):
        read_manifest(folder)

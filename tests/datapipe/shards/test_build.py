import json
import os

import numpy as np
import pytest

from datapipe import (
    ShardSettings,
    describe,
    find_sources,
    open_stream,
    read_manifest,
    read_texts,
    show_document,
    verify_folder,
    write_shards,
)
from spiketok import Tokenizer
from spiketok.errors import SpikeError
from spiketok.holdout import document_id, is_held_out


@pytest.mark.parametrize("workers", [1, 5])
def test_workers_do_not_matter(shard, content_of, tmp_path, workers):
    shard(tmp_path / "two")
    shard(tmp_path / "other", workers=workers)
    assert content_of(tmp_path / "other") == content_of(tmp_path / "two")
    names = list(content_of(tmp_path / "two"))
    assert sum(name.startswith("train-") for name in names) > 10
    assert any(name.endswith("-001.arrow") for name in names)


def test_every_document_arrives_once_and_in_order(shard, corpus, tokenizer_path, tmp_path):
    manifest = shard(tmp_path / "data")
    tokenizer = Tokenizer.load(tokenizer_path)
    expected = {"train": [], "validation": []}
    for batch in read_texts(find_sources([corpus])[0]):
        for text in batch["text"].to_pylist():
            split = "validation" if is_held_out(document_id(text), 0.2) else "train"
            expected[split].append(text)
    for split, texts in expected.items():
        stream = open_stream(tmp_path / "data", split)
        tokens = stream.read(np.array([0]), stream.tokens)[0]
        found = np.split(tokens, np.flatnonzero(tokens == tokenizer.eos_id) + 1)[:-1]
        assert [tokenizer.decode_bytes(document[:-1]) for document in found] == texts
        assert manifest.splits[split].documents == len(texts)
        assert manifest.splits[split].text_bytes == sum(map(len, texts))
        shown = show_document(tmp_path / "data", split, len(texts) - 1)
        assert shown["text"].encode() == texts[-1]
    assert manifest.dropped == {"empty": 1}
    assert manifest.documents == sum(map(len, expected.values())) + 1
    assert verify_folder(tmp_path / "data") == []


def test_sharded_documents_name_their_place(shard, corpus, tmp_path):
    shard(tmp_path / "data")
    for index in range(0, 150, 7):
        shown = show_document(tmp_path / "data", "train", index)
        path = corpus.parent / shown["source"]
        if path.suffix == ".jsonl":
            line = path.read_bytes()[shown["row"] :].partition(b"\n")[0]
            assert json.loads(line)["text"] == shown["text"]
    with pytest.raises(SpikeError, match="no document 100000"):
        show_document(tmp_path / "data", "train", 100_000)


def test_shards_and_batches_end_with_the_document_that_fills_them(shard, tmp_path):
    import pyarrow as pa

    manifest = shard(tmp_path / "data")
    for split in manifest.splits.values():
        for number, entry in enumerate(split.shards):
            lengths = []
            with pa.memory_map(str(tmp_path / "data" / entry.file)) as file:
                reader = pa.ipc.open_file(file)
                for batch in range(reader.num_record_batches):
                    sizes = reader.get_batch(batch)["tokens"].value_lengths().to_numpy()
                    assert sizes[:-1].sum() < 700
                    last = batch == reader.num_record_batches - 1
                    assert sizes.sum() >= 700 or last
                    lengths += sizes.tolist()
            assert sum(lengths) == entry.tokens
            assert sum(lengths[:-1]) < 2000
            following = split.shards[number + 1].file if number + 1 < len(split.shards) else ""
            if following[:-10] == entry.file[:-10]:
                assert sum(lengths) >= 2000


def test_complete_folder_is_left_alone(shard, tmp_path):
    manifest = shard(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    assert shard(tmp_path / "data") == manifest == read_manifest(tmp_path / "data")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before
    assert len((tmp_path / "data.log").read_text().splitlines()) == 1


def test_other_plan_is_refused_unless_overwritten(shard, content_of, tmp_path):
    other = ShardSettings(validation=0.1, shard_tokens=2000)
    shard(tmp_path / "data")
    with pytest.raises(SpikeError, match=r"validation was 0\.2 and is now 0\.1; use --overwrite"):
        shard(tmp_path / "data", settings=other)
    shard(tmp_path / "data", settings=other, overwrite=True)
    shard(tmp_path / "clean", settings=other)
    assert content_of(tmp_path / "data") == content_of(tmp_path / "clean")


def test_folder_of_others_is_never_touched(shard, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").write_text("years of work")
    with pytest.raises(SpikeError, match=r"is not a shard folder, it has 'thesis\.tex'"):
        shard(tmp_path / "data", overwrite=True)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.tex"]


def test_second_writer_is_refused(shard, tmp_path):
    import fcntl
    import os

    (tmp_path / "data").mkdir()
    handle = os.open(tmp_path / "data", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(SpikeError, match="another process is writing"):
        shard(tmp_path / "data")
    os.close(handle)
    shard(tmp_path / "data")


def test_nothing_depends_on_where_things_are(shard, content_of, corpus, tmp_path, tokenizer_path):
    import shutil

    shard(tmp_path / "one")
    moved = tmp_path / "elsewhere" / "corpus"
    shutil.copytree(corpus, moved)
    settings = ShardSettings(validation=0.2, shard_tokens=2000)
    write_shards(find_sources([moved])[0], tokenizer_path, tmp_path / "two", settings)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_broken_record_stops_the_run_and_is_named(shard, tokenizer_path, tmp_path, small_shards):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"text":"fine"}\n' * 2000 + b'{"text":\n' + b'{"text":"fine"}\n' * 2000)
    sources, _ = find_sources([path])
    with pytest.raises(SpikeError, match=r"bad\.jsonl: line 2001 \(byte 32000\): broken JSON"):
        write_shards(sources, tokenizer_path, tmp_path / "data", small_shards, workers=2)
    skipping = ShardSettings(errors="skip")
    manifest = write_shards(sources, tokenizer_path, tmp_path / "data", skipping, overwrite=True)
    assert manifest.dropped == {"broken JSON": 1}
    assert manifest.dropped_inputs == {"bad.jsonl": 1}
    assert describe(tmp_path / "data")["documents"] == 4000


def test_large_vocabularies_have_wide_tokens(wide_tokenizer_path, corpus, tmp_path):
    sources, _ = find_sources([corpus / "a.jsonl"])
    write_shards(sources, wide_tokenizer_path, tmp_path / "data", ShardSettings())
    stream = open_stream(tmp_path / "data")
    assert stream.dtype == np.uint32
    assert stream.read(np.array([0]), stream.tokens).max() > 65_535
    assert verify_folder(tmp_path / "data") == []


def test_progress_reaches_the_whole(shard, corpus, tmp_path):
    heard = []
    shard(tmp_path / "data", report=heard.append)
    total = sum(source.bytes for source in find_sources([corpus])[0])
    assert heard == sorted(heard)
    assert 0.98 * total <= heard[-1] <= total


def test_too_small_a_disk_is_refused_before_work(shard, tmp_path, monkeypatch):
    import shutil

    usage = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SpikeError, match=r"\d bytes are needed and [\d,]+ bytes are free"):
        shard(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_tokenizer_may_lie_in_the_folder_that_is_overwritten(shard, corpus, tmp_path):
    out = tmp_path / "data"
    shard(out)
    before = (out / "tokenizer.json").read_bytes()
    sources, _ = find_sources([corpus])
    settings = ShardSettings(errors="skip")
    write_shards(sources, out / "tokenizer.json", out, settings, overwrite=True)
    assert (out / "tokenizer.json").read_bytes() == before
    assert not verify_folder(out)


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "records/thesis.tex"])
def test_files_with_our_names_but_no_plan_are_not_ours(shard, tmp_path, name):
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.raises(SpikeError, match="not a shard folder"):
        shard(tmp_path / "data")
    assert path.read_text() == "precious"


def test_inputs_that_changed_since_the_first_shards_are_refused(tokenizer_path, tmp_path):
    lines = [json.dumps({"text": f"document {number} " * 40}) for number in range(3000)]
    path, out = tmp_path / "words.jsonl", tmp_path / "data"
    path.write_text("\n".join(lines))
    settings = ShardSettings(validation=0, shard_tokens=20_000)
    write_shards(find_sources([path])[0], tokenizer_path, out, settings)
    for name in ("manifest.json", "records/unit-000000.json"):
        (out / name).unlink()
    middle = len(lines) // 4
    lines[middle] = lines[middle].replace("document", "DOCUMENT")
    path.write_text("\n".join(lines))
    with pytest.raises(SpikeError, match="has changed since"):
        write_shards(find_sources([path])[0], tokenizer_path, out, settings)


def append(path):
    with path.open("ab") as file:
        file.write(b'{"text": "another"}\n')


def overwrite(path):
    path.write_bytes(path.read_bytes().replace(b"document", b"DOCUMENT"))
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [append, overwrite, lambda path: os.utime(path, ns=(1, 1))])
@pytest.mark.parametrize("workers", [1, 2])
def test_inputs_that_change_while_they_are_read_are_refused(
    tokenizer_path, tmp_path, small_units, small_shards, change, workers
):
    path, out = tmp_path / "words.jsonl", tmp_path / "data"
    lines = [json.dumps({"text": f"document {number} " * 40}) + "\n" for number in range(200)]
    path.write_text("".join(lines))
    whole = path.stat().st_size
    changed = []

    def report(done):
        if done > whole / 2 and not changed:
            changed.append(done)
            change(path)

    sources = find_sources([path])[0]
    with pytest.raises(SpikeError, match=r"words\.jsonl: changed while it was read; run again"):
        write_shards(sources, tokenizer_path, out, small_shards, workers=workers, report=report)
    assert changed
    assert not (out / "manifest.json").exists()
    again = find_sources([path])[0]
    if path.read_text() == "".join(lines):  # its time alone
        manifest = write_shards(again, tokenizer_path, out, small_shards)
        assert manifest == write_shards(again, tokenizer_path, tmp_path / "new", small_shards)
    else:
        with pytest.raises(SpikeError, match=r"words\.jsonl has changed"):
            write_shards(again, tokenizer_path, out, small_shards)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("edited", [True, False])
def test_an_edit_between_the_samples_of_a_file_is_noticed(
    tokenizer_path, tmp_path, small_units, small_shards, finished, edited
):
    path, out = tmp_path / "words.jsonl", tmp_path / "data"
    lines = [json.dumps({"text": f"document {number} " * 99}) + "\n" for number in range(400)]
    path.write_text("".join(lines))
    made = write_shards(find_sources([path])[0], tokenizer_path, out, small_shards)
    before = path.stat().st_mtime_ns
    if not finished:
        (out / "manifest.json").unlink()
    if edited:
        lines[100] = lines[100].replace("document", "DOCUMENT")
        path.write_text("".join(lines))
    os.utime(path, ns=(before, (out / "plan.json").stat().st_mtime_ns + 1))
    remarks = []

    def again():
        sources = find_sources([path])[0]
        return write_shards(sources, tokenizer_path, out, small_shards, remark=remarks.append)

    if finished:
        assert again() == made
        assert "words.jsonl: modified after" in remarks[0]
    elif edited:
        with pytest.raises(SpikeError, match=r"words\.jsonl: has changed since its shards"):
            again()
    else:
        assert again() == made


def test_a_shard_folder_may_have_any_name(shard, tmp_path):
    for _ in range(2):
        shard(tmp_path / "records")
    assert not verify_folder(tmp_path / "records")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "words.jsonl: the file is empty"),
        (b"\n \n", r"words\.jsonl: no documents; name files with text"),
        (b'{"text": ""}\n', r"words\.jsonl: every record is left out \(empty 1\); name files"),
        (
            b'{\n[]\n{"text": ""}',
            r"broken JSON 1, empty 1, not an object 1\); pass --errors strict",
        ),
    ],
)
def test_nothing_to_shard_is_an_error_that_leaves_nothing(tokenizer_path, tmp_path, content, told):
    (tmp_path / "words.jsonl").write_bytes(content)
    sources, _ = find_sources([tmp_path / "words.jsonl"])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SpikeError, match=told):
        write_shards(sources, tokenizer_path, tmp_path / "data", ShardSettings(errors="skip"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_that_fails_early_leaves_nothing_and_a_later_one_says_what_it_leaves(
    tokenizer_path, tmp_path, small_units, small_shards
):
    path, out = tmp_path / "words.jsonl", tmp_path / "data"
    good = b'{"text":"the good and the fine of it"}\n'
    for content, is_left in ((b"{\n", False), (good * 3000 + b"{\n", True)):
        path.write_bytes(content)
        with pytest.raises(SpikeError, match="broken JSON") as caught:
            write_shards(find_sources([path])[0], tokenizer_path, out, small_shards, workers=1)
        assert out.exists() == is_left
        assert str(caught.value).endswith("--overwrite starts again)") == is_left


def test_a_folder_that_was_there_stays(tokenizer_path, tmp_path):
    (tmp_path / "words.jsonl").write_bytes(b"{\n")
    (tmp_path / "data").mkdir()
    sources, _ = find_sources([tmp_path / "words.jsonl"])
    with pytest.raises(SpikeError, match="broken JSON"):
        write_shards(sources, tokenizer_path, tmp_path / "data", ShardSettings())
    assert list((tmp_path / "data").iterdir()) == []

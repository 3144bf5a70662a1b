import json
import os
import re
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipe import open_stream, verify_folder
from spiketok.errors import SpikeError


@pytest.fixture
def folder(shard, tmp_path):
    shard(tmp_path / "data")
    return tmp_path / "data"


# What a sentence on damage ends with.
ADVICE = "; .*(restore|make the|makes it|--overwrite|remove it|newer|update)"


def spoil(data, how, where):
    """Change one byte, cut the end off, or zero what follows; None if that changes nothing."""
    position = where % len(data)
    if how == "cut":
        return data[:position]
    if how == "grow":
        return data + b"\0"
    if how == "zero":
        spoilt = data[:position] + bytes(len(data) - position)
    else:
        spoilt = data[:position] + bytes([data[position] ^ (1 << where % 8)]) + data[position + 1 :]
    return spoilt if spoilt != data else None


def test_any_damage_of_any_file_is_named(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())

    @settings(max_examples=150)
    @given(
        st.sampled_from(files),
        st.sampled_from(["flip", "cut", "zero", "grow"]),
        st.integers(0, 1 << 40),
    )
    def damage(path, how, where):
        whole = path.read_bytes()
        spoilt = spoil(whole, how, where)
        if spoilt is None:
            return
        path.write_bytes(spoilt)
        try:
            found = verify_folder(folder)
            assert any(str(path) in sentence for sentence in found), found
            assert all(re.search(ADVICE, sentence) for sentence in found), found
        finally:
            path.write_bytes(whole)

    damage()
    checked = []
    assert verify_folder(folder, checked.append) == []
    assert checked[-1] == sum(shard.stat().st_size for shard in folder.glob("*.arrow"))


def test_every_byte_of_the_manifest_counts(folder):
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 37):
        changed = bytearray(whole)
        changed[position] = ord(" ") if changed[position] == ord("\n") else ord("\n")
        path.write_bytes(changed)
        assert verify_folder(folder), position
    path.write_bytes(whole)


def test_place_of_damage_is_told(folder):
    path = max(folder.glob("*.arrow"), key=lambda path: path.stat().st_size)
    whole = bytearray(path.read_bytes())
    whole[1234] ^= 1
    path.write_bytes(whole)
    sentence = f"{path}: is damaged in range 0 (bytes 0 to {min(len(whole), 65536)}); restore it"
    assert [
        found.removesuffix(" from a copy or shard again with --overwrite")
        for found in verify_folder(folder)
    ] == [sentence]


def test_missing_and_unexpected_files_are_named(folder):
    (folder / "train-000000-000.arrow").unlink()
    (folder / "records" / "unit-000001.json").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "records" / "more.json").write_text("{}")
    found = "\n".join(verify_folder(folder))
    assert f"{folder / 'train-000000-000.arrow'}: is missing" in found
    assert f"{folder / 'records' / 'unit-000001.json'}: is missing" in found
    assert f"{folder / 'notes.txt'}: is not in the manifest" in found
    assert f"{folder / 'records' / 'more.json'}: is not in the manifest" in found
    assert all(re.search(ADVICE, sentence) for sentence in found.splitlines())


NAMES = ["manifest.json", "tokenizer.json", "records/train-000000-000.json"]


@pytest.mark.parametrize("name", NAMES)
def test_damaged_folder_does_not_open(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    with pytest.raises(SpikeError, match=name):
        open_stream(folder)


@pytest.mark.parametrize("how", ["cut", "grow", "missing"])
def test_shards_that_are_missing_or_of_another_size_do_not_open(folder, how):
    path = folder / "train-000000-000.arrow"
    size = path.stat().st_size
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, size + (1 if how == "grow" else -1))
    with pytest.raises(
        SpikeError, match=rf"{path.name}: (is missing|has \d+ bytes instead of {size})"
    ):
        open_stream(folder)


def test_unfinished_folder_does_not_open(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(SpikeError, match="spike shard"):
        open_stream(folder)
    assert "is an unfinished shard folder" in verify_folder(folder)[0]


def test_shards_of_another_folder_are_noticed(folder, shard, tmp_path, small_shards):
    from dataclasses import replace

    other = tmp_path / "other"
    shard(other, settings=replace(small_shards, validation=0.0))
    name = "train-000001-000.arrow"
    shutil.copy(other / name, folder / name)
    assert any(name in sentence for sentence in verify_folder(folder))


def test_manifest_with_a_forged_fingerprint_still_has_to_add_up(folder):
    from datapipe.shards.json_files import to_json
    from datapipe.shards.manifest import signature

    content = json.loads((folder / "manifest.json").read_bytes())
    for change in (
        {"documents": content["documents"] + 1},
        {"files": {**content["files"], "../outside": {"bytes": 1, "xxh3_128": ""}}},
        {"splits": {"train": content["splits"]["train"]}},
        {"format": 2},
    ):
        forged = {**content, **change}
        forged["fingerprint"] = signature(forged)
        (folder / "manifest.json").write_bytes(to_json(forged))
        assert "manifest.json" in verify_folder(folder)[0]

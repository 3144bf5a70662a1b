"""A folder that is written to refuses links in it; the whole folder may be a link."""

import shutil

import pytest

from datapipe import find_sources, open_stream, verify_folder, write_shards
from datapipe.shards.settings import ShardSettings
from spiketok.errors import SpikeError

STEP = "checkpoints/step-00000004"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def linked(path, elsewhere):
    """Move what is at a path elsewhere, and put a link in its place."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return contents(elsewhere.parent)


@pytest.fixture
def work(folder, tmp_path, monkeypatch):
    for name in ("data", "runs/base"):
        shutil.copytree(folder / name, tmp_path / name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "text.txt").write_text("a text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shard(out, overwrite):
    tokenizer = out.parent / "elsewhere" / "tokenizer.json"
    shutil.copy(out / "tokenizer.json", tokenizer)
    settings = ShardSettings(validation=0)
    return write_shards(
        find_sources([out.parent / "text.txt"])[0], tokenizer, out, settings, overwrite=overwrite
    )


@pytest.mark.parametrize(
    "name",
    [
        *("records", "plan.json", "manifest.json", "tokenizer.json"),
        *("train-000000-000.arrow", "records/unit-000000.json"),
    ],
)
def test_shards_are_not_written_through_links(work, name):
    data = work / "data"
    shutil.copy(data / "tokenizer.json", work / "elsewhere")
    before = linked(data / name, work / "elsewhere" / "moved")
    assert open_stream(data, "train").tokens  # to read is no harm
    with pytest.raises(SpikeError, match=f"{name}: is a link"):
        shard(data, overwrite=True)
    assert contents(work / "elsewhere") == before


def test_unfinished_shards_are_not_completed_through_links(work):
    data = work / "data"
    shard(data, overwrite=True)
    (data / "manifest.json").unlink()
    before = linked(data / "records", work / "elsewhere" / "moved")
    with pytest.raises(SpikeError, match="records: is a link"):
        shard(data, overwrite=False)
    assert contents(work / "elsewhere") == before


@pytest.mark.parametrize("name", ["checkpoints", STEP, "metrics.jsonl"])
def test_a_run_is_not_written_through_links(line, work, name):
    run = work / "runs" / "base"
    before = linked(run / name, work / "elsewhere" / "moved")
    status, _, errors = line("train", "--resume", str(run), "--data", str(work / "data"))
    assert status == 1
    assert f"{name}: is a link" in errors
    assert contents(work / "elsewhere") == before
    for file in ("config.toml", "run.json"):
        (run / file).unlink()
    if name == "checkpoints":  # nor does a new run begin in such a folder
        shutil.rmtree(work / "elsewhere" / "moved")
        status, _, errors = line("train", "--config", "base", "--out", str(run))
        assert status == 1
        assert not (run / "config.toml").exists()


def test_the_whole_folder_may_be_a_link(line, work):
    (work / "out").symlink_to("disk")
    (work / "disk").mkdir()
    shutil.copy(work / "data" / "tokenizer.json", work)
    settings = ShardSettings(validation=0)
    sources = find_sources([work / "text.txt"])[0]
    for overwrite in (False, True):
        write_shards(sources, work / "tokenizer.json", work / "out", settings, overwrite=overwrite)
        assert verify_folder(work / "disk") == []
    (work / "run").symlink_to(work / "runs" / "base")
    assert line("train", "--resume", "run", "--data", str(work / "data"))[0] == 0
    assert (work / "run").is_symlink()
    assert (work / "out").is_symlink()

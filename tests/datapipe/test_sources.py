import gzip

import pytest

from datapipe import find_sources
from spiketok.errors import SpikeError


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "corpus"
    for name in (
        "b.txt",
        "a/z.jsonl",
        "a.jsonl.gz",
        "a/.hidden.txt",
        ".git/x.txt",
        "c.md",
        "D.TXT",
    ):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"") if name.endswith("gz") else b"text")
    return top


def test_folders_are_searched_in_the_order_of_paths(folder):
    sources, skipped = find_sources([folder])
    assert [source.name for source in sources] == [
        "corpus/D.TXT",
        "corpus/a.jsonl.gz",
        "corpus/a/z.jsonl",
        "corpus/b.txt",
    ]
    assert [source.kind for source in sources] == ["txt", "jsonl.gz", "jsonl", "txt"]
    assert sources[0].bytes == 4
    assert skipped == ["corpus/c.md"]


def test_order_of_the_command_line_is_kept(folder, monkeypatch):
    sources, _ = find_sources([folder / "b.txt", folder / "a"])
    assert [source.name for source in sources] == ["b.txt", "a/z.jsonl"]
    monkeypatch.chdir(folder / "a")
    assert [source.name for source in find_sources([folder / "a" / "."])[0]] == ["a/z.jsonl"]


def test_circles_of_links_end(folder):
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "a" / "dangling.txt").symlink_to(folder / "nowhere.txt")
    assert len(find_sources([folder])[0]) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["c.md"], "unknown kind of file"),
        (["missing.txt"], "no such file"),
        (["empty"], "no .jsonl.gz.* file in this folder"),
        (["b.txt", "b.txt"], "the same file as"),
        (["", "b.txt"], "the same file as"),
        (["b.txt", "link.txt"], "the same file as"),
    ],
)
def test_mistakes_are_told(folder, names, message):
    (folder / "empty").mkdir()
    if "link.txt" in names:
        (folder / "link.txt").symlink_to(folder / "b.txt")
    with pytest.raises(SpikeError, match=message):
        find_sources([folder / name for name in names])

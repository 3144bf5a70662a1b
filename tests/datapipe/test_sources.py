import gzip
import os
from io import BytesIO, TextIOWrapper
from pathlib import Path
from threading import Thread

import pytest

from datapipe import find_sources, text_endings
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
    assert skipped == {"files of other kinds": ["corpus/c.md"]}


def test_order_of_the_command_line_is_kept(folder, monkeypatch):
    sources, _ = find_sources([folder / "b.txt", folder / "a"])
    assert [source.name for source in sources] == ["b.txt", "a/z.jsonl"]
    monkeypatch.chdir(folder / "a")
    assert [source.name for source in find_sources([folder / "a" / "."])[0]] == ["a/z.jsonl"]


def test_circles_of_links_end(folder):
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "a" / "dangling.txt").symlink_to(folder / "nowhere.txt")
    (folder / "up").symlink_to(folder.parent)
    sources, skipped = find_sources([folder])
    assert len(sources) == 4
    assert skipped["links to folders that are already read"] == [
        str(folder / "a" / "loop"),
        str(folder / "up"),
    ]
    assert skipped["links to nothing"] == [str(folder / "a" / "dangling.txt")]


def names_of(*inputs, endings=()):
    return [source.name for source in find_sources(inputs, endings)[0]]


def test_links_to_folders_are_followed(folder, tmp_path):
    store = tmp_path / "store" / "books"
    (store / "deep").mkdir(parents=True)
    (store / "x.txt").write_text("x")
    (store / "deep" / "y.txt").write_text("y")
    (folder / "books").symlink_to(store)
    (folder / "again").symlink_to(store)
    sources, skipped = find_sources([folder])
    found = [source.name for source in sources]
    assert found == [
        "corpus/D.TXT",
        "corpus/a.jsonl.gz",
        "corpus/a/z.jsonl",
        "corpus/again/deep/y.txt",
        "corpus/again/x.txt",
        "corpus/b.txt",
    ]
    assert skipped["links to folders that are already read"] == [str(folder / "books")]
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "link").symlink_to(store)
    assert names_of(tmp_path / "only") == ["only/link/deep/y.txt", "only/link/x.txt"]
    assert names_of(folder / "books") == ["books/deep/y.txt", "books/x.txt"]


def test_two_names_of_one_blob_are_read_as_two_copies(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "abc").write_text('{"text":"same"}')
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for number in range(2):
        (snapshot / f"train-{number}.jsonl").symlink_to(tmp_path / "blobs" / "abc")
    assert names_of(snapshot) == ["snapshot/train-0.jsonl", "snapshot/train-1.jsonl"]
    assert len(names_of(snapshot / "train-0.jsonl", snapshot / "train-1.jsonl")) == 2


def test_unfinished_output_of_other_programs_is_left_out(folder):
    part = folder / "_temporary" / "0" / "part-0.jsonl"
    part.parent.mkdir(parents=True)
    part.write_text('{"text":"half"}')
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-1.jsonl.crc").write_text("")
    sources, skipped = find_sources([folder])
    assert len(sources) == 4
    assert skipped == {
        "files of other kinds": ["corpus/_SUCCESS", "corpus/c.md"],
        "folders of unfinished or administrative files": [str(folder / "_temporary")],
    }
    assert names_of(part) == ["part-0.jsonl"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "txt") for name in ("a.md", "a.py", "a.html", "wiki.raw", "a.tokens", "README")],
        ("a.txt.gz", "txt.gz"),
        ("a.TXT.ZST", "txt.zst"),
        ("enwik8.gz", "txt.gz"),
        ("a.ndjson", "jsonl"),
        ("a.ndjson.gz", "jsonl.gz"),
        ("a.csv", "csv"),
        ("a.csv.gz", "csv"),
        ("a.json", "json"),
        ("a.arrow", "arrow"),
    ],
)
def test_any_file_that_is_named_has_a_kind(tmp_path, name, kind):
    (tmp_path / name).write_text("x")
    assert find_sources([tmp_path / name])[0][0].kind == kind


def test_endings_that_are_asked_for_are_text(folder):
    (folder / "d.md.gz").write_bytes(gzip.compress(b"text"))
    (folder / "e.csv").write_text("a,b")
    (folder / "README").write_text("no ending")
    assert names_of(folder, endings=text_endings([".md,csv"]))[4:] == [
        "corpus/c.md",
        "corpus/d.md.gz",
        "corpus/e.csv",
    ]
    sources, skipped = find_sources([folder], "*")
    assert len(sources) == 8
    assert not skipped
    assert find_sources([folder / "e.csv"], ["csv"])[0][0].kind == "txt"


def test_patterns_are_expanded_below_folders_of_any_name(tmp_path):
    top = tmp_path / "[1] *"
    for name in ("a.md", "b.md", "sub/c.md", ".git/d.md", "e.txt"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("x")
    assert names_of(top / "*.md") == ["[1] */a.md", "[1] */b.md"]
    assert names_of(top / "**" / "*.md")[2:] == ["[1] */sub/c.md"]
    with pytest.raises(SpikeError, match="no file matches"):
        find_sources([top / "*.rst"])


@pytest.mark.parametrize("word", ["s3://bucket/a.txt", "hf://datasets/x", "https://x.org/a.txt"])
def test_remote_paths_are_refused_with_both_slashes(word):
    with pytest.raises(SpikeError, match=rf"{word}: a remote path"):
        find_sources([Path(word)])


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"some text", "stdin", "txt"),
        (b"", "stdin", "txt"),
        (b'\xef\xbb\xbf{"text": "a"}\n{"text": "b"}', "stdin.jsonl", "jsonl"),
        (b'{"text": "' + b"a" * 100_000 + b'"}', "stdin.jsonl", "jsonl"),
        (b"{a set}\n", "stdin", "txt"),
        (gzip.compress(b"some text"), "stdin.gz", "txt.gz"),
        (gzip.compress(b'{"text": "a"}\n'), "stdin.jsonl.gz", "jsonl.gz"),
        (gzip.compress(b"cut" * 9)[:12], "stdin.gz", "txt.gz"),
        (b"PAR1 and so on", "stdin.parquet", "parquet"),
    ],
)
def test_standard_input_goes_by_its_content(monkeypatch, content, name, kind):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content)))
    ((source,), _) = find_sources([Path("-")])
    assert (source.name, source.kind, source.bytes) == (name, kind, len(content))
    assert source.path.read_bytes() == content
    with pytest.raises(SpikeError, match="given twice"):
        find_sources([Path("-"), Path("-")])


def test_pipes_are_spooled(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(b"text",))
    writer.start()
    ((source,), _) = find_sources([pipe])
    writer.join()
    assert (source.name, source.path.read_bytes()) == ("pipe", b"text")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["missing.txt"], "no such file"),
        (["empty"], "no .jsonl.* file in this folder$"),
        (["notes"], r"but 2 others such as notes/a.md; --ext md,py reads them"),
        (["b.txt", "b.txt"], "the same file as"),
        (["", "b.txt"], "the same file as"),
    ],
)
def test_mistakes_are_told(folder, names, message):
    (folder / "empty").mkdir()
    (folder / "notes").mkdir()
    for name in ("a.md", "b.py"):
        (folder / "notes" / name).write_text("x")
    with pytest.raises(SpikeError, match=message):
        find_sources([folder / name for name in names])

import gzip
import os
import re
from contextlib import suppress
from errno import EACCES, ENOSPC
from io import BytesIO, TextIOWrapper
from pathlib import Path
from threading import Thread

import pytest

from datapipe import find_sources, read_texts, text_endings
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


@pytest.mark.parametrize("inputs", [["corpus", "corpus/*.md"], ["corpus/*.md", "corpus"]])
def test_a_file_that_is_named_beside_its_folder_is_not_left_out(folder, monkeypatch, inputs):
    monkeypatch.chdir(folder.parent)
    sources, skipped = find_sources(list(map(Path, inputs)))
    assert {"corpus/c.md", "corpus/b.txt"} <= {str(source.path) for source in sources}
    assert not skipped


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
    with pytest.raises(SpikeError, match=rf"{word}: is a remote path"):
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


def piped(tmp_path, content):
    """Return the path of a pipe into which a thread writes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write():
        with suppress(BrokenPipeError):
            pipe.write_bytes(content)

    Thread(target=write, daemon=True).start()
    return pipe


def test_pipes_are_spooled_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pipe = piped(tmp_path, b"text" * 100_000)
    ((source,), _) = find_sources([pipe])
    assert (source.name, source.path.read_bytes()) == ("pipe", b"text" * 100_000)
    assert source.shown == pipe
    assert not list((tmp_path / "temporary").iterdir())


def test_binary_pipes_are_spooled_to_their_first_block_alone(tmp_path):
    pipe = piped(tmp_path, bytes(1 << 20))
    ((source,), _) = find_sources([pipe])
    assert source.bytes == 1 << 16
    with pytest.raises(SpikeError, match="pipe: the text: no text but binary content"):
        list(read_texts([source]))
    pipe.unlink()
    assert find_sources([piped(tmp_path, bytes(1 << 20))], "*")[0][0].bytes == 1 << 20


def test_devices_without_end_are_refused():
    with pytest.raises(SpikeError, match="/dev/zero: is a device"):
        find_sources([Path("/dev/zero")])
    assert find_sources([Path("/dev/null")])[0][0].bytes == 0


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"text")))
    with pytest.raises(SpikeError, match=f"-: its copy in {tmp_path}: No space left.*TMPDIR"):
        find_sources([Path("-")])


def test_what_is_no_file_is_left_out_with_a_remark_and_refused_by_name(folder):
    os.mkfifo(folder / "pipe.txt")
    (folder / "self.txt").symlink_to(folder / "self.txt")
    skipped = find_sources([folder])[1]
    assert skipped["pipes, sockets and devices"] == [str(folder / "pipe.txt")]
    assert skipped["links to nothing"] == [str(folder / "self.txt")]
    with pytest.raises(SpikeError, match=r"self\.txt: neither a file nor a folder"):
        find_sources([folder / "self.txt"])


def test_a_folder_that_cannot_be_listed_says_what_to_do(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "a":
            raise PermissionError(EACCES, os.strerror(EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SpikeError, match=r"corpus/a: Permission denied; make it readable"):
        find_sources([folder])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", gzip.compress(b"{}"), r"is gzip data; .* \.jsonl\.gz"),
        ("a.csv", gzip.compress(b"text"), r"is gzip data; .* \.csv\.gz"),
        ("a.tsv", gzip.compress(b"text"), r"is gzip data; .* \.tsv\.gz"),
        ("a.json", gzip.compress(b"[]"), "is gzip data; decompress it first"),
        ("a.jsonl.gz", gzip.compress(gzip.compress(b"{}")), "has gzip data inside; decompress"),
        ("a.txt.gz", gzip.compress(gzip.compress(b"text")), "has gzip data inside; decompress"),
        ("a.jsonl", '{"text": "a"}'.encode("utf-16"), "is UTF-16; convert it with iconv"),
        ("a.json", '[{"text": "a"}]'.encode("utf-16"), "is UTF-16; convert it with iconv"),
        ("a.tsv", "id\ttext\n1\ta\n".encode("utf-16"), "is UTF-16; convert it with iconv"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpikeError, match=told):
        list(read_texts(find_sources([tmp_path / name])[0], errors="skip"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_messages_name_standard_input_as_it_was_given(monkeypatch, pack):
    broken = pack(b'{"text": "a"}\n{"text": 1}\n')
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(broken)))
    with pytest.raises(SpikeError, match=r"^-: line 2 "):
        list(read_texts(find_sources([Path("-")])[0]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["missing.txt"], "no such file"),
        (["empty"], "no .jsonl.* file in this folder; name a folder"),
        (["notes"], r"but 2 others such as notes/a.md; pass --ext md,py if they"),
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


@pytest.mark.parametrize(
    ("names", "conversations", "message"),
    [
        (["a.csv"], False, "but 1 other such as d/a.csv; name '{}/**/*.csv' to read its column"),
        (
            ["a.md", "b.tsv.gz"],
            False,
            "'{}/**/*.tsv.gz' to read its column of text, pass --ext md ",
        ),
        (
            ["a.csv"],
            True,
            "no .jsonl, .jsonl.gz, .jsonl.zst, .parquet, .arrow, .json file in",
        ),
        (["a.csv"], True, "but 1 other such as d/a.csv; name a folder that has one"),
        (["a.json", "b.md"], True, "; name '{}/**/*.json' to read its conversations"),
    ],
)
def test_a_folder_of_other_kinds_says_how_to_read_them(tmp_path, names, conversations, message):
    folder = tmp_path / "d"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("text\na\n")
    with pytest.raises(SpikeError, match=re.escape(message.format(folder))) as caught:
        find_sources([folder], conversations=conversations)
    assert "--ext" not in str(caught.value) or not conversations
    for pattern in re.findall(r"name '([^']*)'", str(caught.value)):
        assert {source.kind for source in find_sources([Path(pattern)])[0]} <= {"csv", "json"}

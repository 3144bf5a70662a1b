"""`spike shard` reads the text that a tokenizer was trained on, not what its file claims."""

import json
import os
from io import BytesIO, TextIOWrapper

import pytest

from datapipe.sources import reader
from spike_commands.data import trained_inputs

TEXT = "".join(f"{number} the quick brown fox {number * 7919}\n" for number in range(2000))
TRAIN = ["--vocab", "400", "--effort", "fast", "-q"]


@pytest.fixture
def work(line, tmp_path, monkeypatch):
    """A folder with a tokenizer, beside text that it was not trained on."""
    folder = tmp_path / "work"
    (folder / ".hidden").mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "text.txt").write_text(TEXT)
    assert line("tokenizer", "train", "text.txt", *TRAIN)[0] == 0
    private = tmp_path / "private"
    private.mkdir()
    for path in (private / "key.txt", folder / ".hidden" / "key.txt"):
        path.write_text(f"a secret in {path.parent.name}")
    (folder / "link.txt").symlink_to(private / "key.txt")
    (folder / "linked").symlink_to(private)
    os.mkfifo(folder / "pipe")
    return folder


def claim(folder, inputs=("text.txt",), **settings):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["spike"]["inputs"] = list(inputs)
    content["spike"]["settings"] |= settings
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("absolute", [False, True])
def test_text_elsewhere_is_read_where_the_tokenizer_knows_it(line, tmp_path, monkeypatch, absolute):
    corpus, work = tmp_path / "corpus", tmp_path / "work"
    corpus.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    (corpus / "text.txt").write_text(TEXT)
    (corpus / "held.jsonl").write_text('{"text": "held out"}\n{"text": "too"}')
    where = corpus if absolute else "../corpus"
    held = ("--validation", "../corpus/held.jsonl")
    assert line("tokenizer", "train", str(where), *held, *TRAIN)[0] == 0
    status, output, errors = line("shard", "--json", "-q")
    assert (status, errors) == (0, "")
    found = json.loads(output)
    assert (found["validation_documents"], found["text_bytes"]) == (
        2,
        len(TEXT) + len("held outtoo"),
    )
    # Once it is another text, the file's word for it is not enough.
    (corpus / "text.txt").write_text(TEXT + "more")
    status, _, errors = line("shard", "--out", "again", "-q")
    assert status == 1
    assert str(corpus / "text.txt") in errors
    assert line("shard", str(where), "--out", "again", "-q")[0] == 0


CLAIMS = {
    "above": {"inputs": ["../private/key.txt"]},
    "folder": {"inputs": ["text.txt", "../private"]},
    "pattern": {"inputs": ["../priv*/*.txt"]},
    "link": {"inputs": ["text.txt", "link.txt"]},
    "linked folder": {"inputs": ["linked"]},
    "hidden": {"inputs": [".hidden/key.txt"]},
    "held out": {"held_out_files": ["../private/key.txt"]},
    # What is left out when the sum is made would be sharded.
    "larger than a record": {
        "inputs": ["text.txt", "../private"],
        "max_record": 4,
        "errors": "skip",
    },
    "pipe": {"inputs": ["pipe"]},
    "device": {"inputs": ["/dev/zero"]},
}


@pytest.mark.parametrize("claimed", CLAIMS)
def test_other_text_elsewhere_is_listed_and_not_read(line, work, claimed):
    claim(work, **CLAIMS[claimed])
    status, _, errors = line("shard", "-q")
    assert status == 1
    assert len(errors.splitlines()) == 1
    assert any(name in errors for name in ("key.txt", "/pipe", "/dev/zero"))
    assert "secret" not in errors
    assert "spike shard INPUT" in errors
    assert not (work / "data").exists()


def test_text_elsewhere_is_read_no_further_than_it_could_be_the_same(line, work, monkeypatch):
    texts = work.parent / "texts"
    texts.mkdir()
    for number in range(40):
        (texts / f"{number:02}.txt").write_text(TEXT[:40_000])
        (texts / f"{number:02}.jsonl").write_text("broken\n" * 40)
    read = []
    monkeypatch.setattr("datapipe.sources.reader._records", note(reader._records, read))
    for inputs, last in (["../texts/*.txt"], "01.txt"), (["../texts/*.jsonl"], "00.jsonl"):
        read.clear()
        claim(work, inputs, errors="skip")
        status, _, errors = line("shard", "-q")
        assert (status, len(errors.splitlines())) == (1, 1)
        assert "names files outside of its folder" in errors
        assert read[-1] == last and len(read) <= 2


def note(read_records, names):
    def noted(source, *arguments):
        names.append(source.source.path.name)
        return read_records(source, *arguments)

    return noted


@pytest.mark.parametrize(
    ("inputs", "held_out", "refused"),
    [
        (["../many"], [], True),
        (["text.txt"], ["../many"], True),
        (["text.txt", "link to many"], [], True),
        (["../many/**/*.txt"], [], True),
        (["../*.txt"], [], False),
        (["../many/*/*"], [], False),
        (["../many/folder/few3"], [], False),
        (["mine"], [], False),
    ],
)
def test_many_files_elsewhere_are_not_listed(line, work, monkeypatch, inputs, held_out, refused):
    monkeypatch.setattr(trained_inputs, "MAX_ENTRIES", 30)
    many = work.parent / "many" / "folder"
    (work / "mine").mkdir()
    for number in range(31):
        (work / "mine" / f"{number}.txt").write_text(f"text {number}")
        (many / f"few{number // 10}" / "in").mkdir(parents=True, exist_ok=True)
        (many / f"few{number // 10}" / f"{number}.txt").write_text(f"text {number}")
    (work / "link to many").symlink_to(many.parent)
    claim(work, inputs, held_out_files=held_out)
    errors = line("shard", "-q")[2]
    assert len(errors.splitlines()) == (inputs != ["mine"])
    assert ("hold more than 30 files; name the inputs" in errors) == refused, errors


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_it_asks(line, work, monkeypatch, answer):
    class Terminal(TextIOWrapper):
        def isatty(self):
            return True

    claim(work, ["../private/key.txt"])
    monkeypatch.setattr("sys.stdin", Terminal(BytesIO()))
    asked = []
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text) or answer)
    assert line("shard", "--validation", "0", "-q")[0] == (0 if answer else 1)
    assert len(asked) == 1 and "private/key.txt" in asked[0]
    assert (work / "data").exists() == answer


def test_inputs_that_are_named_vouch_for_nothing_else(line, work):
    claim(work, held_out_files=["../private/key.txt"])
    status, _, errors = line("shard", str(work / "text.txt"), "-q")
    assert status == 1 and "private/key.txt" in errors
    assert line("shard", "text.txt", "--validation", "0.1", "-q")[0] == 0

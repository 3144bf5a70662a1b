"""`spike tokenizer compare`: what it counts, on tokenizers of four makes."""

import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spike_commands.tokenizer.adapter import NO_TOKEN, segment
from spike_commands.tokenizer.compare_corpus import PIECE_BYTES, in_pieces
from spike_commands.tokenizer.open import open_any
from tests.test_cli import SCHEMAS

TEXTS = ["the quick brown fox", "jumps over", "die Füchse 🦔", " two  spaces\n\n"]


@pytest.fixture
def compared(line, folder):
    """Compare on texts that are rows of a jsonl or a parquet file."""

    def compare(*arguments, rows=None):
        rows = rows or [{"text": text, "lang": "en" if text.isascii() else "de"} for text in TEXTS]
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        command = ["tokenizer", "compare", *arguments, "--passes", "1", "--json"]
        status, output, errors = line(*command)
        assert status == 0, errors
        jsonschema.validate(json.loads(output), SCHEMAS["tokenizer-compare"])
        return json.loads(output)["tokenizers"]

    return compare


@pytest.fixture(scope="session")
def byte_level(folder):
    """A byte-level BPE with a special token, which pads and truncates."""
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(library.models.BPE())
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<eos>"],
        show_progress=False,
    )
    made.train_from_iterator(TEXTS * 20, trainer)
    made.enable_truncation(3)
    made.enable_padding(length=50)
    made.save(str(folder / "bytes.json"))
    return folder / "bytes.json"


@pytest.fixture(scope="session")
def pieces_model(folder):
    library = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20),
        model_writer=model,
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "pieces.model").write_bytes(model.getvalue())
    return folder / "pieces.model"


@pytest.fixture
def letters_encoding(monkeypatch):
    """A tiktoken encoding of single bytes, as a plug-in of that library would offer it."""
    pytest.importorskip("tiktoken")
    import tiktoken.registry

    ranks = {bytes([byte]): byte for byte in range(256)} | {b"th": 256}
    offered = {
        "name": "letters",
        "pat_str": r"\w+|\W",
        "mergeable_ranks": ranks,
        "special_tokens": {"<eos>": 300},
    }
    constructors = {"letters": lambda: offered}
    monkeypatch.setattr(tiktoken.registry, "ENCODING_CONSTRUCTORS", constructors)
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    return "tiktoken:letters"


def test_groups_add_up_to_the_whole(compared):
    (row,) = compared("tokenizer.json", "--text", "rows.jsonl", "--by", "lang", "--by", "file")
    assert row["lossless"] is True
    for groups in row["by"].values():
        assert sum(group["tokens"] for group in groups) == row["tokens"]
        assert sum(group["bytes"] for group in groups) == row["bytes"]
    assert {group["value"] for group in row["by"]["lang"]} == {"en", "de"}
    assert [group["value"] for group in row["by"]["file"]] == ["rows.jsonl"]


def test_rows_keep_their_value_whatever_is_dropped_or_missing(compared, folder):
    rows = [
        {"text": "aaa", "lang": "x"},
        {"text": ""},
        {"lang": "y"},
        {"text": "bb", "lang": 5},
        {"text": "c", "lang": "x"},
    ]
    (row,) = compared("tokenizer.json", "--text", "rows.jsonl", "--by", "lang", rows=rows)
    groups = {group["value"]: group["bytes"] for group in row["by"]["lang"]}
    assert groups == {"x": 4, None: 2}
    table = pa.table({"text": ["aaa", "bb", "c"], "lang": ["x", None, "x"]})
    pq.write_table(table, folder / "rows.parquet")
    (row,) = compared("tokenizer.json", "--text", "rows.parquet", "--by", "lang")
    assert {group["value"]: group["bytes"] for group in row["by"]["lang"]} == groups


def test_unused_and_longest_are_those_of_a_plain_count(compared, folder):
    (row,) = compared("tokenizer.json", "--text", "rows.jsonl", "--longest", "3")
    peer = open_any(folder / "tokenizer.json")
    used = [token for text in TEXTS for token in peer.encode([text.encode()])[0].tolist()]
    assert row["unused"] == row["vocab_size"] - len(set(used)) == 400 - len(set(used))
    assert row["longest"][0]["bytes"] == max(len(peer.entries[token]) for token in used)
    assert [found["uses"] for found in row["longest"]] == [
        used.count(found["id"]) for found in row["longest"]
    ]


def test_byte_level_bpe(compared, byte_level):
    (row,) = compared(str(byte_level), "--text", "rows.jsonl")
    assert row["kind"] == "hugging face"
    assert row["lossless"] is True
    assert row["tokens"] > 12
    peer = open_any(byte_level)
    text = "<eos> the Füchse 🦔".encode() + b"\xff\xe2\x82 fox"
    found = segment(peer, text)
    assert 0 not in found.ids  # names of special tokens are text
    pieces = np.split(np.frombuffer(text, np.uint8), found.ends[:-1])
    for token, piece in zip(found.ids.tolist(), pieces, strict=True):
        assert (
            piece.tobytes() == peer.entries[token] or b"\xef\xbf\xbd".find(peer.entries[token]) >= 0
        )


def test_sentencepiece(compared, pieces_model):
    (row,) = compared(str(pieces_model), "--text", "rows.jsonl")
    assert row["kind"] == "sentencepiece"
    assert row["lossless"] is False  # two spaces become one
    text = "the Füchse  🦔".encode() + b"\xff"
    found = segment(open_any(pieces_model), text)
    assert found.ends[-1] == len(text)
    assert (np.diff(found.ends) >= 0).all()


def test_tiktoken(compared, letters_encoding):
    (row,) = compared(letters_encoding, "--text", "rows.jsonl")
    assert (row["kind"], row["lossless"], row["vocab_size"]) == ("tiktoken", True, 301)
    text = "<eos> thé".encode() + b"\xff"
    found = segment(open_any(Path(letters_encoding)), text)
    assert 300 not in found.ids
    assert found.ends[-1] == len(text)


def test_ranks_are_never_fetched(line, monkeypatch, tmp_path):
    pytest.importorskip("tiktoken")
    import tiktoken.load

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    read = tiktoken.load.read_file
    status, _, errors = line("tokenizer", "compare", "tiktoken:gpt2", "--text", "held.txt")
    assert (status, errors.count("\n")) == (1, 1)
    assert "not on this machine" in errors
    assert tiktoken.load.read_file is read


@pytest.mark.parametrize(
    ("name", "content", "library"),
    [
        ("broken.model", b"no model", "sentencepiece"),
        ("empty.model", b"", "sentencepiece"),
        (
            "broken.json",
            b'{"model": {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}}',
            "tokenizers",
        ),
        (
            "panic.json",
            b'{"version": "1.0", "added_tokens": [], "normalizer": {"type": "Precompiled", '
            b'"precompiled_charsmap": "AAAA"}, "model": {"type": "BPE", "vocab": {}, '
            b'"merges": []}}',
            "tokenizers",
        ),
        (
            "absurd.json",
            b'{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", '
            b'"vocab": {"a": 4294967295}, "merges": []}}',
            "tokenizers",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_broken_files_of_others_are_one_line(line, folder, name, content, library):
    pytest.importorskip(library)
    (folder / name).write_bytes(content)
    status, output, errors = line("tokenizer", "compare", name, "--text", "held.txt")
    assert (status, output) == (1, "")
    assert errors.startswith(f"spike: {name}: ")
    assert errors.count("\n") == 1, errors
    assert "defect" not in errors


def test_a_tokenizer_that_finds_no_tokens(compared, folder):
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(library.models.WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    made.save(str(folder / "words.json"))
    (row,) = compared(str(folder / "words.json"), "--text", "rows.jsonl", rows=[{"text": "  \n"}])
    assert (row["tokens"], row["bytes_per_token"], row["lossless"]) == (0, None, False)
    assert segment(open_any(folder / "words.json"), b"  \n").ids.tolist() == [NO_TOKEN]


def test_table_names_groups_and_longest_tokens(line, folder):
    (folder / "rows.jsonl").write_text('{"text": "the quick", "lang": "e\\u001bn"}')
    command = ["tokenizer", "compare", *["tokenizer.json"] * 2, "--text", "rows.jsonl"]
    status, output, _ = line(*command, "--by", "lang", "--passes", "1", "--longest", "2")
    assert status == 0
    assert "bytes/token by lang" in output
    assert "e⟨U+1B⟩n" in output
    assert "longest tokens" in output


def test_pieces_are_the_text_and_never_long():
    for text in (b"", b"a" * 200_000, "é".encode() * 90_000, b"\xa9" * 140_000, b"ab\n" * 70_000):
        pieces = in_pieces(text)
        assert b"".join(pieces) == text
        assert max(map(len, pieces)) <= PIECE_BYTES
    assert all(piece.decode() for piece in in_pieces("é🦔".encode() * 40_000))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "code": "x"}, "(no 'lang' among 'text', 'code')"),
        ({"text": "a", "lang": 5}, "('lang' is a number)"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_those_that_are(line, folder, row, message):
    (folder / "rows.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.table({"text": ["a"], "code": ["x"]}), folder / "rows.parquet")
    command = ["tokenizer", "compare", "tokenizer.json", "--by", "lang", "--text"]
    status, _, errors = line(*command, "rows.jsonl")
    assert (status, errors.count("\n")) == (1, 1)
    assert message in errors
    assert "(but 'text', 'code'); name one of those with --by" in line(*command, "rows.parquet")[2]
    assert "txt files have no columns, use file" in line(*command, "held.txt")[2]

"""What `spike eval` reads: files of every kind that shards are made of, shards, and bytes."""

import gzip
import io
import json

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datapipe import open_stream
from tests.conftest import document
from tests.spike_commands.score.test_predictor_options import SCHEMAS

TEXTS = [document(2000 + number) for number in range(6)]


@pytest.fixture
def score(line):
    """Run `spike eval` and return its result."""

    def run_eval(*arguments, run="runs/base", schema="eval"):
        status, output, errors = line("eval", run, *arguments, "--json")
        assert status == 0, errors
        found = json.loads(output)
        jsonschema.validate(found, SCHEMAS[schema])
        jsonschema.validate(found.get("by", {}), SCHEMAS["eval-by"])
        return found

    return run_eval


@pytest.fixture(scope="module")
def inputs(folder):
    """The same six documents as files of every kind."""
    place = folder / "inputs"
    place.mkdir()
    rows = "\n".join(json.dumps({"text": text, "body": "x"}) for text in TEXTS)
    (place / "a.jsonl").write_text(rows)
    (place / "a.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    table = pa.table({"text": TEXTS})
    pq.write_table(table, place / "a.parquet")
    with pa.ipc.new_stream(place / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    (place / "texts").mkdir()
    for number, text in enumerate(TEXTS):
        (place / "texts" / f"{number}.txt").write_text(text)
    (place / "notes.md").write_text("\n\n".join(TEXTS))
    return place


KINDS = ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.arrow", "texts", "texts/*.txt"]


def test_documents_of_every_kind_of_file_score_alike(score, inputs):
    wanted = score("--text", *[f"inputs/texts/{number}.txt" for number in range(6)])
    assert wanted["bytes"] == sum(map(len, TEXTS))
    assert wanted["documents"] == 6
    for name in KINDS:
        found = score("--text", f"inputs/{name}")
        assert found == wanted
    status = score("--text", "inputs/a.jsonl", "--text-field", "body")
    assert (status["bytes"], status["documents"]) == (6, 6)


@pytest.mark.parametrize(("name", "documents"), [("a.jsonl", 6), ("a.parquet", 6), ("notes.md", 1)])
def test_standard_input_is_read_as_a_file_of_its_kind(score, inputs, monkeypatch, name, documents):
    content = (inputs / name).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    found = score("--text", "-")
    assert found == score("--text", f"inputs/{name}")
    assert found["documents"] == documents


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet", "a.jsonl"])
def test_a_known_format_is_never_scored_as_text(line, folder, inputs, score, name):
    data = (inputs / name).read_bytes()
    for wrong in ("wrong.txt", "wrong"):
        (folder / wrong).write_bytes(data)
        status, output, errors = line("eval", "runs/base", "--text", wrong)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert f"{wrong}: begins like" in errors
        assert "--as bytes" in errors
        found = score("--text", wrong, "--as", "bytes")
        assert (found["bytes"], found["documents"]) == (len(data), 1)
    assert score("--text", f"inputs/{name}", "--as", "bytes")["bytes"] == len(data)


@pytest.mark.parametrize(
    "command",
    [
        ("eval", "runs/base", "--text"),
        ("eval", "runs/base", "--chat"),
        ("tokenizer", "compare", "tokenizer.json", "--text"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_lines_that_are_gzip_data_are_told_as_sharding_tells_it(line, folder, inputs, command):
    (folder / "packed.jsonl").write_bytes((inputs / "a.jsonl.gz").read_bytes())
    status, output, errors = line(*command, "packed.jsonl")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "packed.jsonl: is gzip data; give it a name that ends in .jsonl.gz" in errors


def test_a_text_file_is_one_document_and_need_not_be_utf8(score, folder):
    (folder / "latin.txt").write_bytes("Füchse\n\n".encode("latin-1") * 40_000)
    found = score("--text", "latin.txt", "--context", "32", "--stride", "32")
    assert (found["bytes"], found["documents"]) == (320_000, 1)


def test_broken_records_are_errors_or_told(line, folder):
    (folder / "broken.jsonl").write_text('{"text": "the fox"}\n{"text": 5}\n')
    status, _, errors = line("eval", "runs/base", "--text", "broken.jsonl")
    assert (status, errors.count("\n")) == (1, 1)
    assert "broken.jsonl: line 2" in errors
    command = ["eval", "runs/base", "--text", "broken.jsonl", "--errors", "skip", "--json"]
    status, output, errors = line(*command)
    assert (status, json.loads(output)["bytes"]) == (0, 7)
    assert "left out 1 record of broken.jsonl: text is not a string 1" in errors


def test_files_are_scored_by_themselves_too(score, line, inputs):
    found = score("--text", "inputs/a.jsonl", "inputs/texts", "held.txt", "--by", "file")
    rows = found["by"]["file"]
    assert {row["value"] for row in rows} == {
        "a.jsonl", "held.txt", *(f"texts/{number}.txt" for number in range(6)),
    }  # fmt: skip
    assert sum(row["nats"] for row in rows) == pytest.approx(found["nats"])
    for total in ("bytes", "tokens", "documents"):
        assert sum(row[total] for row in rows) == found[total]
    alone = score("--text", "inputs/a.jsonl")
    (row,) = [row for row in rows if row["value"] == "a.jsonl"]
    assert row["bits_per_byte"] == pytest.approx(alone["bits_per_byte"], rel=1e-6)
    shown = line("eval", "runs/base", "--text", "inputs/a.jsonl", "held.txt", "--by", "file")[1]
    assert f"{row['bits_per_byte']:.4f}" in shown
    assert "by file" in shown


def test_documents_in_one_stream_have_their_own_nats(score, inputs):
    found = score("--text", "inputs/texts", "--by", "file", "--across-files", "--stride", "7")
    assert sum(row["nats"] for row in found["by"]["file"]) == pytest.approx(found["nats"])
    assert [row["documents"] for row in found["by"]["file"]] == [1] * 6


def test_a_split_scores_as_its_documents(score, line, folder):
    found = score("--data", "data", "--by", "source")
    numbers = range(json.loads((folder / "shard-result.json").read_text())["validation_documents"])
    for number in numbers:
        command = ["data", "inspect", "data", "--split", "validation", "--document", str(number)]
        text = json.loads(line(*command, "--json")[1])["text"]
        (folder / f"split-{number}.txt").write_text(text)
    again = score("--text", *(f"split-{number}.txt" for number in numbers))
    assert {**found, "by": None} == {**again, "by": None}
    assert [row["value"] for row in found["by"]["source"]] == ["corpus/words.jsonl"]
    train = score("--data", "data", "--split", "train", "--context", "32", "--stride", "32")
    assert train["documents"] + found["documents"] == 120


def test_a_split_scores_as_the_trainer_validates(score, process, folder, tiny):
    """Equal settings: windows of the context, one after the other, all of them whole."""
    for share in ("0.1", "0.15", "0.2", "0.25", "0.3"):
        command = ["shard", "--out", "even", "--validation", share, "--overwrite", "-q"]
        assert process(folder, *command).returncode == 0
        tokens = open_stream(folder / "even", "validation").tokens
        contexts = [length for length in range(8, 65) if tokens % length == 0]
        if contexts:
            break
    sizes = [f"model.context={contexts[0]}", f"validation.windows={tokens}"]
    options = [word for size in sizes for word in ("--set", size)]
    done = process(
        folder, "train", "--config", "base", "--data", "even", "--out", "runs/even", *tiny,
        *options, "--quiet", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)["validation_bits_per_byte"]
    found = score("--data", "even", "--across-files", "--stride", str(contexts[0]), run="runs/even")
    assert found["tokens"] == tokens
    assert found["bits_per_byte"] == pytest.approx(trained, rel=1e-6)


def test_shards_of_conversations_score_as_their_files(score, line, process, folder, tiny):
    chats = [{"prompt": f"What is {n}?", "response": f"It is {n}."} for n in range(40)]
    (folder / "replies.jsonl").write_text("\n".join(map(json.dumps, chats)))
    shard = ["shard", "--format", "chat", "replies.jsonl", "--out", "replies", "--validation", "0"]
    assert process(folder, *shard, "-q").returncode == 0
    wanted = score("--chat", "replies.jsonl", "--by", "file", schema="eval-chat")
    found = score("--data", "replies", "--split", "train", "--by", "file", schema="eval-chat")
    assert found == wanted
    twice = score("--chat", "replies.jsonl", "replies.jsonl", schema="eval-chat")
    assert twice["conversations"] == 80
    (row,) = found["by"]["file"]
    assert row["bytes"] == found["reply_bytes"] == sum(len(chat["response"]) for chat in chats)
    assert row["nats"] == pytest.approx(found["reply_nats"])
    status, _, errors = line(
        "eval", "runs/base", "--data", "replies", "--split", "train", "--verify"
    )
    assert (status, errors.count("\n")) == (1, 1)
    assert "is of conversations, of which only replies are scored" in errors


def test_one_conversation_has_no_validation_and_the_advice_fits(line, folder):
    (folder / "one.jsonl").write_text('{"prompt": "a", "response": "b"}')
    status, _, errors = line("shard", "--format", "chat", "one.jsonl", "--out", "one")
    assert status == 0
    assert "no validation: there is only one conversation; add others" in errors


def test_a_file_without_conversations_is_refused(line, folder):
    (folder / "none.jsonl").write_text("\n")
    status, output, errors = line("eval", "runs/base", "--chat", "none.jsonl", "--by", "file")
    assert (status, output) == (1, "")
    assert errors.startswith("spike: none.jsonl: there is no conversation to score; name a file")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--data", "data", "--text", "held.txt"], 2, "several of --text, --chat and --data are"),
        (["--text", "data"], 2, "data: is a shard folder; use --data data"),
        (["--data", "data", "held.txt"], 2, "--data takes one folder; leave out held.txt"),
        (["--data", "data", "--as", "bytes"], 2, "go with --text"),
        (["--text", "held.txt", "--by", "file", "--with", "match"], 2, "--by goes without --with"),
        (["--text", "-", "-"], 1, "standard input is given twice"),
        (["--data", "nowhere"], 1, "nowhere"),
    ],
)
def test_what_does_not_fit_is_one_line(line, options, status, message):
    found, output, errors = line("eval", "runs/base", *options)
    assert (found, output, errors.count("\n")) == (status, "", 1)
    assert message in errors


def test_shards_of_another_tokenizer_are_refused(line, process, folder, inputs):
    train = ["tokenizer", "train", "inputs/a.jsonl", "--vocab", "400", "--out", "other.json"]
    assert process(folder, *train, "-q").returncode == 0
    shard = ["shard", "inputs/a.jsonl", "--tokenizer", "other.json", "--out", "other", "-q"]
    assert process(folder, *shard).returncode == 0
    score = ["eval", "runs/base", "--text", "held.txt", "--with", "ngram", "--counts", "other"]
    for words in (
        ["eval", "runs/base", "--data", "other", "--split", "train"],
        [*score, "--quiet"],
        ["pack", "runs/base", "--data", "other", "--out", "other.spike"],
    ):
        status, output, errors = line(*words)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert ", but that of the model is " in errors

"""`spike data overlap`: its rows and JSON, and what it rejects."""

import json

from tests.conftest import document


def overlap_of(line, *words):
    status, out, err = line("data", "overlap", "data", *words, "--json", "--quiet")
    assert status == 0, err
    return json.loads(out)


def test_training_text_is_seen_and_other_text_is_not(line, folder):
    """Each record is one text; of a training file the held-out records are not all seen."""
    whole = overlap_of(line, "--text", "corpus/words.jsonl")
    held = overlap_of(line, "--text", "corpus/words.jsonl", "--split", "validation")
    assert whole["texts"] == 120
    assert 0.5 < whole["byte_share"] <= 1
    assert whole["texts_seen"] + held["texts_seen"] >= 120
    (folder / "seen.txt").write_text(document(3)[5:105])
    (folder / "new.txt").write_text("A text about something else, whose windows are new. " * 3)
    found = overlap_of(line, "--text", "seen.txt", "new.txt")
    seen, new = found["each_text"]
    assert (seen["byte_windows"], seen["byte_windows_seen"]) in ((51, 51), (51, 0))
    assert (new["byte_windows_seen"], new["token_windows_seen"]) == (0, 0)
    assert [one["source"] for one in found["sources"]] == ["seen.txt", "new.txt"]
    for kind in ("token", "byte"):
        windows = sum(one[f"{kind}_windows"] for one in found["each_text"])
        assert found[f"{kind}_windows"] == windows


def test_tasks_are_looked_up_with_the_right_continuation(line, folder):
    """An item that is text of the training split, and one whose right choice is not."""
    words = (folder / "corpus" / "words.jsonl").read_text().splitlines()
    texts = [json.loads(record)["text"] for record in words]
    found = overlap_of(line, "--text", "corpus/words.jsonl")["each_text"]
    known = next(
        text
        for text, one in zip(texts, found, strict=True)
        if one["byte_windows_seen"] == one["byte_windows"]
    )
    border = known.index(" ", 60)
    choices = ["@@ @@", known[border + 1 : 120]]
    items = [{"context": known[:border], "choices": choices, "label": label} for label in (1, 0)]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, items)))
    found = overlap_of(line, "--tasks", "own.jsonl")
    right, wrong = found["each_text"]
    assert right["byte_windows_seen"] == right["byte_windows"] == 71
    assert 0 < wrong["byte_windows_seen"] < wrong["byte_windows"]
    assert (found["texts"], found["sources"][0]["texts_seen"]) == (2, 2)


def test_rows_for_people(line):
    status, out, _ = line("data", "overlap", "data", "--text", "corpus/words.jsonl", "held.txt")
    assert status == 0
    assert "windows of 13 tokens seen, " in out
    assert "windows of 50 bytes seen, " in out
    assert out.splitlines()[-1].split()[0] in ("held.txt", "words.jsonl")


def test_faults_are_one_line_each(line, folder):
    (folder / "empty.txt").write_text("")
    for words, status, fault in (
        (("data",), 2, "name either a text or tasks: spike data overlap SHARDS --text FILE"),
        (("data", "--text", "held.txt", "--tasks", "piqa"), 2, "name either a text or tasks"),
        (("data", "--tasks", "pika"), 2, "did you mean `piqa`?"),
        (("data", "--tasks", "piqa", "--data", "nowhere"), 1, "nowhere"),
        (("corpus", "--text", "held.txt"), 1, "corpus: is a folder"),
        (("nowhere", "--text", "held.txt"), 1, "nowhere: does not exist; name a shard folder"),
        (("data", "--text", "nowhere.txt"), 1, "nowhere.txt: "),
        (("data", "--text", "empty.txt"), 1, "empty.txt: there is no text; name a file with text"),
    ):
        found, out, err = line("data", "overlap", *words, "--quiet")
        assert (found, out) == (status, ""), err
        assert fault in err.splitlines()[-1]

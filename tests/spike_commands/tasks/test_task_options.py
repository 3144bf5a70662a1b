"""`spike eval --tasks`: scores, own items, resuming, saved results, overlap, and bad input."""

import json
import math

import pytest

import spike_commands.tasks.scoring
from spike_lm.model.evaluation.causal_lm import open_causal_lm
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import score_items
from spike_lm.model.evaluation.tasks.selection import BY_NAME
from tests.conftest import document

QUESTIONS = [
    {"context": f"the quick {word}", "choices": ["fox", "dogs jump", "\tbox"], "label": number % 3}
    for number, word in enumerate("brown lazy seven quiet over the while fox".split())
]
PAIRS = [{"good": "the fox jumps", "bad": "fox the jumps"}]
BROKEN = ['{"context": "x"}', "[1]", "{", '{"context": "x", "choices": ["a", "b"], "label": 2}', ""]
LONG = {"context": "the", "choices": ["quick fox " * 40, "box"], "label": 1}
ARC = {"question": "Why the fox?", "choices": ["lazy", "quick", "dogs"], "label": 1}


@pytest.fixture(scope="module")
def data(folder):
    """Files of items, and a folder of task data that are not those of the definitions."""
    lines = [*map(json.dumps, QUESTIONS + PAIRS), *BROKEN, json.dumps(LONG)]
    (folder / "mine.jsonl").write_text("\n".join(lines))
    place = folder / "taskdata"
    for name in ("arc_easy/test.jsonl", "wikitext2/wiki.test.raw"):
        (place / name).parent.mkdir(parents=True)
    (place / "arc_easy/test.jsonl").write_text("\n".join(json.dumps(ARC) for _ in range(3)))
    (place / "wikitext2/wiki.test.raw").write_text("the fox jumps\nover lazy dogs\n" * 9)
    return place


@pytest.fixture
def score(line, data):
    """Run `spike eval --tasks` and return its result."""

    def run_eval(*arguments, tasks="mine.jsonl"):
        status, output, errors = line("eval", "runs/base", "--tasks", tasks, "--json", *arguments)
        assert status == 0, errors
        return json.loads(output)

    return run_eval


def test_own_items_score_as_their_requests_do(score, folder):
    found = score("--items", "all.items")
    (row,) = found["tasks"]
    items = []
    for record in QUESTIONS:
        continuations = [f" {one}" if one[0] != "\t" else one for one in record["choices"]]
        requests = tuple(Request(record["context"], one) for one in continuations)
        items.append(Item(requests, tuple(record["choices"]), record["label"], "x"))
    items.append(Item((Request("", PAIRS[0]["good"]), Request("", PAIRS[0]["bad"])), (), 0, "x"))
    lm = open_causal_lm(folder / "runs/base")
    right = 0
    for number, likelihoods in score_items(lm, items):
        nats = [one.nats for one in likelihoods]
        right += nats.index(max(nats)) == items[number].label
    assert (row["items"], row["acc"]) == (9, right / 9)
    assert row["acc_error"] == pytest.approx(math.sqrt(right / 9 * (1 - right / 9) / 9))
    assert row["left_out"] == {
        "no choices": 1,
        "not a JSON object of this task": 2,
        "label out of range": 1,
        "a continuation longer than the context": 1,
    }
    lines = [json.loads(text) for text in (folder / "all.items").read_text().splitlines()]
    assert [line["source"] for line in lines[1:]] == [f"mine.jsonl:{n}" for n in range(1, 10)]
    assert sum(line["correct"] for line in lines[1:]) == right
    assert (found["step"], found["context"], found["missing"]) == (4, 32, {})


def test_an_interrupted_scoring_is_resumed(score, line, monkeypatch, folder):
    whole = score("--items", "whole.items")

    def interrupted(lm, items, *rest):
        for number, (place, found) in enumerate(score_items(lm, items, *rest)):
            if number == 4:
                raise KeyboardInterrupt
            yield place, found

    command = ("eval", "runs/base", "--tasks", "mine.jsonl", "--items", "part.items")
    with monkeypatch.context() as patch:
        patch.setattr(spike_commands.tasks.scoring, "score_items", interrupted)
        status, output, errors = line(*command)
    assert (status, output) == (130, "")
    assert "--items part.items --resume continues" in errors
    part, written = folder / "part.items", (folder / "part.items").read_bytes()
    assert written.count(b"\n") == 5
    part.write_bytes(written + b'{"task": "cut off')
    again = []

    def counted(lm, items, *rest):
        again.extend(items)
        return score_items(lm, items, *rest)

    monkeypatch.setattr(spike_commands.tasks.scoring, "score_items", counted)
    assert score("--items", "part.items", "--resume") == whole
    assert len(again) == 5 + 1 + 1  # five short ones, a long one among them, and that one alone
    assert part.read_bytes() == (folder / "whole.items").read_bytes()
    assert score("--items", "new.items", "--resume") == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--context", "16"), "are of another context; name another --items"),
        (("--resume-other-model",), "are of another model; name another --items"),
        (("--other-data",), "are of another data; name another --items"),
        (("--broken",), "other.items:2: cannot be read"),
        (("--no-resume",), "other.items: exists already; add --resume"),
    ],
)
def test_results_of_other_scorings_are_not_continued(score, line, folder, change, message):
    path = folder / "other.items"
    path.unlink(missing_ok=True)
    score("--items", "other.items")
    lines = path.read_text().splitlines(keepends=True)
    options = ["--resume", *change] if change[0] == "--context" else ["--resume"]
    edits = {"--resume-other-model": ("model", 0), "--other-data": ("data", 0)}
    if change[0] in edits:
        key, number = edits[change[0]]
        lines[number] = json.dumps({**json.loads(lines[number]), key: "0"}) + "\n"
    if change[0] == "--broken":
        lines[1] = json.dumps({**json.loads(lines[1]), "nats": [1.0]}) + "\n"
    if change[0] == "--no-resume":
        options = []
    path.write_text("".join(lines))
    command = ("eval", "runs/base", "--tasks", "mine.jsonl", "--items", "other.items", *options)
    status, output, errors = line(*command)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert message in errors
    assert path.read_text() == "".join(lines)


def test_changed_data_are_refused_unless_asked_for(score, line):
    options = ("--data", "taskdata")
    for name in ("arc_easy", "all", "wikitext2"):
        status, output, errors = line("eval", "runs/base", "--tasks", name, *options)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert "its sha256 begins with" in errors
        assert "add --allow-changed-data" in errors
    found = score(*options, "--allow-changed-data", "--limit", "2", tasks="arc_easy,wikitext2")
    questions, text = found["tasks"]
    assert questions["changed_data"] == ["taskdata/arc_easy/test.jsonl"]
    assert questions["items"] == 2
    assert text["bytes"] == len("the fox jumps\nover lazy dogs\n")
    assert text["byte_ppl"] == pytest.approx(math.exp(text["nats"] / text["bytes"]))
    assert text["bits_per_byte"] == pytest.approx(math.log2(text["byte_ppl"]))


def test_all_scores_the_tasks_whose_data_are_there(score, line):
    found = score("--data", "taskdata", "--allow-changed-data", "--limit", "2", tasks="all")
    names = [row["task"] for row in found["tasks"]]
    assert names == [
        *("wikitext2", "arc_easy", "spike-arithmetic"),
        *("tiny-ml-wikitext2", "tiny-ml-arc_easy"),
    ]
    assert sorted([*names, *found["missing"]]) == sorted(BY_NAME)
    assert found["missing"]["piqa"].startswith("piqa: there is no taskdata/piqa/validation.jsonl")
    status, output, errors = line("eval", "runs/base", "--tasks", "all", "--data", "nowhere")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "there is no nowhere/wikitext2/wiki.test.raw; name with --data, or tasks.data" in errors


def test_passages_of_the_training_data_are_found_and_excluded(score, folder):
    texts = [document(number) for number in range(120)]
    (folder / "seen.jsonl").write_text(
        "\n".join(
            json.dumps({"context": text[:60], "choices": [text[61:90], "zebra"], "label": 0})
            for text in [*texts[:20], "an unseen zebra " * 5, "zebras again and again " * 3]
        )
    )
    found = score("--exclude-overlap", tasks="seen.jsonl")["tasks"][0]
    assert found["overlap"]["texts"] == 22
    # Some of the first twenty are held out from training.
    assert 10 < found["overlap"]["texts_seen"] < 22
    assert found["unseen"]["items"] == 22 - found["overlap"]["texts_seen"]
    assert 0 < found["overlap"]["byte_windows_seen"] < found["overlap"]["byte_windows"]
    assert "overlap" not in score("--no-overlap", tasks="seen.jsonl")["tasks"][0]
    named = score("--shards", "data", tasks="seen.jsonl")["tasks"][0]
    assert named["overlap"] == found["overlap"]


def test_tables_and_markdown(line, data):
    status, output, errors = line(
        "eval", "runs/base", "--tasks", "mine.jsonl,spike-arithmetic", "--limit", "5", "--quiet"
    )
    assert status == 0, errors
    lines = output.splitlines()
    assert lines[0].split(maxsplit=1) == ["model", "runs/base, step 4, context 32"]
    assert lines[2].split() == "task n acc ± norm bytes chance cross cut".split()
    assert [text.split()[0] for text in lines[3:5]] == ["mine.jsonl", "spike-arithmetic"]
    assert max(map(len, lines[:5])) <= 80
    assert "mine.jsonl left out" in output
    status, output, errors = line(
        "eval", "runs/base", "--tasks", "spike-arithmetic", "--limit", "5", "--markdown"
    )
    heading, rule, row = output.splitlines()
    assert heading.count("|") == rule.count("|") == row.count("|") == 9
    assert row.startswith("| spike-arithmetic | acc | 0.")
    status, output, errors = line("eval", "runs/base", "--tasks", "mine.jsonl", "--markdown")
    assert output.splitlines()[3] == ""
    assert output.splitlines()[4].startswith("- mine.jsonl: left out 5 items: ")


def test_odd_names_and_marks_at_the_beginning(score, line, folder):
    """A byte-order mark costs no item, and a name that is not UTF-8 or has a line end is shown."""
    name = "odd\udcff\n.jsonl"
    (folder / name).write_bytes(b"\xef\xbb\xbf" + json.dumps(PAIRS[0]).encode())
    (row,) = score(tasks=name)["tasks"]
    assert (row["items"], row["left_out"]) == (1, {})
    status, output, errors = line("eval", "runs/base", "--tasks", name)
    assert status == 0, errors
    assert "odd⟨FF⟩⏎.jsonl" in output


def test_the_list_has_every_task(line):
    status, output, _ = line("eval", "--tasks", "list", "--json")
    found = json.loads(output)
    assert (status, [row["task"] for row in found["tasks"]]) == (0, list(BY_NAME))
    status, output, _ = line("eval", "--tasks", "list")
    assert all(name in output for name in BY_NAME)
    assert max(map(len, output.splitlines()[:20])) <= 80


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["runs/base", "--tasks", "arc-easy"], 2, "arc-easy: no such task; did you mean `arc_eas"),
        (["runs/base", "--tasks", "piqa,,boolq"], 2, "--tasks: no such task"),
        (["runs/base", "--tasks", "piqa"], 1, "piqa: there is no tasks/piqa/validation.jsonl"),
        (["runs/base", "--tasks", "no.jsonl"], 1, "no.jsonl: no such file"),
        (["runs/base", "--tasks", "data/train"], 2, "no such task"),
        (["--tasks", "piqa"], 2, "Missing argument 'RUN'"),
        (["runs/base", "--text", "held.txt", "--limit", "3"], 2, "--limit goes with --tasks"),
        (["runs/base", "--tasks", "piqa", "--stride", "3"], 2, "--stride does not go with --task"),
        (["runs/base", "held.txt", "--tasks", "piqa"], 2, "held.txt does not go with --tasks"),
        (["runs/base", "--tasks", "mine.jsonl", "--context", "99"], 2, "99 is more than the 32 of"),
        (["runs/base", "--tasks", "mine.jsonl", "--context", "1"], 1, "no item fits the context"),
        (
            ["runs/base", "--tasks", "piqa", "--exclude-overlap", "--no-overlap"],
            2,
            "leave out --no",
        ),
        (["runs/base", "--tasks", "piqa", "--resume"], 2, "--resume continues the file of --item"),
        (["runs/base", "--tasks", "piqa", "--markdown", "--json"], 2, "leave one out"),
        (["runs/base", "--tasks", "only-broken.jsonl"], 1, "no item to score (1 no label, 1 an em"),
        (["runs/base", "--tasks", "empty.jsonl"], 1, "empty.jsonl: there is no item to score;"),
        (["runs/base", "--tasks", "pipe.jsonl"], 1, "pipe.jsonl: is a pipe"),
        (["runs/base", "--tasks", "cut.jsonl.gz"], 1, "cut.jsonl.gz: is damaged"),
        (["runs/base", "--tasks", "plain.jsonl.gz"], 1, "plain.jsonl.gz: is not a gzip file"),
        (["held.txt", "--tasks", "spike-arithmetic"], 1, "held.txt: "),
        (["nowhere", "--tasks", "spike-arithmetic"], 1, "nowhere: does not exist"),
        (["data", "--tasks", "spike-arithmetic"], 1, "data: is a shard folder"),
        (["runs/base", "--tasks", "spike-arithmetic", "--shards", "runs"], 1, "runs: "),
        (["base.x", "--tasks", "spike-arithmetic", "--save-results"], 1, "base.x: is no folder"),
    ],
)
def test_bad_input_is_one_line(line, data, folder, arguments, status, message):
    broken = ['{"context": "", "choices": ["a", "b"]}', '{"good": "", "bad": "x"}']
    (folder / "only-broken.jsonl").write_text("\n".join(broken))
    (folder / "empty.jsonl").write_bytes(b"\n")
    (folder / "pipe.jsonl").symlink_to("/dev/zero")
    (folder / "cut.jsonl.gz").write_bytes(bytes.fromhex("1f8b08000000000000030b"))
    (folder / "plain.jsonl.gz").write_bytes(b"{}")
    try:
        found, output, errors = line("eval", *arguments)
    finally:
        (folder / "pipe.jsonl").unlink()  # other tests copy the folder
    assert (found, output, errors.count("\n")) == (status, "", 1)
    assert message in errors

"""Samples during training: readable, kept in the metrics, replies where replies are learned."""

import json

import pytest

from spike_commands.train.progress import MAX_LINES, sample_lines
from spike_lm.model.training.trainer import Sample


def metrics(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [found for found in map(json.loads, lines) if "sample" in found]


def test_a_sample_is_indented_text_and_in_the_metrics(line, tiny, folder):
    options = ["--config", "base", *tiny, "--out", "runs/sampled", "--set", "sample.every=2"]
    options += ["--set", "sample.prompt=the\nfox\x1b[1m", "--set", "sample.tokens=8"]
    status, _, errors = line("train", *options)
    assert status == 0
    found = metrics(folder / "runs/sampled")
    assert [entry["step"] for entry in found] == [2, 4]
    assert {entry["sample_prompt"] for entry in found} == {"the\nfox\x1b[1m"}
    for entry in found:
        shown = "\n".join(sample_lines(Sample(entry["sample_prompt"], entry["sample"])))
        assert shown.startswith("    the\n    fox⟨U+1B⟩[1m")
        assert f"step {entry['step']:>6}: sample\n{shown}\n" in errors
    assert "\x1b" not in errors
    status, output, _ = line("export", "model", "runs/sampled", "--to", "exported-sampled")
    assert status == 0, output


def test_the_log_shows_few_lines_of_a_long_sample():
    text = "b" + "\n \n\t\n" * 40 + "".join(f"line {n}\n" for n in range(50))
    shown = list(sample_lines(Sample("q\n" * 90 + "a: ", text)))
    assert len(shown) == 2 * (MAX_LINES + 1)
    assert shown[MAX_LINES : MAX_LINES + 4] == [
        "    … (70 more lines)",
        "    a: b",
        "",
        "    line 0",
    ]
    assert shown[-2:] == ["    line 17", "    … (33 more lines)"]


@pytest.mark.parametrize(("prompt", "question"), [("", "user: What is "), ("ab?", "user: ab?\n")])
def test_runs_on_conversations_answer(line, tiny, chat_folder, prompt, question):
    out = f"runs/answers{len(prompt)}"
    options = ["--config", "base", *tiny, "--data", "chats", "--out", out]
    options += ["--set", "sample.every=4", "--set", f"sample.prompt={prompt}"]
    status, _, errors = line("train", *options, "--set", "sample.tokens=5")
    assert status == 0
    (entry,) = metrics(chat_folder / out)
    assert entry["sample_prompt"].startswith(question)
    assert entry["sample_prompt"].endswith("\nassistant: ")
    assert f"    {question}".rstrip() in errors
    validation = {
        json.loads(shown)["text"].split("\n")[1].split("<|")[0]
        for number in range(12)
        if (shown := line("data", "inspect", "chats", *of_validation(number))[1])
    }
    if not prompt:
        assert entry["sample_prompt"].split("\n")[0].removeprefix("user: ") in validation


def of_validation(number):
    return ["--document", str(number), "--split", "validation", "--json"]

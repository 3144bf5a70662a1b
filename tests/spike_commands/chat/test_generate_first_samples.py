"""A short run on one document of English writes with that document's alphabet."""

import json
from pydoc_data.topics import topics

import pytest
import torch

from spike_lm.model.runs.folder import load_run
from spike_lm.model.runs.trained_ids import unseen_ids

SMALL = ["model.layers=2", "model.dim=64", "model.heads=2", "model.kv_heads=1"]
SMALL += ["model.context=128", "train.steps=200", "train.threads=1", "sample.every=0"]
BEGINNINGS = ["", "", "the", "Th", "a clas", "x = ", "def f(", "Zwölf", "quantum", "xylo"]


@pytest.mark.slow
def test_no_byte_outside_the_alphabet_is_sampled(process, tmp_path):
    text = "\n\n".join(topics[name] for name in sorted(topics))
    (tmp_path / "topics.txt").write_text(text)
    prompts = [*BEGINNINGS, *(text[at : at + 3 + at % 20] for at in range(99, 99_999, 2499))]
    lines = [prompt.replace("\n", " ") for prompt in prompts]
    assert len(lines) == 50
    (tmp_path / "prompts.txt").write_text("\n".join(lines) + "\n")
    sets = [word for override in SMALL for word in ("--set", override)]
    for command in (
        ["tokenizer", "train", "topics.txt", "--vocab", "8192"],
        ["shard", "topics.txt", "--split-text", "none", "--out", "data"],
        ["train", "--config", "base", "--data", "data", "--out", "run", *sets],
    ):
        done = process(tmp_path, *command, "-q")
        assert done.returncode == 0, done.stderr
    options = ["--prompts", "prompts.txt", "--samples", "2", "--max-tokens", "20", "--json"]
    done = process(tmp_path, "generate", "run", *options)
    samples = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert len(samples) == 100
    assert len(set(samples)) > 90
    assert set().union(*(sample.encode() for sample in samples)) <= set(text.encode())
    run = load_run(tmp_path / "run")
    unseen = sorted(unseen_ids(run.trained_ids))
    assert len(unseen) > 100
    with torch.inference_mode():
        hidden = run.model.backbone(torch.tensor([[run.tokenizer.eos_id]]))
        after_separator = run.model.logits(hidden)[0, -1].double().softmax(-1)
    assert float(after_separator[unseen].sum()) < 0.1

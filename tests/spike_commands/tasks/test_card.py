"""`spike card`, and the same scores in an exported folder."""

import json
import shutil

import pytest

from spike_commands.tasks.results import save_results

ROW = {
    "task": "piqa",
    "kind": "multiple choice",
    "metric": "acc",
    "border": "joint",
    "context": 64,
    "changed_data": [],
    "items": 4,
    "acc": 0.5,
    "acc_error": 0.25,
    "acc_norm": 0.75,
    "acc_bytes": 0.25,
    "chance": 0.5,
    "crossing": 2,
    "left_out": {"no choices": 1},
    "overlap": {
        "byte_windows": 41203,
        "byte_windows_seen": 0,
        "token_windows": 900,
        "token_windows_seen": 7,
        "texts_seen": 3,
    },
}


@pytest.fixture
def run(folder):
    """Return a copy of the run, without scores."""
    place = folder / "runs/card"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "runs/base", place)
    yield place
    shutil.rmtree(place)


def save(line, run, **values):
    """Save a row as scores of the run's weights."""
    scored = ("eval", "runs/card", "--tasks", "spike-arithmetic", "--limit", "2")
    _, output, _ = line(*scored, "--json", "--no-overlap")
    save_results(run, json.loads(output) | {"tasks": [ROW], "limit": 0} | values)


def test_the_card_has_scores_of_the_newest_weights_alone(line, run, folder):
    _, bare, _ = line("card", "runs/card")
    assert "Nothing else was measured." in bare
    assert "## Evaluation" not in bare
    save(line, run)
    _, scored, errors = line("card", "runs/card")
    assert "| piqa | acc | 0.5000 | 0.7500 | 0.2500 | 0.2500 | 4 | 3 |" in scored
    assert "0 of 41,203 windows of 50 bytes and 7 of 900 of 13 tokens seen in training" in scored
    assert "border joint, in 2 items a token crosses it" in scored
    assert "left out: 1 no choices" in scored
    assert "Nothing else was measured" not in scored
    status, output, _ = line("card", "runs/card", "--to", "CARD.md", "--json")
    assert (status, json.loads(output)["card"]) == (0, (folder / "CARD.md").read_text())
    (folder / "CARD.md").unlink()
    status, *_ = line("export", "model", "runs/card", "--to", "carded")
    assert status == 0
    assert (
        scored.split("## Evaluation")[1]
        == ((folder / "carded/README.md").read_text().split("## Evaluation")[1])
    )
    assert (folder / "carded/.eval_results/piqa.yaml").is_file()
    shutil.rmtree(folder / "carded")
    save(line, run, fingerprint="0" * 64)
    _, stale, errors = line("card", "runs/card")
    assert stale == bare
    assert "of other weights" in errors


def test_rows_that_are_no_scores_are_named(line, run):
    save(line, run)
    path = run / "evaluation.json"
    path.write_text(path.read_text().replace('"context"', '"kontext"'))
    status, output, errors = line("card", "runs/card")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "evaluation.json: cannot be read" in errors

"""Saved results: evaluation.json, and entries that the hub's library reads."""

import json
import shutil

import pytest

from spike_commands.tasks.results import hub_entry
from spike_commands.tasks.saved_results import read_results
from spiketok.errors import SpikeError

ROW = {"task": "piqa", "acc": 0.5, "acc_error": 0.25, "acc_norm": 0.75, "items": 4}


@pytest.fixture
def saved(line, folder):
    """Save scores of a copy of the run, and return its folder."""
    place = folder / "runs/saved"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "runs/base", place)
    (folder / "two.jsonl").write_text('{"good": "the fox", "bad": "fox the"}\n' * 2)

    def save(*arguments):
        command = ("eval", "runs/saved", "--save-results", "--json", "--quiet", *arguments)
        status, output, errors = line(*command)
        assert status == 0, errors
        return place, json.loads(output)

    yield save
    shutil.rmtree(place)  # its weights are those of runs/base, which other tests look for


def test_scores_are_merged_by_task(saved):
    place, first = saved("--tasks", "two.jsonl")
    _, second = saved("--tasks", "spike-arithmetic", "--limit", "3")
    found = read_results(place)
    assert [row["task"] for row in found.tasks] == ["two.jsonl", "spike-arithmetic"]
    assert found.fingerprint == first["fingerprint"] == second["fingerprint"]
    assert (found.tasks[0]["acc"], found.tasks[1]["limit"]) == (first["tasks"][0]["acc"], 3)
    path = place / "evaluation.json"
    path.write_text(path.read_text().replace(first["fingerprint"], "0" * 64))
    saved("--tasks", "two.jsonl")  # those of other weights are dropped
    assert [row["task"] for row in read_results(place).tasks] == ["two.jsonl"]


def test_links_and_other_files_are_refused(saved, line, folder):
    place, _ = saved("--tasks", "two.jsonl")
    path = place / "evaluation.json"
    path.write_text('{"format": 2}')
    with pytest.raises(SpikeError, match="cannot be read"):
        read_results(place)
    path.unlink()
    path.symlink_to(folder / "elsewhere.json")
    command = ("eval", "runs/saved", "--tasks", "two.jsonl", "--save-results")
    status, output, errors = line(*command, "--quiet")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "evaluation.json: is a link" in errors
    assert not (folder / "elsewhere.json").exists()


def test_the_library_of_the_hub_reads_the_entries():
    yaml = pytest.importorskip("yaml")
    text = hub_entry({**ROW, "date": "2026-01-31", "border": "joint"})
    (entry,) = yaml.safe_load(text)
    assert entry["dataset"] == {"id": "baber/piqa", "task_id": "piqa"}
    assert (entry["value"], entry["date"]) == (0.5, "2026-01-31")
    assert "acc_norm 0.7500" in entry["notes"]
    hub = pytest.importorskip("huggingface_hub")
    if hasattr(hub, "parse_eval_result_entries"):
        (found,) = hub.parse_eval_result_entries([entry])
        assert (found.dataset_id, found.task_id, found.value) == ("baber/piqa", "piqa", 0.5)

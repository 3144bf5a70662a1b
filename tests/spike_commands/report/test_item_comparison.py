"""Paired items of tasks: against counts made here; items of other models are refused."""

import json
import shutil

import pytest

from spike_commands.report.item_comparison import compare_items, read_item_file
from spiketok.errors import SpikeError


@pytest.fixture(scope="module")
def scored(folder, process):
    """Items of two different models on the same task."""
    lines = [
        {"context": f"the quick {word}", "choices": ["fox", "dogs", "wizards"], "label": n % 3}
        for n, word in enumerate(["brown", "lazy", "seven", "over", "while"] * 4)
    ]
    (folder / "mine.jsonl").write_text("\n".join(json.dumps(one) for one in lines))
    shutil.copytree(folder / "runs/base", folder / "runs/early")
    shutil.rmtree(folder / "runs/early/checkpoints/step-00000004")
    for run in ("base", "early"):
        words = ("eval", f"runs/{run}", "--tasks", "mine.jsonl", "--items", f"{run}.items", "-q")
        done = process(folder, *words)
        assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder / "runs/early")


def items_of(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["source"]: line for line in lines if "nats" in line}


def test_differences_are_those_of_the_same_items(line, scored):
    words = ("compare", "runs/base", "runs/early", "--items", "base.items", "early.items")
    status, out, err = line(*words, "--json")
    assert status == 0, err
    rows = {row["metric"]: row for row in json.loads(out)["items"]}
    both = [items_of(scored / f"{run}.items") for run in ("base", "early")]
    for metric, row in rows.items():
        right = [
            [one[source]["chosen"][metric] == one[source]["label"] for source in both[0]]
            for one in both
        ]
        assert row["scores"] == [pytest.approx(sum(one) / 20) for one in right]
        assert row["only_first"] == sum(a and not b for a, b in zip(*right, strict=True))
        assert row["only_second"] == sum(b and not a for a, b in zip(*right, strict=True))
        low, high = row["interval"]
        assert low <= row["difference"] <= high
    shown = line(*words)[1]
    assert "≈ cannot be distinguished" in shown
    assert max(map(len, shown.partition("tasks, the same items")[2].splitlines())) <= 80


def test_items_of_another_model_are_refused(line, scored):
    words = ("compare", "runs/base", "runs/early", "--items", "early.items", "base.items")
    status, out, err = line(*words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "another model" in err
    status, _, err = line("report", "runs/base", "runs/early", "--items", "base.items")
    assert (status, err.count("\n")) == (1, 1)


def test_tasks_of_other_data_are_not_compared(scored):
    run = scored / "runs/base"
    first = read_item_file(scored / "base.items", run)
    text = (scored / "base.items").read_text()
    other = scored / "other.items"
    origin = json.loads(text.splitlines()[0])
    other.write_text(text.replace(origin["data"], "0" * 64))
    (row,) = compare_items(first, read_item_file(other, run))
    assert "data" in row["reason"]


def test_broken_lines_are_named_and_an_unfinished_one_is_left_out(scored):
    run = scored / "runs/base"
    lines = (scored / "base.items").read_text().splitlines(keepends=True)
    cut = scored / "cut.items"
    cut.write_text("".join(lines[:-1]) + lines[-1][:20])
    (task,) = read_item_file(cut, run).values()
    assert len(task.items) == 19
    cut.write_text("".join(lines[:3]) + '{"nats": [1]}\n')
    with pytest.raises(SpikeError, match=r"cut\.items:4: "):
        read_item_file(cut, run)

"""Data of tasks: the pinned files, an even choice of items, hub rows, hostile records."""

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest

from spike_commands.tasks.task_files import evenly, parsed, read_task
from spike_lm.model.evaluation.tasks.selection import BY_NAME, own_task
from spiketok.errors import SpikeError


def test_as_many_items_of_each_file_count():
    parts = [
        [(f"{part}{number}", {}) for number in range(size)]
        for part, size in ("a5", "b1", "c9")
        for size in [int(size)]
    ]
    names = [item for item, _ in evenly(parts, 6)]
    assert names == ["a0", "a1", "a2", "b0", "c0", "c1"]
    assert len(evenly(parts, 0)) == 15
    assert [item for item, _ in evenly(parts, 99)] == [item for part in parts for item, _ in part]


@pytest.mark.parametrize(
    "line",
    [b"5", b"[]", b"{", b'{"a": "\\ud800"}', b'{"a": ' + b"[" * 9999, b"\xff{}", b'{"a": NaN}'],
)
def test_lines_that_are_no_objects(line):
    assert parsed(line) is None


def test_records_of_many_values_are_refused():
    assert parsed(json.dumps({"choices": [[]] * 20_000}).encode()) is None
    assert parsed(b'{"choices": ["a", "b"]}') == {"choices": ["a", "b"]}


def test_compressed_files_are_read_by_their_ending(tmp_path):
    content = json.dumps({"good": "a", "bad": "b"}).encode()
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(content))
    (item,) = read_task(own_task(str(tmp_path / "x.jsonl.gz")), tmp_path).items
    assert item.choices == ("a", "b")


def test_rows_of_the_hub_become_items():
    choices = {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}
    rows = [
        {"question": "Why?", "choices": choices, "answerKey": "3"},
        {"question": "Why?", "choices": choices, "answerKey": "4"},
        {"question": 5, "choices": choices, "answerKey": "1"},
    ]

    def hub(dataset, configuration):
        assert (dataset.path, configuration) == ("allenai/ai2_arc", "ARC-Easy")
        return rows

    found = read_task(BY_NAME["arc_easy"], Path("nowhere"), hub=hub)
    assert [(item.label, item.source) for item in found.items] == [
        (2, "allenai/ai2_arc/ARC-Easy:1")
    ]
    assert sum(found.broken.values()) == 2
    other = read_task(BY_NAME["arc_easy"], Path("nowhere"), hub=lambda *_: rows[:1])
    assert other.fingerprint != found.fingerprint


def test_pairs_of_a_paradigm_that_count(tmp_path):
    task = BY_NAME["blimp-150"]
    (tmp_path / "blimp").mkdir()
    for file in task.files:
        lines = [
            {"sentence_good": f"{number}.", "sentence_bad": "x", "UID": file.path, "field": "f"}
            for number in range(160)
        ]
        content = "\n".join(map(json.dumps, lines)).encode()
        (tmp_path / file.path).write_bytes(gzip.compress(content))
    found = read_task(task, tmp_path, allow_changed=True)
    assert (len(found.items), len(found.changed)) == (1800, 12)
    assert found.groups[0] == {"paradigm": "blimp/adjunct_island.jsonl.gz", "field": "f"}
    with pytest.raises(SpikeError, match="its sha256 begins with"):
        read_task(task, tmp_path)


@pytest.mark.skipif("SPIKE_TASK_DATA" not in os.environ, reason="SPIKE_TASK_DATA names no folder")
@pytest.mark.parametrize("name", BY_NAME)
def test_pinned_files_have_the_items_of_the_definition(name):
    task, folder = BY_NAME[name], Path(os.environ["SPIKE_TASK_DATA"])
    if not all((folder / file.path).exists() for file in task.files):
        pytest.skip("the data are not there")
    found = read_task(task, folder)
    assert found.broken == {}
    if task.kind == "text":
        assert len(found.text) == (1_290_590 if name == "wikitext2" else 1_292_008)
        assert hashlib.sha256((folder / task.files[0].path).read_bytes()).hexdigest()
    elif task.files:
        assert len(found.items) == sum(task.per_file or file.records for file in task.files)

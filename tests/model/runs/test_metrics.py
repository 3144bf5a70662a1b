import json

import pytest

from spike_lm.model.runs.metrics import append_metrics, cut_back_metrics, sync_metrics
from spiketok.errors import SpikeError


def test_cut_back_to_a_step(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in (1, 10, 20):
        append_metrics(path, {"step": step, "loss": 0.5})
    sync_metrics(path)
    with path.open("ab") as file:
        file.write(b'{"step": 3')
    cut_back_metrics(path, 10)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.5}, {"step": 10, "loss": 0.5}]
    cut_back_metrics(path, 0)
    assert path.read_bytes() == b""


def test_nothing_to_cut_back(tmp_path):
    cut_back_metrics(tmp_path / "metrics.jsonl", 3)
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize("line", ["{}", "[]", "x", '{"step": "1"}', ""])
def test_a_damaged_line_is_told(line, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    with pytest.raises(SpikeError, match=r"metrics\.jsonl:2: cannot be read"):
        cut_back_metrics(path, 3)

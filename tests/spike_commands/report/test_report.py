"""`spike report`: one page, whatever the runs are; the page itself is tested in test_page.py."""

import json
import re
import shutil

import jsonschema
import pytest

from tests.conftest import schema_of

DATA = re.compile(rb'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def data_of(path):
    (found,) = DATA.findall(path.read_bytes())
    return json.loads(found)


def test_a_report_has_every_part_of_its_runs(line, folder, tmp_path):
    page = tmp_path / "page.html"
    shutil.copytree(folder / "runs/base", tmp_path / "again")
    words = ("report", "runs/base", str(tmp_path / "again"), "--text", "held.txt")
    status, out, _ = line(*words, "--prompt", "the fox", "--max-tokens", "4", "-o", page, "--json")
    assert status == 0
    jsonschema.validate(json.loads(out), schema_of("report"))
    found = data_of(page)
    first, second = found["runs"]
    lines = (folder / "runs/base/metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(one) for one in lines]
    assert first["series"]["loss"]["tokens"] == [entry["tokens"] for entry in metrics]
    assert first["series"]["loss"]["mean"] == pytest.approx([entry["loss"] for entry in metrics])
    assert first["samples"] == second["samples"]
    assert first["samples"][0]["prompt"] == "the fox"
    (pair,) = found["pairs"]
    assert pair["config"] == {}
    assert pair["text"]["difference"] == 0
    (statistics,) = found["data"].values()
    described = json.loads(line("data", "inspect", "data", "--json")[1])
    assert statistics["shards"]["train_tokens"] == described["train_tokens"]
    assert statistics["tokens"]["uses"] == described["train_tokens"] - described["train_documents"]


def test_equal_inputs_give_equal_pages(line, tmp_path):
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        assert line("report", "runs/base", "-o", page, "-q")[0] == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_what_is_missing_is_in_the_page_with_its_reason(line, folder, tmp_path):
    bare, damaged = tmp_path / "bare", tmp_path / "damaged"
    for run in (bare, damaged):
        shutil.copytree(folder / "runs/base", run)
    (bare / "metrics.jsonl").unlink()
    lineage = (bare / "run.json").read_text()
    (bare / "run.json").write_text(re.sub(r'"places": \{[^}]*\}', '"places": {}', lineage))
    config = (bare / "config.toml").read_text()
    moved = re.sub(r'^path = ".*"', f'path = "{tmp_path}/gone"', config, flags=re.MULTILINE)
    (bare / "config.toml").write_text(moved)
    (damaged / "run.json").write_text("{")
    page = tmp_path / "page.html"
    status, _, err = line("report", str(bare), str(damaged), "-o", page, "-q")
    assert (status, err) == (0, "")
    found = data_of(page)
    assert [run["state"] for run in found["runs"]] == ["finished", "damaged"]
    assert "run.json" in found["runs"][1]["reason"]
    assert found["runs"][0]["series"] == {}
    (statistics,) = found["data"].values()
    assert "gone" in statistics["missing"]
    status, out, err = line("report", str(damaged), "-o", tmp_path / "none.html")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert not (tmp_path / "none.html").exists()


def test_a_packed_model_beside_the_run_is_found(line, folder, tmp_path):
    run = tmp_path / "base"
    shutil.copytree(folder / "runs/base", run)
    packed = tmp_path / "base.spike"
    assert line("pack", str(run), "--method", "rtn", "--out", packed, "-q")[0] == 0
    assert line("report", str(run), "-o", tmp_path / "page.html", "--no-data", "-q")[0] == 0
    found = data_of(tmp_path / "page.html")
    assert found["runs"][0]["artifact"]["bytes"] == packed.stat().st_size
    assert found["data"] == {}
    other = tmp_path / "other.spike"
    other.write_bytes(b"no artifact")
    words = ("report", str(run), "--artifact", other, "-o", tmp_path / "no.html")
    assert line(*words)[0] == 1

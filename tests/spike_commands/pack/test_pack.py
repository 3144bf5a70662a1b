"""`spike pack`, `inspect` and `unpack`, and scores of what was packed."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

SCHEMAS = {
    found[1]: json.loads(found[2])
    for found in re.finditer(
        r"```json schema=([\w-]+)\n(.*?)```",
        (Path(__file__).parents[3] / "docs/formats.md").read_text(),
        re.DOTALL,
    )
}


@pytest.fixture
def packed(line, tmp_path):
    """Pack the run with some options: (file, what was printed)."""

    def pack(*options):
        file = tmp_path / "packed.spike"
        status, output, errors = line("pack", "runs/base", "--out", str(file), *options, "--json")
        assert status == 0, errors
        return file, json.loads(output)

    return pack


@pytest.mark.parametrize(
    "options", [["rtn"], ["gptq", "--calibration-sequences", "4"]], ids=lambda o: o[0]
)
def test_a_packed_run_is_scored_by_itself(line, packed, options):
    file, result = packed("--method", *options, "--text", "held.txt")
    jsonschema.validate(result, SCHEMAS["pack"])
    assert result["bytes"] == file.stat().st_size
    assert result["code_bytes"] > 10_000
    scores = [
        json.loads(line("eval", str(path), "--text", "held.txt", "--json")[1])["bits_per_byte"]
        for path in (file, "runs/base")
    ]
    assert scores == [result["bits_per_byte"], result["float_bits_per_byte"]]
    assert line("generate", str(file), "the", "--max-tokens", "3")[0] == 0
    whole = file.read_bytes()
    learning = ["--ttt", "chunk=40,blocks=1,rate=0.02,decay=none,polyak=0,batch=1"]
    learned = line("eval", str(file), "--text", "held.txt", *learning, "--json")[1]
    assert json.loads(learned)["bits_per_byte"] < result["bits_per_byte"]
    assert file.read_bytes() == whole
    shown = json.loads(line("inspect", str(file), "--json")[1])
    jsonschema.validate(shown, SCHEMAS["inspect"])
    assert sum(row["bytes"] for row in shown["arrays"]) == shown["sections"]["weights"]
    assert "all the rest" in line("inspect", str(file))[1]
    assert sum(shown["parts"].values()) == shown["sections"]["weights"]


def test_text_of_the_model_s_own_serves_in_place_of_shards(packed):
    options = [
        "--method",
        "gptq",
        "--calibrate-on-samples",
        "--calibration-sequences",
        "3",
        "--correction-rank",
        "2",
    ]
    file, result = packed(*options)
    assert result["compression"]["correction_rank"] == "2"
    assert any(row["name"].endswith("/left") for row in result["arrays"])
    written = file.read_bytes()
    file.unlink()
    assert packed(*options)[0].read_bytes() == written


def test_an_unpacked_run_scores_as_the_artifact(line, packed, tmp_path):
    file, _ = packed("--method", "rtn")
    run = tmp_path / "run"
    status, output, errors = line("unpack", str(file), "--to", str(run), "--json")
    assert status == 0, errors
    jsonschema.validate(json.loads(output), SCHEMAS["unpack"])
    first, second = (
        json.loads(line("eval", str(path), "--text", "held.txt", "--json")[1])
        for path in (file, run)
    )
    assert first["nats"] == second["nats"]


def test_unpacking_says_that_counts_stay_behind(line, packed, tmp_path):
    file, _ = packed("--method", "rtn", "--counts", "data", "--counts-bytes", "20000")
    status, _, errors = line("unpack", str(file), "--to", str(tmp_path / "run"))
    assert status == 0
    assert "the counts are left out" in errors.splitlines()[0]


def test_what_does_not_fit_is_refused_with_the_table(line, tmp_path):
    file = tmp_path / "small.spike"
    options = ["--budget", "2000", "--method", "rtn", "--out", str(file)]
    status, _, errors = line("pack", "runs/base", *options)
    assert status == 1
    assert "more than the budget" in errors
    assert "all the rest" in errors
    assert not file.exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--bits", "mlp=int9"], 2, "int9"),
        (["--clip", "wide"], 2, "--clip"),
        (["--data", "nowhere"], 1, "name the shards for gptq"),
        (["--data", "nowhere", "--calibrate-on-samples"], 2, "--data"),
        (["--correction-rank", "65"], 2, "--correction-rank"),
        (["--sparsity", "nan"], 2, "--sparsity"),
        (["--method", "rtn", "--calibrate-on-samples"], 2, "go with --method gptq"),
        (["--counts-bytes", "100"], 2, "goes with --counts"),
        (["--method", "rtn", "--text", "nowhere.txt"], 1, "nowhere.txt: no such file"),
    ],
)
def test_wrong_options_are_told(line, tmp_path, options, status, message):
    out = str(tmp_path / "x.spike")
    found, _, errors = line("pack", "runs/base", "--out", out, *options)
    assert found == status
    assert message in errors
    assert not Path(out).exists()

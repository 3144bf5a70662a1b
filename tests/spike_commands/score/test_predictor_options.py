"""Parts on the network, in `spike eval`, `compress` and `pack`; and the published rule."""

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
ALL = ["temperature", "calibration", "ngram", "match", "mixture"]
TTT = "chunk=8,epochs=1,batch=2,blocks=1"


def scored(line, *options, run="runs/base", schema="eval"):
    status, output, errors = line("eval", run, "--text", "held.txt", *options, "--json")
    assert status == 0, errors
    found = json.loads(output)
    jsonschema.validate(found, SCHEMAS[schema])
    return found


def test_parts_are_scored_and_proved_one_by_one(line):
    found = scored(line, "--with", "all", "--counts", "data", "--ttt", TTT, "--verify")
    assert list(found["rungs"]) == ["network", *ALL, "ttt"]
    assert found["proved"] == ", ".join(found["rungs"])
    assert found["counts"].startswith("shards ")
    for stage in found["rungs"].values():
        told = (stage["nats"] - stage["nats_separators"]) / 0.6931471805599453 / 8
        assert abs(stage["coded_bytes"] - told) < 2
    assert found["bits_per_byte"] == found["rungs"]["ttt"]["bits_per_byte"]
    assert found["coded_bytes"] == found["rungs"]["ttt"]["coded_bytes"]
    # The corpus and the text are alike.
    assert found["rungs"]["ngram"]["nats"] < found["rungs"]["network"]["nats"] / 2
    plain = scored(line)
    assert plain["nats"] == pytest.approx(found["rungs"]["network"]["nats"], rel=1e-5)
    taught = scored(line, "--ttt", TTT, "--verify")
    assert taught["proved"] == "ttt"
    assert taught["nats"] != plain["nats"]


def test_counts_alone_need_no_network(line):
    alone = scored(line, "--without-network", "--counts", "data", "--verify")
    assert list(alone["rungs"]) == ["ngram", "match", "mixture"]
    nothing = scored(line, "--without-network", "--with", "ngram")
    assert nothing["counts"] is None
    assert alone["nats"] < nothing["nats"]


def test_several_files_are_read_by_one_predictor(line):
    once = scored(line, "--without-network")
    status, output, _ = line(
        "eval", "runs/base", "--text", *["held.txt"] * 2, "--without-network", "--verify", "--json"
    )
    twice = json.loads(output)
    assert status == 0
    assert (twice["documents"], twice["tokens"]) == (2, 2 * once["tokens"])
    assert twice["nats"] < 1.2 * once["nats"]


def test_any_predictor_compresses(line, process, folder, tmp_path):
    out = str(tmp_path / "held.spikez")
    chosen = ["--with", "all", "--counts", "data", "--ttt", TTT]
    status, output, errors = line(
        "compress", "held.txt", "-m", "runs/base", *chosen, "-o", out, "--json"
    )
    assert status == 0, errors
    jsonschema.validate(json.loads(output), SCHEMAS["compress"])
    back = ["decompress", out, "-m", "runs/base", "-o", str(tmp_path / "again")]
    status, _, errors = line(*back)
    assert status == 1
    assert "compressed with counts shards" in errors
    assert "here it is none" in errors
    status, _, errors = line(*back, "--counts", "data", "--max-bytes", "10")
    size = (folder / "held.txt").stat().st_size
    assert status == 1
    assert f"{out}: claims {size} bytes of text; to write them, pass --max-bytes {size}" in errors
    done = process(folder, *back, "--counts", "data")
    assert f" tokens, {size} bytes of text" in done.stderr
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again").read_bytes() == (folder / "held.txt").read_bytes()


def test_an_artifact_carries_its_counts(line, tmp_path):
    file, packed = str(tmp_path / "counts.spike"), {}
    for name, options in (("without", []), ("with", ["--counts", "data", "--counts-bytes", "900"])):
        out = file if options else str(tmp_path / "plain.spike")
        status, output, errors = line(
            "pack", "runs/base", "--method", "rtn", "--out", out, *options, "--json"
        )
        assert status == 0, errors
        packed[name] = json.loads(output)
    size = packed["with"]["sections"]["counts"]
    assert 0 < size <= 900
    assert packed["with"]["bytes"] == packed["without"]["bytes"] + size + 40
    found = scored(line, "--with", "ngram", run=file)
    assert found["counts"].startswith("table ")
    plain = scored(line, "--with", "ngram", run=str(tmp_path / "plain.spike"))
    assert found["nats"] < plain["nats"]
    out = [str(tmp_path / "coded"), str(tmp_path / "text")]
    assert line("compress", "held.txt", "-m", file, "--with", "ngram", "-o", out[0])[0] == 0
    assert line("decompress", out[0], "-m", file, "-o", out[1])[0] == 0
    status, _, errors = line(
        "pack", "runs/base", "--method", "rtn", "--out", str(tmp_path / "no"), "--counts", "data",
        "--counts-bytes", "3",
    )  # fmt: skip
    assert status == 1
    assert "no table of n-grams fits in 3 bytes" in errors


def test_the_published_rule_is_never_a_rate(line):
    found = scored(line, "--method", "published-0.2071", schema="eval-published")
    assert "bits_per_byte" not in found
    assert found["bits_per_random_token"] == pytest.approx(8.6439, abs=1e-4)
    shown = line("eval", "runs/base", "--text", "held.txt", "--method", "published-0.2071")[1]
    assert "pseudo bits per byte" in shown
    assert "\nbits per byte" not in shown


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--with", "ngrams"], 2, "'ngrams' is no part; name some of temperature"),
        (["--with", "temperature", "--without-network"], 2, "without a network"),
        (["--counts", "data"], 2, "--counts goes with --with ngram"),
        (["--with", "match", "--counts", "data"], 2, "--counts goes with --with ngram"),
        (["--with", "ngram", "--counts", "nowhere"], 1, "nowhere"),
        (["--method", "published-0.2071", "--verify"], 2, "--method goes without --with"),
        (["--without-network", "--ttt", "default"], 2, "--ttt trains the network"),
        (["--ttt", "speed=3"], 2, "no `speed`"),
        (["--with", ""], 2, "'' is no part; name some of temperature"),
        (["--without-network", "--compile"], 2, "--compile compiles the network"),
    ],
)
def test_what_does_not_fit_is_one_line(line, options, status, message):
    found, output, errors = line("eval", "runs/base", "--text", "held.txt", *options)
    assert (found, output, errors.count("\n")) == (status, "", 1)
    assert message in errors

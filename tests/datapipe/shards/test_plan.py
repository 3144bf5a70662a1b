import hashlib
import json
from dataclasses import replace

import pytest

from datapipe import ShardSettings, find_sources, make_plan
from datapipe.shards import plan
from spiketok.errors import SpikeError


@pytest.fixture
def sources(corpus):
    return find_sources([corpus])[0]


@pytest.mark.parametrize("unit_bytes", [1000, 6000, 10**9])
def test_units_cover_every_source_once(sources, monkeypatch, unit_bytes):
    monkeypatch.setattr(plan, "UNIT_BYTES", unit_bytes)
    made = make_plan(sources, "f" * 64, ShardSettings())
    reached = dict.fromkeys(range(len(sources)), 0)
    for index, start, stop in (part for unit in made.units for part in unit):
        assert start == reached[index]
        reached[index] = stop
    for index, source in enumerate(sources):
        assert reached[index] in (-1, source.bytes, 3)
    if unit_bytes == 10**9:
        assert len(made.units) == 1


def test_plan_is_a_file_of_its_own_fingerprint(sources):
    made = make_plan(sources, "f" * 64, ShardSettings())
    content = json.loads(made.to_json())
    assert list(content) == ["format", "tokenizer", "settings", "sources", "units"]
    always = ["text_field", "errors", "validation", "shard_tokens"]
    assert list(content["settings"]) == [*always, "split_text"]
    records = make_plan(sources[:4], "f" * 64, ShardSettings())
    assert list(json.loads(records.to_json())["settings"]) == always
    assert list(content["sources"][0]) == ["name", "kind", "bytes", "sample"]
    assert content["sources"][0]["name"] == "corpus/a.jsonl"
    assert made.fingerprint == hashlib.sha256(made.to_json()).hexdigest()


def test_differences_are_named(sources, tmp_path):
    made = make_plan(sources, "f" * 64, ShardSettings())
    path = tmp_path / "corpus" / "e.txt"
    path.parent.mkdir()
    path.write_bytes(b"x" * sources[-2].bytes)
    changed = [*sources[:-2], replace(sources[-2], path=path), sources[-1]]
    for other, message in (
        (make_plan(sources, "e" * 64, ShardSettings()), "the tokenizer"),
        (make_plan(sources, "f" * 64, ShardSettings(errors="skip")), "errors was 'strict'"),
        (
            make_plan(sources[1:], "f" * 64, ShardSettings()),
            "the inputs differ: corpus/a.jsonl is missing",
        ),
        (make_plan(changed, "f" * 64, ShardSettings()), "corpus/e.txt has changed"),
    ):
        assert plan.difference(made, other).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ShardSettings(validation=1.0), "validation = 1.0"),
        (ShardSettings(validation=float("nan")), "validation = nan"),
        (ShardSettings(shard_tokens=0), "shard_tokens = 0"),
        (ShardSettings(errors="maybe"), "errors = 'maybe'"),
    ],
)
def test_settings_are_checked(sources, settings, message):
    with pytest.raises(SpikeError, match=message):
        make_plan(sources, "f" * 64, settings)
    with pytest.raises(SpikeError, match="nothing to shard"):
        make_plan([], "f" * 64, ShardSettings())

"""Which documents go to validation: never all, not none, those of named files, never both."""

import json

import pytest

from datapipe import (
    ShardSettings,
    describe,
    find_sources,
    open_stream,
    read_manifest,
    read_texts,
    write_shards,
)
from spiketok import LengthMaxSettings, train_length_max
from spiketok.errors import SpikeError
from spiketok.holdout import document_id, held_out_of


def write_lines(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def shard(tokenizer_path, out, inputs, validation=(), fraction=0.01, **options):
    sources = find_sources(inputs)[0]
    named = find_sources(validation)[0] if validation else []
    settings = ShardSettings(validation=fraction, errors=options.pop("errors", "strict"))
    write_shards(sources, tokenizer_path, out, settings, validation=named, **options)
    return describe(out)


@pytest.mark.parametrize("fraction", [1e-12, 0.01, 0.49, 0.999])
@pytest.mark.parametrize("number", [2, 3, 20])
def test_small_corpora_have_both_splits(tokenizer_path, tmp_path, fraction, number):
    path = write_lines(tmp_path / "a.jsonl", [f"the text {text}" for text in range(number)])
    found = shard(tokenizer_path, tmp_path / "data", [path], fraction=fraction)
    assert found["train_documents"] > 0
    assert found["validation_documents"] > 0
    again = shard(tokenizer_path, tmp_path / "data", [path], fraction=fraction, overwrite=True)
    assert again == found


def test_one_document_is_for_training_whatever_its_hash(tokenizer_path, tmp_path):
    for number in range(12):
        path = write_lines(tmp_path / "a.jsonl", [f"text {number}"] * 3)
        found = shard(tokenizer_path, tmp_path / f"{number}", [path], fraction=0.5)
        assert (found["train_documents"], found["validation_documents"]) == (3, 0)


@pytest.mark.parametrize("fraction", [1e-12, 0.05, 0.4])
def test_trainer_and_shards_hold_out_the_same_documents(tokenizer_path, tmp_path, fraction):
    texts = [f"the text and number {number}" for number in range(30)]
    path = write_lines(tmp_path / "a.jsonl", [*texts, *texts[:5]])
    found = shard(tokenizer_path, tmp_path / "data", [path], fraction=fraction)
    stream = open_stream(tmp_path / "data", "validation")
    assert stream.tokens == found["validation_tokens"]
    sources = find_sources([path])[0]
    training = train_length_max(
        lambda: read_texts(sources), LengthMaxSettings(vocab_size=400, held_out=fraction)
    ).training
    plan = json.loads((tmp_path / "data" / "plan.json").read_text())
    assert training.get("held_out_below") == plan.get("held_out_below")
    assert training["held_out_documents"] == found["validation_documents"]
    names = [document_id(text.encode()) for text in [*texts, *texts[:5]]]
    held_out = held_out_of(names, fraction)
    assert sum(name in held_out for name in names) == found["validation_documents"]


def test_named_files_are_the_validation_split(tokenizer_path, tmp_path):
    shared = "a text in both"
    train = write_lines(tmp_path / "a.jsonl", ["one", shared, "two", "one"])
    (tmp_path / "held.txt").write_text("held out")
    held = write_lines(tmp_path / "held.jsonl", ["three", shared])
    found = shard(tokenizer_path, tmp_path / "data", [train], [held, tmp_path / "held.txt"])
    assert (found["train_documents"], found["validation_documents"]) == (3, 3)
    assert found["dropped"] == {"also in a validation file": 1}
    assert found["dropped_inputs"] == {"a.jsonl": 1}
    assert read_manifest(tmp_path / "data").sources == ["a.jsonl", "held.jsonl", "held.txt"]
    plan = json.loads((tmp_path / "data" / "plan.json").read_text())
    assert plan["settings"]["validation"] == 0
    assert [source.get("split") for source in plan["sources"]] == [None, *["validation"] * 2]
    for name in ("manifest.json", "records/unit-000000.json"):  # and on from a kill
        (tmp_path / "data" / name).unlink()
    again = shard(tokenizer_path, tmp_path / "data", [train], [held, tmp_path / "held.txt"])
    assert again == found


def test_a_split_without_documents_is_an_error(tokenizer_path, tmp_path):
    train = write_lines(tmp_path / "a.jsonl", ["one", "two"])
    held = write_lines(tmp_path / "held.jsonl", ["two", "one"])
    empty = write_lines(tmp_path / "empty.jsonl", [""])
    with pytest.raises(SpikeError, match=r"training split is empty: .* file of --validation; name"):
        shard(tokenizer_path, tmp_path / "data", [train], [held])
    with pytest.raises(SpikeError, match="each input is also a file of --validation"):
        shard(tokenizer_path, tmp_path / "data", [], [held])
    with pytest.raises(SpikeError, match="files of --validation have no document"):
        shard(tokenizer_path, tmp_path / "data", [train], [empty])


def test_broken_records_do_not_stop_the_plan_but_the_work(tokenizer_path, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{\n{"text": "two"}\n')
    with pytest.raises(SpikeError, match=r"line 2 .*broken JSON"):
        shard(tokenizer_path, tmp_path / "data", [path])
    found = shard(tokenizer_path, tmp_path / "data", [path], errors="skip")
    assert (found["train_documents"], found["validation_documents"]) == (1, 1)


def test_an_input_that_cannot_be_read_any_more_is_no_fault_of_the_output(tokenizer_path, tmp_path):
    paths = [write_lines(tmp_path / name, [f"the {name}", "an"]) for name in ("a.jsonl", "b.jsonl")]
    with pytest.raises(SpikeError, match=r"b\.jsonl: No such file or directory; restore it"):
        shard(
            tokenizer_path,
            tmp_path / "data",
            paths,
            report=lambda _: paths[1].unlink(missing_ok=True),
        )
    assert not (tmp_path / "data").exists()

"""Every reader of JSON, TOML and safetensors answers bad content with one line, naming the file.

A table of readers, each with a file that it accepts, meets a table of bad values: nested too
deeply, an integer of too many digits, bytes that are no UTF-8, another type. A value replaces the
whole content, each key's in turn, and that of a key that nobody knows.
"""

import hashlib
import json
import re
import shutil
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import torch
from safetensors.torch import load_file, save_file

from cli import run
from datapipe.shards.commit_records import read_block_record, read_unit_record
from datapipe.shards.json_files import parse as parse_file
from datapipe.shards.manifest import read_manifest
from datapipe.shards.plan import Plan
from datapipe.sources.chat_reader import read_conversations
from datapipe.sources.files import find_sources
from datapipe.sources.reader import read_range
from datapipe.sources.source_range import SourceRange
from datapipe.sources.standard_input import ending
from spike_commands.chat.generation import read_prompts
from spike_commands.tokenizer.group import ids_from
from spike_lm.model.artifact.artifact import REQUIRED, WEIGHTS, read_artifact
from spike_lm.model.artifact.container import join_sections, split_sections
from spike_lm.model.artifact.open import open_run
from spike_lm.model.config.loader import load_config
from spike_lm.model.huggingface.import_ import (
    FIELDS,
    read_config,
    read_fields,
    read_record,
    read_tokenizer,
    read_trained_ids,
)
from spike_lm.model.runs.checkpoint import load_trained_ids, read_state
from spike_lm.model.runs.folder import load_run
from spike_lm.model.runs.lineage import read_lineage
from spike_lm.model.runs.metrics import cut_back_metrics, last_metrics
from spike_lm.model.runs.tensor_files import load_tensors
from spike_lm.model.text_compression.compressed_file import LENGTH_BYTES
from spike_lm.model.text_compression.compressed_header import MAGIC, Header, checksum, read_header
from spiketok import BeseVocabulary, Tokenizer
from spiketok.errors import SpikeError
from spiketok.path_contents import is_hugging_face, path_contents

DEEP = 5000
BAD_JSON = {
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep object": b'{"a":' * DEEP + b"0" + b"}" * DEEP,
    # For what walks the content later, not for the parser.
    "rather deep": b"[" * 800 + b"]" * 800,
    "digits": b"9" * 5000,
    "many digits": b"9" * 4000,
    "exponent": b"1e999",
    "no UTF-8": b'"\xff"',
    "surrogate": rb'"\ud800"',
    "list": b"[[0]]",
    "null": b"null",
}


# Modules that parse, each with its test here or, after the dash, elsewhere. A new one needs a door.
READERS = {
    "datapipe/sources/chat_reader.py": "chat",
    "datapipe/sources/sharegpt.py": "chat - test_chat_records.py",
    "datapipe/shards/json_files.py": "plan, unit, block, manifest",
    "datapipe/sources/jsonl.py": "texts - test_jsonl.py",
    "datapipe/sources/large_record.py": "texts - test_large_record.py",
    "datapipe/shards/manifest.py": "manifest",
    "datapipe/sources/standard_input.py": "what only looks",
    "datapipe/sources/unread_keys.py": "chat - test_chat_records.py",
    "model/artifact/artifact.py": "sections",
    "model/config/loader.py": "toml, set",
    "model/config/documentation.py": "- of our own presets",
    "model/text_compression/compressed_header.py": "headers of compressed files",
    "model/huggingface/causal_lm.py": "- model/evaluation/test_causal_lm.py",
    "model/huggingface/import_.py": "config.json, generation_config - test_import_.py",
    "model/huggingface/provenance.py": "spike_run",
    "model/runs/lineage.py": "run",
    "model/runs/checkpoint_state.py": "state",
    "model/runs/checkpoint.py": "safetensors",
    "model/runs/metrics.py": "metrics",
    "model/runs/tensor_files.py": "tensors of training",
    "spike_commands/chat/server.py": "- chat/test_server.py",
    "spike_commands/plan/plan_file.py": "- plan/test_plan_file.py",
    "spike_commands/tasks/saved_results.py": "- tasks/test_results.py",
    "spike_commands/tasks/item_log.py": "- report/test_item_comparison.py",
    "spike_commands/tasks/task_files.py": "- tasks/test_task_files.py",
    "spike_commands/tokenizer/adapters.py": "- what the library tokenizers writes",
    "spike_commands/chat/generation.py": "prompts",
    "spike_commands/tokenizer/group.py": "what only looks",
    "spiketok/path_contents.py": "what only looks",
    "spiketok/chat/tool_calls.py": "chat - test_tool_calls.py",
    "spiketok/tokenizer_json.py": "tokenizer, bese, sections",
}
PARSES = re.compile(
    r"json\.loads\(|json\.decode\(|tomllib\.loads\(|safe_open\(|load_file\(|DECODER\.decode\("
)


def test_every_reader_is_listed():
    root = Path(__file__).parent.parent
    packages = ("spiketok", "datapipe", "model", "spike_commands")
    files = [path for package in packages for path in (root / package).rglob("*.py")]
    found = {path.relative_to(root).as_posix() for path in files if PARSES.search(path.read_text())}
    assert found == READERS.keys()


class Door(NamedTuple):
    """A file that is read, how, and what a refusal names if not the file."""

    file: str
    read: object
    named: str = ""


@pytest.fixture(scope="module")
def project(folder, tmp_path_factory):
    """A folder with one of each kind of file."""
    made = tmp_path_factory.mktemp("hostile") / "project"
    shutil.copytree(folder, made, symlinks=True)  # another test's link may lead to a device
    shutil.rmtree(made / "corpus")
    base = str(made / "runs/base")
    packed, export = str(made / "base.spike"), str(made / "export")
    assert run(["pack", base, "--method", "rtn", "--out", packed, "-q"]) == 0
    assert run(["export", "model", base, "--to", export, "-q"]) == 0
    merges = tuple((4 + number, 5) for number in range(3))
    BeseVocabulary(merges=merges, vocab_size=64).write(made / "bese.json")
    turn = {"role": "assistant", "content": "b", "weight": 1, "tool_calls": [call()]}
    chat = {"messages": [{"role": "user", "content": "a"}, turn], "score": 1, "tools": "[]"}
    (made / "chats.jsonl").write_text(json.dumps(chat))
    (made / "turns.jsonl").write_text(json.dumps({"prompt": "a", "response": "b", "label": True}))
    (made / "texts.jsonl").write_text('{"text": "a", "other": 1}')
    (made / "prompts.jsonl").write_text('{"prompt": "a", "other": 1}')
    (made / "ids.json").write_text('{"ids": [5], "bytes": 1}')
    return made


def call():
    return {"type": "function", "function": {"name": "f", "arguments": {}}}


def chats(path):
    return list(read_conversations(SourceRange(find_sources([path])[0][0])))


def texts(path):
    return list(read_range(SourceRange(find_sources([path])[0][0]), "text"))


def prompts(path):
    return list(read_prompts(path))


def metrics(path):
    last_metrics(path, 10)
    cut_back_metrics(path, 10)


def plan(path):
    return parse_file(path.read_bytes(), Plan, str(path)).held_out


def weights(path):
    load_run(path.parents[2])


def imported(path):
    fields = read_fields(path.parent / FIELDS)
    read_record(path.parent)
    read_trained_ids(path.parent, 400)
    read_config(path.parent, fields, read_tokenizer(path.parent, fields))


def saved_again(path):
    Tokenizer.load(path).save(path.with_name("again.json"))


STEP = "runs/base/checkpoints/step-00000004"
DOORS = {
    "tokenizer": Door("tokenizer.json", saved_again),
    "bese": Door("bese.json", saved_again),
    "manifest": Door("data/manifest.json", lambda path: read_manifest(path.parent)),
    "plan": Door("data/plan.json", plan),
    "unit": Door("data/records/unit-000000.json", read_unit_record),
    "block": Door("data/records/train-000000-000.json", read_block_record),
    "run": Door("runs/base/run.json", lambda path: read_lineage(path.parent), "runs/base"),
    "state": Door(f"{STEP}/state.json", lambda path: read_state(path.parent), STEP),
    "metrics": Door("runs/base/metrics.jsonl", metrics),
    "config.json": Door("export/config.json", imported),
    "generation_config": Door("export/generation_config.json", imported),
    "spike_run": Door("export/spike_run.json", imported, "export"),
    "chat": Door("chats.jsonl", chats),
    "turns": Door("turns.jsonl", chats),
    "texts": Door("texts.jsonl", texts),
    "prompts": Door("prompts.jsonl", prompts),
}


def spelled(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def replaced(content, bad):
    """Yield a JSON object with a bad value in each place, and the bad value alone."""
    yield bad
    yield b'{"unknown":' + bad + b"," + spelled(content)[1:]
    for place, rebuilt in places(content):
        del place
        yield rebuilt(bad)


def places(value, depth=1):
    """Yield each key down to some depth, and what writes the whole with another value there."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inner in items:

        def rebuilt(new, key=key):
            if isinstance(value, dict):
                members = {k: new if k == key else spelled(v) for k, v in value.items()}
                return b"{" + b",".join(spelled(k) + b":" + v for k, v in members.items()) + b"}"
            return (
                b"["
                + b",".join(new if k == key else spelled(v) for k, v in enumerate(value))
                + b"]"
            )

        yield key, rebuilt
        few = (isinstance(inner, dict) and len(inner) < 50) or isinstance(inner, list)
        if few and depth:
            for _, inside in places(inner, depth - 1):
                yield key, lambda new, inside=inside, rebuilt=rebuilt: rebuilt(inside(new))


def refusal(read, *given):
    """Return the line of a refusal; None if nothing is wrong. Anything else is a failure."""
    try:
        read(*given)
    except SpikeError as error:
        assert "\n" not in str(error).strip()
        assert len(str(error)) < 6000
        return str(error)
    return None


@pytest.mark.parametrize("bad", BAD_JSON)
@pytest.mark.parametrize("door", DOORS)
def test_json_files(project, door, bad, monkeypatch):
    door = DOORS[door]
    path = project / door.file
    before = path.read_bytes()
    content = json.loads(before.split(b"\n")[0] if path.suffix == ".jsonl" else before)
    refused = 0
    try:
        for data in replaced(content, BAD_JSON[bad]):
            path.write_bytes(data)
            line = refusal(door.read, path)
            if line is not None:
                refused += 1
                assert (door.named or str(path)) in line
    finally:
        path.write_bytes(before)
    assert refused or "generation" in door.file
    assert refusal(door.read, path) is None


BAD_TOML = {
    "deep list": "a = " + "[" * DEEP + "]" * DEEP,
    "deep object": "a" + ".a" * 500 + " = 1",
    "digits": "a = " + "9" * 5000,
    "hexadecimal": "a = 0x" + "f" * 5000,
    "no UTF-8": 'a = "\udcff"',
    "list": "a = [[[1]]]",
    "object": "a = {b = {}}",
    "text": 'a = "text"',
    "date": "a = 1979-05-27",
    "not a number": "a = nan",
}


@pytest.mark.parametrize("bad", BAD_TOML)
def test_toml_files(project, bad):
    for file in ("runs/base/config.toml", "export/spike_config.toml"):
        path = project / file
        before = path.read_bytes()
        for key in (
            "a",
            "[model]\nlayers",
            "[data]\npath",
            "[golf]\nloop_layers",
            "extends",
            "model",
        ):
            path.write_bytes(BAD_TOML[bad].replace("a", key, 1).encode("utf-8", "surrogateescape"))
            line = refusal(load_config, str(path))
            if "path" not in key or bad != "text":
                assert line is not None
                assert str(path) in line or "neither a file nor a preset" in line
        path.write_bytes(before)


@pytest.mark.parametrize("bad", BAD_TOML)
@pytest.mark.parametrize("key", ["model.layers", "data.path", "golf.recur_layers", "train.device"])
def test_set(bad, key):
    value = BAD_TOML[bad].removeprefix("a").removeprefix(" = ")
    line = refusal(load_config, "base", [f"{key}={value}"])
    assert key == "data.path" or key in line or "--set" in line


@pytest.mark.parametrize("bad", BAD_JSON)
def test_sections_of_an_artifact(project, bad):
    path = project / "base.spike"
    before = path.read_bytes()
    sections = {n: (s.plain(), n != WEIGHTS) for n, s in split_sections(path).items()}
    copy = project / "bad.spike"
    copy.write_bytes(join_sections([(n, *content) for n, content in sections.items()]))
    read_artifact(copy)
    for name in sections:
        whole, compressible = sections[name]
        contents = [BAD_JSON[bad]]
        if name == "lineage":
            contents += replaced(json.loads(whole), BAD_JSON[bad])
        for data in contents:
            changed = sections | {name: (data, compressible)}
            copy.write_bytes(join_sections([(n, *content) for n, content in changed.items()]))
            line = refusal(read_artifact, copy)
            assert line is None or str(copy) in line
            assert line is not None or data is not contents[0]
    assert path.read_bytes() == before
    assert set(REQUIRED) <= sections.keys()


def test_sections_that_would_take_much_memory(project):
    path = project / "base.spike"
    sections = {n: (s.plain(), n != WEIGHTS) for n, s in split_sections(path).items()}
    size = b'{"vocab_size": 400, "algorithm": "length-max", '
    large = {
        "tokenizer": size + b'"vocab": [' + b"[]," * 300_000 + b"0]}",
        "config": b"#" * (1 << 20) + b"\n",
        "lineage": b" " * (1 << 20) + b"{}",
    }
    for name, data in large.items():
        changed = sections | {name: (data, True)}
        copy = project / "large.spike"
        copy.write_bytes(join_sections([(n, *content) for n, content in changed.items()]))
        assert copy.stat().st_size < 100_000
        assert "more than" in (line := refusal(open_run, copy)) or "too many" in line
        assert str(copy) in line
    many = size.replace(b"400", b"70000000") + b'"vocab": {}}'
    assert "vocab_size is more than 10" in refusal(Tokenizer.load, "t.json", many, 10)


@pytest.mark.parametrize("bad", BAD_JSON)
def test_headers_of_compressed_files(bad):
    known = {
        "format": 3,
        "model": "",
        "tokenizer": "",
        "machine": {"torch": ""},
        "predictions": "",
        "predictor": {},
        "counts": "",
        "ttt": {},
        "context": 1,
        "stride": 1,
        "tokens": 0,
        "bytes": 0,
        "sha256": "",
    }
    assert known.keys() == set(Header.__struct_fields__)
    assert refusal(read_header, compressed(spelled(known))) is None
    for described in replaced(known, BAD_JSON[bad]):
        line = refusal(read_header, compressed(described))
        assert line is None or "header" in line or "format" in line


def compressed(header):
    length = len(header).to_bytes(LENGTH_BYTES, "little")
    return MAGIC + length + header + checksum(header, b"")


@pytest.mark.parametrize("bad", BAD_JSON)
def test_headers_of_safetensors(project, bad):
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    headers = [*replaced({"norm.weight": entry, "__metadata__": {"format": "pt"}}, BAD_JSON[bad])]
    readers = {
        "model": lambda folder: load_tensors(folder / "model.safetensors"),
        "training": lambda folder: load_trained_ids(folder, 400),
    }
    for name, read in readers.items():
        path = project / STEP / f"{name}.safetensors"
        before = path.read_bytes()
        for header in headers:
            path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
            line = refusal(read, path.parent)
            assert line is None or line.startswith(str(path))
            assert line is not None or b"norm.weight" in header
        path.write_bytes(before)


def sign(path):
    """Make the digest of a checkpoint's file the right one, as who means harm would."""
    state = path.parent / "state.json"
    content = json.loads(state.read_bytes())
    content["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    state.write_text(json.dumps(content))


FOREIGN = {
    "unknown": lambda t: t.update({"unknown/exp_avg": torch.zeros(1)}),
    "no slot": lambda t: t.update({"norm.weight": torch.zeros(32)}),
    "slot": lambda t: t.update({"norm.weight/other": torch.zeros(32)}),
    "slot of another": lambda t: t.update({"norm.weight/momentum_buffer": torch.zeros(32)}),
    "missing": lambda t: t.pop("model.norm.weight/exp_avg"),
    "shape": lambda t: t.update({"model.norm.weight/exp_avg": torch.zeros(31)}),
    "number": lambda t: t.update({"model.norm.weight/exp_avg": torch.tensor(0.0)}),
    "dtype": lambda t: t.update({"model.norm.weight/exp_avg": torch.zeros(32, dtype=torch.int64)}),
    "step": lambda t: t.update({"model.norm.weight/step": torch.zeros(32)}),
    "beside": lambda t: t.update({"beside/head": torch.zeros(1)}),
    "generator": lambda t: t.update({"random/other": torch.zeros(1)}),
    "generator's type": lambda t: t.update({"random/cpu": t["random/cpu"].float()}),
    "generator's size": lambda t: t.update({"random/cpu": t["random/cpu"][:9].clone()}),
    "generator's content": lambda t: t.update({"random/cpu": 0 * t["random/cpu"]}),
    "mean": lambda t: t.update({"average/ema/unknown": torch.zeros(1)}),
    "mean's type": lambda t: t.update({"average/ema/model.norm.weight": torch.zeros(32).half()}),
    "trained ids": lambda t: t.update({"targets/trained": torch.zeros(1)}),
}


@pytest.mark.parametrize("change", FOREIGN)
def test_tensors_of_training(project, change, line, monkeypatch):
    path = project / STEP / "training.safetensors"
    before, tensors = path.read_bytes(), load_file(path)
    FOREIGN[change](tensors)
    save_file(tensors, path)
    sign(path)
    status, out, err = line("train", "--resume", str(project / "runs/base"), "-q")
    path.write_bytes(before)
    sign(path)
    assert (status, out) == (1, "")
    assert err.startswith(f"spike: {path}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("bad", BAD_JSON)
def test_what_only_looks_never_fails(tmp_path, bad):
    for content in replaced({"model": 1, "ids": [1]}, BAD_JSON[bad]):
        path = tmp_path / "any.json"
        path.write_bytes(content)
        assert path_contents(path).startswith("is a ")
        assert ending(content) in ("", ".jsonl")
        is_hugging_face(path)
        with suppress(click.UsageError):
            ids_from(content.decode("utf-8", "replace"))


@pytest.mark.parametrize("bad", BAD_JSON)
def test_json_inside_of_texts(tmp_path, bad):
    text = BAD_JSON[bad].decode("utf-8", "replace")
    asked = {"role": "user", "content": "a"}
    called = {"role": "assistant", "content": "b", "tool_calls": [{"name": "f", "arguments": text}]}
    shared = [{"from": "human", "value": "a"}, {"from": "function_call", "value": text}]
    plain = {"messages": [asked, {"role": "assistant", "content": "b"}], "tools": text}
    path = tmp_path / "chats.jsonl"
    for record in ({"messages": [asked, called]}, {"conversations": shared}, plain):
        path.write_text(json.dumps(record))
        line = refusal(chats, path)
        assert line is not None
        assert line.startswith(f"{path}: line 1")

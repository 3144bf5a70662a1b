"""The command line as a whole: every command on a small corpus, its JSON, its errors."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import pytest
from safetensors.torch import load_file

from cli import MEMORY_FIXES, MORE_MEMORY, run, spike
from spike_lm.model.config.loader import load_config
from tests.conftest import CHATS

ROOT = Path(__file__).parent.parent
TEACHER = 'distill.teachers=["runs/base"]'
SCHEMAS = {
    found[1]: json.loads(found[2])
    for found in re.finditer(
        r"```json schema=([\w-]+)\n(.*?)```", (ROOT / "docs/formats.md").read_text(), re.DOTALL
    )
}


def commands(group=spike, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        ("generate", "--tokens", "--max-tokens"),
        ("eval", "--window", "--context"),
        ("eval", "--stream", "--across-files"),
        ("compress", "--window", "--context"),
        ("pack", "--own-text", "--calibrate-on-samples"),
    ],
)
def test_renamed_options_are_refused_with_their_new_name(line, command, old, new):
    status, _, errors = line(command, "x", old, "3")
    assert (status, errors) == (
        2,
        f"spike {command}: {old} is now {new} (see spike {command} --help)\n",
    )


@pytest.mark.parametrize("group", [(), ("tokenizer",), ("data",), ("export",)], ids=" ".join)
def test_summaries_are_whole_at_80_columns(group, line, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, output, _ = line(*group, "--help")
    assert status == 0
    assert "..." not in output.partition("Commands:")[2]


def test_help_imports_no_command():
    code = "import cli, sys; cli.run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = {name for name in done.stdout.split() if name.startswith("spike_commands.")}
    modules = {"callbacks", "console", "progress_line", "sparkline", "visible"}
    assert {name.split(".")[1] for name in loaded} == modules


def test_no_help_loads_a_numerical_library():
    code = """import cli, click, sys
def walk(command):
    command.get_help(click.Context(command))
    for inner in getattr(command, "commands", {}).values():
        walk(inner)
for name in cli.COMMANDS:
    walk(cli.spike.get_command(None, name))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout
    assert not {"numpy", "pyarrow", "torch", "spike_lm.model"} & {*done.stdout.split()}


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: str(value)[:40])
def test_every_command_shows_an_example_and_can_be_quiet(path, command):
    help_text = command.get_help(click.Context(command, info_name=" ".join(("spike", *path))))
    assert re.search(r"Examples?:\s+spike " + " ".join(path), help_text), path
    assert {"quiet"} <= {parameter.name for parameter in command.params}
    options = [found for found in command.params if isinstance(found, click.Option)]
    assert not [found.name for found in options if not found.help]


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: str(value)[:40])
def test_where_memory_is_not_enough_the_commands_own_cure_is_named(
    path, command, monkeypatch, capsys
):
    def fail(*_given, **_options):
        raise MemoryError

    monkeypatch.setattr(command, "params", [])
    monkeypatch.setattr(command, "callback", fail)
    assert run(list(path)) == 1
    cure = MEMORY_FIXES.get(" ".join(path), MORE_MEMORY)
    assert capsys.readouterr().err == f"spike: not enough memory; {cure}\n"


def test_cures_name_options_and_settings_that_there_are():
    found = {" ".join(path): command for path, command in commands()}
    for name, cure in MEMORY_FIXES.items():
        options = {option for one in found[name].params for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", cure)) <= options
        for section, key in re.findall(r"(\w+)\.(\w+)", cure):
            assert hasattr(getattr(load_config("base"), section), key)


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ("tokenizer-inspect", ["tokenizer", "inspect", "tokenizer.json"]),
        ("tokenizer-compare", ["tokenizer", "compare", "tokenizer.json", "--text", "held.txt"]),
        ("tokenizer-encode", ["tokenizer", "encode", "the quick é"]),
        ("export-tokenizer", ["export", "tokenizer", "--to", "exported"]),
        ("export-tokenizer", ["export", "tokenizer", "--to", "exported-fast", "--fast"]),
        ("data-inspect", ["data", "inspect", "data"]),
        ("data-document", ["data", "inspect", "data", "--document", "3"]),
        ("data-verify", ["data", "verify", "data"]),
        ("train-dry-run", ["train", "--config", "base", "TINY", "--dry-run"]),
        ("train-dry-run", ["train", "--config", "memory-golf", "--dry-run"]),
        ("train-dry-run", ["train", "--config", "byrne-86m-chat", "--dry-run"]),
        ("train-dry-run", ["train", "--config", "base", "TINY", "--set", TEACHER, "--dry-run"]),
        (
            "eval",
            [
                "eval",
                "runs/base",
                "--text",
                "held.txt",
                "held.txt",
                "--stride",
                "8",
                "--context",
                "9",
                "--batch-size",
                "256",
            ],
        ),
        ("eval", ["eval", "runs/base", "--across-files", "--text", "held.txt", "held.txt"]),
        ("eval", ["eval", "runs/base", "--text", "held.txt", "held.txt", "--verify"]),
        ("eval", ["eval", "runs/base", "--text", "held.txt", "--ttt", "chunk=50,blocks=1,rank=2"]),
        ("generate", ["generate", "runs/base", "the", "--max-tokens", "5", "--seed", "3"]),
        ("compress", ["compress", "held.txt", "-m", "runs/base", "-o", "held.spikez"]),
        ("decompress", ["decompress", "held.spikez", "-m", "runs/base", "-o", "again.txt"]),
    ],
)
def test_json_results_follow_their_schema(line, tiny, schema, arguments):
    arguments = [word for part in arguments for word in (tiny if part == "TINY" else [part])]
    status, output, errors = line(*arguments, "--json")
    assert status == 0, errors
    jsonschema.validate(json.loads(output), SCHEMAS[schema])


def test_the_three_lines_print_their_results(folder):
    for name, schema in (("tokenizer", "tokenizer-inspect"), ("shard", "data-inspect")):
        jsonschema.validate(
            json.loads((folder / f"{name}-result.json").read_text()), SCHEMAS[schema]
        )
    result = json.loads((folder / "train-result.json").read_text())
    jsonschema.validate(result, SCHEMAS["train"])
    assert result["step"] == 4
    assert (folder / "runs/base/config.toml").exists()


def test_compare_counts_what_encode_counts(line, folder):
    text = (folder / "held.txt").read_text()
    encoded = json.loads(line("tokenizer", "encode", text, "--json")[1])
    rows = json.loads(
        line("tokenizer", "compare", *["tokenizer.json"] * 2, "--text", "held.txt", "--json")[1]
    )["tokenizers"]
    assert [row["tokens"] for row in rows] == [encoded["tokens"]] * 2
    assert rows[0]["bytes_per_token"] == encoded["bytes"] / encoded["tokens"]


def test_compare_reads_hugging_face_files(line, folder):
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz ")}
    models = tokenizers.models.BPE(vocabulary, [], unk_token="a")
    tokenizers.Tokenizer(models).save(str(folder / "letters.json"))
    arguments = ["tokenizer", "compare", "letters.json", "--text", "held.txt", "--json"]
    (row,) = json.loads(line(*arguments)[1])["tokenizers"]
    assert row["tokens"] == row["bytes"]


def test_a_missing_library_is_named_with_its_mend(line, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    status, _, errors = line("tokenizer", "compare", "hf.json", "--text", "held.txt")
    assert (status, errors.count("\n")) == (1, 1)
    assert "pip install tokenizers" in errors


def test_training_tells_that_it_sampled(process, tmp_path):
    (tmp_path / "long.txt").write_text("".join(f"{number} bottles\n" for number in range(20_000)))
    done = process(tmp_path, "tokenizer", "train", "long.txt", "--vocab", "400", "--memory", "1")
    assert done.returncode == 0, done.stderr
    assert "sampled 0.1 of 0.3 MB" in done.stderr


def test_eval_counts_bytes_of_the_files_and_divides_by_them(line, folder):
    score = json.loads(line("eval", "runs/base", "--text", "held.txt", "--json")[1])
    size = len((folder / "held.txt").read_bytes())
    assert score["bytes"] == size
    assert score["bits_per_byte"] == pytest.approx(score["nats"] / 0.6931471805599453 / size)
    assert 0 < score["nats_separators"] < score["nats"]


def test_eval_learns_and_leaves_the_run_as_it_was(line, folder):
    def score(*options):
        status, output, errors = line("eval", "runs/base", "--text", "held.txt", *options, "--json")
        assert status == 0, errors
        return json.loads(output)

    def content():
        return {p: p.read_bytes() for p in (folder / "runs/base").rglob("*") if p.is_file()}

    before, plain = content(), score()
    settings = "chunk=40,blocks=1,rate=0.02,decay=none,polyak=0,batch=1"
    learned = score("--ttt", settings)
    assert learned["bits_per_byte"] < plain["bits_per_byte"]
    assert learned["test_time_training"]["chunk"] == 40
    assert score("--ttt", f"{settings},epochs=0")["nats"] == plain["nats"]
    assert content() == before


@pytest.mark.parametrize("preset", ["memory-golf-tiny", "escarda-tiny"])
def test_other_families_train_score_and_write(preset, line, tiny, tmp_path):
    run_folder = str(tmp_path / preset)
    arguments = ["--config", preset, *tiny, "--out", run_folder]
    status, output, errors = line("train", *arguments, "--json", "--quiet")
    assert (status, errors) == (0, "")
    jsonschema.validate(json.loads(output), SCHEMAS["train"])
    scores = [
        json.loads(line("eval", run_folder, "--text", "held.txt", *windows, "--json")[1])
        for windows in (["--context", "16", "--stride", "4"], ["--stride", "32"])
    ]
    assert [score["context"] for score in scores] == [16, 32]
    assert scores[0]["tokens"] == scores[1]["tokens"] > 32
    assert scores[0]["nats"] != scores[1]["nats"]
    status, output, _ = line("generate", run_folder, "the", "--max-tokens", "40", "--json")
    assert len(json.loads(output)["ids"]) > 0


def test_a_model_goes_out_and_comes_back_the_same(line):
    for schema, arguments in (
        ("export-model", ["export", "model", "runs/base", "--to", "exported-model"]),
        ("import", ["import", "exported-model", "--to", "runs/imported"]),
    ):
        status, output, errors = line(*arguments, "--json")
        assert (status, errors) == (0, "")
        jsonschema.validate(json.loads(output), SCHEMAS[schema])
    text = ["--text", "held.txt", "--json"]
    scores = [json.loads(line("eval", f"runs/{run}", *text)[1]) for run in ("base", "imported")]
    assert [score.pop("run") for score in scores] == ["runs/base", "runs/imported"]
    assert scores[0] == scores[1]
    status, _, errors = line("import", "data", "--to", "runs/none")
    assert (status, errors.count("\n")) == (1, 1)
    assert "without config.json" in errors


def test_generate_depends_on_the_seed_alone(line):
    outputs = [
        line("generate", "runs/base", "the", "--max-tokens", "30", "--seed", seed)[1]
        for seed in ("1", "1", "2")
    ]
    assert outputs[0] == outputs[1] != outputs[2]
    assert outputs[0].startswith("the")


def test_samples_of_equal_prompts_have_seeds_of_their_own(line, folder):
    (folder / "twice.txt").write_text("the\nthe\n")
    options = ["--max-tokens", "20", "--json", "--seed", "5"]
    found = [
        json.loads(text)
        for more in (["--prompts", "twice.txt", "--samples", "2"], ["the", "--samples", "4"])
        for text in line("generate", "runs/base", *more, *options)[1].splitlines()
    ]
    for result in found:
        jsonschema.validate(result, SCHEMAS["generate"])
    assert [result["seed"] for result in found] == [5, 6, 7, 8] * 2
    assert found[:4] == found[4:]
    assert len({result["text"] for result in found}) == 4
    alone = line("generate", "runs/base", "the", "--max-tokens", "20", "--seed", "7", "--json")[1]
    assert json.loads(alone) == found[2]
    plain = line(
        "generate", "runs/base", "the", "--samples", "2", "--seed", "5", "--max-tokens", "20"
    )
    assert plain[1] == f"the{found[0]['text']}\n\nthe{found[1]['text']}\n"


def test_ids_that_training_never_saw_are_not_sampled(line, folder):
    weights = folder / "runs/base/checkpoints/step-00000004/training.safetensors"
    trained = set(load_file(weights)["targets/trained"].nonzero().flatten().tolist())
    assert 10 < len(trained) < 200
    options = [
        "--samples",
        "12",
        "--max-tokens",
        "20",
        "--json",
        "--temperature",
        "9",
        "--top-p",
        "1",
    ]

    alphabet = set((folder / "corpus/words.jsonl").read_bytes())

    def only_trained(*more):
        found = [json.loads(text) for text in line("generate", *more, *options)[1].splitlines()]
        outside = set().union(*(result["text"].encode() for result in found)) - alphabet
        unseen = {number for result in found for number in result["ids"]} - trained
        assert bool(outside) <= bool(unseen)
        return not unseen

    assert only_trained("runs/base", "th")
    assert not only_trained("runs/base", "th", "--allow-unseen")
    assert line("pack", "runs/base", "--out", "seen.spike", "--method", "rtn", "-q")[0] == 0
    assert only_trained("seen.spike", "Ω")


def test_encode_and_decode_are_inverse_through_pipes(process, folder):
    text = "the quick\tbrown \x00 é 🦔 <eos>\n"
    ids = process(folder, "tokenizer", "encode", input=text).stdout
    assert process(folder, "tokenizer", "decode", input=ids).stdout == text


def test_names_of_special_tokens_are_text_unless_asked(line):
    text = json.loads(line("tokenizer", "encode", "<|im_end|>", "--json")[1])
    special = json.loads(line("tokenizer", "encode", "<|im_end|>", "--allow-special", "--json")[1])
    assert "".join(text["pieces"]) == "<|im_end|>"
    assert len(text["pieces"]) > 1
    assert special["pieces"] == ["<|im_end|>"]


def test_verify_names_the_damage_in_json_too(line, folder, tmp_path):
    shutil.copytree(folder / "data", tmp_path / "data")
    (shard,) = (tmp_path / "data").glob("train-*.arrow")
    shard.write_bytes(shard.read_bytes()[:-1])
    status, output, errors = line("data", "verify", str(tmp_path / "data"), "--json")
    jsonschema.validate(json.loads(output), SCHEMAS["data-verify"])
    assert (status, json.loads(output)["intact"]) == (1, False)
    assert shard.name in errors


@pytest.mark.parametrize(
    ("preset", "parameters", "exported"),
    [
        ("bese-golf", 26_522_716, 26_522_716),
        ("ngram-golf", 33_317_980, 33_317_980),
        ("memory-golf", 26_598_481, 25_549_905),
    ],
)
def test_a_preset_is_counted_beside_data_of_another_vocabulary(line, preset, parameters, exported):
    status, output, errors = line("train", "--config", preset, "--dry-run", "--json")
    assert status == 0, errors
    numbers = json.loads(output)
    assert (numbers["parameters"], numbers["exported_parameters"]) == (parameters, exported)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["trian"], 2, "No such command 'trian'"),
        (["shard", "--worker", "2"], 2, "No such option"),
        (["tokenizer", "train"], 2, "Missing argument"),
        (["train"], 2, "--config"),
        (["train", "--config", "nowhere.toml"], 2, "nowhere.toml"),
        (["train", "--config", "base", "--set", "model.layer=3"], 2, "layers"),
        (["train", "--config", "base", "--set", "model.layers=many"], 2, "model.layers"),
        (["train", "--config", "base", "TINY"], 1, "runs/base"),
        (["train", "--config", "base", "--set", "model.vocab_size=99", "--out", "x"], 1, "400"),
        (["train", "--config", "bese-golf", "--data", "data", "--dry-run"], 1, "400"),
        (["train", "--config", "bese-golf", "--data", "nowhere", "--dry-run"], 1, "nowhere"),
        (
            ["train", "--config", "base", "--set", 'distill.teachers=["no"]', "--out", "x"],
            1,
            "no: ",
        ),
        (["tokenizer", "train", "nothing/"], 1, "nothing"),
        (["tokenizer", "decode", "9999"], 1, "9999"),
        (["tokenizer", "inspect", "corpus/words.jsonl"], 1, "words.jsonl"),
        (["tokenizer", "compare", "nowhere.json", "--text", "held.txt"], 1, "nowhere.json"),
        (["tokenizer", "compare", "hf.json", "--text", "held.txt"], 1, "hf.json"),
        (["export", "tokenizer", "nowhere.json", "--to", "out"], 1, "nowhere.json"),
        (["export", "tokenizer", "--to", "corpus"], 1, "corpus: exists already"),
        (["export", "tokenizer", "--to", "out", "--format", "tiktoken"], 1, "tiktoken: "),
        (["export", "tokenizer"], 2, "--to"),
        (["shard", "--out", "corpus/words.jsonl"], 1, "words.jsonl"),
        (["shard", "nowhere", "--out", "d"], 1, "nowhere"),
        (["data", "verify", "corpus"], 1, "corpus"),
        (["data", "inspect", "data", "--document", "100000"], 1, "100000"),
        (["tokenizer", "train", "held.txt", "--vocab", "400", "--out", "held.txt"], 1, "inputs"),
        (["tokenizer", "train", "corpus", "--out", "no/where.json"], 1, "is no folder no; make it"),
        (["tokenizer", "train", ""], 2, "empty"),
        (["generate", "runs/base", "--temperature", "nan"], 2, "temperature"),
        (["generate", "runs/base", "--temperature", "1e-9"], 2, "too small"),
        (["generate", "runs/base", "--stop", ""], 2, "--stop"),
        (["generate", "runs/base", "x", "--prompts", "held.txt"], 2, "--prompts"),
        (["generate", "runs/base", "--prompts", "none.txt"], 1, "none.txt"),
        (["generate", "runs/base", "--seed", "99999999999999999999"], 2, "--seed"),
        (["compress", "held.txt", "-m", "runs/base", "-o", "held.txt"], 1, "exists already"),
        (["compress", "none.txt", "-m", "runs/base", "-o", "x"], 1, "none.txt"),
        (["decompress", "held.txt", "-m", "runs/base", "-o", "x"], 1, "held.txt: not a whole"),
        (["eval", "runs/base", "--chat", "held.txt", "--verify"], 2, "--verify"),
        (["eval", "runs/base", "--chat", "held.txt", "--ttt", "default"], 2, "--ttt"),
        (["eval", "runs/base", "--text", "held.txt", "--ttt", "chunk=0"], 2, "chunk is '0'; write"),
        (["eval", "runs/base", "--text", "held.txt", "--ttt", "blocks=9"], 1, "the model has 1"),
        (
            ["eval", "runs/base", "--text", "held.txt", "--across-files", "--verify"],
            2,
            "--across-files",
        ),
        (["eval", "runs/none", "--text", "held.txt"], 1, "runs/none"),
        (
            ["export", "model", "held.txt", "--to", "x"],
            1,
            "held.txt: is a file",
        ),
        (["train", "--config", "base", "--set", "steps=3"], 2, "as train.steps=3"),
        (["train", "--config", "base", "--set", "train.device=tpu"], 2, "auto, cpu, cuda"),
        (["eval", "runs/base", "--text", "none.txt"], 1, "none.txt"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_errors_are_one_line(line, tiny, arguments, status, message):
    arguments = [word for part in arguments for word in (tiny if part == "TINY" else [part])]
    found, output, errors = line(*arguments)
    assert found == status, errors
    assert message in errors
    assert errors.count("\n") == 1, errors
    assert "defect" not in errors
    assert output == ""


def test_a_damaged_folder_is_told_and_made_anew(line, folder, tmp_path):
    shutil.copytree(folder / "data", tmp_path / "data")
    (shard,) = (tmp_path / "data").glob("train-*.arrow")
    whole = shard.read_bytes()
    shard.unlink()
    again = ["shard", "--out", str(tmp_path / "data"), "--validation", "0.1"]
    status, _, errors = line(*again)
    assert (status, errors.count("\n")) == (1, 1)
    assert shard.name in errors
    assert "--overwrite" in errors
    assert line(*again, "--overwrite")[0] == 0
    assert shard.read_bytes() == whole


def test_shard_reads_as_the_tokenizer_did(line, tmp_path):
    lines = [json.dumps({"body": f"document {number} " * 20}) for number in range(40)]
    (tmp_path / "words.jsonl").write_text("\n".join(["broken", *lines]))
    tokenizer, out = str(tmp_path / "t.json"), str(tmp_path / "data")
    options = ["--vocab", "400", "--text-field", "body", "--errors", "skip", "--out", tokenizer]
    assert line("tokenizer", "train", str(tmp_path / "words.jsonl"), *options)[0] == 0
    status, output, errors = line("shard", "--tokenizer", tokenizer, "--out", out, "--json")
    assert status == 0, errors
    assert json.loads(output)["documents"] == 40
    assert json.loads(output)["dropped"] == {"broken JSON": 1}
    assert json.loads(output)["dropped_inputs"] == {"words.jsonl": 1}
    assert "1 record of words.jsonl: 1 broken JSON" in line("data", "inspect", out)[1]


def test_debug_shows_the_traceback(process, folder):
    done = process(folder, "shard", "nowhere", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_run_returns_zero_for_help(capsys):
    assert run(["--help"]) == 0
    assert "spike train --config base.toml" in capsys.readouterr().out


def test_shard_believes_no_setting_of_a_tokenizer_file(line, folder, tmp_path):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["spike"]["settings"] |= {"held_out": "none", "text_field": 5}
    content["spike"]["inputs"] = [str(folder / "corpus")]
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(content))
    status, _, errors = line("shard", "--tokenizer", str(tokenizer), "--out", str(tmp_path / "d"))
    assert status == 1
    assert "defect" not in errors


def test_conversations_go_the_whole_road(line, chat_folder):
    sharded = json.loads((chat_folder / "chat-shard.json").read_text())
    jsonschema.validate(sharded, SCHEMAS["data-inspect"])
    assert 0 < sharded["train_trained_tokens"] < sharded["train_tokens"]
    trained = json.loads((chat_folder / "chat-train.json").read_text())
    jsonschema.validate(trained, SCHEMAS["train"])
    assert (trained["loss"], trained["validation_bits_per_byte"]) == (None, None)
    assert trained["reply_loss"] > 0
    assert trained["validation_reply_bits_per_byte"] > 0
    status, output, errors = line("eval", "runs/chat", "--chat", "chats.jsonl", "--json")
    assert status == 0, errors
    score = json.loads(output)
    jsonschema.validate(score, SCHEMAS["eval-chat"])
    assert score["conversations"] == 60
    assert score["reply_bytes"] == sum(len(chat["response"]) for chat in CHATS)
    marked = json.loads(
        line("eval", "runs/chat", "--chat", "chats.jsonl", "--parse-markers", "--json")[1]
    )
    assert marked["reply_bytes"] == score["reply_bytes"] - 60 * len("<think></think>")
    assert line("data", "verify", "chats")[0] == 0
    shown = json.loads(line("data", "inspect", "chats", "--document", "0", "--json")[1])
    jsonschema.validate(shown, SCHEMAS["data-document"])
    assert shown["text"].startswith("<|im_start|>user\nWhat is ")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["shard", "--format", "chat", "--out", "d"],
            2,
            "name them: spike shard --format chat INPUT…",
        ),
        (["shard", "--format", "chat", "chats.jsonl", "--text-field", "x"], 2, "--text-field"),
        (["shard", "chats.jsonl", "--parse-markers"], 2, "--format chat"),
        (
            ["shard", "--format", "chat", "held.txt", "--out", "d"],
            1,
            "held.txt: is not a file of",
        ),
        (
            ["shard", "--format", "chat", "corpus/words.jsonl", "--out", "d"],
            1,
            "words.jsonl: line 1",
        ),
        (["eval", "runs/chat"], 2, "none or several of --text, --chat and --data"),
        (["eval", "runs/chat", "--chat", "held.txt"], 1, "held.txt: is not a file of"),
        (["eval", "runs/chat", "--text", "held.txt", "--parse-markers"], 2, "--chat"),
    ],
)
def test_chat_errors_are_one_line(line, chat_folder, arguments, status, message):
    found, output, errors = line(*arguments)
    assert (found, errors.count("\n"), output) == (status, 1, ""), errors
    assert message in errors


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
def test_pieces_join_to_the_text(line, tmp_path, algorithm):
    tokenizer = str(tmp_path / "t.json")
    command = ["tokenizer", "train", "held.txt", "--algorithm", algorithm, "--vocab", "390"]
    assert line(*command, "--validation", "0", "--out", tokenizer)[0] == 0
    text = "The QUICK brown fox É 🦔 日本 \x00"
    encoded = json.loads(line("tokenizer", "encode", text, "--tokenizer", tokenizer, "--json")[1])
    assert len(encoded["pieces"]) == len(encoded["ids"]) == encoded["tokens"]
    assert "".join(encoded["pieces"]) == text


def test_decode_reads_what_encode_prints(process, folder):
    encoded = process(folder, "tokenizer", "encode", "round é trip", "--json").stdout
    done = process(folder, "tokenizer", "decode", input=encoded)
    assert (done.stdout, done.stderr) == ("round é trip", "")
    for broken in ('{"ids": [1.5]}', '{"pieces": []}', "{", '{"ids": ["a"]}', "1 " + "9" * 5000):
        done = process(folder, "tokenizer", "decode", input=broken)
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")


def test_decode_says_what_is_no_token(line):
    for number in ("9" * 30, str(2**63), "400"):
        status, _, errors = line("tokenizer", "decode", number)
        assert (status, errors.count("\n")) == (1, 1)
        assert f"id {number} at position 0 is not below the vocabulary size 400" in errors
    assert line("tokenizer", "decode", "399", "398", "-q") == (0, "", "")
    assert "reserved ids have no text: 398, 399" in line("tokenizer", "decode", "399", "398")[2]
    assert line("tokenizer", "decode", "--", "-1")[0] == 1

"""`[tasks]`: scores in metrics.jsonl equal those of `spike eval`, and training does not change."""

import json

import pytest

from spike_commands.train.task_scores import metrics_key

KEPT = ("model.safetensors", "training.safetensors")
# Sizes that make a preset of each family small.
SMALL = {
    "base": [],
    "memory-golf-tiny": ["model.context=40"],
    "escarda-tiny": ["model.context=40"],
}
STEPS = [
    *("train.steps=4", "train.batch_size=2", "train.micro_batch_size=2", "train.threads=1"),
    *("checkpoint.every=2", "validation.every=2", "validation.windows=2", "sample.every=0"),
    *("model.vocab_size=400", "train.compile=false", "train.log_every=4", "train.device=cpu"),
]


@pytest.fixture
def train(line, folder, tmp_path):
    """Train a preset of the folder's shards, and return the run, its metrics and stderr."""
    (folder / "words.jsonl").write_text(
        "\n".join(
            json.dumps({"context": "the quick", "choices": ["fox box", "dogs"], "label": n % 2})
            for n in range(6)
        )
    )

    def run(name, *options, preset="base", tiny=()):
        changes = [*SMALL[preset], *STEPS, *options]
        words = [word for change in changes for word in ("--set", change)]
        place = tmp_path / name
        first = ("--resume", str(place)) if place.exists() else ("--config", preset)
        out = () if place.exists() else (*tiny, *words, "--out", str(place))
        status, _, errors = line("train", *first, *out, "--json")
        assert status == 0, errors
        lines = (place / "metrics.jsonl").read_text().splitlines()
        return place, [json.loads(one) for one in lines], errors

    return run


def weights(place):
    return [(place / "checkpoints/step-00000004" / name).read_bytes() for name in KEPT]


TASKS = ["tasks.names=['words.jsonl', 'spike-arithmetic']", "tasks.limit=5", "tasks.every=1"]


@pytest.mark.parametrize("preset", SMALL)
def test_scores_leave_the_training_as_it_is(train, tiny, preset):
    small = tiny if preset == "base" else ()
    plain, _, _ = train("plain", preset=preset, tiny=small)
    scored, metrics, _ = train("scored", *TASKS, preset=preset, tiny=small)
    assert weights(scored) == weights(plain)
    assert [line["step"] for line in metrics] == [1, 2, 3, 4]
    assert all(0 <= line["task_words_acc"] <= 1 for line in metrics)


def test_scores_are_those_of_the_trained_run(train, tiny, line):
    place, metrics, errors = train("run", *TASKS, "tasks.every=0", tiny=tiny)
    (last,) = [one for one in metrics if "task_words_acc" in one]
    assert last["step"] == 4
    assert "task words acc " in errors
    options = ("--limit", "5", "--json", "--no-overlap")
    _, output, _ = line("eval", str(place), "--tasks", "words.jsonl,spike-arithmetic", *options)
    for row in json.loads(output)["tasks"]:
        key = metrics_key(row["task"])
        for metric in ("acc", "acc_error", "acc_norm"):
            assert last[f"{key}_{metric}"] == row[metric]


def test_a_resumed_run_has_the_same_scores(train, tiny, line, tmp_path, monkeypatch):
    whole, wanted, _ = train("whole", *TASKS, tiny=tiny)
    import spike_commands.train.recipe as recipe

    scored = recipe.task_scorer

    def stopping(*given):
        score, calls = scored(*given), []

        def stop(model):
            calls.append(model)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return score(model)

        return stop

    words = [word for change in [*STEPS, *TASKS] for word in ("--set", change)]
    with monkeypatch.context() as patch:
        patch.setattr(recipe, "task_scorer", stopping)
        status, *_ = line(
            "train", "--config", "base", *tiny, *words, "--out", str(tmp_path / "cut")
        )
    assert status == 130
    cut, metrics, _ = train("cut")
    assert weights(cut) == weights(whole)
    changing = ("time", "tokens_per_second")
    for one, other in zip(metrics, wanted, strict=True):
        assert {key: one[key] for key in one if key not in changing} == {
            key: other[key] for key in other if key not in changing
        }


def test_tasks_may_change_when_a_run_is_resumed(train, tiny, line):
    place, _, _ = train("run", tiny=tiny)
    for change, status in (("tasks.limit=3", 0), ("train.seed=7", 2)):
        found, _, errors = line("train", "--resume", str(place), "--set", change)
        assert found == status, errors
    assert "[log] and [tasks] may change" in errors


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ("tasks.names=['arc-easy']", 2, "arc-easy: no such task; did you mean `arc_easy`?"),
        ("tasks.names=['piqa']", 1, "piqa: there is no tasks/piqa/validation.jsonl"),
        ("tasks.names=['words.jsonl','./words.jsonl']", 1, "two tasks have the key task_words"),
        ("tasks.names=['']", 2, "tasks.names"),
        ("tasks.name=['piqa']", 2, "tasks.name"),
    ],
)
def test_bad_tasks_are_one_line_before_the_run(
    train, tiny, line, tmp_path, change, status, message
):
    out = tmp_path / "none"
    command = ("train", "--config", "base", *tiny, "--set", change, "--out", str(out), "--quiet")
    found, output, errors = line(*command)
    assert (found, output, errors.count("\n")) == (status, "", 1)
    assert message in errors
    assert not out.exists()


def test_items_that_are_left_out_are_named_once(train, folder, tiny):
    fits = {"context": "the quick", "choices": ["fox", "dogs"], "label": 0}
    items = [fits, {**fits, "label": 7}, {**fits, "choices": ["zq " * 400, "a"]}]
    (folder / "mixed.jsonl").write_text("\n".join(map(json.dumps, items)))
    options = ("tasks.names=['mixed.jsonl']", "tasks.every=1")
    _, metrics, errors = train("run", *options, tiny=tiny)
    assert len(metrics) == 4
    assert errors.count("mixed.jsonl: left out 1 (") == 2
    assert "left out 1 (a continuation longer than the context)" in errors


def test_missing_tasks_of_a_suite_are_named(train, tiny):
    options = ("tasks.names=['words.jsonl', 'all']", "tasks.data='none'", "tasks.limit=1")
    _, _, errors = train("run", *options, tiny=tiny)
    assert "not scored: boolq: there is no " in errors


def test_scores_of_a_model_without_numbers_are_null(train, tiny, monkeypatch):
    import torch

    import spike_commands.train.recipe as recipe

    scored = recipe.task_scorer

    def broken(*given):
        score = scored(*given)

        def of(model):
            kept = {name: value.clone() for name, value in model.state_dict().items()}
            with torch.no_grad():
                for one in model.parameters():
                    one.fill_(torch.nan)
            found = score(model)
            model.load_state_dict(kept)
            return found

        return of

    monkeypatch.setattr(recipe, "task_scorer", broken)
    _, metrics, _ = train("run", *TASKS, tiny=tiny)
    assert [line["step"] for line in metrics] == [1, 2, 3, 4]
    assert all(line["task_words_acc"] is None for line in metrics)

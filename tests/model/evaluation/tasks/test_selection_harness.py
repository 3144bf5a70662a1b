"""Requests and labels of all tasks equal those that lm-evaluation-harness 0.4.13 builds itself."""

import gzip
import json
import os
from pathlib import Path

import pytest

from spike_lm.model.evaluation.tasks.selection import BY_NAME

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
# Characters that tokenizers and templates treat in special ways.
TEXTS = ["a dog", "Füchse {{x}}", "two\nlines", "  blanks  ", "50% <eos>", "'quoted' \\n"]
CHOICES = ["red", " Blau", "grün\n", "{{y}}"]


def letters(record):
    return {
        "choices": {"text": record["choices"], "label": list("ABCDE")[: len(record["choices"])]},
        "answerKey": "ABCDE"[record["label"]],
    }


def questions():
    return [
        {"question": text, "choices": CHOICES[: 2 + number % 3], "label": number % 2}
        for number, text in enumerate(TEXTS)
    ]


def pairs():
    return [
        {"sentence_good": text, "sentence_bad": text[::-1] or "x", "UID": "p", "field": "f"}
        for text in TEXTS
    ]


# Task → YAML file of the harness, our records, and their rows on the hub.
CASES = {
    "arc_easy": ("arc/arc_easy.yaml", questions, lambda r: {**r, **letters(r)}),
    "arc_challenge": ("arc/arc_challenge.yaml", questions, lambda r: {**r, **letters(r)}),
    "openbookqa": (
        "openbookqa/openbookqa.yaml",
        questions,
        lambda r: {"question_stem": r["question"], **letters(r)},
    ),
    "hellaswag": (
        "hellaswag/hellaswag.yaml",
        lambda: [
            {
                "ctx_a": text,
                "ctx_b": "ßo he [step] SAYS it  twice",
                "activity_label": "Act [title] one",
                "endings": [*CHOICES, "x [title] y [a [b] c] d"][:4],
                "label": str(number % 4),
            }
            for number, text in enumerate(TEXTS)
        ],
        dict,
    ),
    "winogrande": (
        "winogrande/default.yaml",
        lambda: [
            {"sentence": f"{text} _ ran. ", "option1": "Ann", "option2": "Bo", "label": number % 2}
            for number, text in enumerate(TEXTS)
        ],
        lambda r: {**r, "answer": str(r["label"] + 1)},
    ),
    "piqa": (
        "piqa/piqa.yaml",
        lambda: [
            {"goal": text, "sol1": "a ", "sol2": "b\n", "label": number % 2}
            for number, text in enumerate(TEXTS)
        ],
        dict,
    ),
    "boolq": (
        "super_glue/boolq/default.yaml",
        lambda: [
            {"passage": text, "question": "is it", "label": number % 2}
            for number, text in enumerate(TEXTS)
        ],
        dict,
    ),
    "lambada": (
        "lambada/lambada_openai.yaml",
        lambda: [{"context": text, "continuation": "end."} for text in TEXTS],
        lambda r: {"text": f"{r['context']} {r['continuation']}"},
    ),
    "blimp": ("blimp/adjunct_island.yaml", pairs, dict),
}


def stored_records(task):
    """Return the records of the task data that SPIKE_TASK_DATA names; none without it."""
    folder, found = os.environ.get("SPIKE_TASK_DATA"), []
    for file in task.files if folder else ():
        path = Path(folder, file.path)
        if path.exists():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            found += map(json.loads, content.splitlines())
    return found


@pytest.mark.parametrize("name", CASES)
def test_requests_equal_those_of_the_harness(name):
    pytest.importorskip("lm_eval")
    import datasets
    import lm_eval.tasks
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    yaml, make, row = CASES[name]
    task = BY_NAME[name]
    records = [*make(), *stored_records(task)]
    config = load_yaml(Path(lm_eval.tasks.__file__).parent / yaml, resolve_func=True)
    for key in ("tag", "group", "include"):
        config.pop(key, None)
    split = config.get("test_split") or config["validation_split"]
    for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
        config[key] = None
    rows = datasets.Dataset.from_list([row(record) for record in records])
    config |= {
        "test_split": split,
        "custom_dataset": lambda **_: datasets.DatasetDict({split: rows}),
    }
    harness = ConfigurableTask(config=config)
    harness.build_all_requests(rank=0, world_size=1)
    theirs = {}
    for instance in harness.instances:
        theirs.setdefault(instance.doc_id, []).append(instance.args)
    items = [task.build(record, "x") for record in records]
    assert len(theirs) == len(items)
    for number, item in enumerate(items):
        ours = [(request.context, request.continuation) for request in item.requests]
        assert ours == theirs[number]
        document = harness.test_docs()[number]
        if task.kind == "multiple choice":
            choices = harness.doc_to_choice(document)
            gold = harness.doc_to_target(document)
            if harness.multiple_input:  # the choices are contexts, and the text is the target
                gold = harness.doc_to_text(document)
            else:
                assert list(item.choices) == choices
            assert item.label == gold

"""Scores 200 four-choice items of one exported folder: spike beside lm-evaluation-harness's `hf`.

    spike export model RUN --to FOLDER
    python benchmarks/evaluation.py FOLDER HELLASWAG [--rounds 3] [--threads 1]

HELLASWAG is `validation.jsonl.gz` of the shared data: contexts are cut to about 61 tokens of the
folder's tokenizer, and choices to about 10. Each process gets the same folder and items, in turn
with the other, and its CPU seconds are those of its children, so other work on the machine counts
little. `inside` is the time of the loop over items, without imports, opening and tokenizing by the
harness's task. The choices of all items are compared.

Peers: lm_eval 0.4.13, transformers 5.24.0 (`pip install -e '.[hf,hf-uses]'`).
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from spike_lm.model.evaluation.causal_lm import CausalLM, open_causal_lm

PEERS = {"lm_eval": "0.4.13", "transformers": "5.24.0"}
ITEMS, CONTEXT, CHOICE = 200, 61, 10
TASK = """\
task: timed
dataset_path: json
dataset_kwargs:
  data_files:
    test: {items}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
doc_to_choice: choices
doc_to_target: label
target_delimiter: " "
metric_list:
  - metric: acc
"""
# `inside` is measured around the method that scores requests.
PEER = """\
import json, sys, time
from lm_eval.models.huggingface import HFLM
import lm_eval
from lm_eval.tasks import TaskManager
plain = HFLM.loglikelihood
def timed(self, *given, **named):
    begun = time.process_time()
    found = plain(self, *given, **named)
    inside.append(time.process_time() - begun)
    return found
inside, HFLM.loglikelihood = [], timed
folder, tasks, out = sys.argv[1:]
found = lm_eval.simple_evaluate(
    model="hf", model_args={"pretrained": folder, "trust_remote_code": True, "dtype": "float32"},
    tasks=["timed"], task_manager=TaskManager(include_path=tasks, include_defaults=False),
    batch_size=16, device="cpu", bootstrap_iters=0, log_samples=True,
)
rows = sorted(found["samples"]["timed"], key=lambda row: row["doc_id"])
nats = [[pair[0][0] for pair in row["resps"]] for row in rows]
json.dump({"inside": sum(inside), "nats": nats}, open(out, "w"))
"""
OURS = """\
import json, sys, time
from pathlib import Path
from spike_lm.model.evaluation.causal_lm import open_causal_lm
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import score_items
folder, tasks, out = sys.argv[1:]
rows = [json.loads(line) for line in open(tasks + "/items.jsonl")]
items = [
    Item(tuple(Request(row["context"], " " + text) for text in row["choices"]),
         tuple(row["choices"]), row["label"], str(number))
    for number, row in enumerate(rows)
]
lm = open_causal_lm(Path(folder))
begun = time.process_time()
nats = [[score.nats for score in found] for _, found in score_items(lm, items, "lm-eval")]
json.dump({"inside": time.process_time() - begun, "nats": nats}, open(out, "w"))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="evaluation beside lm-evaluation-harness")
    parser.add_argument("folder", type=Path)
    parser.add_argument("hellaswag", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for name, pinned in PEERS.items():
        if version(name) != pinned:
            raise SystemExit(f"{name} {version(name)} is installed; install {name}=={pinned}")
    lm = open_causal_lm(options.folder)
    with tempfile.TemporaryDirectory() as made:
        tasks = Path(made)
        rows = list(cut_items(lm, options.hellaswag))
        (tasks / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tasks / "timed.yaml").write_text(TASK.format(items=tasks / "items.jsonl"))
        found: dict[str, list[tuple[float, float, float]]] = {"spike": [], "lm_eval": []}
        nats = {}
        for _ in range(options.rounds):
            for name, program in (("spike", OURS), ("lm_eval", PEER)):
                times, nats[name] = measure(program, options.folder, tasks, options.threads)
                found[name].append(times)
    differences = [
        abs(one - other)
        for pair in zip(*nats.values(), strict=True)
        for one, other in zip(*pair, strict=True)
    ]
    equal = sum(best(one) == best(other) for one, other in zip(*nats.values(), strict=True))
    print(f"{options.folder}: {lm.vocab_size:,} ids, {options.threads} threads, {ITEMS} items")
    print(f"equal choices {equal} of {ITEMS}, largest difference {max(differences):.1e} nats")
    print("| medians | CPU s, start to end | wall s | CPU ms per item, inside |")
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for name, rounds in found.items()
    }
    for name, (cpu, wall, inside) in medians.items():
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {1000 * inside / ITEMS:.2f} |")
    ratios = [b / a for a, b in zip(medians["spike"], medians["lm_eval"], strict=True)]
    print("| ratio | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |")


def cut_items(lm: CausalLM, path: Path) -> Iterator[dict[str, object]]:
    """Yield items whose contexts and choices have about as many tokens as the protocol's."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts, made = iter(rows), 0
    for row in texts:
        context = row["query"]
        while len(lm.encode_batch([context])[0]) < CONTEXT:
            context += " " + next(texts)["query"]
        choices = [cut(lm, choice, CHOICE) for choice in row["choices"]]
        if len(set(choices)) == len(choices):
            made += 1
            yield {"context": cut(lm, context, CONTEXT), "choices": choices, "label": row["label"]}
        if made == ITEMS:
            return


def cut(lm: CausalLM, text: str, tokens: int) -> str:
    """Return the words of a text that have at most that many tokens."""
    words = text.split()
    while len(words) > 1 and len(lm.encode_batch([" ".join(words)])[0]) > tokens:
        words.pop()
    return " ".join(words)


def best(nats: list[float]) -> int:
    """Return the number of the most probable choice."""
    return nats.index(max(nats))


def measure(
    program: str, folder: Path, tasks: Path, threads: int
) -> tuple[tuple[float, float, float], list[list[float]]]:
    """Run a program; return its CPU seconds, wall seconds, those inside, and the nats."""
    out = tasks / "out.json"
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_DATASETS_CACHE": str(tasks / "cache"),
    }
    before, begun = os.times(), time.monotonic()
    command = [sys.executable, "-c", program, str(folder), str(tasks), str(out)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    wall, after = time.monotonic() - begun, os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    found = json.loads(out.read_text())
    return (cpu, wall, found["inside"]), found["nats"]


if __name__ == "__main__":
    main()

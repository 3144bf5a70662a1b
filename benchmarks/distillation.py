"""Trains small students with and without a teacher at equal tokens, and measures the difference.

    python benchmarks/distillation.py FOLDER [--seeds 3] [--steps 400] [--teacher-steps 800]

A teacher of the shape of the preset `base` is trained once. A pair of students has the same seed,
so the same first numbers and the same windows in the same order; one learns the next token alone
and the other from the teacher besides; a third one, alone, trains for as many more steps as the
teacher's reading would pay for. Data and scores are those of ablations.py. Each run has one
thread and they run one at a time. A line of FOLDER/results.jsonl is a run; runs that have one are
not done again. Then a table: the mean of the paired differences with its 95 % interval.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from ablations import TOKENIZERS, interval, prepare, spike

TOKENIZER = "length-max"
TEACHER, ALONE, LONGER = "teacher", "no teacher", "no teacher, equal work"
STUDENT = (
    "model.layers=2",
    "model.dim=64",
    "model.heads=2",
    "model.kv_heads=1",
    "model.ffn_dim=192",
    "train.batch_size=4",
    "train.micro_batch_size=4",
)
VARIANTS = {
    ALONE: (),
    "logits": ("distill.kl_weight=1",),
    "hidden rows": ("distill.kl_weight=0", "distill.hidden_loss_weight=1"),
    "both": ("distill.kl_weight=1", "distill.hidden_loss_weight=1"),
    LONGER: (),
}


def main() -> None:
    """Do the runs that are missing, then print the table."""
    parser = argparse.ArgumentParser(description="students with and without a teacher, in pairs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400, help="of 4 windows each")
    parser.add_argument("--teacher-steps", type=int, default=800, help="of 8 windows each")
    options = parser.parse_args()
    prepare(options.folder, {TOKENIZER: TOKENIZERS[TOKENIZER]})
    results = options.folder / "results.jsonl"
    rows = [json.loads(line) for line in results.read_text().splitlines() if line.strip()]
    for key in plan(options):
        if not any(key.items() <= row.items() for row in rows):
            rows.append(key | measured(key, options.folder))
            with results.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print("\n".join(table([r for r in rows if any(k.items() <= r.items() for k in plan(options))])))


def plan(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield what tells each run from the others: the teacher, then students seed by seed."""
    teacher = {"teacher_steps": options.teacher_steps}
    yield {"run": TEACHER, "seed": 1000, "steps": options.teacher_steps} | teacher
    for names in ([name for name in VARIANTS if name != LONGER], [LONGER]):
        for seed, name in product(range(options.seeds), names):
            yield {"run": name, "seed": seed, "steps": options.steps} | teacher


def measured(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train and score; return what the line of the results says beside the key."""
    name, steps = key["run"], key["steps"]
    teacher = folder / "runs" / f"teacher-{key['teacher_steps']}"
    student = folder / "runs" / f"{name.replace(' ', '-').replace(',', '')}-{key['seed']}"
    out = teacher if name == TEACHER else student
    lessons = {what: VARIANTS[what] for what in VARIANTS if VARIANTS[what]}
    if name == LONGER:
        taught = work(train_options(key, folder, teacher, lessons["logits"]))
        alone = work(train_options(key, folder, teacher, ()))
        steps = round(steps * taught / alone)
    options = train_options(key | {"steps": steps}, folder, teacher, lessons.get(name, ()))
    shutil.rmtree(out, ignore_errors=True)
    trained = spike("train", *options, "--out", str(out), "--json", "--quiet")
    pieces = map(str, sorted((folder / "held-out").iterdir()))
    scored = spike("eval", str(out), "--text", *pieces, "--json", "--quiet")
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    return {
        "parameters": spike("train", *options, "--dry-run", "--json")["exported_parameters"],
        "flops_per_token": work(options),
        "tokens": trained["tokens"],
        "seconds": round(trained["seconds"], 1),
        "scored_bytes": scored["bytes"],
        "bits_per_byte": scored["bits_per_byte"],
        "loss": last["loss"],
    } | {name: last[name] for name in last if name.startswith("distill")}


def train_options(
    key: dict[str, Any], folder: Path, teacher: Path, lesson: tuple[str, ...]
) -> list[str]:
    """Return the options of `spike train` for a run and what its teacher teaches, if anything."""
    settings = [
        f"train.steps={key['steps']}",
        f"train.seed={key['seed']}",
        f"data.shuffle_seed={key['seed']}",
        "train.threads=1",
        "train.device=cpu",
        "validation.windows=0",
        "sample.every=0",
        f"checkpoint.every={key['steps']}",
    ]
    if key["run"] != TEACHER:
        settings += [*STUDENT, *lesson]
    if lesson:
        settings.append(f"distill.teachers={json.dumps([str(teacher.absolute())])}")
    chosen = [part for setting in settings for part in ("--set", setting)]
    return ["--config", "base", "--data", str(folder / f"data-{TOKENIZER}"), *chosen]


def work(options: list[str]) -> int:
    """Return the floating-point operations of a token, the teachers' included."""
    size = spike("train", *options, "--dry-run", "--json")
    return int(size["flops_per_token"] + size.get("teaching_flops_per_token", 0))


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown; differences are against no teacher, by seed."""
    names = ["run", "bits per byte", "difference", "95 % interval", "seeds", "parameters", "tokens"]
    yield f"| {' | '.join([*names, 'MFLOP a token'])} |"
    yield "| --- " * (len(names) + 1) + "|"
    scores = {(row["run"], row["seed"]): row["bits_per_byte"] for row in rows}
    for name in (TEACHER, *VARIANTS):
        found = [row for row in rows if row["run"] == name]
        if not found:
            continue
        mean = statistics.mean(row["bits_per_byte"] for row in found)
        alone = [(row, scores.get((ALONE, row["seed"]))) for row in found]
        gaps = [row["bits_per_byte"] - score for row, score in alone if score is not None]
        told = ["", ""] if name in (TEACHER, ALONE) or not gaps else interval(gaps)
        size, tokens, work = (found[0][k] for k in ("parameters", "tokens", "flops_per_token"))
        cells = [name, f"{mean:.4f}", *told, len(found), f"{size:,}", f"{tokens:,}"]
        yield f"| {' | '.join(map(str, [*cells, f'{work / 1e6:.2f}']))} |"


if __name__ == "__main__":
    main()

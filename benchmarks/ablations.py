"""Switches features of a model off, one at a time, and measures what that costs.

    python benchmarks/ablations.py FOLDER [--seeds 4] [--steps 200] [--jobs 2] [--only TEXT]

A pair of runs has the same seed, and with it the same first numbers in all weights that both have
and the same windows in the same order; one has every feature of its preset and the other lacks one.
They train on nine tenths of some books and are scored, as `spike eval` does it, on pieces of the
others. Each run has one thread. A line of FOLDER/results.jsonl is a run; runs that have one are not
done again. Then a table: the mean of the paired differences with its 95 % interval by Student's t.
"""

import argparse
import json
import lzma
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora import SHARED, texts

from spike_lm.model import load_config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_parameters
from spiketok.holdout import document_id, is_held_out

BOOKS = SHARED / "books_en/books-00.parquet"
HELD_OUT = 0.1
PIECE_BYTES = 12 << 10
WEIGHT_BITS = 6
# 97.5 % points of Student's t by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}
SPIKE = [sys.executable, str(Path(__file__).parents[1] / "cli.py")]
TOKENIZERS = {
    "bese": ["--algorithm", "bese", "--vocab", "288"],
    "length-max": ["--vocab", "1024", "--special-tokens", "minimal"],
}
OTHER_TOKENIZER = "length-max, equal bytes"
PLAIN, PLAIN_PRESET = "plain, equal parameters", "base"
# Per preset: its tokenizer, and by name what one run has otherwise; nothing in the first.
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "bese-golf-tiny": (
        "bese",
        {
            "all on": "",
            "no recurrence": "golf.recur_layers=[]",
            "no XSA": "golf.xsa_last_n=0",
            "no BigramHash": "golf.bigram_vocab_size=0",
            "no parallel residuals": "golf.parallel_residual_last_n=0",
            OTHER_TOKENIZER: "",
        },
    ),
    "memory-golf-tiny": ("length-max", {"all on": "", "no memory": "golf.memory_tokens=0"}),
    "ngram-golf-tiny": ("length-max", {"all on": "", "no XSA": "golf.xsa_last_n=0"}),
    "escarda-tiny": (
        "length-max",
        {
            "all on": "",
            PLAIN: "",
            "no XSA": "spikewhale.use_xsa=false",
            "no engram": "spikewhale.engram_table_size=0",
            "one stream": "spikewhale.hc_mult=1",
            "no HRM": "spikewhale.hrm_refine_steps=0",
            "no MTP": "spikewhale.num_nextn_predict_layers=0",
            "no JEPA": "spikewhale.jepa_horizon=0",
        },
    ),
}


@dataclass(frozen=True)
class Run:
    """One training and scoring."""

    preset: str
    variant: str
    seed: int
    steps: int
    tokenizer: str
    settings: tuple[str, ...]

    @property
    def key(self) -> dict[str, Any]:
        """What tells this run from others in the results."""
        return {k: getattr(self, k) for k in ("preset", "variant", "seed", "steps")}


def main() -> None:
    """Do the runs that are missing, then print the table."""
    parser = argparse.ArgumentParser(description="paired ablations")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=200, help="of 4 windows each")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--only", default="", help="presets whose name has this in it")
    options = parser.parse_args()
    prepare(options.folder)
    results = options.folder / "results.jsonl"
    done = [json.loads(line) for line in results.read_text().splitlines() if line.strip()]
    wanted = [run for run in plan(options) if options.only in run.preset]
    missing = [run for run in wanted if not any(run.key.items() <= row.items() for row in done)]
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda run: measured(run, options.folder), missing):
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            done.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    rows = [row for row in done if any(run.key.items() <= row.items() for run in wanted)]
    print("\n".join(table(rows)))


def prepare(folder: Path, tokenizers: Mapping[str, list[str]] = TOKENIZERS) -> None:
    """Make tokenizers, shards and pieces of held-out books, where they are missing."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "results.jsonl").touch()
    for name, options in tokenizers.items():
        tokenizer, data = folder / f"{name}.json", folder / f"data-{name}"
        share = str(HELD_OUT)
        if not tokenizer.exists():
            training = [str(BOOKS), "--validation", share, "--out", str(tokenizer), "--quiet"]
            spike("tokenizer", "train", *training, *options)
        common = ["--tokenizer", str(tokenizer), "--validation", share, "--out", str(data)]
        spike("shard", str(BOOKS), *common, "--quiet")
    held_out = [text for text in texts([BOOKS]) if is_held_out(document_id(text), HELD_OUT)]
    (folder / "held-out").mkdir(exist_ok=True)
    for number, text in enumerate(held_out):
        middle = len(text) // 2
        piece = text[middle : middle + PIECE_BYTES].decode("utf-8", "ignore")
        (folder / "held-out" / f"{number:02}.txt").write_text(piece, encoding="utf-8")


def plan(options: argparse.Namespace) -> Iterator[Run]:
    """Yield all runs, seed by seed, so that an early end leaves whole pairs."""
    for seed in range(options.seeds):
        for preset, (tokenizer, variants) in VARIANTS.items():
            for variant, setting in variants.items():
                settings = (setting,) if setting else ()
                used = tokenizer
                if variant == OTHER_TOKENIZER:
                    used = "length-max"
                    settings = (f"model.ffn_dim={equal_mlp_width(preset, options.folder)}",)
                if variant == PLAIN:
                    settings = plain_settings(preset)
                yield Run(preset, variant, seed, options.steps, used, settings)


def equal_mlp_width(preset: str, folder: Path) -> int:
    """Return the width at which a model of length-max is as many bytes as the preset of BESE."""
    wanted = artifact_bytes(preset, (), folder, "bese")
    return min(
        range(64, load_config(preset).model.ffn_dim + 1, 4),
        key=lambda dim: abs(
            artifact_bytes(preset, (f"model.ffn_dim={dim}",), folder, "length-max") - wanted
        ),
    )


def plain_settings(preset: str, vocab_size: int = 1024) -> tuple[str, ...]:
    """Return what makes `base` as deep and wide as the preset, and of as many parameters."""
    shape, wanted = load_config(preset).model, built(preset, (), vocab_size)
    same = ("layers", "dim", "heads", "kv_heads", "head_dim", "context")
    settings = tuple(f"model.{key}={getattr(shape, key)}" for key in same)
    widths = [(*settings, f"model.ffn_dim={dim}") for dim in range(64, 1024, 4)]
    return min(widths, key=lambda s: abs(built(PLAIN_PRESET, s, vocab_size) - wanted))


def built(preset: str, settings: tuple[str, ...], vocab_size: int) -> int:
    """Return the parameters that are exported."""
    model = build_model(load_config(preset, settings), vocab_size, eos_id=0, device="meta")
    return exported_parameters(model)


def artifact_bytes(preset: str, settings: tuple[str, ...], folder: Path, tokenizer: str) -> int:
    """Return exported weights at six bits each, and the tokenizer without notes, by LZMA."""
    fields = json.loads((folder / f"{tokenizer}.json").read_text())
    fields.pop("spike")
    vocabulary = len(lzma.compress(json.dumps(fields).encode()))
    return built(preset, settings, fields["vocab_size"]) * WEIGHT_BITS // 8 + vocabulary


def measured(run: Run, folder: Path) -> dict[str, Any]:
    """Train and score; return the line of the results."""
    preset = PLAIN_PRESET if run.variant == PLAIN else run.preset
    out = folder / "runs" / f"{run.preset}-{run.variant.replace(' ', '-')}-{run.seed}"
    shutil.rmtree(out, ignore_errors=True)
    settings = [
        *run.settings,
        f"train.steps={run.steps}",
        "train.batch_size=4",
        "train.micro_batch_size=4",
        f"train.seed={run.seed}",
        f"data.shuffle_seed={run.seed}",
        "train.threads=1",
        "train.device=cpu",
        "validation.windows=0",
        "sample.every=0",
        f"checkpoint.every={run.steps}",
    ]
    chosen = [part for setting in settings for part in ("--set", setting)]
    data = str(folder / f"data-{run.tokenizer}")
    common = ("--config", preset, "--data", data, *chosen)
    size = spike("train", *common, "--dry-run", "--json")
    trained = spike("train", *common, "--out", str(out), "--json", "--quiet")
    pieces = map(str, sorted((folder / "held-out").iterdir()))
    scored = spike("eval", str(out), "--text", *pieces, "--json", "--quiet")
    shutil.rmtree(out)
    return run.key | {
        "settings": list(run.settings),
        "tokenizer": run.tokenizer,
        "parameters": size["exported_parameters"],
        "artifact_bytes": artifact_bytes(preset, run.settings, folder, run.tokenizer),
        "flops_per_token": size["flops_per_token"],
        "tokens": trained["tokens"],
        "seconds": round(trained["seconds"], 1),
        "scored_bytes": scored["bytes"],
        "bits_per_byte": scored["bits_per_byte"],
    }


def spike(*arguments: str) -> dict[str, Any]:
    """Run a command on one thread; return its JSON, if any."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*SPIKE, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return found


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown; differences are against all on, seed by seed."""
    names = ["preset", "run", "bits per byte", "difference", "95 % interval", "seeds", "parameters"]
    yield f"| {' | '.join([*names, 'MFLOP a token'])} |"
    yield "| --- " * 8 + "|"
    for preset, (_, variants) in VARIANTS.items():
        whole = scores(rows, preset, "all on")
        for variant in variants:
            ours = scores(rows, preset, variant)
            both = sorted(ours.keys() & whole.keys())
            if not both:
                continue
            mean = statistics.mean(ours[seed]["bits_per_byte"] for seed in both)
            gaps = [ours[s]["bits_per_byte"] - whole[s]["bits_per_byte"] for s in both]
            told = ["", ""] if variant == "all on" else interval(gaps)
            size, work = (ours[both[0]][key] for key in ("parameters", "flops_per_token"))
            cells = [preset, variant, f"{mean:.4f}", *told, len(both), f"{size:,}"]
            cells.append(f"{work / 1e6:.1f}")
            yield f"| {' | '.join(map(str, cells))} |"


def scores(rows: list[dict[str, Any]], preset: str, variant: str) -> dict[int, dict[str, Any]]:
    """Return the results of a variant by seed."""
    return {r["seed"]: r for r in rows if (r["preset"], r["variant"]) == (preset, variant)}


def interval(gaps: list[float]) -> list[str]:
    """Return mean and 95 % interval as cells of the table."""
    mean = statistics.mean(gaps)
    if len(gaps) < 2:
        return [f"{mean:+.4f}", ""]
    half = STUDENT[len(gaps) - 1] * statistics.stdev(gaps) / len(gaps) ** 0.5
    return [f"{mean:+.4f}", f"{mean - half:+.4f} … {mean + half:+.4f}"]


if __name__ == "__main__":
    main()

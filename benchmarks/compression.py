"""Trains small models with and without rounding, packs them in several ways, and scores the files.

    python benchmarks/compression.py FOLDER [--seeds 2] [--steps 120] [--plot docs/compression.svg]

Each tiny preset of the golf family is trained in full precision, with rounding from late on and
with rounding from the start; runs of one seed have the same first weights and the same windows in
the same order. Then `spike pack` makes artifacts and `spike eval` scores them, opened again, on
4 KiB from the middle of each book that ablations.py holds out. One thread, one run at a time. A
line of FOLDER/results.jsonl is an artifact, or the float model; what has one is not done again.
Then a table for each preset, a plot, and with `--libraries` the same matrices through others.
The plot takes matplotlib 3.11.2; the others are torchao 0.18.0 and hqq 0.2.8.post1 (installed with
--no-deps and DISABLE_CUDA=1, beside termcolor).
"""

import argparse
import io
import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ablations import prepare

from spike_lm.cli import run as run_line

FLOAT, LATE, START = "float", "late QAT", "QAT from the start"


@dataclass(frozen=True)
class Recipe:
    """How the record of a preset rounds its weights, and the tokenizer it is tried with."""

    tokenizer: str
    bits: str
    late: str
    """The moment from which it trains at rounded weights."""
    crown_q: float = 0.0


RECIPES = {
    "bese-golf-tiny": Recipe("bese", "mlp=int6,attn=int6,embed=int8", "rate=0.15"),
    "ngram-golf-tiny": Recipe("length-max", "mlp=int5,attn=int5,embed=int8", "rate=0.5", 0.01),
    "memory-golf-tiny": Recipe("length-max", "mlp=int5,attn=int6,embed=fp16", "rate=0.1"),
}
# What bounds the grids in training, which a search for each step would make slow.
TRAINED_CLIP = "max"
# Few enough bits for the way of rounding to matter.
SAME_BITS = "mlp=int{0},attn=int{0},embed=int6,other=int6"
BITS_OF_CURVES = (3, 4)
PRUNED = 0.05
BUDGET = 400_000  # bytes
SCORED_BYTES = 4 << 10


@dataclass(frozen=True)
class Packing:
    """How an artifact is made of a run; without bits it is the run itself."""

    label: str
    bits: str = ""
    method: str = "rtn"
    sparsity: float = 0.0
    clip: str = "search"
    budget: int = 0


@dataclass(frozen=True)
class Training:
    """One run."""

    preset: str
    way: str
    seed: int
    steps: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.preset}-{self.way.replace(' ', '-')}-{self.seed}"


def main() -> None:
    """Do what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description="ways of rounding, in pairs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=120, help="of 4 windows each")
    parser.add_argument("--plot", type=Path, help="SVG of bits per byte over bytes; matplotlib")
    parser.add_argument("--libraries", action="store_true", help="torchao and hqq beside ours")
    parser.add_argument("--report", action="store_true", help="only tell what is done already")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = options.folder / "results.jsonl"
    if not options.report:
        prepare(options.folder)
    rows = [json.loads(line) for line in results.read_text().splitlines() if line.strip()]
    for training in [] if options.report else plan(options):
        for packing in packings(training):
            key = {"packing": packing.label, **vars(training)}
            if not any(key.items() <= row.items() for row in rows):
                rows.append(key | measured(training, packing, options.folder))
                with results.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    rows = [row for row in rows if row["steps"] == options.steps and row["seed"] < options.seeds]
    print("\n".join(line for preset in RECIPES for line in table(rows, preset)))
    if options.plot:
        from compression_plot import draw

        draw(rows, options.plot)
    if options.libraries:
        from compression_peers import compare

        for preset, recipe in RECIPES.items():
            run = options.folder / "runs" / Training(preset, FLOAT, 0, options.steps).name
            print("\n".join(compare(run, options.folder / f"data-{recipe.tokenizer}")))


def plan(options: argparse.Namespace) -> Iterator[Training]:
    """Yield all runs, seed by seed, so that an early end leaves whole pairs."""
    for seed in range(options.seeds):
        for preset in RECIPES:
            for way in (FLOAT, LATE, START):
                yield Training(preset, way, seed, options.steps)


def packings(training: Training) -> Iterator[Packing]:
    """Yield what is made of a run; of the first seed also with fewer bits, and within a budget."""
    bits = RECIPES[training.preset].bits
    if training.way != FLOAT:
        yield Packing("QAT", bits, clip=TRAINED_CLIP)
        return
    yield Packing("float")
    yield Packing("RTN", bits)
    yield Packing("GPTQ", bits, "gptq")
    yield Packing("GPTQ, pruned", bits, "gptq", PRUNED)
    for few in BITS_OF_CURVES if training.seed == 0 else ():
        bits = SAME_BITS.format(few)
        yield Packing(f"RTN, {few} bits", bits)
        yield Packing(f"GPTQ, {few} bits", bits, "gptq")
        yield Packing(f"GPTQ to the row's largest, {few} bits", bits, "gptq", clip="max")
    if training.seed == 0:
        yield Packing(f"GPTQ, {BUDGET:,} bytes", SAME_BITS.format(6), "gptq", budget=BUDGET)


def measured(training: Training, packing: Packing, folder: Path) -> dict[str, Any]:
    """Train where that has not been done, pack and score; return the line of the results."""
    run = folder / "runs" / training.name
    trained = run / "trained.json"
    if not trained.exists():
        trained.parent.parent.mkdir(exist_ok=True)
        found = spike("train", *train_options(training, folder), "--out", str(run), "--json")
        trained.write_text(json.dumps(found))
    found = json.loads(trained.read_text())
    row = {"tokens": found["tokens"], "seconds": round(found["seconds"], 1)}
    file = run
    if packing.bits:
        file = run / "packed.spike"
        file.unlink(missing_ok=True)
        given = ("bits", "method", "sparsity", "clip")
        chosen = [text for key in given for text in (f"--{key}", str(getattr(packing, key)))]
        chosen += ["--budget", str(packing.budget)] if packing.budget else []
        packed = spike("pack", str(run), "--out", str(file), *chosen, "--json", "--quiet")
        row |= {key: packed[key] for key in ("bytes", "weights", "bits_per_weight")}
    else:
        row["bytes"] = float_bytes(run)
    scored = spike("eval", str(file), "--text", *scored_texts(folder), "--json", "--quiet")
    return row | {
        "bits": packing.bits,
        "scored_bytes": scored["bytes"],
        "bits_per_byte": scored["bits_per_byte"],
    }


def spike(*arguments: str) -> dict[str, Any]:
    """Run a command line in this process, which has loaded everything; return its JSON."""
    with redirect_stdout(io.StringIO()) as output:
        if status := run_line(arguments):
            sys.exit(status)
    found: dict[str, Any] = json.loads(output.getvalue())
    return found


def scored_texts(folder: Path) -> list[str]:
    """Return files with the beginnings of the pieces of held-out books."""
    short = folder / "held-out-short"
    short.mkdir(exist_ok=True)
    for piece in (folder / "held-out").iterdir():
        text = piece.read_bytes()[:SCORED_BYTES].decode("utf-8", "ignore")
        (short / piece.name).write_text(text, encoding="utf-8")
    return [str(piece) for piece in sorted(short.iterdir())]


def train_options(training: Training, folder: Path) -> list[str]:
    """Return the options of `spike train`."""
    recipe = RECIPES[training.preset]
    settings = [
        f"train.steps={training.steps}",
        "train.batch_size=4",
        "train.micro_batch_size=4",
        f"train.seed={training.seed}",
        f"data.shuffle_seed={training.seed}",
        "train.threads=1",
        "train.device=cpu",
        "validation.windows=0",
        "sample.every=0",
        f"checkpoint.every={training.steps}",
    ]
    if training.way != FLOAT:
        begin = "start" if training.way == START else recipe.late
        settings += [
            f'quantize.bits="{recipe.bits}"',
            f"quantize.clip={TRAINED_CLIP}",
            f"quantize.qat={begin}",
            f"quantize.crown_q={recipe.crown_q}",
        ]
    chosen = [part for setting in settings for part in ("--set", setting)]
    data = str(folder / f"data-{recipe.tokenizer}")
    return ["--config", training.preset, "--data", data, *chosen, "--quiet"]


def float_bytes(run: Path) -> int:
    """Return the bytes of an artifact in which every matrix has 32 bits."""
    whole = ",".join(f"{part}=fp32" for part in ("mlp", "attn", "embed", "other"))
    file = run / "whole.spike"
    file.unlink(missing_ok=True)
    common = ("--bits", whole, "--clip", "search", "--method", "rtn", "--json", "--quiet")
    return int(spike("pack", str(run), "--out", str(file), *common)["bytes"])


def table(rows: list[dict[str, Any]], preset: str) -> Iterator[str]:
    """Yield the lines of a preset's table; what is lost is against the float model of the seed."""
    ours = [row for row in rows if row["preset"] == preset]
    whole = {r["seed"]: r["bits_per_byte"] for r in ours if r["packing"] == "float"}
    yield f"\n{preset}, `{RECIPES[preset].bits}`\n"
    yield "| trained | packed | bytes | bits per byte, by seed | against float |"
    yield "| --- " * 5 + "|"
    ways = [Training(preset, way, 0, 0) for way in (FLOAT, LATE, START)]
    for way, packing in ((one.way, made.label) for one in ways for made in packings(one)):
        found = [r for r in ours if (r["way"], r["packing"]) == (way, packing)]
        if not found:
            continue
        size = statistics.mean(row["bytes"] for row in found)
        told = ", ".join(f"{row['bits_per_byte']:.4f}" for row in found)
        gaps = [row["bits_per_byte"] - whole[row["seed"]] for row in found]
        lost = ", ".join(f"{gap:+.4f}".replace("-", "−") for gap in gaps)
        yield f"| {way} | {packing} | {size:,.0f} | {told} | {'' if packing == 'float' else lost} |"


if __name__ == "__main__":
    main()

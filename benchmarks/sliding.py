"""How much of a machine's matrix speed the sliding evaluation of a 12M model reaches.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/sliding.py [--threads 1 2] [--compile] [--help]

The model has 6 layers of width 384, 6 heads, SwiGLU of 1,024 and 4,096 ids: 12.2 M parameters, the
shape by which trainers are compared. A round measures the speed of matrix products of the same
number of threads, then scores a text of random ids with `score_documents`; what is printed are
medians over the rounds. Work is what the definition of the score needs and no more: of the last
layer keys and values of all tokens, all else of fresh ones; logits of fresh ones; in attention what
a token may see, which is half of the square. Norms, positions, softmax and the loss count as none.

Beside wall time stands time of processors, which other work on the machine hardly changes: the
ratio of the two columns is the one to trust where others run. OMP_WAIT_POLICY as in `spike eval`:
threads that wait in a loop would count as work.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from spike_commands.console import tune_malloc
from spike_lm.model import load_config
from spike_lm.model.config.schema import ModelConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.language_model import LanguageModel
from spike_lm.model.scoring.bits_per_byte import score_documents
from spike_lm.model.scoring.compiled_windows import compile_full_windows
from spike_lm.model.scoring.sliding_windows import WindowConfig, window_borders

VOCAB, SEPARATOR = 4096, 3
SHAPE = ("layers=6", "dim=384", "heads=6", "kv_heads=6", "head_dim=64", "ffn_dim=1024")
CASES = ((1024, 64), (2048, 64), (1024, 128), (256, 64))
SIZES = (512, 1024, 2048)


class Taken(NamedTuple):
    """Seconds that something took."""

    wall: float
    processor: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=16, help="scored in a round, of 1,024 ids")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--compile", action="store_true", help="as spike eval --compile")
    options = parser.parse_args()
    tune_malloc()  # as `spike eval` does
    print("threads window stride | GFLOP/s: products, scoring, ratio | tokens/s |", end=" ")
    print("the same per second of processor time")
    for threads in options.threads:
        torch.set_num_threads(threads)
        for window, stride in CASES:
            print(f"{threads} {window:5} {stride:4} |", measured(window, stride, options))


def measured(window: int, stride: int, options: argparse.Namespace) -> str:
    """Return the line of one case."""
    model = model_of(window)
    targets = window + (max(1, options.windows * 1024 // window) - 1) * stride
    ids = np.random.default_rng(0).integers(4, VOCAB, targets - 1)
    work = flops(model.config, targets, window, stride)
    windows = WindowConfig(context=window, stride=stride, batch_windows=256)
    if options.compile:
        compile_full_windows(model, windows)

    def score() -> None:
        score_documents(model, [(ids, 1)], windows, eos_id=SEPARATOR)

    score()
    rounds = [(peak(), timed(score)) for _ in range(options.rounds)]
    wall, processor = (
        [(best[kind], work / taken[kind] / 1e9) for best, taken in rounds] for kind in (0, 1)
    )
    # Of a long text, in which first windows do not matter.
    per_token = (flops(model.config, targets + stride, window, stride) - work) / stride
    speed = statistics.median(work / taken.wall / per_token for _, taken in rounds)
    return f"{columns(wall)} | {speed:6.0f} | {columns(processor)}"


def columns(rounds: list[tuple[float, float]]) -> str:
    """Return the medians of products' and scoring's GFLOP/s, and of their ratios."""
    products, scoring = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(reached / best for best, reached in rounds)
    return f"{products:6.1f} {scoring:6.1f} {ratio:6.1%}"


def model_of(window: int) -> LanguageModel:
    """Return the model, with windows of such a length."""
    overrides = [f"model.{part}" for part in (*SHAPE, f"context={window}")]
    model = build_model(load_config("base", overrides), VOCAB, eos_id=3)
    return model.eval().requires_grad_(False)


def flops(config: ModelConfig, targets: int, window: int, stride: int) -> int:
    """Return the operations that scoring a stream needs, multiplications and additions."""
    heads, kv_heads = (n * config.head_dim for n in (config.heads, config.kv_heads))
    keys = 2 * config.dim * 2 * kv_heads
    others = 2 * config.dim * (2 * heads + 3 * config.ffn_dim)
    total = 0
    for start, fresh, stop in window_borders(targets, window, stride):
        length, new = stop - start, stop - fresh
        seen = length * (length + 1) // 2
        seen_by_old = (length - new) * (length - new + 1) // 2
        total += (config.layers - 1) * ((keys + others) * length + 4 * heads * seen)
        total += keys * length + others * new + 4 * heads * (seen - seen_by_old)
        total += 2 * config.dim * VOCAB * new
    return total


def peak() -> Taken:
    """Return the GFLOP/s of products of square matrices, the best size's, by either clock."""
    found = []
    for size in SIZES:
        left, right, out = (torch.randn(size, size) for _ in range(3))
        torch.mm(left, right, out=out)
        times = max(2, 4_000_000_000 // size**3)
        for _ in range(3):
            taken = timed(lambda: [torch.mm(left, right, out=out) for _ in range(times)])  # noqa: B023
            found.append(tuple(2 * size**3 * times / seconds / 1e9 for seconds in taken))
    return Taken(*(max(column) for column in zip(*found, strict=True)))


def timed(work: Callable[[], object]) -> Taken:
    """Do the work and return the seconds that it took."""
    wall, processor = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        work()
    return Taken(time.perf_counter() - wall, time.process_time() - processor)


if __name__ == "__main__":
    main()

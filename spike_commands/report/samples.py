"""Samples of a run, and the longest passages of a sample that the training text repeats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datapipe.overlap.longest_repeats import longest_repeats
from spiketok.errors import SpikeError

from ..callbacks import Callbacks
from ..chat.generation import continuations
from .run_summary import Line

SHOWN_SAMPLES = 6
# Bytes of the shortest passage: shorter ones are in every text.
AT_LEAST = 16
MOST_REPEATS = 5


def logged_samples(metrics: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the samples of a training: the first, the last, and others between them."""
    found = [
        {"step": line["step"], "prompt": line.get("sample_prompt") or "", "text": line["sample"]}
        for line in metrics
        if isinstance(line.get("sample"), str)
    ]
    if len(found) <= SHOWN_SAMPLES:
        return found
    last = len(found) - 1
    return [found[place * last // (SHOWN_SAMPLES - 1)] for place in range(SHOWN_SAMPLES)]


def new_samples(run: Path, prompts: Sequence[str], seed: int, tokens: int) -> list[dict[str, Any]]:
    """Return continuations of prompts, sampled now with a seed.

    Args:
        run: a run folder.
        prompts: the texts to continue.
        seed: of the sampling.
        tokens: largest number of tokens of each.

    Raises:
        SpikeError: the model cannot be opened.
    """
    found = continuations(run, prompts, tokens=tokens, seed=seed, temperature=0.8, top_p=0.95)
    return [{"seed": one.seed, "prompt": one.prompt, "text": "".join(one.pieces)} for one in found]


def repeats(folder: Path, text: str, show: Callbacks) -> dict[str, Any]:
    """Return the longest passages of a text that the training split repeats, and where.

    Args:
        folder: shards of the training text.
        text: of a sample.
        show: callbacks for progress.
    """
    data = text.encode()
    try:
        with show.progress("repeats", 1, "tokens"):
            found = longest_repeats(folder, data, at_least=AT_LEAST, most=MOST_REPEATS)
    except SpikeError as error:
        return {"missing": str(error)}
    return {
        "text": text,
        "at_least": AT_LEAST,
        "passages": [
            {
                "text": data[one.start : one.end].decode("utf-8", "replace"),
                "bytes": one.end - one.start,
                "document": one.document,
                "source": one.source,
                "row": one.row,
            }
            for one in found
        ],
    }

"""Holdout advice: what helps where a validation split is empty or shorter than a window."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datapipe import Dropped, Source, SourceRange, read_manifest, read_range
from datapipe.shards.checked_reader import ids_and_sizes
from datapipe.shards.files import shard_files

from .result_rows import WINDOW

# Fractions that are suggested, the first one that suffices.
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
# The estimate of a split's tokens from its bytes should exceed a window by this factor.
MARGIN = 1.25
# Below this size a text is too small for two parts, unless it has lines.
LITTLE_BYTES = 2048


def undivided(sources: Sequence[Source], text_bytes: int, verb: str) -> str:
    """Return why a text of one document has no held-out part, and an option that helps.

    Args:
        sources: the files, which hold one document, copies aside.
        text_bytes: size of the text.
        verb: of the advice, such as `shard it`.
    """
    if option := splitting(sources, text_bytes):
        return f"all text is one document; {verb} with {option}"
    if text_bytes < LITTLE_BYTES:
        return "too little text to hold any out; add more"
    return "all text is one document; add other documents"


def splitting(sources: Sequence[Source], text_bytes: int) -> str | None:
    """Return an option that splits plain text into several documents; None where none does.

    Pieces of a size are preferred, 16 to 32 of them, where the text is large enough for that.
    """
    size = max(1024, 1 << max(0, (text_bytes // 16).bit_length() - 1))
    ways = (str(size), "lines") if text_bytes >= 16 * size else ("lines", str(size))
    texts = [source for source in sources if source.kind.startswith("txt")]
    found = (way for way in ways if any(divides(source, way) for source in texts))
    return next((f"--split-text {way}" for way in found), None)


def divides(source: Source, way: str) -> bool:
    """Return whether a way to split gives at least two different documents of a plain text."""
    batches = read_range(SourceRange(source), errors="skip", dropped=Dropped(), split_text=way)
    texts = (text.as_py() for batch in batches for text in batch.column("text"))
    first = next(texts, None)
    return any(text != first for text in texts)


def short_split(folder: Path, found: Mapping[str, Any], by_fraction: bool) -> str | None:
    """Return which split of a shard folder has fewer tokens than a window, and what helps.

    Args:
        folder: a finished shard folder.
        found: its totals, as `describe` returns them.
        by_fraction: whether a fraction of the documents is held out, not files that were named.

    Returns:
        One line; None where the training split, and the validation split if there is one, have a
        window each.
    """
    lacking = f"fewer than a window of base ({WINDOW})"
    train, validation = found["train_tokens"], found["validation_tokens"]
    if train < WINDOW:
        less = " or hold out less" if train + validation >= 2 * WINDOW else ""
        return f"the train split has {train} tokens, {lacking}; shard more text{less}"
    if not found["validation_documents"] or validation >= WINDOW:
        return None
    what = f"the validation split has {validation} tokens, {lacking}"
    if not by_fraction:
        return f"{what}; name more text with --validation"
    fraction = sufficient_fraction(folder, found)
    return f"{what}; " + (f"--validation {fraction} suffices" if fraction else "shard more text")


def sufficient_fraction(folder: Path, found: Mapping[str, Any]) -> float | None:
    """Return the first of `FRACTIONS` with a window in either split; None if there is none.

    A larger fraction only adds documents, so names determine the bytes that it holds out.
    """
    manifest = read_manifest(folder)
    held_out = np.zeros(len(FRACTIONS), np.int64)
    for split in manifest.splits:
        for shard in shard_files(folder, split, manifest):
            for ids, sizes in ids_and_sizes(shard):
                names = np.ascontiguousarray(ids[:, :8]).view(">u8").ravel() / 2.0**64
                held_out += [int(sizes[names < fraction].sum()) for fraction in FRACTIONS]
    least = MARGIN * WINDOW * found["text_bytes"] / found["tokens"]
    kept = found["text_bytes"] - held_out
    fitting = np.flatnonzero((held_out >= least) & (kept >= least))
    return FRACTIONS[fitting[0]] if len(fitting) else None

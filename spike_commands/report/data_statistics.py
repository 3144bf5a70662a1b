"""Statistics of a run's training data: shards, document lengths, and tokens by length and use."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datapipe import describe, read_manifest, read_split
from spiketok import Tokenizer
from spiketok.errors import SpikeError

from ..callbacks import Callbacks
from ..visible import visible

MOST_USED, LONGEST, UNUSED_SHOWN = 20, 20, 60
# Points of the curve of uses by rank.
RANKS = 200
TOKENIZER = "tokenizer.json"


def data_statistics(folder: Path, fingerprint: str, show: Callbacks) -> dict[str, Any]:
    """Return the statistics of a shard folder; `missing` has the reason where there are none.

    Args:
        folder: the shards.
        fingerprint: that the run has of its data.
        show: callbacks for progress.
    """
    try:
        manifest = read_manifest(folder)
        if manifest.fingerprint != fingerprint:
            return {"missing": f"{folder} has other data than the run was trained on"}
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        uses, lengths = token_uses(folder, tokenizer.vocab_size, show)
        return {
            "shards": {"folder": str(folder), **describe(folder)},
            "documents": histogram(lengths),
            "tokens": token_statistics(tokenizer, uses),
        }
    except SpikeError as error:
        return {"missing": str(error)}


def token_uses(
    folder: Path, vocab_size: int, show: Callbacks
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the uses of each id in the training split [V], and the tokens of its documents [n].

    Raises:
        SpikeError: the shards are damaged.
    """
    uses, lengths, done = np.zeros(vocab_size, np.int64), [np.zeros(0, np.int64)], 0
    total = read_manifest(folder).splits["train"].tokens
    with show.progress("count", total, "tokens") as report:
        for documents in read_split(folder, "train"):
            uses += np.bincount(documents.tokens, minlength=vocab_size)[:vocab_size]
            lengths.append(np.diff(documents.ends, prepend=0).astype(np.int64))
            done += len(documents.tokens)
            report(done, "")
    return uses, np.concatenate(lengths)


def histogram(values: NDArray[np.int64]) -> list[dict[str, int]]:
    """Return how many positive numbers [n] are in each range between powers of two.

    >>> histogram(np.array([1, 2, 3, 9]))[:2]
    [{'from': 1, 'to': 1, 'count': 1}, {'from': 2, 'to': 3, 'count': 2}]
    """
    powers = np.floor(np.log2(np.maximum(values, 1))).astype(np.int64)
    return [
        {"from": 1 << power, "to": (2 << power) - 1, "count": int(count)}
        for power, count in enumerate(np.bincount(powers).tolist() if len(values) else [])
    ]


def token_statistics(tokenizer: Tokenizer, uses: NDArray[np.int64]) -> dict[str, Any]:
    """Return length, frequency and unused entries of a vocabulary in the training text.

    Special and reserved ids are no entries of text and are left out.

    Args:
        tokenizer: of the text.
        uses: of each id, [V].
    """
    sizes = np.asarray(tokenizer.byte_lengths)
    is_text = np.ones(len(uses), bool)
    is_text[[*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids]] = False
    ids = np.flatnonzero(is_text)
    used = ids[uses[ids] > 0]
    unused = ids[uses[ids] == 0]
    total = int(uses[ids].sum())
    order = used[np.argsort(-uses[used], kind="stable")]
    longest = used[np.lexsort((-uses[used], -sizes[used]))]
    steps = np.geomspace(1, max(1, len(order)), RANKS if len(order) else 0)
    ranks = np.unique(steps.astype(int)).tolist()
    entries = np.bincount(sizes[ids]) if len(ids) else np.zeros(0, np.int64)
    weights = np.bincount(sizes[ids], uses[ids]) if len(ids) else np.zeros(0)
    return {
        "vocab_size": len(uses),
        "entries": len(ids),
        "used": len(used),
        "unused": len(unused),
        "uses": total,
        "bytes_per_token": float((sizes[ids] * uses[ids]).sum() / total) if total else None,
        "lengths": [
            {"bytes": size, "entries": int(count), "share": float(weights[size] / max(1, total))}
            for size, count in enumerate(entries.tolist())
            if count
        ],
        "ranks": [[rank, int(uses[order[rank - 1]])] for rank in ranks],
        "most_used": [entry(tokenizer, sizes, uses, token) for token in order[:MOST_USED]],
        "longest": [entry(tokenizer, sizes, uses, token) for token in longest[:LONGEST]],
        "unused_examples": [shown(tokenizer, int(token)) for token in unused[:UNUSED_SHOWN]],
    }


def entry(
    tokenizer: Tokenizer, sizes: NDArray[np.int64], uses: NDArray[np.int64], token: int
) -> dict[str, Any]:
    """Return an id with its text, bytes and uses.

    Args:
        tokenizer: of the text.
        sizes: bytes of each id, [V].
        uses: of each id, [V].
        token: the id.
    """
    return {
        "id": int(token),
        "text": shown(tokenizer, int(token)),
        "bytes": int(sizes[token]),
        "uses": int(uses[token]),
    }


def shown(tokenizer: Tokenizer, token: int) -> str:
    """Return the bytes of an id as visible text."""
    return visible(tokenizer.decode_bytes([token]))

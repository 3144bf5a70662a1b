"""Calibration text sampled from the model itself, for Hessians without training data."""

from collections.abc import Collection, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ..families.language_model import LanguageModel


def sample_calibration_texts(
    model: LanguageModel,
    *,
    sequences: int,
    batch: int,
    length: int,
    eos_id: int,
    banned_ids: Collection[int] = (),
) -> Iterator[NDArray[np.int64]]:
    """Yield batches of ids sampled from the model, [at most `batch`, length], each with its seed.

    Args:
        model: in evaluation mode.
        sequences: number of sequences in all.
        batch: largest number of sequences at once.
        length: of each, separator included.
        eos_id: the separator, with which each begins.
        banned_ids: never sampled.
    """
    for first in range(0, sequences, batch):
        yield sample_calibration_text(
            model,
            sequences=min(batch, sequences - first),
            length=length,
            eos_id=eos_id,
            banned_ids=banned_ids,
            seed=first,
        )


@torch.no_grad()
def sample_calibration_text(
    model: LanguageModel,
    *,
    sequences: int,
    length: int,
    eos_id: int,
    banned_ids: Collection[int] = (),
    seed: int = 0,
) -> NDArray[np.int64]:
    """Return ids sampled from the model, all sequences at once.

    Args:
        model: in evaluation mode.
        sequences: number of sequences.
        length: of each, separator included; at most the model's context.
        eos_id: the separator, with which each begins.
        banned_ids: never sampled: reserved ids, and special ids except the separator.
        seed: equal seeds give equal texts on equal machines.

    Returns:
        [sequences, length].
    """
    generator = torch.Generator().manual_seed(seed)
    banned = torch.tensor(sorted(banned_ids), dtype=torch.int64)
    device = model.device
    ids = torch.full((sequences, 1), eos_id, device=device)
    kv_cache = model.new_kv_cache(sequences)
    while ids.shape[1] < length:
        hidden_states = model.backbone(ids[:, -1:], kv_cache=kv_cache)
        logits = model.logits(hidden_states[:, -1]).float().cpu().index_fill(1, banned, -torch.inf)
        sampled = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
        ids = torch.cat([ids, sampled.to(device)], dim=1)
    texts: NDArray[np.int64] = ids.cpu().numpy()
    return texts

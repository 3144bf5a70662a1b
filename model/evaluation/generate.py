"""Lets a model write: draws one token after another from its predictions."""

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from spiketok.errors import SpikeError

from ..assembly import Model
from ..decoding_cache import DecodingCache


def generate(
    model: Model,
    prompt_ids: Sequence[int],
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    stop_ids: Collection[int] = (),
    banned_ids: Collection[int] = (),
) -> Iterator[int]:
    """Return an iterator over up to `max_tokens` ids that go on from the prompt.

    Args:
        model: sees the last `context` tokens at each step.
        prompt_ids: at least one id; the separator begins a text.
        max_tokens: how many to draw at most.
        temperature: divides the logits, 0.001 to 1000; 0 always takes the likeliest id.
        top_p: draw from the likeliest ids that together have this probability
            (Holtzman et al. 2019, arXiv:1904.09751); 1 draws from all.
        seed: equal seeds give equal texts on equal machines.
        stop_ids: ids after which nothing more is written; the id itself is yielded.
        banned_ids: ids never drawn: reserved ones, and special ones but the separator.

    Raises:
        SpikeError: the prompt is empty or a setting is out of range.
    """
    if not len(prompt_ids):
        raise SpikeError("the prompt has no tokens; begin with the separator")
    if not (temperature == 0 or 0.001 <= temperature <= 1000) or not 0 < top_p <= 1:
        raise SpikeError(
            f"temperature {temperature}, top_p {top_p}: needed is a temperature of 0 or of 0.001 "
            "to 1000, and 0 < top_p ≤ 1"
        )
    return _drawn(model, prompt_ids, max_tokens, temperature, top_p, seed, stop_ids, banned_ids)


def _drawn(
    model: Model,
    prompt_ids: Sequence[int],
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    stop_ids: Collection[int],
    banned_ids: Collection[int],
) -> Iterator[int]:
    generator = torch.Generator().manual_seed(seed)
    banned = torch.tensor(sorted(banned_ids), dtype=torch.int64)
    ids = list(prompt_ids)
    cache = model.empty_cache(batch=1)
    for _ in range(max_tokens):
        with torch.inference_mode():
            logits = model.logits(_last_row(model, ids, cache)).double().cpu()
        allowed = logits.index_fill(0, banned, -torch.inf)
        chosen = _draw(allowed, temperature, top_p, generator)
        yield chosen
        if chosen in stop_ids:
            return
        ids.append(chosen)


def _last_row(model: Model, ids: Sequence[int], cache: DecodingCache) -> Tensor:
    """Return the hidden row [D] that predicts what follows `ids`.

    A cache serves until the context is full; then each window begins with another token, on which
    all rows depend.
    """
    device = model.embedding.weight.device
    start = max(0, len(ids) - model.config.context)
    if not start:
        unread = torch.tensor([ids[cache.length :]], device=device)
        return model.trunk(unread, cache=cache)[0, -1]
    window = torch.tensor([ids[start:]], device=device)
    seen_before = ids[max(0, start - model.look_back) : start]
    before = torch.tensor([seen_before], device=device) if seen_before else None
    return model.trunk(window, before)[0, -1]


def _draw(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """Return an id drawn from logits [V], on the CPU."""
    if temperature == 0:
        return int(logits.argmax())
    likeliest, order = torch.softmax(logits / temperature, dim=-1).sort(
        descending=True, stable=True
    )
    # The id that crosses top_p is kept, so that at least one is.
    before = likeliest.cumsum(dim=-1) - likeliest
    kept = torch.where(before < top_p, likeliest, 0.0)
    return int(order[torch.multinomial(kept, 1, generator=generator)])

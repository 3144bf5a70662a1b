"""Rolling log-likelihood: whole texts by sliding windows."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from spiketok.errors import SpikeError

from ..scoring.bits_per_byte import score_documents
from ..scoring.sliding_windows import WindowConfig, check_window_sizes, sliding_windows
from .causal_lm import CausalLM, SpikeLM


def rolling_nats(
    lm: CausalLM,
    text: bytes,
    context: int = 0,
    stride: int = 0,
    report: Callable[[float], None] = lambda _: None,
) -> float:
    """Return −ln p of a text after the prefix token, each token from those before it.

    The separator after the text is not scored, unlike in the bits per byte of `spike eval`; else
    windows are the same.

    Args:
        lm: gives the predictions.
        text: UTF-8; spike's tokenizers also encode other bytes.
        context: tokens per window; 0: the model's context.
        stride: tokens by which full windows move on; 0: half a window. With the context as stride,
            windows do not overlap, as in lm-evaluation-harness.
        report: called with the share of the text that is scored.

    Raises:
        SpikeError: context or stride is out of range, the text is no UTF-8, or a prediction is not
            finite.
    """
    context = context or lm.context
    windows = WindowConfig(context=context, stride=stride or max(1, context // 2))
    if isinstance(lm, SpikeLM):
        documents = [(lm.tokenizer.encode(text), len(text))]
        total = len(documents[0][0]) + 1
        score = score_documents(
            lm.model,
            documents,
            windows,
            eos_id=lm.prefix_id,
            report=lambda scored: report(scored / total),
        )
        return score.nats - score.nats_separators
    check_window_sizes(windows, lm.context)
    nats = _library_nats(lm, text, windows, report)
    if not math.isfinite(nats):
        raise SpikeError("the model's predictions are not finite; use another checkpoint")
    return nats


def _library_nats(
    lm: CausalLM, text: bytes, windows: WindowConfig, report: Callable[[float], None]
) -> float:
    try:
        (ids,) = lm.encode_batch([text.decode()], special=False)
    except UnicodeDecodeError:
        raise SpikeError(
            "the text is no UTF-8, which this model's tokenizer needs; convert it"
        ) from None
    nats, scored = 0.0, 0
    counted = np.append(np.ones(len(ids), bool), False)
    for window in sliding_windows([(ids, counted, 0)], windows, eos_id=lm.prefix_id, lookback=0):
        places = window.places
        if not len(places):  # the separator alone
            continue
        rows = torch.zeros(1, len(window.ids) - 1, dtype=torch.bool)
        rows[0, places] = True
        inputs, targets = torch.from_numpy(window.ids), torch.from_numpy(window.ids[places + 1])
        with torch.inference_mode():
            logits, _ = lm.read(inputs[None, :-1].to(lm.device), rows.to(lm.device))
            losses = functional.cross_entropy(logits, targets.to(lm.device), reduction="none")
        nats, scored = nats + float(losses.double().sum()), scored + len(places)
        report(scored / len(ids))
    return nats

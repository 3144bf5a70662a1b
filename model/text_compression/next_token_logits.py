"""Next-token logits of a text, token by token as in decoding, in `score_documents` windows."""

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from ..families.language_model import LanguageModel
from ..scoring.sliding_windows import WindowConfig, check_windows, window_borders
from ..scoring.ttt.learner import TTTLearner


def predict_tokens(
    model: LanguageModel,
    tokens: int,
    windows: WindowConfig,
    *,
    eos_id: int,
    learner: TTTLearner | None = None,
) -> Generator[Tensor, int, None]:
    """Yield the logits [V] of each of `tokens` ids, on the CPU; the caller sends the id after each.

    Each is predicted from the same context as in `score_documents`, up to rounding. Equal ids give
    equal bytes on one machine, with one build of torch and one number of threads.

    Args:
        model: the network.
        tokens: ids to predict.
        windows: their context and stride.
        eos_id: the id before the first.
        learner: trains the model on the sent ids where `score_documents` would, with the same
            resulting weights.

    Raises:
        SpikeError: context or stride is out of range.
    """
    check_windows(model, windows)
    stream = [eos_id]
    device = model.device
    for start, scored, stop in window_borders(tokens, windows.context, windows.stride):
        # Embeddings do not look back over a separator, so separators can replace missing ids.
        prefix = ([eos_id] * model.lookback + stream[:start])[start:]
        prefix_ids = torch.tensor([prefix], device=device) if model.lookback else None
        kv_cache = model.new_kv_cache(batch=1)
        unread = stream[start:]
        for _ in range(scored, stop):
            with torch.inference_mode():
                ids = torch.tensor([unread], device=device)
                hidden_states = model.backbone(ids, prefix_ids, kv_cache=kv_cache)
                logits = model.logits(hidden_states[0, -1]).cpu()
            prefix_ids = None
            chosen = yield logits
            stream.append(chosen)
            unread = [chosen]
        if learner:
            learner.read(np.array(stream[scored + 1 :]))

"""Network scores of `spike eval`: documents, or replies, under the network alone."""

from typing import Any

from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.bits_per_byte import score_documents, score_replies
from spike_lm.model.scoring.predictor_spec import PredictorSpec
from spike_lm.model.scoring.sliding_windows import WindowConfig

from ..callbacks import SILENT, Callbacks
from ..scored_bytes import text_bytes
from ..xz_baseline import yardstick
from .predictor_score import ttt_entry
from .text import ScoredText, by_source


def text_score(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    spec: PredictorSpec | None = None,
    *,
    by: str | None = None,
    with_xz: bool = True,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Score documents in windows, by the arguments of `score_documents`.

    With test-time training the model learns from them while it scores.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        spec: parts, initial counts and test-time training of the predictor.
        by: `file` or `source`: also score each of them.
        with_xz: also compute the xz baseline.
        show: callbacks for progress and remarks.
    """
    spec, rate = spec or PredictorSpec(), loaded.tokenizer.score_name
    total = sum(len(ids) + 1 for ids, _ in text.documents)
    taught = spec.ttt_learner(loaded, total, windows.context)
    with show.progress("eval", total, "tokens") as report, taught as learner:
        score = score_documents(
            loaded.model,
            text.documents,
            windows,
            eos_id=loaded.tokenizer.eos_id,
            learner=learner,
            report=lambda scored: report(scored, ""),
        )
    return {
        rate: score.bits_per_byte,
        "bytes": score.bytes,
        "tokens": score.tokens,
        "nats": score.nats,
        "nats_separators": score.nats_separators,
        "documents": score.documents,
        **(yardstick(text.contents) if with_xz else {}),
        **({"by": {by: by_source(text, score.document_nats, rate)}} if by else {}),
        **ttt_entry(spec),
    }


def reply_score(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    *,
    by: str | None = None,
    with_xz: bool = True,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Score the assistants' text in conversations.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        by: `file` or `source`: also score each of them.
        with_xz: also compute the xz baseline.
        show: callbacks for progress and remarks.
    """
    total, rate = sum(len(ids) + 1 for ids, _ in text.documents), "reply_bits_per_byte"
    tokenizer, masks = loaded.tokenizer, text.masks or ()
    chats = [
        (ids, mask, n_bytes) for (ids, n_bytes), mask in zip(text.documents, masks, strict=True)
    ]
    said = (text_bytes(ids[mask], tokenizer) for ids, mask, _ in chats)
    with show.progress("eval", total, "tokens") as report:
        score = score_replies(
            loaded.model,
            chats,
            windows,
            eos_id=tokenizer.eos_id,
            report=lambda passed: report(passed, ""),
        )
    return {
        rate: score.bits_per_byte,
        "reply_bytes": score.bytes,
        "reply_tokens": score.tokens,
        "reply_nats": score.nats,
        "conversations": score.documents,
        **(yardstick(said) if with_xz else {}),
        **({"by": {by: by_source(text, score.document_nats, rate)}} if by else {}),
    }

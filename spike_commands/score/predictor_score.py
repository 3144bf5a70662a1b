"""Predictor scores of `spike eval`, part by part, and the published rule that is no predictor."""

from dataclasses import replace
from math import log2
from typing import Any

import numpy as np
from msgspec.structs import asdict

from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.bits_per_byte import bits_per_byte, nats_to_bits
from spike_lm.model.scoring.logits import stream_logits
from spike_lm.model.scoring.predictor_score import PredictorScore, score_with
from spike_lm.model.scoring.predictor_spec import PredictorSpec
from spike_lm.model.scoring.published_rule import network_numbers, on_random_tokens
from spike_lm.model.scoring.sliding_windows import WindowConfig
from spike_lm.model.text_compression.verify import coded_sizes
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..xz_baseline import yardstick
from .text import ScoredText

# The row of all parts over a network that learns.
TTT = "ttt"


def predictor_score(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    spec: PredictorSpec,
    *,
    with_xz: bool = True,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Score documents with all parts of a predictor.

    With test-time training they are read twice: first without it.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        spec: parts, initial counts and test-time training of the predictor.
        with_xz: also compute the xz baseline.
        show: callbacks for progress and remarks.
    """
    name = loaded.tokenizer.score_name
    score = scored(loaded, text, windows, replace(spec, ttt=None), show)
    stages = stages_of(score, name)
    if spec.ttt is not None:
        score = scored(loaded, text, windows, spec, show)
        stages[TTT] = list(stages_of(score, name).values())[-1]
    *_, whole = stages.values()
    return {
        **{key: whole[key] for key in (name, "nats", "nats_separators")},
        "bytes": score.bytes,
        "tokens": score.tokens,
        "documents": score.documents,
        "counts": spec.counts_from or None,
        "rungs": stages,
        "checks": {
            "distributions": score.places,
            "farthest_sum_from_1": score.worst_sum,
            "bits_of_random_tokens": list(score.stages.values())[-1].random_bits,
            "least_possible": log2(score.vocab_size),
        },
        **(yardstick(text.contents) if with_xz else {}),
        **ttt_entry(spec),
    }


def scored(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    spec: PredictorSpec,
    show: Callbacks,
) -> PredictorScore:
    """Score documents with one predictor.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        spec: parts, initial counts and test-time training of the predictor.
        show: callbacks for progress and remarks.
    """
    tokenizer = loaded.tokenizer
    total = sum(len(ids) + 1 for ids, _ in text.documents)
    taught = spec.ttt_learner(loaded, total, windows.context)
    with show.progress("eval", total, "tokens") as report, taught as learner:
        return score_with(
            spec.build(tokenizer.vocab_size, tokenizer.eos_id),
            loaded.model if spec.settings.network else None,
            text.documents,
            windows,
            eos_id=tokenizer.eos_id,
            learner=learner,
            report=lambda done: report(done, ""),
        )


def ttt_entry(spec: PredictorSpec) -> dict[str, Any]:
    """Return the settings of test-time training, if there is any."""
    return {} if spec.ttt is None else {"test_time_training": asdict(spec.ttt)}


def stages_of(score: PredictorScore, name: str) -> dict[str, Any]:
    """Return for each stage its score and the time of all stages up to it."""
    found, seconds = {}, 0.0
    for part, stage in score.stages.items():
        seconds += stage.seconds
        found[part] = {
            name: bits_per_byte(stage.nats, score.bytes),
            "microseconds_per_token": 1e6 * seconds / max(1, score.tokens),
            "nats": stage.nats,
            "nats_separators": stage.nats_separators,
        }
    return found


def proof(
    loaded: Run,
    text: ScoredText,
    windows: WindowConfig,
    spec: PredictorSpec,
    found: dict[str, Any],
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Code and decode the documents with each part; raise where that does not confirm a score.

    Separators are scored and not coded. Coding may take no more than the score by 0.1 % and 64
    bytes a document.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        spec: parts, initial counts and test-time training of the predictor.
        found: the result to confirm.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: coding takes more bytes than the score.
    """
    contents = text.contents
    stages = found.get("rungs") or {TTT if spec.ttt else "network": found}
    tokens = 2 * (found["tokens"] - found["documents"])
    sizes: dict[str, int] = {}
    for one in [spec] if spec.ttt is None else [replace(spec, ttt=None), spec]:
        with show.progress("prove", max(1, tokens), "tokens") as report:
            parts = coded_sizes(loaded, contents, windows, one, report=lambda n: report(n, ""))
        sizes |= parts if one.ttt is None else {TTT: list(parts.values())[-1]}
    sizes = {part: sizes[part] for part in stages}
    for part, size in sizes.items():
        expected = nats_to_bits(stages[part]["nats"] - stages[part]["nats_separators"]) / 8
        if size > expected * 1.001 + 64 * len(contents):
            raise SpikeError(
                f"{part}: coding took {size:,} bytes, but the score means {expected:,.0f}; report "
                "this bug of spike"
            )
    *_, whole = sizes.values()
    proved: dict[str, Any] = {"coded_bytes": whole, "proved": ", ".join(sizes)}
    if "rungs" in found:
        proved["rungs"] = {name: row | {"coded_bytes": sizes[name]} for name, row in stages.items()}
    return proved


def published_score(
    loaded: Run, text: ScoredText, windows: WindowConfig, show: Callbacks = SILENT
) -> dict[str, Any]:
    """Apply the rule of the record that reported 0.2071; its result is no rate.

    Args:
        loaded: the run to score.
        text: the encoded text.
        windows: sizes of the sliding windows.
        show: callbacks for progress and remarks.
    """
    tokenizer, documents = loaded.tokenizer, text.documents
    total, done = sum(len(ids) + 1 for ids, _ in documents), 0
    rows = stream_logits(loaded.model, documents, windows, eos_id=tokenizer.eos_id)
    with show.progress("eval", total, "tokens") as report:

        def shown() -> Any:
            nonlocal done
            for part in rows:
                yield part
                done += len(part.ids)
                report(done, "")

        rule, n_bytes = network_numbers(shown(), tokenizer.vocab_size)
    random = on_random_tokens(total, tokenizer.vocab_size)
    pseudo_nats = -float(np.log(rule.scores()).sum())
    return {
        "pseudo_bits_per_byte": bits_per_byte(pseudo_nats, n_bytes),
        "bytes": n_bytes,
        "tokens": total,
        "documents": len(documents),
        "pseudo_bits_per_token": nats_to_bits(pseudo_nats) / max(1, total),
        "pseudo_bits_per_random_token": random.bits,
        "bits_per_random_token": random.true_bits,
        "total_instead_of_1": random.total,
    }

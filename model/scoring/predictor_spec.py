"""Predictor specification: settings and initial counts, from which predictors are built."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from ..config.mixing import PredictorSettings
from ..config.ttt import TTTConfig
from ..runs.folder import Run
from .context_mixing.ngram_model import NgramModel
from .context_mixing.predictor import Predictor
from .ttt.learner import TTTLearner, ttt_learner

COUNTS = "counts"
"""Table of an artifact that holds the initial counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSpec:
    """Predictor specification: settings and initial counts."""

    settings: PredictorSettings = field(default_factory=PredictorSettings)
    counts: NgramModel | None = None
    """Counts of training text, if any; predictors copy them."""
    counts_from: str = ""
    """Source of the counts and its fingerprint; empty without counts."""
    ttt: TTTConfig | None = None
    """Settings of test-time training of the network; None: no training."""

    def build(self, vocab_size: int, eos_id: int) -> Predictor:
        """Return a new predictor, in the context of one separator."""
        counts = None if self.counts is None else self.counts.copy()
        predictor = Predictor(vocab_size, self.settings, counts)
        predictor.read_separator(eos_id)
        return predictor

    def ttt_learner(
        self, run: Run, targets: int, context: int
    ) -> AbstractContextManager[TTTLearner | None]:
        """Return a context manager of the learner for `targets` targets, or of None.

        On exit the network is as before. `context` is that of the sequences to learn from.
        """
        if self.ttt is None:
            return nullcontext()
        return ttt_learner(
            run.model,
            self.ttt,
            targets=targets,
            context=context,
            eos_id=run.tokenizer.eos_id,
            byte_lengths=run.tokenizer.byte_lengths,
        )

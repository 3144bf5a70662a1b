"""Predictor specification, from which new predictors are made."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from ..config.mixing import PredictorSettings
from ..config.ttt import TTTConfig
from ..runs.folder import Run
from .context_mixing.ngram_model import NgramModel
from .context_mixing.predictor import Predictor
from .ttt.learner import Learner, learning

COUNTS = "counts"
"""The table of an artifact that holds counts to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSpec:
    """What a predictor is made of and begins with."""

    settings: PredictorSettings = field(default_factory=PredictorSettings)
    counts: NgramModel | None = None
    """Of training text, where there are some; they stay as they are."""
    counts_from: str = ""
    """What the counts were made from and its fingerprint; empty without any."""
    ttt: TTTConfig | None = None
    """How the network learns from what was scored; None: it stays as it is."""

    def predictor(self, vocab_size: int, separator: int) -> Predictor:
        """Return a new predictor, in the context of one separator."""
        counts = None if self.counts is None else self.counts.copy()
        predictor = Predictor(vocab_size, self.settings, counts)
        predictor.begin(separator)
        return predictor

    def learning(
        self, run: Run, targets: int, context: int
    ) -> AbstractContextManager[Learner | None]:
        """Return what teaches the network so many targets while it is entered, or teaches it not.

        Afterwards the network is as before. `context` is of the sequences to learn from.
        """
        if self.ttt is None:
            return nullcontext()
        return learning(
            run.model,
            self.ttt,
            targets=targets,
            context=context,
            separator=run.tokenizer.separator,
            byte_lengths=run.tokenizer.byte_lengths,
        )

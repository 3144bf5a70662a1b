"""A predictor before it has read anything, as often as one is needed."""

from dataclasses import dataclass, field

from .mixing import ContextModel, Predictor, PredictorSettings

COUNTS = "counts"
"""The table of an artifact that holds counts to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorStart:
    """What a predictor is made of and begins with."""

    settings: PredictorSettings = field(default_factory=PredictorSettings)
    counts: ContextModel | None = None
    """Of training text, where there are some; they stay as they are."""
    counts_from: str = ""
    """What the counts were made from and its fingerprint; empty without any."""

    def predictor(self, vocab_size: int, separator: int) -> Predictor:
        """Return a new predictor, in the context of one separator."""
        counts = None if self.counts is None else self.counts.copy()
        predictor = Predictor(vocab_size, self.settings, counts)
        predictor.begin(separator)
        return predictor

"""Training progress of a tokenizer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a training is; `rounds` is an estimate, and `round` never exceeds it."""

    round: int
    rounds: int
    entries: int
    bytes_per_token: float

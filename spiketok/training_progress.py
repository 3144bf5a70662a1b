"""Training progress of a tokenizer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress of a training; `rounds` is an estimate, and `round` never exceeds it."""

    round: int
    rounds: int
    entries: int
    bytes_per_token: float

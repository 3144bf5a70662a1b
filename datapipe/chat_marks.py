"""Marks in chat records that a reply must not be trained on: labels, weights, scores.

Preference data (TRL, LLaMA-Factory) holds bad replies on purpose. A record that is marked bad is
left out; a mark that may mean it, or may not, is refused by name.
"""

from typing import Any

from spiketok.errors import SpikeError
from spiketok.json_values import shown

# Key → the value that a good reply has there.
VERDICTS = {
    "label": True,
    "kto_tag": True,
    "chosen": True,
    "accepted": True,
    "correct": True,
    "is_correct": True,
    "rejected": False,
}
# Values of `label` that may call a reply bad, or name a class of something else.
BAD_WORDS = ("bad", "rejected", "undesirable", "incorrect", "negative", "false")
SCORES = ("score", "rating", "reward")
MARKS = frozenset((*VERDICTS, *SCORES, "weight"))


class NotForTrainingError(SpikeError):
    """A record whose replies are marked as not for training."""


def check_marks(record: dict[str, Any]) -> None:
    """Check what a record says of its own worth.

    Raises:
        NotForTrainingError: it is marked as bad: `"label": false`, a weight of 0.
        SpikeError: a mark may mean that, or may not.
    """
    if MARKS.isdisjoint(record):
        return
    for key, good in VERDICTS.items():
        if isinstance(value := record.get(key), bool) and value is not good:
            raise NotForTrainingError(f"{key}: {str(value).lower()}")
    label = record.get("label")
    if is_number(label) or (isinstance(label, str) and label.strip().lower() in BAD_WORDS):
        raise ambiguous("label", label)
    weight = record.get("weight", 1)
    if is_number(weight) and weight != 1:
        if weight == 0:
            raise NotForTrainingError("weight: 0")
        raise SpikeError(f"weight: {shown(weight)} instead of 0 or 1; or pass --ignore-key weight")
    for key in SCORES:
        score = record.get(key, 1)
        if is_number(score) and score <= 0:
            raise ambiguous(key, score)


def ambiguous(key: str, value: object) -> SpikeError:
    """Return the error of a mark that may say that a reply is bad."""
    return SpikeError(
        f"{key}: {shown(value)} may mark a bad reply; remove such records, or the key, or pass "
        f"--ignore-key {key}"
    )


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)

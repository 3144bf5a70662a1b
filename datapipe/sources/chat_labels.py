"""Labels, weights and scores in chat records that exclude a reply from training.

Preference data (TRL, LLaMA-Factory) holds bad replies on purpose. A record that is marked bad is
left out; an ambiguous mark raises an error that names it.
"""

from math import inf
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
# Those keys that hold only labels: 0 and "false" may be one.
FLAGS = ("kto_tag", "accepted", "correct", "is_correct")
# Words that may mark a bad reply, or may be a class of something else.
BAD_WORDS = ("bad", "rejected", "undesirable", "incorrect", "negative", "false")
SCORES = ("score", "rating", "reward")
MARKS = frozenset((*VERDICTS, *SCORES, "weight"))


class NotForTrainingError(SpikeError):
    """Record whose replies are marked as not for training."""


def check_marks(record: dict[str, Any]) -> None:
    """Check the labels, weights and scores of a record.

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
    if is_bad_word(label) or as_number(label) is not None:
        raise ambiguous("label", label)
    weight = record.get("weight", 1)
    number = as_number(weight)
    if number is not None and number != 1:
        if weight == 0:
            raise NotForTrainingError("weight: 0")
        raise SpikeError(f"weight: is {shown(weight)}; write 0 or 1, or pass --ignore-key weight")
    for key in (*SCORES, *FLAGS):
        value = record.get(key)
        number = as_number(value)
        if is_bad_word(value) or (number is not None and not number > 0):
            raise ambiguous(key, value)


def ambiguous(key: str, value: object) -> SpikeError:
    """Return the error of a mark that may mean a bad reply."""
    return SpikeError(
        f"{key}: {shown(value)} may mark a bad reply; remove such records or the key, or pass "
        f"--ignore-key {key}"
    )


def is_bad_word(value: Any) -> bool:
    """Return whether a value is a word that may mark a bad reply."""
    return isinstance(value, str) and value.strip().lower() in BAD_WORDS


def as_number(value: Any) -> float | None:
    """Return a number, or a text that is one, as a number; None for true, false and all else.

    >>> as_number(0), as_number(" -1.5"), as_number("fine"), as_number(False)
    (0.0, -1.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):  # an integer of hundreds of digits
        return inf if isinstance(value, int) and value > 0 else None

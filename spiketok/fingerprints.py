"""Fingerprints in messages: shortened, but never so that two different ones look alike."""

from pathlib import Path

from .errors import SpikeError

DIGITS = 12


def distinct_prefixes(one: str, other: str) -> tuple[str, str]:
    """Return the first digits of two fingerprints, equal only where the fingerprints are.

    >>> distinct_prefixes("0123456789abcdef", "f123456789abcdef")
    ('0123456789ab…', 'f123456789ab…')
    >>> distinct_prefixes("0123456789abcdef01", "0123456789abcdff01")
    ('0123456789abcde…', '0123456789abcdf…')
    >>> distinct_prefixes("none", "")
    ('none', 'no fingerprint')
    """
    pairs = enumerate(zip(one, other, strict=False), 1)
    digits = max(DIGITS, next((number for number, (a, b) in pairs if a != b), len(one + other)))
    first, second = (
        text[:digits] + "…" * (len(text) > digits) or "no fingerprint" for text in (one, other)
    )
    return first, second


def check_same_tokenizer(
    place: Path | str, found: str, other: Path | str, wanted: str, fix: str
) -> None:
    """Check that two things have the same tokenizer, by its fingerprints.

    Args:
        place: the file or folder that is checked.
        found: the fingerprint of its tokenizer.
        other: what it is checked against, such as `the data`.
        wanted: the fingerprint of that one's tokenizer.
        fix: an imperative that removes the difference.

    Raises:
        SpikeError: the fingerprints differ.
    """
    if found != wanted:
        mine, theirs = distinct_prefixes(found, wanted)
        raise SpikeError(
            f"{place}: its tokenizer is {mine}, but that of {other} is {theirs}; {fix}"
        )

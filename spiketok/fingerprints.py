"""Fingerprints in messages: shortened, but never so that two different ones look alike."""

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

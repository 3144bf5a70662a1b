"""Constraints on entries: length, code points, names, boundary, digits."""

from collections.abc import Callable

from ..errors import SettingError
from ..id_layout import is_taken

BOUNDARIES = ("none", "word", "line")
DIGITS = ("free", "split", "group3")
# A word of pre-tokenisers such as GPT-4's: a contraction, letters with one sign or space before
# them, up to three digits, signs with a space before and line ends after, or white space.
WORD = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+"
)
CODE_POINTS = 0x110000
Test = Callable[[str], bool]


class Allowed:
    """Rules of one training: length, code points, names, boundary, digits."""

    def __init__(
        self,
        max_token_bytes: int = 24,
        boundary: str = "none",
        pattern: str | None = None,
        digits: str = "free",
    ) -> None:
        self.max_token_bytes = max_token_bytes
        self.tests: list[Test] = []
        if boundary == "word":
            self.tests.append(word_test(WORD if pattern is None else pattern))
        elif boundary == "line":
            self.tests.append(is_in_line)
        if digits != "free":
            self.tests.append(keeps_digits_apart if digits == "split" else is_three_digits_at_most)

    def __call__(self, piece: bytes) -> bool:
        """Return whether `piece` may be an entry."""
        if len(piece) > self.max_token_bytes or is_taken(piece):
            return False
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            return is_part_of_code_point(piece)
        return all(test(text) for test in self.tests)


def word_test(pattern: str) -> Test:
    """Return a function that tests whether a text is exactly one word.

    Raises:
        SettingError: the pattern is not a regular expression, or matches no text.
    """
    import regex

    try:
        word = regex.compile(pattern)
    except regex.error as error:
        fault = f"{pattern!r} is not a regular expression ({error}); correct it"
        raise SettingError("pattern", fault) from None
    # Partial: with more after it, the character could be a word.
    if not any(word.fullmatch(chr(code), partial=True) for code in range(CODE_POINTS)):
        fault = f"{pattern!r} matches only the empty text; write one that matches words"
        raise SettingError("pattern", fault)
    return lambda text: word.fullmatch(text) is not None


def is_in_line(text: str) -> bool:
    """Return whether nothing follows a line end.

    >>> [is_in_line(text) for text in ("a b", "a\\n", "\\n\\n", "\\na")]
    [True, True, False, False]
    """
    return "\n" not in text[:-1]


def keeps_digits_apart(text: str) -> bool:
    """Return whether each digit is alone.

    >>> [keeps_digits_apart(text) for text in ("a b", "7", "77", " 7")]
    [True, True, False, False]
    """
    return len(text) == 1 or not any(map(str.isdecimal, text))


def is_three_digits_at_most(text: str) -> bool:
    """Return whether a text has no digit, or up to three and nothing else.

    >>> [is_three_digits_at_most(text) for text in ("a b", "777", "7777", " 7")]
    [True, True, False, False]
    """
    return not any(map(str.isdecimal, text)) or (len(text) <= 3 and text.isdecimal())


def is_part_of_code_point(piece: bytes) -> bool:
    """Return whether bytes are a part of one code point: its beginning, middle or end.

    >>> [is_part_of_code_point(piece) for piece in (b"\\xe2\\x82", b"\\x82\\xac", b"a\\xe2")]
    [True, True, False]
    """
    first, rest = piece[0], piece[1:]
    length = 1 + (first >= 0xC2) + (first >= 0xE0) + (first >= 0xF0)
    if first & 0xC0 == 0x80:
        length = 4  # anything but the beginning of the longest
    return first < 0xF5 and len(piece) < length and all(byte & 0xC0 == 0x80 for byte in rest)

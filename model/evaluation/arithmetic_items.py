"""Arithmetic items: generated expressions of one to three operators, with four endings each.

The form is that of ArithMark 2.0's file (`ctx`, `endings`, `label`, `metadata`); the items are
others. All results are whole numbers, and three endings are near the right one.
"""

from collections.abc import Iterator
from random import Random

from .task import Record

SEED, ITEMS = 20, 2500
# Share of items by their number of operators: one, two, three.
SHARES = (0.5, 0.3, 0.2)
LARGEST_TERM, LARGEST_RESULT = 99, 2000
ENDINGS = 4


def arithmetic_records(items: int = ITEMS, seed: int = SEED) -> Iterator[Record]:
    """Yield generated records, the same ones for a seed on any machine.

    Args:
        items: number of records.
        seed: of the generator.

    >>> next(arithmetic_records())["endings"][2]
    ' -1362'
    """
    random = Random(seed)
    seen: set[str] = set()
    while len(seen) < items:
        operators = choice_of_share(random)
        text, value = expression(random, operators)
        if text in seen or abs(value) > LARGEST_RESULT:
            continue
        seen.add(text)
        numbers = [value, *distractors(random, value)]
        order = sorted(numbers, key=lambda _: random.random())
        yield {
            "ctx": f"{text} =",
            "endings": [f" {number}" for number in order],
            "label": order.index(value),
            "metadata": {"operator_count": operators},
        }


def choice_of_share(random: Random) -> int:
    """Return a number of operators, with the frequencies `SHARES`."""
    place = random.random()
    return 1 + sum(place >= sum(SHARES[: number + 1]) for number in range(len(SHARES) - 1))


def expression(random: Random, operators: int) -> tuple[str, int]:
    """Return an expression of terms up to 99 and its value; a division has no remainder."""
    if operators == 0:
        value = whole(random, 0, LARGEST_TERM)
        return str(value), value
    left = whole(random, 0, operators - 1)
    (a, x), (b, y) = expression(random, left), expression(random, operators - 1 - left)
    a, b = (
        f"({text})" if count else text for text, count in ((a, left), (b, operators - 1 - left))
    )
    sign = "+-*/"[whole(random, 0, 3)]
    if sign == "/" and (y == 0 or x % y):
        sign = "-"
    value = {"+": x + y, "-": x - y, "*": x * y, "/": x // y if y else 0}[sign]
    return f"{a} {sign} {b}", value


def whole(random: Random, low: int, high: int) -> int:
    """Return a whole number of a range; only `random()` is the same in all versions of Python."""
    return low + int(random.random() * (high - low + 1))


def distractors(random: Random, value: int) -> list[int]:
    """Return three different wrong results near the right one, or its negative."""
    reach = max(3, abs(value) // 10)
    found: list[int] = []
    while len(found) < ENDINGS - 1:
        step = (1, 2, 10, whole(random, 1, reach))[whole(random, 0, 3)]
        wrong = value + step * (1, -1)[whole(random, 0, 1)]
        if random.random() < 0.1 and value:
            wrong = -value
        if wrong != value and wrong not in found:
            found.append(wrong)
    return found

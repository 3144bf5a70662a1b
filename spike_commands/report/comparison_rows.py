"""Comparison of two runs for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ..results import is_verbose, some, table_lines
from .run_rows import SHORT, shortened

SHOWN_VALIDATIONS = 10
LONGEST_VALUE = 20
FINGERPRINT = 64


def comparison_lines(found: Mapping[str, Any], width: int) -> Iterator[str]:
    """Yield the parts of a comparison; all validations with --verbose.

    Args:
        found: as `spike compare --json` prints it.
        width: columns of the terminal.
    """
    names = [shortened(run, LONGEST_VALUE) for run in found["runs"]]
    yield from config_lines(found["config"], names)
    yield ""
    yield from validation_lines(found, names, width)
    if "text" in found:
        text = found["text"]
        what = f"{some(text['items'], 'document')}, {some(text['bytes'], 'byte')}"
        yield from ("", f"text: {what}, bits per byte")
        yield from paired_lines([("", text)], names, "{:.4f}")
    if "items" in found:
        yield from ("", "tasks, the same items; p of McNemar's exact test")
        yield from item_lines(found["items"])


def config_lines(differences: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Iterator[str]:
    """Yield the keys that differ; lists and texts as in JSON, long values shortened."""
    if not differences:
        yield "all keys and fingerprints are equal"
        return
    cells = [[key, *map(shown_value, values)] for key, values in differences.items()]
    yield from table_lines(["differs", *names], cells)


def shown_value(value: Any) -> str:
    """Return a value of a configuration as text; of a fingerprint its first digits.

    >>> shown_value(None), shown_value(0.01), shown_value([1, 2]), shown_value("ab" * 32)
    ('–', '0.01', '[1, 2]', 'abababababab')
    """
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value)
    is_hash = len(text) == FINGERPRINT and set(text) <= set("0123456789abcdef")
    return text[:SHORT] if is_hash else shortened(text, LONGEST_VALUE)


def validation_lines(found: Mapping[str, Any], names: Sequence[str], width: int) -> Iterator[str]:
    """Yield validation scores after the same tokens, and whether they are of the same text."""
    rows = found["validation"]
    if not rows:
        yield "validation: none after the same number of tokens"
        return
    shown = rows if is_verbose() else rows[-SHOWN_VALIDATIONS:]
    yield f"validation, {rows[-1]['score_name'].replace('_', ' ')}"
    cells = [
        [f"{row['tokens']:,}", *(f"{score:.4f}" for score in row["scores"]), signed(row, ".4f")]
        for row in shown
    ]
    yield from table_lines(["tokens", *names, "difference"], cells)
    if len(shown) < len(rows):
        yield f"… {len(rows) - len(shown):,} before these; --verbose prints all of them"
    remark = "one number per validation has no interval; --text FILE computes one"
    if not found["same_validation_text"]:
        remark = (
            "the validation texts differ (data, windows or context), so these differences are not "
            "paired; --text FILE scores both on one text"
        )
    yield from wrap(remark, width)


def signed(row: Mapping[str, Any], form: str) -> str:
    """Return the difference of a row with its sign."""
    return f"{row['difference']:+{form}}"


def paired_lines(
    rows: Sequence[tuple[str, Mapping[str, Any]]], names: Sequence[str], form: str
) -> Iterator[str]:
    """Yield paired differences with their intervals and verdicts.

    Args:
        rows: name and paired difference, as `as_members` makes it.
        names: of both runs.
        form: format of a score.
    """
    cells = []
    for name, row in rows:
        scores = [form.format(score) for score in row["scores"]]
        cells.append([name, *scores, signed(row, form[2:-1]), *ends(row, form)])
    yield from table_lines(["", *names, "difference", "95 % interval", ""], cells)


def item_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the paired differences of tasks, and why others are not compared."""
    compared = [row for row in rows if "reason" not in row]
    cells = [
        [
            f"{row['task']} {row['metric']}",
            f"{row['items']:,}",
            *(f"{score:.3f}" for score in row["scores"]),
            signed(row, ".3f"),
            ends(row, "{:.3f}")[0],
            f"{row['p_value']:.2f}",
            "" if row["distinguishable"] else "≈",
        ]
        for row in compared
    ]
    if cells:
        yield from table_lines(["", "items", "A", "B", "B - A", "95 % interval", "p", ""], cells)
        yield "≈ cannot be distinguished: the interval holds 0, or p is 0.05 or more"
    for row in rows:
        if "reason" in row:
            yield f"{row['task']}, border {row['border']}: {row['reason']}"
    if not rows:
        yield "none that both files have"


def ends(row: Mapping[str, Any], form: str) -> tuple[str, str]:
    """Return the interval of a paired difference, and the verdict where it holds 0."""
    if row["interval"] is None:
        return "–", "one item has no interval"
    low, high = row["interval"]
    verdict = "" if row["distinguishable"] else "cannot be distinguished"
    return f"{low:+{form[2:-1]}} … {high:+{form[2:-1]}}", verdict

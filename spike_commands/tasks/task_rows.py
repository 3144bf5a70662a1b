"""Printed scores of evaluation tasks: tables for terminals, and rows of a model card."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..results import some, table_lines
from ..visible import visible

Row = Mapping[str, Any]
LEGEND = (
    "acc: largest log-likelihood; norm: acc_norm, per character; bytes: acc_bytes, per UTF-8 byte "
    '("byte-length-normalized"); ±: binomial error of acc; differences below 0.02 are noise'
)


def task_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of `spike eval --tasks`."""
    step = "" if found["step"] is None else f", step {found['step']:,}"
    rows = {"model": f"{found['model']}{step}, context {found['context']:,}"}
    named = [row | {"task": visible(os.fsencode(row["task"]))} for row in found["tasks"]]
    items = [row for row in named if row["kind"] != "text"]
    texts = [row for row in named if row["kind"] == "text"]
    if items:
        rows["tasks"] = "\n".join(item_table(items))
    if texts:
        rows["texts"] = "\n".join(text_table(texts))
    words = [row for row in items if row["kind"] == "last word" and "perplexity" in row]
    for row in words:
        rows[f"{row['task']} perplexity"] = f"{row['perplexity']:,.2f} of the last word"
    if any("exact" in row for row in items):
        rows["exact border"] = "\n".join(border_table(items))
    if any("overlap" in row for row in found["tasks"]):
        rows["in training"] = "\n".join(overlap_table(named))
    rows |= {f"{row['task']} left out": reasons(row) for row in items if row["left_out"]}
    changed = [path for row in found["tasks"] for path in row["changed_data"]]
    if changed:
        rows["changed data"] = ", ".join(changed)
    if found["missing"]:
        rows["no data"] = ", ".join(found["missing"])
    return rows | ({"columns": LEGEND} if items else {})


def reasons(row: Row) -> str:
    """Return the records of a task that were left out, by reason."""
    parts = ", ".join(f"{number:,} {why}" for why, number in row["left_out"].items())
    return f"{some(sum(row['left_out'].values()), 'item')}: {parts}"


def item_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of tasks with items."""
    heading = ["task", "n", "acc", "±", "norm", "bytes", "chance", "cross", "cut"]
    cells = [
        [
            row["task"],
            f"{row['items']:,}",
            share(row, "acc"),
            share(row, "acc_error"),
            share(row, "acc_norm"),
            share(row, "acc_bytes"),
            share(row, "chance", 3),
            f"{row.get('crossing', 0):,}",
            f"{row.get('truncated', 0):,}",
        ]
        for row in rows
    ]
    return table_lines(heading, cells)


def share(row: Row, key: str, digits: int = 4) -> str:
    """Return a share of a row; a dash where it has none."""
    return f"{row[key]:.{digits}f}" if key in row else "–"


def text_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of tasks on text."""
    pseudo = any("pseudo_byte_ppl" in row for row in rows)
    prefix = "pseudo_" if pseudo else ""
    heading = ["task", "bytes", f"{prefix}byte_ppl", f"{prefix}bits_per_byte", "context"]
    cells = [
        [
            row["task"],
            f"{row['bytes']:,}",
            f"{row[f'{prefix}byte_ppl']:.4f}",
            f"{row[f'{prefix}bits_per_byte']:.4f}",
            f"{row['context']:,}",
        ]
        for row in rows
    ]
    return table_lines(heading, cells)


def border_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of the differences between borders."""
    heading = ["task", "joint", "exact", "difference", "changed", "largest nats"]
    cells = [
        [
            row["task"],
            share(row, "acc"),
            share(row["exact"], "acc"),
            f"{row['exact']['difference']:+.4f}",
            f"{row['exact']['changed']:,}",
            f"{row['exact']['largest_nats']:.4f}",
        ]
        for row in rows
        if "exact" in row
    ]
    return table_lines(heading, cells)


def overlap_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of what the training data have of the tasks."""
    without = any("unseen" in row for row in rows)
    heading = ["task", "50-byte windows", "seen", "texts seen"]
    heading += ["acc without", "n"] if without else []
    cells = []
    for row in rows:
        if "overlap" not in row:
            continue
        found, unseen = row["overlap"], row.get("unseen", {})
        cells.append(
            [
                row["task"],
                f"{found['byte_windows']:,}",
                f"{found['byte_windows_seen']:,}",
                f"{found['texts_seen']:,}",
            ]
        )
        if without:
            cells[-1] += [share(unseen, "acc"), f"{unseen.get('items', 0):,}" if unseen else "–"]
    return table_lines(heading, cells)


def markdown_rows(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table for a model card, in Markdown: a line for each task.

    `acc_norm` divides by characters, as lm-evaluation-harness does, `acc_bytes` by UTF-8 bytes.
    """
    yield "| task | metric | value | acc_norm (characters) | acc_bytes | stderr | n | texts seen |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in found["tasks"]:
        name = visible(os.fsencode(row["task"])).replace("|", "\\|")
        seen = f"{row['overlap']['texts_seen']:,}" if "overlap" in row else "unknown"
        if row["kind"] == "text":
            prefix = "pseudo_" if "pseudo_byte_ppl" in row else ""
            bits = f"{row[f'{prefix}bits_per_byte']:.3f}"
            value = f"{row[f'{prefix}byte_ppl']:.4f} ({bits} bits/byte)"
            cells = [name, f"{prefix}byte_ppl", value, "", "", "", f"{row['bytes']:,} bytes"]
        else:
            numbers = [share(row, key) for key in ("acc", "acc_norm", "acc_bytes", "acc_error")]
            cells = [name, "acc", *numbers, f"{row['items']:,}"]
        yield f"| {' | '.join(cells)} | {seen} |".replace("–", "")


def markdown_notes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield notes on the Markdown table: items left out, changed data, missing data."""
    left = [row for row in found["tasks"] if row.get("left_out")]
    notes = [f"- {visible(os.fsencode(row['task']))}: left out {reasons(row)}" for row in left]
    notes += [f"- changed data: {path}" for row in found["tasks"] for path in row["changed_data"]]
    notes += [f"- no data: {name}" for name in found["missing"]]
    if notes:
        yield ""
        yield from notes


def listed(tasks: Sequence[Row]) -> Iterator[str]:
    """Yield the list of all tasks, and of the suites."""
    cells = [
        [row["task"], f"{row['items']:,}", row["metrics"][0], row["licence"], row["source"]]
        for row in tasks
    ]
    yield from table_lines(["task", "n", "metric", "licence", "source"], cells)

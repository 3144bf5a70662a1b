"""docs/glossary.md: every module and name that it gives is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"\| (?P<term>.+?) \| .* \| `(?P<path>[\w/]+\.py)`(?: `(?P<name>\w+)`)? \|")
LINES = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()
ROWS = [found for line in LINES if (found := ROW.fullmatch(line))]


def test_every_row_gives_a_place():
    rows = [line for line in LINES if line.startswith("|") and line[2:5] not in ("ter", "---")]
    assert len(rows) == len(ROWS) >= 60


@pytest.mark.parametrize("row", ROWS, ids=[row["term"] for row in ROWS])
def test_places_exist(row):
    source = (ROOT / row["path"]).read_text(encoding="utf-8")
    defined = rf"^(class|def) {row['name']}\b"
    assert row["name"] is None or re.search(defined, source, re.MULTILINE)

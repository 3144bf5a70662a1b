"""docs/opening-shards.md: every block runs, and counts the tokens that the manifest counts."""

import importlib.util
import re
from pathlib import Path

import pytest

from datapipe import describe, show_document

PAGE = Path(__file__).parents[1] / "docs/opening-shards.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_counts_the_same_tokens(folder, monkeypatch, tmp_path, number):
    block = BLOCKS[number]
    libraries = re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE)
    if missing := [name for name in libraries if importlib.util.find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    if "load_dataset" in block:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    found = {}
    exec(block, found)  # the page's own code
    assert found["tokens"] == describe(folder / "data")["train_tokens"]
    if "text" in found:
        assert found["text"].decode() == show_document(folder / "data", "train", 0)["text"]

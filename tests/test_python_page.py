"""docs/python.md: its code runs as it is printed, from text to generated text."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/python.md"
BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for match in BLOCKS.finditer(PAGE.read_text()):
        line = PAGE.read_text()[: match.start(1)].count("\n")
        exec(compile("\n" * line + match[1], str(PAGE), "exec"), names)
    shown = capsys.readouterr()
    assert names["result"]["step"] == 30
    assert 0 < names["score"]["bits_per_byte"] < 8
    assert shown.out.count("The import") >= 2
    assert "configuration: " in shown.out
    assert not shown.err


def test_the_functions_that_the_page_names_exist():
    import importlib

    for name in re.findall(
        r"`((?:spike_commands|spike_lm|spiketok|datapipe)\.[\w.]+)`", PAGE.read_text()
    ):
        module, _, function = name.rpartition(".")
        try:
            assert hasattr(importlib.import_module(module), function), name
        except ModuleNotFoundError:
            raise AssertionError(name) from None

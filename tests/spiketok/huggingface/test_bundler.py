import pytest

from spiketok.errors import SpikeError
from spiketok.huggingface import join_modules


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"a": "x = 1", "b": "def x(): pass"}, r"b\.py: x has another definition"),
        ({"a": "x = 1", "b": "x = 2"}, r"b\.py: x has another definition"),
        ({"a": "x = 1", "b": "from .a import x as y"}, r"b\.py: x is not"),
        ({"a": "x = 1", "b": "from .c import z"}, r"b\.py: z is not"),
        ({"a": "import os as system"}, r"a\.py: os is imported under another name"),
        ({"a": "from os import sep as s"}, r"a\.py: sep is imported under another name"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path, sources, message):
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(SpikeError, match=message):
        join_modules(tmp_path, list(sources), "")


def test_imports_stand_once_and_bodies_in_order(tmp_path):
    (tmp_path / "a.py").write_text('"""A."""\n\nimport os\n\nA = os.sep\nC = 1\n')
    (tmp_path / "b.py").write_text(
        '"""B."""\n\nimport os\nfrom .a import A\n\nC = 1\nB = A + os.sep\n'
    )
    text = join_modules(tmp_path, ["a", "b"], "# header")
    namespace = {}
    exec(text, namespace)
    assert namespace["B"] == 2 * namespace["A"]
    assert text.count("import os") == 1
    assert "from ." not in text

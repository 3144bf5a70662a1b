"""The generated module, imported where there is neither spike nor transformers."""

import importlib.util
import sys
from types import ModuleType

import pytest

from spiketok import Tokenizer, build_vocabulary
from spiketok.huggingface import generate

PIECES = [b"th", b"the", b"the ", b" the", b"\nth", b"user", b"r\n", b"\n\n", b"an", "ä".encode()]
PIECES += ["ää".encode(), b"\xa4th", b"<|", b"|>", b"<eo", b"e<|im_"]


@pytest.fixture(scope="session")
def vocabulary():
    """A vocabulary whose pieces overlap with role lines, markers and characters."""
    return build_vocabulary(PIECES, 410, "chatml")


@pytest.fixture(scope="session")
def tokenizer(vocabulary):
    """The native encoder, with which all others are compared."""
    return Tokenizer(vocabulary)


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """The generated module; nothing of spike can be imported while it is loaded and used."""
    path = tmp_path_factory.mktemp("generated") / "spike_tokenizer.py"
    path.write_text(generate())
    stand_in = ModuleType("transformers")
    for name in ("AddedToken", "BatchEncoding", "PreTrainedTokenizer"):
        setattr(stand_in, name, type(name, (), {}))
    spec = importlib.util.spec_from_file_location("spike_tokenizer", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "transformers", stand_in)
        patch.setitem(sys.modules, "spiketok", None)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def without_spike(monkeypatch):
    """Let `import spiketok` fail."""
    monkeypatch.setitem(sys.modules, "spiketok", None)

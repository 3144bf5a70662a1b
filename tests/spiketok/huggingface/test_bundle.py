import ast
import json
import os
import sys
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiketok import build_vocabulary, reference
from spiketok.huggingface import generate as generate_module_text
from spiketok.huggingface.bundle import MODULES, PACKAGE, generate

ALLOWED = {"transformers"}


def test_it_says_where_it_comes_from_and_under_which_licence():
    text = generate_module_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert "spike export tokenizer" in ast.get_docstring(ast.parse(text))
    assert text == generate()


def test_every_function_is_that_of_its_module():
    joined = {
        node.name: ast.dump(node) for node in ast.parse(generate()).body if hasattr(node, "name")
    }
    own = {
        node.name: ast.dump(node)
        for module in MODULES
        for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body
        if hasattr(node, "name")
    }
    assert joined == own
    assert {"SpikeTokenizer", "PlainMatcher", "read_fields", "pieces"} <= own.keys()


def test_it_needs_nothing_but_python_and_transformers():
    tree = ast.parse(generate())
    needed = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    }
    needed |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert needed - sys.stdlib_module_names == ALLOWED
    # What imports anything else does so where its absence is caught.
    rest = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    caught = {id(node) for attempt in rest for node in ast.walk(attempt)}
    inner = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in tree.body
    ]
    assert inner
    assert all(id(node) in caught for node in inner)
    assert not [node for node in ast.walk(tree) if getattr(node, "level", 0)]


NAMES = ["<eos>", "<|im_start|>", "<|im_end|>", "<think>", "user\n", "the", " ", "\n", "<", "ää"]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(NAMES), max_size=12).map("".join))
quickly = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.usefixtures("without_spike")
@quickly
@given(texts)
def test_it_encodes_as_spike_does_without_spike(generated, tokenizer, text):
    vocabulary = tokenizer.vocabulary
    encode = generated.Encoder(vocabulary.entries, vocabulary.kinds)
    assert not encode.native
    assert encode([[generated.Segment(text)]])[0][0] == tokenizer.encode(text).tolist()


def test_it_uses_the_native_core_where_spike_is_installed(generated, vocabulary):
    encode = generated.Encoder(vocabulary.entries, vocabulary.kinds)
    assert encode.native
    (found,) = encode([[generated.Segment(text) for text in ("the ", "", "th")]])
    assert found == [reference.encode(vocabulary, text) for text in (b"the ", b"", b"th")]


def test_it_reads_our_files_and_published_ones(generated, tmp_path):
    vocabulary = build_vocabulary([b"th", b"the "], 390, "chatml")
    path = tmp_path / "tokenizer.json"
    vocabulary.write(path)
    content = json.loads(path.read_text())
    for leave_out in ("nothing", "spike"):
        content.pop(leave_out, None)
        path.write_text(json.dumps(content))
        fields = generated.read_fields(
            path, generated.parse(path, path.read_bytes(), generated.LENGTH_MAX)
        )
        assert (fields["entries"], fields["kinds"]) == (vocabulary.entries, vocabulary.kinds)
    path.write_text("{}")
    with pytest.raises(generated.SpikeError, match="algorithm"):
        generated.read_fields(path, generated.parse(path, path.read_bytes(), generated.LENGTH_MAX))


def test_nothing_at_its_top_keeps_it_from_other_processes(generated):
    """`datasets` sends the code of such modules by value, with all that it refers to."""
    dill = pytest.importorskip("dill")
    values = {
        name: value
        for name, value in vars(generated).items()
        if not name.startswith("__") and not isinstance(value, ModuleType)
    }
    assert dill.dumps(values)
    with pytest.raises(TypeError, match="Scanner"):
        dill.dumps({**values, "DECODER": json.JSONDecoder()})


def a_sparse_file(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("obstacle", "what"),
    [
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda _: None, "is missing"),
        (a_sparse_file, "larger than 1 GiB"),
    ],
)
def test_a_vocabulary_that_is_no_regular_file_is_refused(generated, tmp_path, obstacle, what):
    path = tmp_path / "spike_tokenizer.json"
    obstacle(path)
    with pytest.raises(generated.SpikeError, match=rf"spike_tokenizer\.json: .*{what}"):
        generated.SpikeTokenizer(str(path))

import ast
import sys

import pytest

from spike_lm.model.huggingface import generate
from spike_lm.model.huggingface.bundle import LAYERS, MODULES, PACKAGE

ALLOWED = {"torch", "transformers"}


def test_it_says_where_it_comes_from_and_under_which_licence():
    text = generate()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert "spike export model" in ast.get_docstring(ast.parse(text))
    assert text == generate()


def test_every_function_and_class_is_that_of_its_module():
    joined = {n.name: ast.dump(n) for n in ast.parse(generate()).body if hasattr(n, "name")}
    own = {
        node.name: ast.dump(node)
        for module in MODULES
        for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body
        if hasattr(node, "name")
    }
    assert joined == own
    assert {"SpikeForCausalLM", "SpikeWhaleLM", "GolfTransformer", "Qwen3"} <= own.keys()


def test_all_layers_are_there():
    layers = {path.stem for path in (PACKAGE / "layers").glob("*.py")} - {"__init__"}
    assert layers == set(LAYERS)


def test_it_needs_nothing_but_python_torch_and_transformers():
    tree = ast.parse(generate())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(node in tree.body for node in found)
    assert not [node for node in found if getattr(node, "level", 0)]
    needed = {a.name.split(".")[0] for n in found if isinstance(n, ast.Import) for a in n.names}
    needed |= {node.module.split(".")[0] for node in found if isinstance(node, ast.ImportFrom)}
    assert needed - sys.stdlib_module_names == ALLOWED
    assert not {"pickle", "subprocess", "os", "socket"} & needed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["capped", "whale", "golf"])
def test_what_is_exported_is_this_text(runs, kind):
    assert (runs(kind)[1] / "spike_model.py").read_text() == generate()

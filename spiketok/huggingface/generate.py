"""Writes `spike_tokenizer.py`: the modules of a tokenizer, joined into one that needs no spike."""

import ast
from pathlib import Path

from ..errors import SpikeError

PACKAGE = Path(__file__).parent.parent
# In this order: what a module imports from the others stands before it.
MODULES = (
    *("errors", "json_values", "layout", "vocabulary_file", "plain_matcher"),
    *("chat", "tool_calls", "chat_messages"),
    *("huggingface/names", "huggingface/chat_template"),
    *("huggingface/encoding", "huggingface/tokenizer_class"),
)
HEADER = '''\
# SPDX-License-Identifier: Apache-2.0
"""A tokenizer of spike as a class of `transformers`.

Generated from the sources of spike by `spike export tokenizer`; change those, not this file. It
encodes with spike's native core where spike is installed, and else, slower and with the same
result, by itself. docs/huggingface.md of spike tells more.
"""
'''


def generate() -> str:
    """Return the text of the module; the same for the same sources.

    Raises:
        SpikeError: two modules define the same name, or one is imported that is not joined.
    """
    imports: dict[str, set[str]] = {}
    bodies: list[str] = []
    names: set[str] = set()
    for module in MODULES:
        source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        if doubled := names & (defined := names_of(tree)):
            raise SpikeError(f"spiketok/{module}.py: {min(doubled)} is also in a module before it")
        names |= defined
        gather_imports(tree, imports)
        check_relative_imports(tree, names, module)
        bodies.append(f"# From spiketok/{module}.py.\n\n{body_of(source, tree)}")
    lines = [
        f"from {module} import {', '.join(sorted(found))}" if found else f"import {module}"
        for module, found in sorted(imports.items(), key=lambda item: (bool(item[1]), item[0]))
    ]
    return "\n\n\n".join([HEADER + "\n" + "\n".join(lines), *bodies]) + "\n"


def names_of(tree: ast.Module) -> set[str]:
    """Return the names that a module defines at its top."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                name.id for top in targets for name in ast.walk(top) if isinstance(name, ast.Name)
            }
    return found


def gather_imports(tree: ast.Module, imports: dict[str, set[str]]) -> None:
    """Add a module's imports from elsewhere: module → names, none for the module itself."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            imports.update({alias.name: set() for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imports.setdefault(str(node.module), set()).update(alias.name for alias in node.names)


def check_relative_imports(tree: ast.Module, names: set[str], module: str) -> None:
    """See that all a module takes from its neighbours is there, under the same name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if alias.asname or alias.name not in names:
                    raise SpikeError(f"spiketok/{module}.py: {alias.name} is not joined before it")


def body_of(source: str, tree: ast.Module) -> str:
    """Return a module's text without its docstring and its imports."""
    lines = source.splitlines()
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr)
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
    return "\n".join(lines).strip()

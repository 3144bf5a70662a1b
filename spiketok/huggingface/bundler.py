"""Bundler: join modules of spike into the text of one module that does not import spike."""

import ast
from collections.abc import Container, Sequence
from pathlib import Path

from ..errors import SpikeError

WHOLE = "*"  # the module itself, among the names that are imported from it


def join_modules(package: Path, modules: Sequence[str], header: str) -> str:
    """Return the text of a module with all definitions of these; deterministic.

    Args:
        package: the folder of the package.
        modules: paths in it without `.py`; each comes after those that it imports from.
        header: a licence line and a docstring.

    Raises:
        SpikeError: two modules define one name differently, or one is imported that is not joined
            or under another name.
    """
    imports: dict[str, set[str]] = {}
    bodies: list[str] = []
    names: dict[str, str] = {}
    for module in modules:
        place = f"{package.name}/{module}.py"
        source = (package / f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        for name, definition in definitions_of(tree).items():
            if names.setdefault(name, definition) != definition:
                raise SpikeError(f"{place}: {name} is also in a module before it, and another")
        gather_imports(tree, imports, place)
        check_relative_imports(tree, names, place)
        bodies.append(f"# From {place}.\n\n{body_of(source, tree)}")
    whole = [f"import {module}" for module, found in sorted(imports.items()) if WHOLE in found]
    parts = [
        f"from {module} import {', '.join(sorted(found - {WHOLE}))}"
        for module, found in sorted(imports.items())
        if found - {WHOLE}
    ]
    return "\n\n\n".join([header + "\n" + "\n".join(whole + parts), *bodies]) + "\n"


def definitions_of(tree: ast.Module) -> dict[str, str]:
    """Return the top-level names of a module, each with a dump of its definition."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = ast.dump(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in (part for top in targets for part in ast.walk(top)):
                if isinstance(part, ast.Name):
                    found[part.id] = ast.dump(node)
    return found


def gather_imports(tree: ast.Module, imports: dict[str, set[str]], place: str) -> None:
    """Add a module's imports from elsewhere: module → names."""
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        for alias in node.names:
            if alias.asname:
                raise SpikeError(f"{place}: {alias.name} is imported under another name; keep it")
            if isinstance(node, ast.Import):
                imports.setdefault(alias.name, set()).add(WHOLE)
            else:
                imports.setdefault(str(node.module), set()).add(alias.name)


def check_relative_imports(tree: ast.Module, names: Container[str], place: str) -> None:
    """Check that all relative imports of a module exist, under the same name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if alias.asname or alias.name not in names:
                    raise SpikeError(f"{place}: {alias.name} is not joined before it")


def body_of(source: str, tree: ast.Module) -> str:
    """Return a module's text without its docstring and its imports."""
    lines = source.splitlines()
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr)
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
    return "\n".join(lines).strip()

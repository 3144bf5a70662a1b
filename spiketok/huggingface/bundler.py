"""Bundler: join modules of spike into the text of one module that does not import spike."""

import ast
from collections.abc import Container, Sequence
from pathlib import Path

from ..errors import SpikeError

WHOLE = "*"  # the module itself, among the names that are imported from it


def join_modules(package: Path, modules: Sequence[str], header: str) -> str:
    """Join modules: return the text of one with all their definitions; deterministic.

    Args:
        package: the folder of the package.
        modules: paths in it without `.py`; each comes after those that it imports from.
        header: a licence line and a docstring.

    Raises:
        SpikeError: two modules define a name differently, a name is imported under another one, or
            an imported module is not joined.
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
                fault = f"{name} has another definition in an earlier module"
                raise SpikeError(f"{place}: {fault}; rename one of them")
        gather_imports(tree, imports, place)
        check_relative_imports(tree, names, place)
        bodies.append(f"# From {place}.\n\n{body_of(source, tree)}")
    whole = [f"import {module}" for module, used in sorted(imports.items()) if WHOLE in used]
    parts = [
        f"from {module} import {', '.join(sorted(used - {WHOLE}))}"
        for module, used in sorted(imports.items())
        if used - {WHOLE}
    ]
    return "\n\n\n".join([header + "\n" + "\n".join(whole + parts), *bodies]) + "\n"


def definitions_of(tree: ast.Module) -> dict[str, str]:
    """Return the top-level names of a module, each with a dump of its definition."""
    definitions = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = ast.dump(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in (part for top in targets for part in ast.walk(top)):
                if isinstance(part, ast.Name):
                    definitions[part.id] = ast.dump(node)
    return definitions


def gather_imports(tree: ast.Module, imports: dict[str, set[str]], place: str) -> None:
    """Add a module's absolute imports to `imports`: module → names.

    Raises:
        SpikeError: a name is imported under another one.
    """
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        for alias in node.names:
            if alias.asname:
                fault = f"{alias.name} is imported under another name"
                raise SpikeError(f"{place}: {fault}; import it without as")
            if isinstance(node, ast.Import):
                imports.setdefault(alias.name, set()).add(WHOLE)
            else:
                imports.setdefault(str(node.module), set()).add(alias.name)


def check_relative_imports(tree: ast.Module, names: Container[str], place: str) -> None:
    """Check that all relative imports of a module exist, under the same name.

    Raises:
        SpikeError: one does not.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if alias.asname or alias.name not in names:
                    fault = f"{alias.name} is not in an earlier module under this name"
                    raise SpikeError(f"{place}: {fault}; join its module before this one")


def body_of(source: str, tree: ast.Module) -> str:
    """Return a module's text without its docstring and its imports."""
    lines = source.splitlines()
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr)
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
    return "\n".join(lines).strip()

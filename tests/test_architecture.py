"""The house rules that a machine can check: imports, sizes, names, start-up weight."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spiketok", "datapipe", "model", "spike_commands")
MAY_IMPORT = {
    "spiketok": {"spiketok"},
    "datapipe": {"spiketok", "datapipe"},
    "model": {"spiketok", "model"},
    "spike_commands": set(PACKAGES),
    "cli": {"spike_commands", "spiketok"},
}
FORBIDDEN = {"spiketok": {"torch"}, "datapipe": {"torch"}, "model": {"pyarrow", "datasets"}}
# Every import between the folders of a package: a folder stands above all that it imports.
# What a package's own modules import, and whatever imports them, is not listed.
EDGES = {
    "datapipe/sources": set(),
    "datapipe/shards": {"sources"},
    "datapipe/loader": {"shards"},
    "datapipe/overlap": {"shards"},
    "spiketok/length_max": set(),
    "spiketok/bese": {"length_max"},
    "spiketok/chat": set(),
    "spiketok/huggingface": {"chat"},
    "model/config": set(),
    "model/layers": set(),
    "model/families": {"config", "layers"},
    "model/runs": {"config", "families"},
    "model/quantization": {"config", "families"},
    "model/inference": {"families", "layers", "runs"},
    "model/scoring": {"config", "families", "runs"},
    "model/evaluation": {
        "artifact",
        "families",
        "huggingface",
        "inference",
        "layers",
        "scoring",
    },
    "model/scaling": set(),
    "model/text_compression": {"config", "families", "runs", "scoring"},
    "model/training": {
        "config",
        "families",
        "inference",
        "layers",
        "quantization",
        "runs",
        "scoring",
    },
    "model/artifact": {"config", "families", "quantization", "runs", "scoring", "training"},
    "model/huggingface": {"config", "families", "layers", "runs", "training"},
    "spike_commands/web": set(),
    "spike_commands/data": {"tasks"},
    "spike_commands/scaling": set(),
    "spike_commands/plan": {"data", "scaling", "tokenizer", "train"},
    "spike_commands/train": {"tasks"},
    "spike_commands/huggingface": {"tasks"},
    "spike_commands/chat": {"web"},
    "spike_commands/tokenizer": {"data", "web"},
    "spike_commands/tasks": set(),
    "spike_commands/score": {"data", "tasks"},
    "spike_commands/pack": {"data", "score"},
    "spike_commands/report": {"chat", "data", "scaling", "tasks", "web"},
}
VAGUE = {"utils", "common", "helpers", "core", "base", "misc", "manager"}
MAX_FILE, MAX_FUNCTION = 300, 60
MAX_LAZY = 48  # one for each command, and a few for its errors
LONG_FILES: dict[str, str] = {}  # path -> reason
LONG_FUNCTIONS: dict[str, str] = {}  # path:function -> reason
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "__pycache__" not in path.parts
] + [ROOT / "cli.py"]


def name(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    """The name below the checkout; `model` and `cli` are installed in `spike_lm`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Yield the absolute names of the modules that a file imports, anywhere in it."""
    module = module_of(path).split(".")
    package = module if path.name == "__init__.py" else module[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("spike_lm.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            base = base.removeprefix("spike_lm.")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_follow_the_flow(path):
    package = module_of(path).split(".")[0]
    tops = {imported.split(".")[0] for imported in imports(path)}
    assert tops & set(PACKAGES) <= MAY_IMPORT[package]
    assert not tops & FORBIDDEN.get(package, set())


def functions(path):
    """Yield the name and the number of lines, docstring apart, of each function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1
            yield node.name, lines - (docstring.count("\n") + 1 if docstring else 0)


def test_no_import_cycles():
    modules = {module_of(path): path for path in FILES}
    edges = {
        module: {found for found in imports(path) if found in modules and found != module}
        # A package's façade gathers its modules; they never import it back.
        - {module.rpartition(".")[0]}
        for module, path in modules.items()
    }
    finished = set()

    def visit(module, trail):
        assert module not in trail, " -> ".join([*trail, module])
        if module not in finished:
            for imported in sorted(edges[module]):
                visit(imported, [*trail, module])
            finished.add(module)

    for module in edges:
        visit(module, [])


def test_folders_import_what_is_listed_and_nothing_else():
    found = {folder: set() for folder in EDGES}
    for path in FILES:
        package, *inner = module_of(path).split(".")
        if (ROOT / package).is_dir() and len(path.relative_to(ROOT).parts) > 2:
            for imported in imports(path):
                top, *parts = imported.split(".")
                if top == package and parts and (ROOT / top / parts[0]).is_dir():
                    found.setdefault(f"{package}/{inner[0]}", set()).add(parts[0])
    assert {folder: edges - {folder.split("/")[1]} for folder, edges in found.items()} == EDGES


def test_tests_mirror_the_packages():
    """tests/a/b/test_c.py, or test_c_aspect.py, tests a/b/c.py."""
    for path in sorted((ROOT / "tests").glob("*/**/test_*.py")):
        folder = ROOT / path.parent.relative_to(ROOT / "tests")
        modules = {module.stem for module in folder.glob("*.py")} - {"__init__"}
        about = path.stem.removeprefix("test_")
        assert any(f"{about}_".startswith(f"{module}_") for module in modules), name(path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_sizes(path):
    assert len(path.read_text().splitlines()) <= MAX_FILE or name(path) in LONG_FILES
    for function, length in functions(path):
        entry = f"{name(path)}:{function}"
        assert length <= MAX_FUNCTION or entry in LONG_FUNCTIONS, f"{entry}: {length} lines"


def test_few_imports_are_inside_functions():
    """A command imports its library once, when it runs; all other imports are at file tops."""
    lazy = [
        f"{name(path)}:{node.lineno}"
        for path in FILES
        if path.is_relative_to(ROOT / "spike_commands")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert len(lazy) <= MAX_LAZY, lazy
    assert not [place for place in lazy if "/recipe.py:" in place]
    recipes = [path for path in FILES if path.stem == "recipe"]
    assert not [name(path) for path in recipes if "click" in {*imports(path)}]


def test_exceptions_are_still_needed():
    for entry in LONG_FUNCTIONS:
        path, long = entry.split(":")
        lengths = [length for function, length in functions(ROOT / path) if function == long]
        assert max(lengths) > MAX_FUNCTION, entry
    for path in LONG_FILES:
        assert len((ROOT / path).read_text().splitlines()) > MAX_FILE, path


def test_names_say_what_a_file_is():
    assert not [name(path) for path in FILES if path.stem in VAGUE]


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import cli", {"numpy", "pyarrow", "torch", "datasets", "rich", "spiketok.tokenizer"}),
        ("import spiketok, datapipe", {"numpy", "pyarrow", "msgspec"}),
        ("from spiketok import Tokenizer", {"pyarrow", "torch", "datapipe", "spike_lm.model"}),
        ("from spiketok.huggingface import export_tokenizer", {"transformers", "torch", "pyarrow"}),
        ("from datapipe import Windows, write_shards", {"torch", "spike_lm.model", "datasets"}),
        ("from spike_lm.model import load_config", {"torch", "pyarrow"}),
        ("from spike_lm.model.runs.lineage import read_config", {"torch", "numpy"}),
    ],
)
def test_import_weight(statement, heavy):
    code = f"{statement}; import sys, json; print(json.dumps(list(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not heavy & set(json.loads(result.stdout))


def test_nats_become_bits_in_one_module():
    """bits_per_byte.py divides by ln 2; the arithmetic coder's use is no rate of a text."""
    own = {"model/scoring/bits_per_byte.py", "model/text_compression/arithmetic_coder.py"}
    for path in [*FILES, *sorted((ROOT / "benchmarks").glob("*.py"))]:
        found = re.search(r"\blog\(2(\.0)?\)", path.read_text(encoding="utf-8"))
        assert not found or name(path) in own, f"{name(path)}: call bits_per_byte or nats_to_bits"


def test_only_families_know_which_family_a_model_is():
    """Elsewhere a model is a LanguageModel; `modeling_spike` builds one from config.json."""
    names = {"GolfTransformer", "GolfBackbone", "SpikeWhaleLM", "SpikeWhaleBackbone", "Qwen3"}
    builders = {ROOT / "model/huggingface/modeling_spike.py"}
    own = (ROOT / "model/families", ROOT / "model/config")
    for path in FILES:
        if path in builders or path.is_relative_to(own[0]) or path.is_relative_to(own[1]):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            used = getattr(node, "id", None) in names
            used |= getattr(node, "attr", None) in {"golf", "spikewhale", "whale"}
            assert not used, f"{path}:{node.lineno}: ask the LanguageModel or families/sections.py"

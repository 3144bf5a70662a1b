"""Docstrings: arguments, errors, shapes and sources are where CONTRIBUTING asks for them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spiketok", "datapipe", "model", "spike_commands")
HELD = ["cli.py", *PACKAGES]
MANY = 4  # parameters from which on `Args:` is asked for
ARRAYS = {"Tensor", "NDArray", "ndarray", "Array", "ChunkedArray"}
SHAPE = re.compile(r"(?<![\w\]\])])\[[^\[\]\n]*\w[^\[\]\n]*\]|\bscalars?\b|\bany shape\b")
SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes):$", re.MULTILINE)
EXAMPLE = re.compile(r"^>>> .*(\n\S.*)*", re.MULTILINE)
# Where published techniques are: each file names the source of its own.
TECHNIQUES = [
    "model/layers/*.py",
    "model/quantization/*.py",
    "model/training/muon.py",
    "model/training/optimizers.py",
    "model/training/lr_schedule.py",
    "model/training/ema_swa.py",
    "model/training/distillation.py",
    "model/training/distillation_kl.py",
    "model/training/qat.py",
]
SOURCE = re.compile(
    r"arXiv|https?://|\bPRs? #?\d+|pull request|\bRFC \d+|SpikeWhale"
    r"|[A-Z]\w+( et al\.| and [A-Z]\w+)?,? (\(|\"[^\"]+\",? \(?)?(19|20)\d\d"
)
# Files there that implement nothing published.
NO_SOURCE = {
    *(
        "model/layers/attention_mask.py",
        "model/layers/kv_cache.py",
        "model/layers/attention_inputs.py",
    ),
    "model/quantization/calibration_text.py",
    "model/quantization/plan.py",
    "model/quantization/quantize.py",
    "model/quantization/quantized_matrix.py",
    "model/quantization/quantizer.py",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(package):
    if package == "cli.py":
        return [ROOT / package]
    paths = [*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.pyi")]
    return sorted(path for path in paths if "__pycache__" not in path.parts)


def public_functions(body):
    """Yield the public functions, and the public methods of public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, Function) and is_held(node):
            yield node


def is_held(node):
    """Check that a function is public, and neither a command nor a library's method."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    is_command = any(re.search(r"\.(command|group|option|argument)\b", d) for d in decorators)
    return not (node.name.startswith("_") or is_command)


def parameters(node):
    given = node.args
    names = [item.arg for item in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    names += [item.arg for item in (given.vararg, given.kwarg) if item is not None]
    return [name for name in names if name not in ("self", "cls")]


def section(docstring, title):
    """Return the lines of a section of a docstring; nothing where it is absent."""
    _, *parts = SECTION.split(docstring)
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(title, "")


def undocumented_arguments(node, docstring):
    """Return the parameters without a line in `Args:`, where there are many."""
    names = parameters(node)
    listed = re.findall(r"^ +\*{0,2}(\w+):", section(docstring, "Args"), re.MULTILINE)
    return [name for name in names if name not in listed] if len(names) >= MANY else []


def raised(body, caught=frozenset()):
    """Yield the names in `raise` statements of a function's own body.

    Left out are errors that the function catches, and caught errors that it raises again.
    """
    for node in body:
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(error).rpartition(".")[2]
            if name not in caught:
                yield name
        elif isinstance(node, ast.Try):
            handled = {word for one in node.handlers for word in words_of(one.type)}
            yield from raised(node.body, caught | handled)
            yield from raised([*node.handlers, *node.orelse, *node.finalbody], caught)
        elif isinstance(node, ast.ExceptHandler):
            yield from raised(node.body, caught | {node.name})
        elif not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from raised(ast.iter_child_nodes(node), caught)


def words_of(annotation):
    return re.findall(r"\w+", ast.unparse(annotation)) if annotation else []


def undocumented_errors(node, docstring):
    """Return the raised errors that `Raises:` does not name; of helpers it needs to name none."""
    named = section(docstring, "Raises")
    is_class = re.compile("(Error|Exit|Abort|Exception)$")
    errors = {
        name
        for name in raised(node.body)
        if not named.strip() or (is_class.search(name) and name not in named)
    }
    if node.returns is not None and ast.unparse(node.returns).endswith("NoReturn"):
        return set() if docstring.startswith("Raise ") else errors
    return errors


def has_array(node):
    given = node.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    annotations = [item.annotation for item in arguments if item] + [node.returns]
    return any(ARRAYS & set(words_of(item)) for item in annotations)


def faults(name, source):
    """Yield the place of each docstring that lacks something, and the thing."""
    for node in public_functions(ast.parse(source).body):
        place = f"{name}:{node.lineno}: {node.name}"
        docstring = ast.get_docstring(node) or ""
        if names := undocumented_arguments(node, docstring):
            yield f"{place}: Args: for {', '.join(names)}"
        if errors := undocumented_errors(node, docstring):
            yield f"{place}: Raises: for {', '.join(sorted(errors))}"
        if has_array(node) and not SHAPE.search(EXAMPLE.sub("", docstring)):
            yield f"{place}: a shape such as [B, T], scalar or any shape"


def without_source():
    """Yield the files of techniques that name no paper, pull request or model."""
    for pattern in TECHNIQUES:
        for path in sorted(ROOT.glob(pattern)):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            if path.name != "__init__.py" and name not in NO_SOURCE and not SOURCE.search(text):
                yield name


def faults_of(path):
    return faults(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", HELD)
def test_docstrings_are_complete(package):
    found = [fault for path in files(package) for fault in faults_of(path)]
    assert not found, "\n".join(["", *found])


def test_techniques_name_their_source():
    assert not list(without_source())
    assert all((ROOT / name).is_file() for name in NO_SOURCE)


WHOLE = '''
def f(a, b, c, d):
    """Rows [n].

    Args:
        a: first.
        b: second.
        c: third.
        d: fourth.

    Raises:
        SpikeError: a is negative.
    """
    raise SpikeError("a")
'''


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("        c: third.\n", "", ["a.py:2: f: Args: for c"]),
        ("SpikeError: a", "OSError: a", ["a.py:2: f: Raises: for SpikeError"]),
        ("SpikeError: a is", "SpikeError, if a is", []),
        ("    Raises:\n", "", ["a.py:2: f: Raises: for SpikeError"]),
    ],
)
def test_each_kind_is_found(old, new, expected):
    assert list(faults("a.py", WHOLE.replace(old, new, 1) if old else WHOLE)) == expected


def test_arrays_have_shapes():
    source = 'def f(a: "NDArray[np.uint8]"):\n    """Return ids[0].\n\n    >>> f([1])\n    """'
    assert list(faults("a.py", source)) == [
        "a.py:1: f: a shape such as [B, T], scalar or any shape"
    ]
    assert not list(faults("a.py", source.replace("ids[0]", "ids [tokens]")))

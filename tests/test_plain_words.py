"""Plain English: docstrings, comments, messages, help and docs have none of the worn words."""

import ast
import io
import keyword
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spiketok", "datapipe", "model", "spike_commands")
# Pattern → the plain words for it.
WORN = {
    r"mend(s|ed|ing)?": "fix",
    r"anew|afresh": "again",
    r"practi[sc](e[ds]?|ing)": "train",
    r"foresee[ns]?|foresaw": "predict",
    r"so (many|large)": "the number's name",
    r"gives? back|gave back": "return",
    r"takes? in|took in": "read, accept",
    r"(is|are) to be": "must be, will be",
    r"thereof|whereof": "of it, of which",
    r"whoever": "the noun",
    r"tells?|told": "report, print, distinguish",
    r"stands?|stood|lies|lay(?! out)": "is, are",
    r"behind": "after",
    r"draws?|drawn|drew": "sample, initialise",
    r"rungs?": "step, level",
}
WORD = re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in WORN), re.IGNORECASE)
# A sentence that begins with "What" and is no question.
HEADLESS = re.compile(r"(?:(?<=[.!?;:]\s)|(?<=\n\n)|\A)(?=What\s)[^.?!]*[.!]")
# In names no word that has a plain one; methods of files keep theirs.
NAME = re.compile(r"(?:^|_)(mends?|mended|anew|afresh|told|tells?)(?:_|$)", re.IGNORECASE)
OF_FILES = {"tell"}
# Keys of JSON output, which keep their names.
KEYS = {"rungs"}
ERRORS = {"SpikeError", "SettingError"}
MOST_WORDS = 25  # of an error before its fix
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "lab-notes.md"),
]
# Code in Markdown; and in CONTRIBUTING, whose rules name the words, whatever is emphasised.
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\*[^*\n]+\*|\"[^\"\n]+\"")


def blanked(pattern, text):
    """Replace what a pattern finds by spaces; lines stay."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def texts_of(name, source):
    """Yield line and text of each string and comment, or the whole of a document."""
    if name.endswith(".md"):
        text = blanked(CODE, source)
        yield 1, blanked(NAMED, text) if name == "CONTRIBUTING.md" else text
        return
    for node in ast.walk(ast.parse(source)):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and node.value not in KEYS:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def worn_names(source):
    """Yield line and name of each variable, parameter and function with a worn word."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_name = token.type == tokenize.NAME and not keyword.iskeyword(token.string)
        if is_name and token.string not in OF_FILES and NAME.search(token.string):
            yield token.start[0], token.string


def faults(name, source):
    """Return `file:line: word; the plain one` of each worn word."""
    found = []
    for line, text in texts_of(name, source):
        for hit in WORD.finditer(text):
            plain = next(WORN[old] for old in WORN if re.fullmatch(old, hit[0], re.IGNORECASE))
            found.append((line + text.count("\n", 0, hit.start()), hit[0], plain))
        found += [
            (line + text.count("\n", 0, hit.start()), hit[0][:30], "the noun")
            for hit in HEADLESS.finditer(text)
        ]
    if not name.endswith(".md"):
        found += [(line, word, "the plain word") for line, word in worn_names(source)]
    return [f"{name}:{line}: {word!r}; write: {plain}" for line, word, plain in sorted(found)]


def faults_of(path):
    return faults(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def messages(source):
    """Yield line and text of the errors that a file makes of literals; `{…}` for what is put in."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args or ast.unparse(node.func) not in ERRORS:
            continue
        parts = getattr(node.args[-1], "values", [node.args[-1]])
        yield (
            node.lineno,
            "".join(
                str(part.value)
                if isinstance(part, ast.Constant)
                else f"{{{ast.unparse(getattr(part, 'value', part))}}}"
                for part in parts
            ),
        )


def without_fix(name, source):
    """Return `file:line: message` of each error that names no fix, or is long before it.

    A message that ends with a variable, or begins with another error, may have it in there.
    """
    return [
        f"{name}:{line}: {text}"
        for line, text in messages(source)
        if (";" not in text and not text.endswith("}") and "{error}" not in text)
        or len(text.partition(";")[0].split()) > MOST_WORDS
    ]


def code(package):
    paths = [*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.pyi")]
    return sorted(path for path in paths if "__pycache__" not in path.parts)


@pytest.mark.parametrize("package", PACKAGES)
def test_code_is_in_plain_words(package):
    found = [fault for path in code(package) for fault in faults_of(path)]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_name_a_fix(package):
    found = [
        fault
        for path in code(package)
        for fault in without_fix(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("path", [ROOT / "cli.py", *DOCUMENTS], ids=lambda path: path.name)
def test_documents_are_in_plain_words(path):
    found = faults_of(path)
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.py", '"""Mends\n\na file."""', "a.py:1: 'Mends'; write: fix"),
        ("a.py", 'raise E(f"{1} read\\nanew")', "a.py:2: 'anew'; write: again"),
        ("a.py", "x = 1  # takes in rows", "a.py:1: 'takes in'; write: read, accept"),
        ("a.py", "told_rows = 1", "a.py:1: 'told_rows'; write: the plain word"),
        ("a.py", '"""Rows.\n\nWhat is read."""', "a.py:3: 'What is read.'; write: the noun"),
        ("a.md", "Good.\nSo many rows", "a.md:2: 'So many'; write: the number's name"),
    ],
)
def test_each_kind_is_found(name, source, expected):
    assert expected in faults(name, source)


def test_errors_without_a_fix_are_found():
    assert without_fix("a.py", 'SpikeError(f"{path}: is empty")') == ["a.py:1: {path}: is empty"]
    assert without_fix("a.py", f'SpikeError("{"so " * 26}; stop")')
    for text in ("{path}: is empty; fill it", "{path}: is empty; {fix}", "{error} (again)"):
        assert not without_fix("a.py", f'SpikeError(f"{text}")')


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", "file.tell()  # amend, recommend"),
        ("a.py", '"""What is a row? A line."""'),
        ("a.md", "`told`\n\n```\nmend\n```\n"),
        ("CONTRIBUTING.md", '*fix*, not *mend*; never "so many"'),
    ],
)
def test_right_words_stay(name, source):
    assert faults(name, source) == []

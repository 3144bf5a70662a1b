"""Steps of `spike demo`: corpus, tokenizer, shards, training, a sample and a score."""

import json
import shlex
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pydoc_data.topics import topics

import click

from spike_lm.model import load_config
from spike_lm.model.runs.checkpoint_folders import has_begun
from spiketok.atomic_files import durable_file
from spiketok.errors import SpikeError
from spiketok.holdout import document_id, is_held_out

from .chat.generate import generate
from .console import remark
from .data.shard import shard
from .results import LEFT_TO_CALLER
from .score.evaluate import evaluate
from .tokenizer.group import tokenizer
from .train.train import train

VOCABULARY = 4096
HELD_OUT = 0.03
# Larger, because the held-out text would also be the first for validation.
VALIDATION = 0.05
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}


def run_demo(folder: Path, overrides: tuple[str, ...], quiet: bool) -> None:
    """Run and show all steps.

    Raises:
        SpikeError: the folder is not empty, or an override is wrong.
    """
    load_config("demo", overrides)  # a wrong override is reported before any work
    if folder.exists() and any(folder.iterdir()):
        raise SpikeError(f"{folder}: is not empty; remove it or choose another with --folder")
    corpus, held_out = folder / "corpus", folder / "held-out.txt"
    tokenizer_file, data, run = folder / "tokenizer.json", folder / "data", folder / "run"
    sets = [word for override in overrides for word in ("--set", override)]
    fraction = str(VALIDATION)

    def show(command: click.Command, *words: str | Path) -> None:
        arguments = list(map(str, words))
        remark(f"\n$ spike {command.name} {shlex.join(arguments)}", quiet)
        arguments += ["--quiet"] if quiet else []
        with command.make_context(command.name, arguments) as context:
            context.meta[LEFT_TO_CALLER] = True
            command.invoke(context)

    with removed_on_failure(folder, corpus, run):
        documents, size = write_corpus(corpus, held_out)
        remark(f"{documents:,} documents in {corpus}, {size:,} bytes held out in {held_out}", quiet)
        show(
            tokenizer,
            *("train", corpus, "--vocab", str(VOCABULARY)),
            *("--validation", fraction, "--out", tokenizer_file),
        )
        show(shard, "--tokenizer", tokenizer_file, "--validation", fraction, "--out", data)
        show(train, "--config", "demo", "--data", data, "--out", run, *sets)
        show(generate, run, "def read_lines(path):", "--max-tokens", "120")
        show(evaluate, run, "--text", held_out, "--stride", "64")
    if not quiet:
        click.secho("\nNext", bold=True)
        for words, what in (
            (("generate", run, "class ", "--seed", "1"), "another sample"),
            (("pack", run, "--out", folder / "demo.spike"), "pack the model into one small file"),
            (("tokenizer", "train", "YOUR-TEXT"), "start with your own text"),
        ):
            command = shlex.join(["spike", *map(str, words)])
            click.echo(f"{command}  # {what}")


@contextmanager
def removed_on_failure(folder: Path, corpus: Path, run: Path) -> Iterator[None]:
    """Make the folder of the corpus; on failure remove it and all output beside it.

    So the same command can run again. A run that has begun stays, with what it needs: it can be
    resumed.
    """
    existed = folder.exists()
    corpus.mkdir(parents=True)
    try:
        yield
    except BaseException:
        if not has_begun(run):
            for made in folder.iterdir():
                shutil.rmtree(made) if made.is_dir() else made.unlink()
            if not existed:
                folder.rmdir()
        raise


def write_corpus(corpus: Path, held_out: Path) -> tuple[int, int]:
    """Write the training documents as jsonl and the held-out ones as one text file.

    Returns the number of training documents and the number of held-out bytes.
    """
    documents = size = 0
    with durable_file(corpus / "python.jsonl") as train, durable_file(held_out) as test:
        for text in python_documents():
            data = text.encode()
            if is_held_out(document_id(data), HELD_OUT):
                size += test.write(data)
            else:
                documents += 1
                train.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
    return documents, size


def python_documents() -> Iterator[str]:
    """Yield the standard library's sources by path, then pydoc's topics by name."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        if not LEFT_OUT & set(path.relative_to(library).parts):
            text = path.read_text(encoding="utf-8", errors="replace")
            if text:
                yield text
    yield from (topics[name] for name in sorted(topics))

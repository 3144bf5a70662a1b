"""`spike tokenizer compare`: tokens and speed of several tokenizers on the same text."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from .console import PATH, common_options, json_option, print_result

PIECE_BYTES = 1 << 16


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    type=PATH,
    help="Corpus files or folders to encode; may be given more than once.",
)
@click.option("--text-field", default="text", show_default=True, help="Column with the text.")
@json_option
@common_options
def compare(
    files: tuple[Path, ...],
    texts: tuple[Path, ...],
    text_field: str,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Encode the same text with each tokenizer of FILES, on one thread.

    FILES are tokenizer files of spike or of Hugging Face. Each is timed on its second pass.

    \b
    Example:
      spike tokenizer compare tokenizer.json bpe.json --text held.txt --json
    """
    from datapipe import find_sources, read_texts
    from spiketok.errors import SpikeError

    sources, _ = find_sources(texts)
    documents = [
        piece
        for batch in read_texts(sources, text_field, "skip")
        for text in batch.column("text").to_pylist()
        for piece in in_pieces(text)
    ]
    if not documents:
        raise SpikeError(f"{texts[0]}: there is no text to encode; name other files")
    rows = [row(file, documents) for file in files]
    if as_json:
        print_result({"tokenizers": rows}, as_json)
        return
    click.echo(f"{'bytes/token':>12}{'tokens':>14}{'MB/s':>9}  name")
    for found in rows:
        click.echo(
            f"{found['bytes_per_token']:>12.4f}{found['tokens']:>14,}"
            f"{found['encode_mb_per_s']:>9.1f}  {found['name']}"
        )


def in_pieces(text: bytes) -> list[bytes]:
    """Cut a document where a line ends, so that no encoder meets a text of unusual length."""
    pieces = []
    while len(text) > PIECE_BYTES:
        stop = text.rfind(b"\n", 0, PIECE_BYTES) + 1
        if stop == 0:
            break
        pieces.append(text[:stop])
        text = text[stop:]
    return [*pieces, text]


def row(file: Path, documents: Sequence[bytes]) -> dict[str, Any]:
    """Encode the documents with one tokenizer, twice."""
    count = counter(file)
    size = sum(map(len, documents))
    tokens = count(documents)
    start = time.perf_counter()
    count(documents)
    seconds = time.perf_counter() - start
    return {
        "name": str(file),
        "bytes": size,
        "tokens": tokens,
        "bytes_per_token": size / tokens,
        "encode_mb_per_s": size / 1e6 / seconds,
    }


def counter(file: Path) -> Callable[[Sequence[bytes]], int]:
    """Return a function that counts the tokens of documents on one thread."""
    if is_hugging_face(file):
        return hugging_face_counter(file)
    from spiketok import Tokenizer

    loaded = Tokenizer.load(file)
    return lambda documents: len(loaded.encode_batch(list(documents), threads=1)[0])


def is_hugging_face(file: Path) -> bool:
    """Tell whether a file is a JSON object with the key `model`, as Hugging Face writes it."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False  # what is wrong with it is told where it is read as ours
    return isinstance(content, dict) and isinstance(content.get("model"), dict)


def hugging_face_counter(file: Path) -> Callable[[Sequence[bytes]], int]:
    """Return a function that counts the tokens of a Hugging Face tokenizer."""
    from spiketok.errors import SpikeError

    try:
        import tokenizers
    except ImportError:
        raise SpikeError(
            f"{file}: a Hugging Face tokenizer needs the library: pip install tokenizers"
        ) from None
    try:
        loaded = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises Exception itself
        message = str(error).splitlines()[0]
        raise SpikeError(f"{file}: the library tokenizers refuses it: {message}") from None

    def count(documents: Sequence[bytes]) -> int:
        strings = (text.decode("utf-8", "replace") for text in documents)
        return sum(len(loaded.encode(text, add_special_tokens=False).ids) for text in strings)

    return count

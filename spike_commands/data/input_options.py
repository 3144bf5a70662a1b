"""Options for reading inputs, the same for `tokenizer train` and `shard`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from datapipe.sources.text_splitting import check_split
from spiketok.errors import SettingError
from spiketok.regular_files import open_regular

from ..console import PATH, Command, Fraction, remark

if TYPE_CHECKING:
    from datapipe import Source

# Marker between documents in Tiny Stories and others, and where it is searched for.
MARKER = "<|endoftext|>"
HEAD_BYTES = 1 << 18
SPLIT_HELP = (
    "How a plain text file becomes documents. auto: above 256 KiB pieces of about 32 KiB that end "
    "at blank lines; none: one document; lines, paragraphs; BYTES: pieces of about that size; any "
    "other word: a marker between documents, such as '<|endoftext|>'."
)


def split_text_option(default: str | None) -> Callable[[Command], Command]:
    """Return the option `--split-text`; without a default it is None where it is not given."""
    return click.option(
        "--split-text",
        metavar="auto|none|lines|paragraphs|MARKER|BYTES",
        default=default,
        show_default=default is not None,
        callback=checked_split,
        help=SPLIT_HELP if default else f"{SPLIT_HELP}  Else as the tokenizer was trained.",
    )


max_record_option = click.option(
    "--max-record",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="MiB of the largest record, a line of JSON or a text; a larger one is broken (--errors).",
)


def record_limit(mib: int) -> Any:
    """Return the limit of records in bytes for `ShardSettings`: UNSET for the default."""
    from msgspec import UNSET

    from datapipe.sources.bad_records import MAX_RECORD

    return UNSET if mib << 20 == MAX_RECORD else mib << 20


class ShareOrFile(Fraction):
    """Fraction, or a path where the word is no number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a float or a `Path`."""
        try:
            float(value)
        except ValueError:
            return PATH.convert(value, param, ctx)
        return super().convert(value, param, ctx)


def share_or_files(
    _context: click.Context, _option: click.Parameter, values: tuple[float | Path, ...]
) -> tuple[float, tuple[Path, ...]] | None:
    """Return a fraction and the files: one fraction, or files and fraction 0; None for no value."""
    files = tuple(value for value in values if isinstance(value, Path))
    fractions = [value for value in values if not isinstance(value, Path)]
    if len(fractions) > 1 or (files and fractions):
        raise click.BadParameter("give one fraction, or files")
    return (fractions[0] if fractions else 0.0, files) if values else None


def checked_split(_context: click.Context, _option: click.Parameter, word: str | None) -> Any:
    """Check that a way to split is valid."""
    if word is not None:
        try:
            check_split(word)
        except SettingError as error:
            raise click.BadParameter(error.fault) from None
    return word


def as_trained(options: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return how inputs are read: by the options, else as the tokenizer was trained."""
    usual = {"text_field": "text", "errors": "strict", "split_text": "auto"}
    how = {name: options[name] or str(trained.get(name, value)) for name, value in usual.items()}
    return {**how, "max_record": record_limit(options["max_record"])}


def remark_marker(sources: "Sequence[Source]", split: str, quiet: bool) -> None:
    """Remark where a text has the usual marker between documents and it is taken for text."""
    if split not in ("auto", "none"):
        return

    for source in sources:
        if source.kind == "txt":
            with open_regular(source.path) as file:
                if MARKER.encode() in file.read(HEAD_BYTES):
                    how = f"--split-text '{MARKER}' makes documents of the text between them"
                    remark(f"{source.name} has markers {MARKER} in its text; {how}", quiet)
                    return


def remark_copies(copied: int, whole: int, quiet: bool) -> None:
    """Remark how much of a text is exact copies, where that is 1 % or more."""
    if whole and copied >= whole / 100:
        share = 100 * copied // whole
        remark(f"{share} % of the bytes are exact copies of other documents", quiet)


def words_of(setting: Any) -> tuple[str, ...]:
    """Return a setting that is a list of words; none where the file has another value."""
    return tuple(map(str, setting)) if isinstance(setting, list) else ()


def lasting(inputs: Sequence[Path]) -> Sequence[Path]:
    """Return the inputs that `spike shard` can read again: none where one is a pipe."""
    from datapipe.sources.standard_input import is_stream

    return () if any(map(is_stream, inputs)) else inputs

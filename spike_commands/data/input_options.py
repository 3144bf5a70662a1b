"""Options for reading inputs, the same for `tokenizer train` and `shard`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from datapipe.sources.text_splitting import check_split
from spiketok.errors import SettingError

from ..console import PATH, Command, Fraction

SPLIT_HELP = (
    "Documents of a plain text file. auto: above 256 KiB, pieces of about 32 KiB that end at blank "
    "lines; none: one document; lines, paragraphs; BYTES: pieces of about that size; any other "
    "word: a marker between documents, such as '<|endoftext|>'."
)


def split_text_option(default: str | None) -> Callable[[Command], Command]:
    """Return the option `--split-text`; without a default it is None where it is not given."""
    return click.option(
        "--split-text",
        metavar="auto|none|lines|paragraphs|MARKER|BYTES",
        default=default,
        show_default=default is not None,
        callback=checked_split,
        help=SPLIT_HELP if default else f"{SPLIT_HELP}  [default: as for the tokenizer]",
    )


max_record_option = click.option(
    "--max-record",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Largest record in MiB, a line of JSON or a text; --errors applies to larger ones.",
)


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
    """Return a fraction and the files: one fraction, or files and fraction 0; None for no value.

    Raises:
        BadParameter: there are several fractions, or a fraction and files.
    """
    files = tuple(value for value in values if isinstance(value, Path))
    fractions = [value for value in values if not isinstance(value, Path)]
    if len(fractions) > 1 or (files and fractions):
        raise click.BadParameter(
            "several fractions, or a fraction and files; give one fraction, or files alone"
        )
    return (fractions[0] if fractions else 0.0, files) if values else None


def checked_split(_context: click.Context, _option: click.Parameter, word: str | None) -> Any:
    """Check that a way to split is valid.

    Raises:
        BadParameter: it is none.
    """
    if word is not None:
        try:
            check_split(word)
        except SettingError as error:
            raise click.BadParameter(error.fault) from None
    return word

"""Options that say how inputs are read: the same for `tokenizer train` and `shard`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .console import Command

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


def checked_split(_context: click.Context, _option: click.Parameter, word: str | None) -> Any:
    """Refuse a way to split that means nothing."""
    if word is not None:
        from datapipe.text_pieces import check_split
        from spiketok.errors import SettingError

        try:
            check_split(word)
        except SettingError as error:
            raise click.BadParameter(error.fault) from None
    return word


def as_trained(options: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, str]:
    """Return how inputs are read: as the options say, else as the tokenizer was trained."""
    usual = {"text_field": "text", "errors": "strict", "split_text": "auto"}
    return {name: options[name] or str(trained.get(name, value)) for name, value in usual.items()}


def reading_settings(options: Mapping[str, Any], endings: Sequence[str]) -> dict[str, Any]:
    """Return how inputs were read, for the tokenizer file."""
    settings = {name: options[name] for name in ("text_field", "errors", "split_text")}
    return settings | ({"ext": list(endings)} if endings else {})


def words_of(setting: Any) -> tuple[str, ...]:
    """Return a setting that is a list of words; none where the file says something else."""
    return tuple(map(str, setting)) if isinstance(setting, list) else ()


def lasting(inputs: Sequence[Path]) -> Sequence[Path]:
    """Return the inputs that `spike shard` may read again: none where one is a pipe."""
    from datapipe.standard_input import is_stream

    return () if any(map(is_stream, inputs)) else inputs

"""Options for reading documents of inputs; they go to `read_documents`."""

import click

from ..console import Command, ext_option, text_field_option

errors_option = click.option(
    "--errors",
    type=click.Choice(["strict", "replace", "skip"]),
    default="strict",
    show_default=True,
    help="Broken records. strict: stop; replace: U+FFFD for bytes that are not UTF-8; skip: leave "
    "them out.",
)
as_option = click.option(
    "--as",
    "read_as",
    type=click.Choice(["text", "bytes"]),
    default="text",
    show_default=True,
    help="bytes: each file is one document, whatever its format.",
)


def reading_options(command: Command) -> Command:
    """Add the options for reading inputs; they go to `read_documents`."""
    return text_field_option(ext_option(errors_option(as_option(command))))

"""Print a text with visible token boundaries."""

import re
from collections.abc import Iterator
from itertools import islice

import click
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from ..visible import visible
from .adapter import NO_TOKEN, Cut

# Black on these is easy to read in light and dark terminals.
COLOURS = ("#9cc9f2", "#f7cf7f", "#a9dba0", "#eeb2d3")
LEFT_OUT = "#ffffff on #b00020"
SEPARATOR = "│"
PARTS_AT_ONCE = 4096


def print_tokens(text: bytes, found: Cut, with_ids: bool) -> None:
    """Print a cut text on stdout, in colours where it has them."""
    console = Console()
    in_colour = console.color_system is not None and not console.no_color
    parts = coloured(text, found, with_ids) if in_colour else plain(text, found, with_ids)
    while batch := list(islice(parts, PARTS_AT_ONCE)):
        if in_colour:
            styled = (Segment(shown, Style.parse(style)) for shown, style in batch)
            console.print(Segments(styled), end="", soft_wrap=True)
        else:
            click.echo("".join(shown for shown, _ in batch), nl=False)
    click.echo()


def coloured(text: bytes, found: Cut, with_ids: bool) -> Iterator[tuple[str, str]]:
    """Yield text to print and its style; a token that the text goes around is red."""
    turn = 0
    for token, piece in token_schema_of(text, found):
        if with_ids and token != NO_TOKEN:
            yield f" {token}", "dim"
        style = f"#000000 on {COLOURS[turn]}" if token != NO_TOKEN else LEFT_OUT
        turn = (turn + 1) % len(COLOURS)
        for line in lines(piece):
            yield line.rstrip("\n"), style
            if line.endswith("\n"):
                # Without a style, or some terminals colour the whole line that follows.
                yield "\n", ""


def plain(text: bytes, found: Cut, with_ids: bool) -> Iterator[tuple[str, str]]:
    """Yield the tokens with separators between them."""
    for number, (token, piece) in enumerate(token_schema_of(text, found)):
        before = SEPARATOR if number else ""
        name = f"{'–' if token == NO_TOKEN else token}:" if with_ids else ""
        yield before + name + "".join(lines(piece)), ""


def token_schema_of(text: bytes, found: Cut) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the bytes of each part of a text."""
    start = 0
    for token, end in zip(found.ids.tolist(), found.ends.tolist(), strict=True):
        yield token, text[start:end]
        start = end


def lines(piece: bytes) -> list[str]:
    r"""Return a token as visible text; a line that ends in it also ends on the screen.

    >>> lines(b"a\nb"), lines(b"")
    (['a⏎\n', 'b'], ['∅'])
    """
    if not piece:
        return ["∅"]
    return [
        visible(line) + "\n" * line.endswith(b"\n")
        for line in re.findall(rb"[^\n]*\n|[^\n]+", piece)
    ]

"""Refuses inputs of which none has a byte."""

from collections.abc import Sequence

from spiketok.errors import SpikeError

from .files import Source


def refuse_empty(sources: Sequence[Source]) -> None:
    """Refuse files of which none has a byte.

    Raises:
        SpikeError: the files are empty.
    """
    if not sources or any(source.bytes for source in sources):
        return
    files = "the file is empty" if len(sources) == 1 else "this file and all others are empty"
    raise SpikeError(f"{sources[0].shown}: {files}; name a file with text")

"""Empty inputs: errors where no file has a byte, or none has a document."""

from collections.abc import Mapping, Sequence

from spiketok.errors import SpikeError

from .bad_records import counted
from .files import Source

FIX = "name files with text"


def check_not_all_empty(sources: Sequence[Source]) -> None:
    """Check that some file is not empty.

    Raises:
        SpikeError: all are.
    """
    if not sources or any(source.bytes for source in sources):
        return
    files = "the file is empty" if len(sources) == 1 else "this file and all others are empty"
    raise SpikeError(f"{sources[0].shown}: {files}; name a file with text")


def without_documents(
    sources: Sequence[Source], dropped: Mapping[str, int], fix: str = FIX
) -> SpikeError:
    """Return the error of inputs that gave no document; `dropped` counts the records left out."""
    more = f" and {len(sources) - 1:,} more" if len(sources) > 1 else ""
    why = f"every record is left out ({counted(dropped)})" if dropped else "no documents"
    return SpikeError(f"{sources[0].shown}{more}: {why}; {fix}")

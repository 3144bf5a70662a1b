"""Text that `spike eval` scores: documents or conversations, from files or from shards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiketok.errors import SpikeError

from ..data.documents import named_sources, read_documents, warn_dropped
from ..data.same_tokenizer import check_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spike_lm.model.runs.folder import Run


@dataclass(frozen=True, slots=True)
class ScoredText:
    """Encoded documents to score.

    Attributes:
        documents: ids without separator, and their bytes; of conversations the bytes
            of the replies alone.
        contents: the bytes of each document; empty of conversations.
        sources: the file that each document is from.
        masks: of conversations, which ids are an assistant's; None where all of the text is scored.
    """

    documents: "list[tuple[NDArray[np.integer[Any]], int]]" = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    masks: "list[NDArray[np.bool_]] | None" = None


def text_of_files(loaded: "Run", paths: Sequence[Path], quiet: bool, **reads: Any) -> ScoredText:
    """Read and encode the documents of files; `reads` are the options of `read_documents`."""
    if all(path.is_file() and not path.stat().st_size for path in paths):
        raise SpikeError(f"{paths[0]}: the file is empty; name a file with text")
    found = read_documents(paths, quiet, **reads)
    if not any(one.text for one in found):
        raise SpikeError(f"{paths[0]}: there is no text to score; name a file with text")
    return ScoredText(
        [(loaded.tokenizer.encode(one.text), len(one.text)) for one in found],
        [one.text for one in found],
        [one.source for one in found],
    )


def chats_of_files(loaded: "Run", paths: Sequence[Path], quiet: bool, **reads: Any) -> ScoredText:
    """Read and encode conversations; `reads` are the options of `encoded_conversations`."""
    from datapipe import Dropped, encoded_conversations

    dropped, masks, text = Dropped(), [], ScoredText(masks=[])
    for source in named_sources(paths, (), "text", quiet, conversations=True):
        for ids, mask in encoded_conversations(source, loaded.tokenizer, dropped=dropped, **reads):
            text.documents.append((ids, reply_bytes(loaded, ids, mask)))
            text.sources.append(source.name)
            masks.append(mask)
    warn_dropped(dropped, quiet)
    if not masks:
        raise SpikeError(f"{paths[0]}: there is no conversation to score; name a file that has one")
    return ScoredText(text.documents, [], text.sources, masks)


def text_of_shards(loaded: "Run", folder: Path, split: str) -> ScoredText:
    """Read the encoded documents of one split of a shard folder.

    Raises:
        SpikeError: the shards are of another tokenizer, damaged, or the split is empty.
    """
    from datapipe import read_manifest, read_split

    manifest = read_manifest(folder)
    check_tokenizer(folder, manifest.tokenizer.fingerprint, loaded)
    text, masks = ScoredText(), []
    for batch in read_split(folder, split):
        for number in range(len(batch)):
            one = batch.part(number, number + 1)
            ids, n_bytes = one.tokens[:-1], int(one.n_bytes[0])
            if one.loss_mask is None:
                text.contents.append(loaded.tokenizer.decode_bytes(ids))
            else:
                masks.append(one.loss_mask[:-1] != 0)
                n_bytes = reply_bytes(loaded, ids, masks[-1])
            text.documents.append((ids, n_bytes))
            text.sources.append(manifest.sources[int(one.source[0])])
    if not text.documents:
        raise SpikeError(f"{folder}: its {split} split is empty; name another with --split")
    return ScoredText(text.documents, text.contents, text.sources, masks or None)


def reply_bytes(loaded: "Run", ids: Any, mask: Any) -> int:
    """Return the bytes of the ids in a mask; markers have none."""
    return int(loaded.tokenizer.byte_lengths[ids[mask]].sum())


def by_source(text: ScoredText, nats: "NDArray[np.float64]", rate: str) -> list[dict[str, Any]]:
    """Return the score of each file, most bytes first; `rate` is the name of its bits per byte.

    Of conversations all numbers but `documents` are of the replies.
    """
    tokens = [len(ids) + 1 for ids, _ in text.documents]
    if text.masks is not None:
        tokens = [int(mask.sum()) for mask in text.masks]
    sums: dict[str, list[float]] = {}
    for number, source in enumerate(text.sources):
        found = sums.setdefault(source, [0, 0, 0, 0.0])
        parts = (text.documents[number][1], tokens[number], 1, float(nats[number]))
        for place, part in enumerate(parts):
            found[place] += part
    rows = [
        {
            "value": source,
            rate: cost / (log(2) * n_bytes) if n_bytes else None,
            "bytes": n_bytes,
            "tokens": n_tokens,
            "documents": documents,
            "nats": cost,
        }
        for source, (n_bytes, n_tokens, documents, cost) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row["bytes"], row["value"]))

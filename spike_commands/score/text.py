"""Text that `spike eval` scores: documents or conversations, from files or from shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datapipe import Dropped, encoded_conversations, read_manifest, read_split
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.bits_per_byte import bits_per_byte
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..data.documents import named_sources, read_documents, warn_dropped
from ..data.same_tokenizer import check_tokenizer

# Options of `read_documents` for a text, and of `encoded_conversations` for conversations.
OF_TEXTS = ("text_field", "errors", "extensions", "read_as")
OF_CHATS = ("parse_markers", "ignored_keys")


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

    documents: list[tuple[NDArray[np.integer[Any]], int]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    masks: list[NDArray[np.bool_]] | None = None


def scored_text(
    loaded: Run,
    texts: Sequence[Path],
    chats: Sequence[Path],
    data_folder: Path | None,
    of_texts: bool,
    reads: Mapping[str, Any],
    show: Callbacks = SILENT,
) -> ScoredText:
    """Read and encode the text to score, of files or of shards.

    Args:
        loaded: the run whose tokenizer encodes it.
        texts: files of text.
        chats: files of conversations.
        data_folder: shards; None where there are files.
        of_texts: whether options of texts are given, with which shards of replies fail.
        reads: options of all kinds of inputs, and the `split` of the shards.
        show: callbacks for remarks.
    """
    if data_folder:
        text = text_of_shards(loaded, data_folder, reads["split"])
        check_no_replies(text, of_texts, data_folder)
        return text
    if chats:
        how = {name: reads[name] for name in OF_CHATS if name in reads}
        return chats_of_files(loaded, chats, show, **how)
    how = {name: reads[name] for name in OF_TEXTS if name in reads}
    return text_of_files(loaded, texts, show, **how)


def text_of_files(
    loaded: Run, paths: Sequence[Path], show: Callbacks = SILENT, **reads: Any
) -> ScoredText:
    """Read and encode the documents of files; `reads` are the options of `read_documents`.

    Args:
        loaded: the run to score.
        paths: files, folders and patterns.
        show: callbacks for progress and remarks.
        reads: options of `read_documents`.

    Raises:
        SpikeError: a file cannot be read, or there is no text.
    """
    if all(path.is_file() and not path.stat().st_size for path in paths):
        raise SpikeError(f"{paths[0]}: the file is empty; name a file with text")
    found = read_documents(paths, show, **reads)
    if not any(one.text for one in found):
        raise SpikeError(f"{paths[0]}: there is no text to score; name a file with text")
    return ScoredText(
        [(loaded.tokenizer.encode(one.text), len(one.text)) for one in found],
        [one.text for one in found],
        [one.source for one in found],
    )


def chats_of_files(
    loaded: Run, paths: Sequence[Path], show: Callbacks = SILENT, **reads: Any
) -> ScoredText:
    """Read and encode conversations; `reads` are the options of `encoded_conversations`.

    Args:
        loaded: the run to score.
        paths: files, folders and patterns.
        show: callbacks for progress and remarks.
        reads: options of `encoded_conversations`.

    Raises:
        SpikeError: a file cannot be read, or there is no conversation.
    """
    dropped, masks, text = Dropped(), [], ScoredText(masks=[])
    for source in named_sources(paths, (), "text", show, conversations=True):
        for ids, mask in encoded_conversations(source, loaded.tokenizer, dropped=dropped, **reads):
            text.documents.append((ids, reply_bytes(loaded, ids, mask)))
            text.sources.append(source.name)
            masks.append(mask)
    warn_dropped(dropped, show)
    if not masks:
        raise SpikeError(f"{paths[0]}: there is no conversation to score; name a file that has one")
    return ScoredText(text.documents, [], text.sources, masks)


def text_of_shards(loaded: Run, folder: Path, split: str) -> ScoredText:
    """Read the encoded documents of one split of a shard folder.

    Raises:
        SpikeError: the shards are of another tokenizer, damaged, or the split is empty.
    """
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


def check_no_replies(text: ScoredText, of_texts: bool, data_folder: Path) -> None:
    """Check that options for text do not come with shards of conversations.

    Raises:
        SpikeError: they do.
    """
    if text.masks is not None and of_texts:
        raise SpikeError(
            f"{data_folder}: is of conversations, of which only replies are scored; leave out "
            "--verify, --with, --without-network, --method, --across-files and --ttt"
        )


def reply_bytes(loaded: Run, ids: Any, mask: Any) -> int:
    """Return the bytes of the ids in a mask; markers have none."""
    return int(loaded.tokenizer.byte_lengths[ids[mask]].sum())


def by_source(text: ScoredText, nats: NDArray[np.float64], rate: str) -> list[dict[str, Any]]:
    """Return the score of each file, most bytes first, of `nats` [documents]; `rate` names it.

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
            rate: bits_per_byte(cost, int(n_bytes)),
            "bytes": n_bytes,
            "tokens": n_tokens,
            "documents": documents,
            "nats": cost,
        }
        for source, (n_bytes, n_tokens, documents, cost) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row["bytes"], row["value"]))

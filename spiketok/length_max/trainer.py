"""Length-max trainer: the vocabulary with the fewest tokens under longest match.

The objective is that of the Length-MAX tokenizer (arXiv 2511.20849): tokens per byte under
leftmost-longest matching. docs/length-max.md has the rounds, what did not work, and why its
n-gram scoreboard, frequency × length, is not used.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._native import EntryTrie
from ..corpus_sample import CorpusSample, document_ids, draw_sample
from ..cpu_count import available_cores
from ..holdout import HeldOut, held_out_of
from ..text_buffers import Buffer, join
from ..training_progress import TrainingProgress
from ..vocabulary import Vocabulary, build_vocabulary, room_for_pieces
from .corpus import TrainingText
from .pair_merging import merge_entries
from .rounds import Rounds, encode, in_order, occurrences
from .settings import EFFORTS, LengthMaxSettings

if TYPE_CHECKING:
    import pyarrow as pa


def train_length_max(
    read: Callable[[], Iterable["pa.RecordBatch"]],
    settings: LengthMaxSettings,
    *,
    held_out: HeldOut | None = None,
    threads: int = 0,
    inputs: Sequence[Path | str] = (),
    report: Callable[[TrainingProgress], None] | None = None,
) -> Vocabulary:
    """Train a vocabulary; the same documents in any order, and any `threads`, give the same one.

    Args:
        read: returns the corpus: record batches whose column `text` is binary or string. Called
            again for rounds that read more than the sample.
        settings: of the training.
        held_out: the documents for measurement only; None: those of `settings.held_out`.
        threads: number of threads; 0: one per core that is allowed.
        inputs: files and folders of the corpus, recorded in the vocabulary.
        report: called after each round.

    Returns:
        The vocabulary, its pieces from the most to the least used in the sample, ties by bytes. Ids
        that the corpus could not fill are reserved.

    Raises:
        SpikeError: there is no text to train on.
    """
    threads = threads or available_cores()
    held_out = held_out or held_out_of(document_ids(read()), settings.held_out)
    sampled = draw_sample(read(), settings.sample_bytes, held_out)
    text = TrainingText(sampled, read, settings, held_out)
    report = report or (lambda _: None)
    if settings.objective == "tokens":
        target = 256 + room_for_pieces(settings.vocab_size, settings.layout)
        effort = EFFORTS[settings.effort]
        entries = Rounds(settings, text, threads, report, effort, target).run()
    else:
        entries = in_order(merge_entries(settings, text.sample, threads, report))
    entries, uses = without_rare(entries, text.sample, settings.min_frequency, threads)
    ranked = sorted(zip(uses, entries, strict=True), key=lambda item: (-item[0], item[1]))
    return build_vocabulary(
        [entry for _, entry in ranked if len(entry) > 1],
        settings.vocab_size,
        settings.layout,
        max_token_bytes=settings.max_token_bytes,
        uses=dict(zip(entries, uses, strict=True)),
        settings=asdict(settings),
        training={
            **describe(sampled),
            **held_out.record(settings.held_out),
            "bytes_per_token": round(len(text.sample[0]) / sum(uses), 6),
            **measure(entries, join(sampled.held_out.chunks()), threads),
        },
        inputs=tuple(Path(file).absolute() for file in inputs),
    )


def without_rare(
    entries: list[bytes], texts: Buffer, least: int, threads: int
) -> tuple[list[bytes], list[int]]:
    """Remove rare entries until none is left; return the other entries and their uses.

    Args:
        entries: the vocabulary.
        texts: the sample, as bytes and offsets.
        least: entries used less often are removed, single bytes apart.
        threads: number of threads; 0: one per core.
    """
    while True:
        uses = occurrences(encode(entries, texts, threads)[0], entries)
        frequent = [
            entry
            for entry, use in zip(entries, uses, strict=True)
            if use >= least or len(entry) == 1
        ]
        if len(frequent) == len(entries):
            return entries, uses
        entries = in_order(frequent)


def measure(entries: list[bytes], texts: Buffer, threads: int) -> dict[str, float | None]:
    """Measure the bytes per token of held-out text and of its best cut; None without such text.

    The best cut has the fewest tokens possible with the same entries: it shows the cost of greedy
    matching.
    """
    size, tokens, fewest = len(texts[0]), None, None
    if size:
        tokens = size / len(encode(entries, texts, threads)[0])
        fewest = size / EntryTrie(*join(entries)).fewest_tokens(*texts, threads)
    return {
        "held_out_bytes_per_token": tokens and round(tokens, 6),
        "held_out_best_cut": fewest and round(fewest, 6),
    }


def describe(sample: CorpusSample) -> dict[str, Any]:
    """Return the training's description for the tokenizer file."""
    return {
        "documents": sample.documents,
        "bytes": sample.bytes,
        **sample.copies.as_members(),
        "sampled_bytes": sample.training.bytes,
        "sampled": sample.training.has_dropped,
        "held_out_documents": sample.held_out_documents,
        "held_out_bytes": sample.held_out.bytes,
        "corpus": f"{sample.name:032x}",
    }

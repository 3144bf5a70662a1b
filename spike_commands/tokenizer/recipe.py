"""Training of a tokenizer on files, as `spike tokenizer train` does it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datapipe import Dropped
from spiketok import (
    BeseSettings,
    LengthMaxSettings,
    Tokenizer,
    TrainingProgress,
    train_bese,
    train_length_max,
)

from ..callbacks import SILENT, Callbacks
from ..data.documents import warn_dropped, warn_skipped
from ..data.input_settings import lasting, note_on_copies, remark_marker
from ..holdout_advice import undivided
from ..output_paths import check_out
from .corpus import Corpus, open_corpus


def settings_of(
    options: Mapping[str, Any], length_max_alone: Sequence[str]
) -> LengthMaxSettings | BeseSettings:
    """Return the settings of the chosen algorithm.

    Args:
        options: of `spike tokenizer train`.
        length_max_alone: names of those that are settings of algorithm length-max alone.

    Raises:
        SettingError: an option has a value that the algorithm refuses.
    """
    settings: dict[str, Any] = {"held_out": options["held_out"], "memory": options["memory"] << 20}
    if options["vocab"] is not None:
        settings["vocab_size"] = options["vocab"]
    if options["algorithm"] == "bese":
        return BeseSettings(**settings, alphabet=options["alphabet"])
    settings |= {name: options[name] for name in length_max_alone}
    return LengthMaxSettings(**settings, layout=options["specials"])


def train_tokenizer(
    inputs: Sequence[Path],
    out: Path,
    settings: LengthMaxSettings | BeseSettings,
    *,
    held_out_files: Sequence[Path] = (),
    text_field: str = "text",
    errors: str = "strict",
    split_text: str = "auto",
    extensions: Sequence[str] = (),
    max_record: int = 1024,
    threads: int = 0,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Train a tokenizer on files and write it.

    Args:
        inputs: files, folders, patterns and -, for standard input.
        out: the file to write.
        settings: of the algorithm.
        held_out_files: files to measure on; none: those that `settings.held_out` chooses.
        text_field: the column with the text.
        errors: what to do with a broken record: strict, replace or skip.
        split_text: how a plain text becomes documents.
        extensions: endings of names that are plain text in folders.
        max_record: MiB of the largest record.
        threads: how many; 0: all allowed cores.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike tokenizer inspect --json`.

    Raises:
        SpikeError: there is no text, an input cannot be read, or the file cannot be written.
    """
    corpus, skipped = open_corpus(
        inputs,
        held_out_files,
        text_field=text_field,
        errors=errors,
        split_text=split_text,
        extensions=extensions,
        max_record=max_record << 20,
    )
    check_out(out, [source.path.absolute() for source in corpus.sources], "--out")
    warn_skipped(skipped, show)
    remark_marker(corpus.sources, corpus.split_text, show)
    total_mb = sum(source.bytes for source in corpus.sources) / 1e6
    dropped, furthest = Dropped(), 0.0
    train: Any = train_bese if isinstance(settings, BeseSettings) else train_length_max
    with show.progress("train", 100.0, "%") as report:

        def move(percent: float, remark: str) -> None:
            nonlocal furthest
            furthest = max(furthest, percent)  # rounds may read again
            report(furthest, remark)

        def reading(bytes_done: int) -> None:
            move(10 * bytes_done / 1e6 / max(total_mb, 1e-9), "reading")

        def training(progress: TrainingProgress) -> None:
            move(
                10 + 90 * progress.round / max(progress.rounds, 1),
                f"{progress.entries:,} entries, {progress.bytes_per_token:.4f} bytes/token",
            )

        vocabulary = train(
            lambda: corpus.read(dropped, reading),
            settings=settings,
            held_out=corpus.held_out(),
            threads=threads,
            inputs=lasting(inputs),
            report=training,
        )
    remark_on(vocabulary, corpus, dropped, show)
    replace(
        vocabulary,
        settings={**vocabulary.settings, **corpus.settings(out)},
        training={**vocabulary.training, **dropped.as_members()},
    ).write(out)
    return inspect_tokenizer(out)


def remark_on(vocabulary: Any, corpus: Corpus, dropped: Dropped, show: Callbacks) -> None:
    """Remark on a training: sampling, lost records, free ids.

    Args:
        vocabulary: the result.
        corpus: its training text.
        dropped: counts the records that are left out.
        show: callbacks for progress and remarks.
    """
    training = vocabulary.training
    if copies := note_on_copies(training["copied_bytes"], training["bytes"]):
        show.remark(copies)
    if training["sampled"]:
        different = training["bytes"] - training["copied_bytes"]
        seen, whole = training["sampled_bytes"] / 1e6, different / 1e6
        copies = " of different text" if training["copied_bytes"] else ""
        show.remark(
            f"sampled {seen:,.1f} of {whole:,.1f} MB{copies}; a larger --memory samples more"
        )
    if vocabulary.settings["held_out"] and not training["held_out_documents"]:
        why = undivided(corpus.sources, training["bytes"], "train")
        if training["documents"] > 1:
            why = "all documents are copies of one; add other documents"
        show.remark(f"nothing is held out: {why}")
    warn_dropped(dropped, show)
    for source in corpus.changed()[:1]:
        show.remark(f"{source.shown} changed while it was read; train again when nothing writes it")
    found, room = vocabulary.filling
    if found < room:
        show.remark(
            f"the corpus has only {found:,} of {room:,} entries; the other ids are reserved"
        )


def inspect_tokenizer(file: Path) -> dict[str, Any]:
    """Return what a tokenizer file holds, as `spike tokenizer inspect --json` prints it."""
    loaded = Tokenizer.load(file)
    vocabulary = loaded.vocabulary
    return {
        "vocab_size": loaded.vocab_size,
        "algorithm": loaded.algorithm,
        "lossless": loaded.lossless,
        "fingerprint": loaded.fingerprint,
        **vocabulary.shape,
        "special_tokens": len(loaded.special_ids),
        "reserved": len(vocabulary.reserved_ids),
        "settings": dict(vocabulary.settings),
        "training": dict(vocabulary.training),
        "inputs": [str(path) for path in vocabulary.inputs],
    }

"""Sharding of text or conversations, as `spike shard` does it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import UNSET

from datapipe import ChatSettings, ShardSettings, Source, describe, find_sources, write_shards
from datapipe.sources.files import text_endings, without
from spiketok import Tokenizer

from ..callbacks import SILENT, Callbacks
from ..holdout_advice import short_split, undivided
from .documents import warn_skipped
from .input_settings import as_trained, note_on_copies, remark_marker, words_of
from .trained_inputs import check_trained_on, held_out_files, trained_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharding:
    """Result of a sharding.

    Attributes:
        found: the object of `spike shard --json` but for `folder`.
        algorithm: of the tokenizer.
        notes: remarks on the result, one line each.
    """

    found: dict[str, Any]
    algorithm: str
    notes: tuple[str, ...]


def shard_text(
    inputs: Sequence[Path],
    tokenizer_path: Path,
    out: Path,
    *,
    validation: tuple[float, Sequence[Path]] | None = None,
    extensions: Sequence[str] = (),
    text_field: str | None = None,
    errors: str | None = None,
    split_text: str | None = None,
    max_record: int = 1024,
    workers: int = 0,
    overwrite: bool = False,
    show: Callbacks = SILENT,
    ask: Callable[[str], bool] | None = None,
    **settings: Any,
) -> Sharding:
    """Write text or conversations as token shards; after a crash a second call goes on.

    Args:
        inputs: files, folders and patterns; none: those that the tokenizer was trained on.
        tokenizer_path: its file.
        out: the folder to fill.
        validation: a fraction of documents to hold out, chosen by content, and files to hold out;
            None: those that the tokenizer held out of the same inputs, else 0.01.
        extensions: endings of names that are plain text.
        text_field: the column with the text; None: as the tokenizer was trained; so the next two.
        errors: what to do with a broken record: strict, replace or skip.
        split_text: how a plain text becomes documents.
        max_record: MiB of the largest record.
        workers: processes; 0: one per allowed core.
        overwrite: begin again, whatever the folder holds.
        show: callbacks for progress and remarks.
        ask: returns the answer to a question; None where there is nobody to ask.
        settings: others of `ShardSettings`, such as `chat`.

    Raises:
        SpikeError: an input cannot be read, the folder holds other shards, or the tokenizer names
            inputs that may not be read without asking.
    """
    vocabulary = Tokenizer.load(tokenizer_path).vocabulary
    given, inputs = inputs, tuple(inputs) or trained_inputs(tokenizer_path, vocabulary, out)
    asked = {"text_field": text_field, "errors": errors, "split_text": split_text}
    how = as_trained({**asked, "max_record": max_record}, vocabulary.settings)
    usual = held_out_files(tokenizer_path, vocabulary) if inputs == vocabulary.inputs else ()
    share, files = validation or (0.0 if usual else 0.01, usual)
    options = {**settings, **how, "validation": share}
    remark_what_was_seen(tokenizer_path, vocabulary, inputs, options, files, show)
    endings = text_endings(extensions or words_of(vocabulary.settings.get("ext")))
    of_chats = "chat" in settings
    sources, skipped = find_sources(inputs, endings, of_chats)
    warn_skipped(skipped, show, of_chats)
    held_out = find_sources(files, endings, of_chats)[0] if files else []
    every = [*without(sources, held_out), *held_out] if files == usual else sources
    unnamed = without(every, sources) if given else every
    check_trained_on(tokenizer_path, vocabulary, unnamed, every, options, show, ask)
    sources = without(sources, held_out)
    if not of_chats:
        remark_marker(sources, options["split_text"], show)
    total = sum(source.bytes for source in (*sources, *held_out)) / 1e6
    with show.progress("shard", total, "MB") as report:
        write_shards(
            sources,
            tokenizer_path,
            out,
            ShardSettings(**options),
            validation=held_out,
            workers=workers,
            overwrite=overwrite,
            report=lambda bytes_done: report(bytes_done / 1e6, ""),
            remark=show.remark,
        )
    found = describe(out)
    fraction = None if files else share
    notes = tuple(notes_on(out, sources, found, fraction))
    return Sharding(found=found, algorithm=vocabulary.algorithm, notes=notes)


def remark_what_was_seen(
    tokenizer_path: Path,
    vocabulary: Any,
    inputs: Sequence[Path],
    options: Mapping[str, Any],
    files: Sequence[Path],
    show: Callbacks,
) -> None:
    """Remark if the tokenizer was trained on text that now becomes validation.

    Args:
        tokenizer_path: the tokenizer's file.
        vocabulary: of the tokenizer.
        inputs: of the shards.
        options: settings of the shards.
        files: of the validation split.
        show: callbacks for progress and remarks.
    """
    trained, settings = [path.resolve() for path in vocabulary.inputs], vocabulary.settings
    kept = [path.resolve() for path in held_out_files(tokenizer_path, vocabulary)]
    for file in files:
        above = {file.resolve(), *file.resolve().parents}
        if above & set(trained) and not above & set(kept):
            how = f"hold it out with spike tokenizer train --validation {file}"
            show.remark(f"the tokenizer was trained on {file}; {how}")
    seen_from = settings.get("held_out")
    if files or inputs != vocabulary.inputs or not isinstance(seen_from, int | float):
        return  # the file may come from anyone
    if options["validation"] > seen_from:
        show.remark(
            f"the validation split is {options['validation']} of the documents, and the tokenizer "
            f"held out {seen_from}, so it was trained on some of the validation text"
        )
    elif options["validation"] and options["split_text"] != settings.get("split_text", "none"):
        show.remark(
            "the tokenizer's training split the text into other documents, so it was trained on "
            "some of the validation text"
        )


def notes_on(
    out: Path, sources: Sequence[Source], found: Mapping[str, Any], fraction: float | None
) -> Iterator[str]:
    """Yield remarks on copies, and on a split that is empty or too short.

    Args:
        out: the folder of the shards.
        sources: their inputs.
        found: as `describe` describes it.
        fraction: of the validation documents; None for held-out files.
    """
    if copies := note_on_copies(found["copied_bytes"], found["text_bytes"]):
        yield copies
    if fraction and not found["validation_documents"]:
        yield no_validation(sources, found)
    if advice := short_split(out, found, fraction is not None):
        yield advice


def no_validation(sources: Sequence[Source], found: Mapping[str, Any]) -> str:
    """Return the remark that there is no validation split, why, and what helps."""
    why = undivided(sources, found["text_bytes"], "shard it")
    if found["documents"] > 1:
        why = "all documents are copies of one; add other documents"
    elif "train_trained_tokens" in found:
        why = "there is only one conversation; add others"
    return f"no validation: {why}"


def chat_settings(parse_markers: bool, ignored_keys: tuple[str, ...]) -> ChatSettings:
    """Return how conversations are read."""
    ignored = tuple(sorted(set(ignored_keys)))
    return ChatSettings(parse_markers=parse_markers, ignored_keys=ignored or UNSET)

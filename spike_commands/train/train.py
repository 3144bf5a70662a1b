"""`spike train`: train a model with a configuration on a shard folder."""

import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spiketok.atomic_files import check_writable, locked, make_folder
from spiketok.errors import SpikeError

from ..console import OUTPUT, PATH, common_options, progress_bar, remark, use_passive_omp_wait
from ..process import stop_on_signals
from ..process_group import process_group
from ..result_rows import after_training, dry_run_rows, training_rows
from ..results import print_result, result_options, some
from ..xz_baseline import window_yardstick
from .configuration import TrainingCommand, chosen_run, data_of, print_config, print_presets
from .dry_run import checked_vocabulary, dry_run_numbers
from .progress import length_of, training_progress
from .resume import advise_resuming, check_data, resumed_lineage
from .sample import training_sampler
from .warm_start import starting_weights

if TYPE_CHECKING:
    from datapipe import Windows
    from spike_lm.model import Config
    from spike_lm.model.training.step import Batch
    from spike_lm.model.training.trainer import TrainResult

# Added by a shell to the number of the signal that ended a process.
EXIT_SIGNAL = 128


@click.command(cls=TrainingCommand)
@click.option("--config", "config_name", help="A TOML file, or the name of a preset.")
@click.option("--list", "lists", is_flag=True, help="Only name the presets.")
@click.option("--print", "prints", is_flag=True, help="Only print the configuration as TOML.")
@click.option("--data", "data_folder", type=PATH, help="Shards; else data.path's.")
@click.option(
    "--out",
    type=OUTPUT,
    help="The run folder; else runs/ and the config's name.",
)
@click.option("--resume", type=PATH, help="Go on with this run folder.")
@click.option("--init", type=PATH, help="Begin with the weights of this run.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change one value of the configuration; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Only say how large the model and the work are.")
@result_options
@common_options
def train(
    config_name: str | None,
    lists: bool,
    prints: bool,
    data_folder: Path | None,
    out: Path | None,
    resume: Path | None,
    init: Path | None,
    overrides: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a model on token shards.

    SIGTERM or Ctrl-C saves a checkpoint and stops; --resume goes on, bit for bit as if it had
    never stopped. --init begins a new run with the weights of another one, whose tokenizer and
    shapes must be the same.

    \b
    Examples:
      spike train --config base.toml
      spike train --config base --print > mine.toml
      spike train --config base --set train.steps=100 --out runs/short
      spike train --resume runs/base
      spike train --config base --data chats/ --init runs/base --out runs/chat
      spike train --config base.toml --dry-run --json
      spike train --config base --set 'distill.teachers=["runs/large"]' --out runs/student
      torchrun --nproc-per-node 2 --no-python spike train --set train.micro_batch_size=4
    """
    from spike_lm.model.config.loader import config_source

    if lists or prints:
        print_presets(as_json) if lists else print_config(config_name, overrides)
        return
    use_passive_omp_wait()
    if init and resume:
        raise click.UsageError("--init begins a new run and --resume goes on with one")
    config, folder = chosen_run(config_name, overrides, out, resume)
    if dry_run:
        numbers = dry_run_numbers(config, data_folder)
        print_result(numbers, as_json, dry_run_rows(numbers))
        return
    check_writable(folder)
    data_folder = data_of(config, data_folder, resume)
    with process_group() as rank:
        quiet = quiet or rank > 0
        source = "" if resume else config_source(config_name or "")
        result = run_training(config, source, data_folder, folder, init, quiet)
    number = result.pop("signal")
    if rank == 0:
        found = {"run": str(folder), **result}
        print_result(found, as_json, training_rows(found), after_training(found))
    if result["already_finished"]:
        remark(f"{folder} was finished already; nothing was trained", quiet)
    if result["stopped"]:
        remark(f"stopped by a signal; go on with: spike train --resume {folder}", quiet)
        raise click.exceptions.Exit(EXIT_SIGNAL + number)


def run_training(
    config: "Config", source: str, data_folder: Path, folder: Path, init: Path | None, quiet: bool
) -> dict[str, Any]:
    """Open the data, train, and return the run's result.

    The configuration's `source` is named once a new run begins; it is empty for a resumed one.
    """
    from datapipe import Windows, batches, open_stream
    from spike_lm.model.distributed import rank
    from spike_lm.model.runs.folder import create_run
    from spike_lm.model.training.teachers import open_teachers, teacher_fingerprints
    from spike_lm.model.training.trainer import train as train_model
    from spiketok import Tokenizer

    stream = open_stream(data_folder, "train")
    tokenizer = Tokenizer.load(data_folder / "tokenizer.json")
    if not source:
        check_data(folder, data_folder, tokenizer, stream.fingerprint)
    vocab_size = checked_vocabulary(config, data_folder)
    length, batch = config.model.context, config.train.batch_size
    open_batches = partial(batches, stream, length, batch, config.data.shuffle_seed)
    teachers = open_teachers(config, tokenizer)
    check_length(data_folder, Windows(stream, length))  # before the run folder is made
    validation = validation_windows(config, data_folder, quiet)
    weights, begun, trained_ids = starting_weights(init, config, tokenizer, quiet)
    fingerprints = {"tokenizer": tokenizer.fingerprint, "data": stream.fingerprint}
    fingerprints |= {**begun, **teacher_fingerprints(teachers)}
    make_folder(folder)
    started = time.monotonic()
    with (
        locked(folder, partial(remark, quiet=quiet)) if rank() == 0 else nullcontext(),
        progress_bar("train", *length_of(config), quiet) as show,
        stop_on_signals() as signals,
        advise_resuming(folder),
    ):
        if not source:
            fingerprints = resumed_lineage(folder, fingerprints, quiet)
        elif rank() == 0:
            create_run(folder, with_absolute_paths(config, data_folder), tokenizer, fingerprints)
            remark(f"configuration: {source}", quiet)
        result = train_model(
            config,
            folder,
            open_batches=open_batches,
            validation=validation,
            byte_lengths=tokenizer.byte_lengths,
            score_name=tokenizer.score_name,
            vocab_size=vocab_size,
            eos_id=tokenizer.eos_id,
            lineage=fingerprints,
            teachers=[teacher.model for teacher in teachers],
            weights=weights,
            trained_ids=trained_ids,
            resume=not source,
            report=training_progress(config, tokenizer.score_name, show, quiet),
            should_stop=lambda: signals.received > 0,
            sample=training_sampler(config, data_folder, tokenizer),
        )
    ended = {"seconds": time.monotonic() - started, "stopped": not result.finished}
    score = reached(folder, result, tokenizer.score_name, masked=stream.masked)
    score |= window_yardstick(validation, tokenizer, quiet)
    counted = {"step": result.step, "tokens": result.step * batch * length, **score}
    return {**counted, **ended, "signal": signals.received}


def reached(folder: Path, result: "TrainResult", score_name: str, masked: bool) -> dict[str, Any]:
    """Return losses and score of the last line of metrics; None where it has none.

    A run that was finished already has those of `metrics.jsonl`. Data with a loss mask has numbers
    of its own, over the replies alone, under names of their own.
    """
    from spike_lm.model.runs.metrics import METRICS, last_metrics

    already_finished = result.finished and not result.metrics
    metrics = last_metrics(folder / METRICS, result.step) if already_finished else result.metrics
    names = ["loss", f"train_{score_name}", f"validation_{score_name}"]
    if masked:
        replies = [f"train_reply_{score_name}", f"validation_reply_{score_name}"]
        names += ["reply_loss", *replies]
    names += sorted(key for key in metrics if key.endswith("_loss") and key not in names)
    found = {name: metrics.get(name) for name in names}
    numbers = {name: value if value == value else None for name, value in found.items()}
    return {**numbers, "already_finished": already_finished}


def with_absolute_paths(config: "Config", data_folder: Path) -> "Config":
    """Return the configuration with absolute paths, so that a run resumes from any folder."""
    from msgspec.structs import replace

    placed = replace(config, data=replace(config.data, path=str(data_folder)))
    if config.distill:
        teachers = tuple(str(Path(folder).absolute()) for folder in config.distill.teachers)
        placed = replace(placed, distill=replace(config.distill, teachers=teachers))
    return placed


def no_validation(data_folder: Path, windows: "Windows") -> str:
    """Return why the validation split has no window, and what to do."""
    from datapipe import read_manifest

    documents = [split.documents for split in read_manifest(data_folder).splits.values()]
    if sum(documents) == 1 and windows.stream.masked:
        return "there is one conversation; shard more of them"
    if sum(documents) == 1:
        how = "shard it with --split-text if it is plain text, or shard more documents"
        return f"the text is one document; {how}"
    return (
        f"{data_folder} holds out {windows.stream.tokens:,} tokens, and a window has "
        f"{windows.length:,}; shard more text, or hold out more with spike shard --validation"
        f"{or_shorter(windows)}"
    )


def check_length(data_folder: Path, windows: "Windows") -> None:
    """Check that the training split has at least one window."""
    if not windows.whole:
        raise SpikeError(
            f"{data_folder}: the train split has {some(windows.stream.tokens, 'token')}, too few "
            f"for one window of {windows.length:,}; shard more text{or_shorter(windows)}"
        )


def or_shorter(windows: "Windows") -> str:
    """Return the advice of a context that fits in a split; none for a split without tokens."""
    tokens = windows.stream.tokens
    if not tokens:
        return ""
    return f", or shorten the window: --set model.context={1 << (tokens.bit_length() - 1)}"


def validation_windows(config: "Config", data_folder: Path, quiet: bool) -> "Batch | None":
    """Read the configured number of windows, spread evenly over the validation split."""
    import numpy as np

    from datapipe import Windows, open_stream

    stream = open_stream(data_folder, "validation")
    windows = Windows(stream, config.model.context)
    wanted = min(config.validation.windows, windows.whole)
    if wanted == 0:
        if config.validation.windows:
            remark(f"no validation: {no_validation(data_folder, windows)}", quiet)
        return None
    chosen = windows.read(np.arange(wanted) * windows.whole // wanted)
    if chosen[1] is not None and not chosen[1][:, 1:].any():
        remark(f"no validation: {data_folder} holds out no reply in {wanted} windows", quiet)
        return None
    return chosen

"""`spike train`: a configuration and a shard folder to a trained model."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    Report,
    common_options,
    json_option,
    let_threads_sleep,
    print_result,
    progress_bar,
    remark,
)

if TYPE_CHECKING:
    from model import Config
    from model.training.step import Batch
    from model.training.trainer import Progress
    from model.transformer import Transformer
    from spiketok import Tokenizer

# What a shell reports of a process that SIGTERM ended.
EXIT_STOPPED = 143


@click.command()
@click.option("--config", "config_name", help="A TOML file, or the name of a preset.")
@click.option(
    "--data", "data_folder", type=click.Path(path_type=Path), help="Shards; else data.path's."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder; else runs/ and the config's name.",
)
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this run folder.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change one value of the configuration; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Only say how large the model and the work are.")
@json_option
@common_options
def train(
    config_name: str | None,
    data_folder: Path | None,
    out: Path | None,
    resume: Path | None,
    overrides: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a model on token shards.

    SIGTERM or Ctrl-C saves a checkpoint and stops; --resume goes on, bit for bit as if it had
    never stopped.

    \b
    Examples:
      spike train --config base.toml
      spike train --config base --set train.steps=100 --out runs/short
      spike train --resume runs/base
      spike train --config base.toml --dry-run --json
    """
    let_threads_sleep()
    config, folder = chosen_run(config_name, overrides, out, resume)
    data_folder = data_folder or Path(config.data.path)
    if dry_run:
        print_result(dry_run_numbers(config, data_folder), as_json)
        return
    result = run_training(config, data_folder, folder, resuming=bool(resume), quiet=quiet)
    print_result({"run": str(folder), **result}, as_json)
    if result["stopped"]:
        remark(f"stopped early; go on with: spike train --resume {folder}", quiet)
        raise click.exceptions.Exit(EXIT_STOPPED)


def chosen_run(
    config_name: str | None, overrides: tuple[str, ...], out: Path | None, resume: Path | None
) -> tuple["Config", Path]:
    """Return what to train and the folder of the run, from the options."""
    from model import load_config
    from model.run_folder import CONFIG, read_lineage

    if resume is None:
        if config_name is None:
            raise click.UsageError("say --config FILE for a new run, or --resume RUN")
        return load_config(config_name, overrides), out or Path("runs") / Path(config_name).stem
    if out not in (None, resume):
        raise click.UsageError("--resume goes on in its own folder; leave out --out")
    read_lineage(resume)
    config = load_config(str(resume / CONFIG))
    if config_name and load_config(config_name, overrides) != config:
        raise click.UsageError(f"{resume} was made with another configuration; leave out --config")
    if overrides and not config_name:
        raise click.UsageError("--set cannot change a run that is resumed")
    return config, resume


def dry_run_numbers(config: "Config", data_folder: Path) -> dict[str, Any]:
    """Count parameters and work without giving the model any memory."""
    from model.transformer import build_transformer, count_parameters, flops_per_token
    from spiketok.errors import SpikeError

    vocab_size = config.model.vocab_size
    if data_folder.exists():
        vocab_size = checked_vocabulary(config, data_folder)
    elif not vocab_size:
        raise SpikeError(
            f"model.vocab_size is 0, to follow the data, but there is no {data_folder}; "
            "use --data or --set model.vocab_size=16512"
        )
    model = build_transformer(config.model, vocab_size, device="meta")
    return {
        "parameters": count_parameters(model),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "tokens": config.train.steps * config.train.batch * config.model.context,
        "flops_per_token": flops_per_token(model),
        "vocab_size": vocab_size,
    }


def checked_vocabulary(config: "Config", data_folder: Path) -> int:
    """Return the data's vocabulary size, which must be the configured one if there is one."""
    from datapipe import read_manifest
    from spiketok.errors import SpikeError

    vocab_size = read_manifest(data_folder).tokenizer.vocab_size
    if config.model.vocab_size not in (0, vocab_size):
        raise SpikeError(
            f"model.vocab_size is {config.model.vocab_size}, but {data_folder} has "
            f"{vocab_size} ids; use --set model.vocab_size={vocab_size} or another --data"
        )
    return vocab_size


def run_training(
    config: "Config", data_folder: Path, folder: Path, resuming: bool, quiet: bool
) -> dict[str, Any]:
    """Open the data, train, and return what the run reached."""
    from datapipe import batches, open_stream
    from model.run_folder import create_run
    from model.training.trainer import train as train_model
    from spiketok import Tokenizer

    vocab_size = checked_vocabulary(config, data_folder)
    tokenizer = Tokenizer.load(data_folder / "tokenizer.json")
    stream = open_stream(data_folder, "train")
    validation = validation_windows(config, data_folder, quiet)
    length, batch = config.model.context, config.train.batch

    def open_batches(start: int) -> "Iterator[Batch]":
        return batches(stream, length, batch, config.data.shuffle_seed, start)

    open_batches(0)  # too little data is told before the run folder is made
    fingerprints = {"tokenizer": tokenizer.fingerprint, "data": stream.fingerprint}
    if not resuming:
        create_run(folder, config, tokenizer, fingerprints)
    started = time.monotonic()
    with (
        progress_bar("train", config.train.steps, "steps", quiet) as show,
        stop_on_signals() as should_stop,
    ):
        result = train_model(
            config,
            folder,
            open_batches=open_batches,
            validation=validation,
            byte_lengths=tokenizer.byte_lengths,
            vocab_size=vocab_size,
            lineage=fingerprints,
            resume=resuming,
            report=lambda progress: tell(progress, show, quiet),
            should_stop=should_stop,
            sample=lambda model: write_sample(config, model, tokenizer),
        )
    return {
        "step": result.step,
        "tokens": result.step * batch * length,
        "loss": result.metrics.get("loss"),
        "validation_bits_per_byte": result.metrics.get("validation_bits_per_byte"),
        "seconds": time.monotonic() - started,
        "stopped": result.step < config.train.steps,
    }


def validation_windows(config: "Config", data_folder: Path, quiet: bool) -> "Batch | None":
    """Read the configured number of windows, spread evenly over the validation split."""
    import numpy as np

    from datapipe import Windows, open_stream

    windows = Windows(open_stream(data_folder, "validation"), config.model.context)
    wanted = min(config.validation.windows, windows.count)
    if wanted == 0:
        if config.validation.windows:
            remark(
                f"no validation: {data_folder} holds out less than a window of "
                f"{windows.length + 1} tokens; more documents or spike shard --validation mend it",
                quiet,
            )
        return None
    return windows.read(np.arange(wanted) * windows.count // wanted)


def tell(progress: "Progress", show: Report, quiet: bool) -> None:
    """Show how training goes: on the bar, and a line for each validation and sample."""
    metrics = progress.metrics
    speed = f"{metrics['tokens_per_second']:,.0f} tokens/s"
    show(progress.step, f"loss {metrics['loss']:.4f}, {speed}")
    if "validation_bits_per_byte" in metrics:
        score = metrics["validation_bits_per_byte"]
        remark(f"step {progress.step:>6}: {score:.4f} bits per byte on validation text", quiet)
    if progress.sample is not None:
        remark(f"step {progress.step:>6}: {progress.sample!r}", quiet)


def write_sample(config: "Config", model: "Transformer", tokenizer: "Tokenizer") -> str:
    """Let the model continue the configured prompt."""
    from .sampling import continue_prompt

    prompt = config.sample.prompt.encode()
    ids = list(continue_prompt(model, tokenizer, prompt, config.sample.tokens, 0.8, 0.95, 0))
    return (prompt + tokenizer.decode_bytes(ids)).decode("utf-8", "replace")


class stop_on_signals:  # noqa: N801 (used as a `with` block)
    """Turns SIGTERM and Ctrl-C into a question the trainer asks after each step."""

    def __enter__(self) -> Callable[[], bool]:
        self.stopped = False
        self.before = {
            number: signal.signal(number, self.remember)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return lambda: self.stopped

    def remember(self, *_: Any) -> None:
        """Note the signal; a second one ends the process at once."""
        self.stopped = True
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

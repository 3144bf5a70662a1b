"""`spike train`: train a model with a configuration on a shard folder."""

from pathlib import Path

import click

from spiketok.atomic_files import check_writable
from spiketok.errors import SpikeError

from ..console import OUTPUT, PATH, callbacks, common_options, remark, use_passive_omp_wait
from ..process import stop_on_signals
from ..result_rows import after_training, dry_run_rows, training_rows
from ..results import print_result, result_options

# Added by a shell to the number of the signal that ended a process.
EXIT_SIGNAL = 128


class TrainingCommand(click.Command):
    """Command that answers unknown options with the configuration keys they may mean."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            UsageError: an option is unknown.
        """
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from .configuration import settings_named

            places = settings_named(error.option_name.lstrip("-").replace("-", "_"))
            if not places:
                raise
            ways = " and ".join(f"--set {place}=VALUE" for place in places)
            raise click.UsageError(f"no option {error.option_name}; use {ways}", ctx) from None


@click.command(cls=TrainingCommand)
@click.option("--config", "config_name", help="TOML file, or name of a preset.")
@click.option("--list", "lists", is_flag=True, help="Print the presets and exit.")
@click.option("--print", "prints", is_flag=True, help="Print the configuration as TOML and exit.")
@click.option(
    "--data",
    "data_folder",
    type=PATH,
    help="Shard folder.  [default: data.path of the configuration]",
)
@click.option(
    "--out",
    type=OUTPUT,
    help="Run folder to write.  [default: runs/ and the name of the configuration]",
)
@click.option("--resume", type=PATH, help="Resume the run in this folder.")
@click.option("--init", type=PATH, help="Start a new run with the weights of this run.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a value of the configuration; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print the sizes of model and training and exit.")
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

    SIGTERM or Ctrl-C saves a checkpoint and stops. --resume continues from it, bit for bit as
    without the stop. --init starts a new run with the weights of another one, whose tokenizer and
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
    from .configuration import new_run, print_config, print_presets

    if lists or prints:
        print_presets(as_json) if lists else print_config(config_name, overrides)
        return
    use_passive_omp_wait()
    if init and resume:
        raise click.UsageError("--init starts a new run and --resume continues one; leave one out")
    if resume and out not in (None, resume):
        raise click.UsageError("--resume continues in its own folder; leave out --out")
    if resume:
        from .resumed_run import resumed_config

        config, folder, source = resumed_config(config_name, overrides, resume), resume, ""
    else:
        config, folder, source = new_run(config_name, overrides, out)
    if dry_run:
        from .dry_run import dry_run_numbers

        numbers = dry_run_numbers(config, data_folder)
        print_result(numbers, as_json, dry_run_rows(numbers))
        return
    from .recipe import train_run

    check_writable(folder)
    signals = stop_on_signals()
    result = train_run(
        config,
        data_of(config.data.path, data_folder, resume),
        folder,
        resume=resume is not None,
        source=source,
        init=init,
        with_xz=not quiet,
        show=callbacks(quiet),
        signals=signals,
    )
    if (number := result.pop("rank")) == 0:
        found = {"run": str(folder), **result}
        print_result(found, as_json, training_rows(found), after_training(found))
    quiet = quiet or number > 0
    if result["already_finished"]:
        remark(f"{folder}: was finished already; nothing was trained", quiet)
    if result["stopped"]:
        remark(f"stopped by a signal; to continue: spike train --resume {folder}", quiet)
        raise click.exceptions.Exit(EXIT_SIGNAL + signals.received)


def data_of(configured: str, given: Path | None, resume: Path | None) -> Path:
    """Return the shard folder to train on: the one given, else the configured one.

    Raises:
        SpikeError: the data of a resumed run is neither where it was nor where it was
            relative to the run.
    """
    folder = (given or Path(configured)).absolute()
    if resume and not given and not folder.exists():
        raise SpikeError(
            f"{folder}: does not exist, and {resume} was trained on it; name the shards with --data"
        )
    return folder

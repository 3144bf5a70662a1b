"""`spike plan`: choose size and length of a training for a time, from probe runs."""

from pathlib import Path

import click

from ..console import (
    OUTPUT,
    PATH,
    Fraction,
    callbacks,
    common_options,
    remark,
    use_passive_omp_wait,
)
from ..output_paths import check_place
from ..process import stop_on_signals
from ..results import print_result, result_options
from .rows import plan_rows

# Added by a shell to the number of the signal that ended a process.
EXIT_SIGNAL = 128


@click.command()
@click.option("--data", type=PATH, help="Shard folder to train on.")
@click.option(
    "--text",
    "texts",
    type=PATH,
    multiple=True,
    help="Text instead of shards, as for spike tokenizer train; may be repeated.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    required=True,
    help="Time of the training to plan, on this machine.",
)
@click.option(
    "--probe-minutes",
    type=click.FloatRange(0, min_open=True),
    help="Time of all probes together.  [default: half of --minutes]",
)
@click.option(
    "--config",
    "config_name",
    default="base",
    show_default=True,
    help="TOML file or preset of the plain family; width, batch and steps are chosen.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a value of the configuration; may be repeated.",
)
@click.option(
    "--vocab",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Vocabulary size of the tokenizer for --text.",
)
@click.option(
    "--validation",
    type=Fraction(0, 0.5, min_open=True),
    default=0.01,
    show_default=True,
    help="Share of the documents of --text to hold out.",
)
@click.option(
    "--folder",
    type=OUTPUT,
    default=Path("plan"),
    show_default=True,
    help="Folder of the probes, which a second call uses again.",
)
@click.option(
    "--out", type=OUTPUT, default=Path("plan.toml"), show_default=True, help="TOML file to write."
)
@result_options
@common_options
def plan(
    data: Path | None,
    texts: tuple[Path, ...],
    minutes: float,
    probe_minutes: float | None,
    config_name: str,
    overrides: tuple[str, ...],
    vocab: int,
    validation: float,
    folder: Path,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Plan a training of --minutes: twelve short probes, a scaling law, the best size, its score.

    The probes have four widths and three lengths, each with its own whole schedule, and at most 3
    minutes each. The law of their validation scores predicts that of the training, with an
    interval. After Ctrl-C the same command goes on. docs/scaling.md explains the method.

    \b
    Examples:
      spike plan --data data/ --minutes 60 --out plan.toml
      spike plan --text corpus/ --minutes 10 --vocab 2048
      spike train --config plan.toml
    """
    if bool(texts) == bool(data):
        raise click.UsageError("name shards with --data or text with --text, one of both")
    use_passive_omp_wait()
    from .chosen_plan import planned

    check_place(out, "--out")
    signals = stop_on_signals()
    found = planned(
        config_name,
        overrides,
        data,
        texts,
        folder,
        out,
        minutes=minutes,
        probe_minutes=probe_minutes,
        vocab_size=vocab,
        validation=validation,
        show=callbacks(quiet),
        signals=signals,
    )
    if found is None:
        remark(f"stopped by a signal; the same command goes on with {folder}", quiet)
        raise click.exceptions.Exit(EXIT_SIGNAL + signals.received)
    print_result(found, as_json, plan_rows(found), ("spike", "train", "--config", out))

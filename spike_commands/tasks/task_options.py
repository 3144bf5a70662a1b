"""Options of `spike eval --tasks`, and the command's part for tasks."""

from collections.abc import Mapping
from dataclasses import fields
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from ..console import OUTPUT, PATH, Command, callbacks, tune_malloc, use_passive_omp_wait
from ..results import print_lines, print_result
from .option_values import TaskOptions
from .task_rows import listed, markdown_notes, markdown_rows, task_rows

LIST = "list"
NAMES = tuple(field.name for field in fields(TaskOptions))
# Other options that --tasks reads.
SHARED = {"run", "data_folder", "context", "device", "as_json", "quiet", "verbose", "debug"}
OPTIONS = (
    click.option(
        "--tasks",
        metavar="NAME,…",
        help="Score tasks: names, all, seeds, tiny-ml, or .jsonl files. list: print them.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="--tasks: items of each task; 0: all.",
    ),
    click.option(
        "--items", "items_file", type=OUTPUT, help="--tasks: file for results of single items."
    ),
    click.option(
        "--border",
        type=click.Choice(["joint", "exact", "lm-eval", "both"]),
        default="joint",
        show_default=True,
        help="--tasks: tokens that cross from the context; both: joint and exact.",
    ),
    click.option("--markdown", "as_markdown", is_flag=True, help="--tasks: print Markdown rows."),
    click.option(
        "--resume", "resume_items", is_flag=True, help="--tasks: continue the file of --items."
    ),
    click.option(
        "--allow-changed-data",
        "allow_changed",
        is_flag=True,
        help="--tasks: use data files with another checksum than the task defines.",
    ),
    click.option(
        "--from-hub", is_flag=True, help="--tasks: read the data from the Hugging Face hub."
    ),
    click.option(
        "--shards",
        type=PATH,
        help="--tasks: training shards to look the items up in.  [default: the run's]",
    ),
    click.option(
        "--overlap/--no-overlap",
        default=True,
        show_default=True,
        help="--tasks: look the items up in the training shards.",
    ),
    click.option(
        "--exclude-overlap",
        is_flag=True,
        help="--tasks: also score without the items that are in the training shards.",
    ),
    click.option(
        "--save-results",
        is_flag=True,
        help="--tasks: write evaluation.json and .eval_results/ into the model's folder.",
    ),
    click.option(
        "--trust-remote-code",
        is_flag=True,
        help="--tasks: run the code in a Hugging Face folder that has some.",
    ),
)


def task_options(command: Command) -> Command:
    """Add the options of tasks to `spike eval`; with --tasks, they run instead of the command."""

    @wraps(command)
    def with_tasks(**given: Any) -> None:
        context = click.get_current_context()
        options = TaskOptions(**{name: given.pop(name) for name in NAMES})
        named = {
            parameter.name: parameter.opts[0]
            for parameter in context.command.params
            if parameter.name
            and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        }
        check_together(options, named, given)
        if options.tasks is None:
            command(**given)
        elif options.tasks == LIST:
            print_list(given["as_json"])
        else:
            run_tasks(options, given)

    for option in reversed(OPTIONS):
        with_tasks = option(with_tasks)
    return with_tasks  # type: ignore[return-value]  # click's decorators keep the function


def check_together(
    options: TaskOptions, named: Mapping[str, str], given: Mapping[str, Any]
) -> None:
    """Check that the options on the command line go with --tasks, or with its absence.

    Args:
        options: those of tasks.
        named: name and option of each parameter on the command line.
        given: values of the other parameters.

    Raises:
        UsageError: they do not.
    """
    if options.tasks is None:
        for name in NAMES:
            if name in named:
                raise click.UsageError(f"{named[name]} goes with --tasks; leave it out")
        if given["run"] is None:
            raise click.UsageError("Missing argument 'RUN'.")
        return
    for name, option in named.items():
        if name not in SHARED and name not in NAMES:
            shown = given["more"][0] if name == "more" else option
            raise click.UsageError(f"{shown} does not go with --tasks; leave it out")
    if given["run"] is None and options.tasks != LIST:
        raise click.UsageError("Missing argument 'RUN'.")
    if options.resume_items and options.items_file is None:
        raise click.UsageError("--resume continues the file of --items; name it")
    if options.exclude_overlap and not options.overlap:
        raise click.UsageError("--exclude-overlap needs the overlap; leave out --no-overlap")
    if options.as_markdown and given["as_json"]:
        raise click.UsageError("--markdown and --json are two forms of the result; leave one out")


def print_list(as_json: bool) -> None:
    """Print all tasks."""
    from .task_list import task_list

    found = task_list()
    rows = {"tasks": "\n".join(listed(found["tasks"]))}
    rows |= {name: ", ".join(names) for name, names in found["suites"].items() if name != "all"}
    print_result(found, as_json, rows)


def run_tasks(options: TaskOptions, given: Mapping[str, Any]) -> None:
    """Score tasks and print the result.

    Args:
        options: those of tasks.
        given: values of the other parameters.
    """
    use_passive_omp_wait()
    tune_malloc()
    from .evaluation_run import evaluated

    found = evaluated(options, given, callbacks(given["quiet"]))
    if options.as_markdown:
        print_lines([*markdown_rows(found), *markdown_notes(found)])
    else:
        print_result(found, given["as_json"], task_rows(found))

"""The `spike` command: raw text to a trained and honestly measured language model."""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, EPERM
from importlib import import_module

import click

from spike_commands.console import ROLES, WRITTEN, discard
from spike_commands.visible import safe_for_terminals
from spiketok.errors import FIXES, PLACE_FAULTS, WRITE_FIXES, SettingError, SpikeError

# Command → module, name in it, summary for `spike --help`, which imports none of them.
COMMANDS = {
    "card": ("huggingface.card", "card", "Print the model card of a run."),
    "chat": ("chat.chat", "chat", "Chat with a model in a terminal or browser."),
    "compare": ("report.compare", "compare", "Compare two runs: keys, scores, items."),
    "compress": ("score.compress", "compress", "Compress a file with a model's predictions."),
    "data": ("data.group", "data", "Inspect and verify token shards."),
    "decompress": ("score.compress", "decompress", "Restore a file that compress wrote."),
    "demo": ("demo", "demo", "Train and score a small model in minutes."),
    "eval": ("score.evaluate", "evaluate", "Score text and evaluation tasks."),
    "export": ("huggingface.export", "export", "Write tokenizers and models for transformers."),
    "generate": ("chat.generate", "generate", "Continue prompts with a model."),
    "import": ("huggingface.import_", "import_folder", "Convert an exported model to a run."),
    "inspect": ("pack.pack", "inspect", "Show the sizes of a packed model's parts."),
    "pack": ("pack.pack", "pack", "Pack a run into one small file."),
    "plan": ("plan.plan", "plan", "Choose a training for a time and predict its score."),
    "report": ("report.report", "report", "Write a page on runs: curves, scores, samples."),
    "runs": ("report.runs", "runs", "List runs: state, scores, lineage."),
    "scaling": ("scaling.group", "scaling", "Fit scaling laws to runs."),
    "shard": ("data.shard", "shard", "Write text as token shards."),
    "tokenizer": ("tokenizer.group", "tokenizer", "Train, use and compare tokenizers."),
    "train": ("train.train", "train", "Train a model on token shards."),
    "unpack": ("pack.pack", "unpack", "Convert a packed model to a run folder."),
}
EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
# Fix for each command that runs out of memory; missing where the inputs determine its memory.
MEMORY_FIXES = {
    "tokenizer train": "pass a smaller --memory, or a smaller --max-record with --errors skip",
    "shard": "pass --workers 1, or a smaller --max-record with --errors skip",
    "train": "set a smaller train.micro_batch_size, a shorter model.context or a smaller model",
    "eval": "pass --batch-size 1 or a smaller --context",
    "compress": "pass a smaller --context",
    "generate": "pass --samples 1 or fewer --max-tokens",
    "pack": "pass fewer --calibration-sequences, or --method rtn",
}
MORE_MEMORY = "end other programs or raise the limit (ulimit -v)"
# Old name of an option → the new one, for the error that names it.
RENAMED_OPTIONS = {
    "--tokens": "--max-tokens",
    "--window": "--context",
    "--batch-windows": "--batch-size",
    "--prove": "--verify",
    "--reset": "--per-file",
    "--stream": "--across-files",
    "--specials": "--special-tokens",
    "--own-text": "--calibrate-on-samples",
    "--sequences": "--calibration-sequences",
    "--quantize": "--bits",
    "--prune": "--sparsity",
    "--no-heal": "--no-token-healing",
    "--held-out": "--validation",
}
ALIASES = {"version": ["--version"], "presets": ["train", "--list"]}


class LazyGroup(click.Group):
    """Group of `COMMANDS`, each imported at its first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"spike_commands.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line.

        Raises:
            NoSuchCommand: there is none of this name; similar ones are named.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            known = sorted(COMMANDS)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=known, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the summaries of `COMMANDS`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (*_, summary) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "-v", "--version", package_name="spike-lm", prog_name="spike")
def spike() -> None:
    """Train a small language model, from raw text to an honest score.

    \b
    spike tokenizer train corpus/ --vocab 16512
    spike shard --out data/
    spike train --config base.toml
    """


def expand_aliases(arguments: Sequence[str]) -> list[str]:
    """Replace words that are not commands, such as `help` and `version`, by their options.

    >>> expand_aliases(["help", "train"]), expand_aliases(["version"])
    (['train', '--help'], ['--version'])
    >>> expand_aliases(["train", "help"])
    ['train', 'help']
    """
    first, *rest = arguments or [""]
    if first == "help":
        return [*rest, "--help"]
    return [*ALIASES[first], *rest] if first in ALIASES else list(arguments)


def command_name(arguments: Sequence[str]) -> str:
    """Return the command of a command line without `spike`.

    >>> command_name(["tokenizer", "train", "a.txt"]), command_name(["-h"])
    ('tokenizer train', '')
    """
    command: click.Command = spike
    context = click.Context(spike)
    names = []
    for word in arguments:
        inner = command.get_command(context, word) if isinstance(command, click.Group) else None
        if inner is None:
            break
        command = inner
        names.append(word)
    return " ".join(names)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; each failure prints one line on stderr."""
    debug = "--debug" in arguments
    roles: Mapping[str, str] = {}
    written: Collection[str] = ()
    try:
        # Not spike.main, which prints its own line when interrupted.
        with spike.make_context("spike", expand_aliases(arguments)) as context:
            roles = context.meta.setdefault(ROLES, {})
            written = context.meta.setdefault(WRITTEN, set())
            spike.invoke(context)
            return 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "spike"
        fault = renamed(error) or error.format_message()
        print_error(f"{where}: {fault} (see {where} --help)")
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        print_error("spike: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has left; all files are complete before anything is printed.
        discard(sys.stdout)
        return 0
    except Exception as error:
        if debug:
            raise
        memory_fix = MEMORY_FIXES.get(command_name(arguments), MORE_MEMORY)
        print_error(f"spike: {explain(error, roles, written, memory_fix)}")
        return EXIT_USAGE if is_usage(error) else EXIT_FAILURE


def renamed(error: click.UsageError) -> str:
    """Return the message on an option that was renamed; "" for other errors."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return ""
    new = RENAMED_OPTIONS.get(error.option_name, "")
    known = {name for option in error.ctx.command.params for name in option.opts}
    known |= {name for option in error.ctx.command.params for name in option.secondary_opts}
    return f"{error.option_name} is now {new}" if new in known else ""


def is_usage(error: Exception) -> bool:
    """Return whether an error is a usage error of the command line."""
    return isinstance(error, SettingError)


def explain(
    error: Exception,
    roles: Mapping[str, str],
    written: Collection[str] = (),
    memory_fix: str = MORE_MEMORY,
) -> str:
    """Return the message of an error: place, fault and fix.

    Args:
        error: of a command.
        roles: path → the argument or option that named it.
        written: the paths that the command writes.
        memory_fix: the fix where memory is not enough.
    """
    if isinstance(error, SpikeError):
        return str(error)
    # torch has no exception class for this on CPUs.
    is_memory = any(words in str(error) for words in ("allocate memory", "out of memory"))
    if isinstance(error, MemoryError) or is_memory:
        return f"not enough memory; {memory_fix}"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        if not place and error.errno in (ENOSPC, EDQUOT, EFBIG):
            place = "standard output: "  # errors on files that spike writes have their names
        role = f" as {roles[str(error.filename)]}" if str(error.filename) in roles else ""
        if isinstance(error, IsADirectoryError):
            return f"{place}is a folder; name a file{role}"
        if error.errno in PLACE_FAULTS and str(error.filename) in written:
            return f"{place}{error.strerror}; choose another output"
        if error.errno in WRITE_FIXES:
            return f"{place}{error.strerror}; {WRITE_FIXES[error.errno]}"
        if error.errno in (EACCES, EPERM):
            return f"{place}{error.strerror}; {FIXES[error.errno]}"
        return f"{place}{error.strerror}; " + (f"name another file{role}" if place else "run again")
    fault = f"{type(error).__name__}: {error}"
    return f"this is a bug of spike: {fault}; report it with the traceback of --debug"


def print_error(message: str) -> None:
    """Print a message on stderr, in one line."""
    line = " ".join(message.split())
    with suppress(BrokenPipeError):
        click.echo(safe_for_terminals(line) if sys.stderr.isatty() else line, err=True)


def main() -> None:
    """Entry point of the `spike` command."""
    # Arrow's other allocators keep freed memory: up to 180 MiB for a row of 200.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

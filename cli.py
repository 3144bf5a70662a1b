"""The `spike` command: from raw text to a trained and honestly measured language model."""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from errno import EDQUOT, EFBIG, ENOSPC

import click

from spike_commands.chat.chat import chat
from spike_commands.chat.generate import generate
from spike_commands.console import ROLES, WRITTEN, discard
from spike_commands.data.group import data
from spike_commands.data.shard import shard
from spike_commands.demo import demo
from spike_commands.huggingface.export import export
from spike_commands.huggingface.import_ import import_folder
from spike_commands.pack.pack import inspect, pack, unpack
from spike_commands.score.compress import compress, decompress
from spike_commands.score.evaluate import evaluate
from spike_commands.tokenizer.group import tokenizer
from spike_commands.train.train import train
from spike_commands.visible import safe_for_terminals

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
# What each command can do with less memory; where it says nothing, its inputs are the measure.
MEMORY_CURES = {
    "tokenizer train": "pass a smaller --memory, or a smaller --max-record with --errors skip",
    "shard": "pass --workers 1, or a smaller --max-record with --errors skip",
    "train": "set a smaller train.micro_batch, a shorter model.context or a smaller model",
    "eval": "pass --batch-windows 1 or a smaller --window",
    "compress": "pass a smaller --window",
    "generate": "pass --samples 1 or fewer --tokens",
    "pack": "pass fewer --sequences, or --method rtn",
}
MORE_MEMORY = "end other programs or raise the limit (ulimit -v)"
WORDS = {"version": ["--version"], "presets": ["train", "--list"]}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-v", "--version", package_name="spike-lm", prog_name="spike")
def spike() -> None:
    """Train a small language model, from raw text to an honest score.

    \b
    spike tokenizer train corpus/ --vocab 16512
    spike shard --out data/
    spike train --config base.toml
    """


for command in (
    tokenizer,
    shard,
    data,
    train,
    evaluate,
    generate,
    chat,
    pack,
    unpack,
    inspect,
    compress,
    decompress,
    export,
    import_folder,
    demo,
):
    spike.add_command(command)


def meant(arguments: Sequence[str]) -> list[str]:
    """Return the command line that words which are no commands mean.

    >>> meant(["help", "train"]), meant(["version"]), meant(["train", "help"])
    (['train', '--help'], ['--version'], ['train', 'help'])
    """
    first, *rest = arguments or [""]
    if first == "help":
        return [*rest, "--help"]
    return [*WORDS[first], *rest] if first in WORDS else list(arguments)


def command_name(arguments: Sequence[str]) -> str:
    """Return the command of a command line without `spike`.

    >>> command_name(["tokenizer", "train", "a.txt"]), command_name(["-h"])
    ('tokenizer train', '')
    """
    command: click.Command = spike
    names = []
    for word in arguments:
        found = command.commands.get(word) if isinstance(command, click.Group) else None
        if found is None:
            break
        command = found
        names.append(word)
    return " ".join(names)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; every failure is one line on stderr."""
    debug = "--debug" in arguments
    roles: Mapping[str, str] = {}
    written: Collection[str] = ()
    try:
        # Not spike.main, which would print a line of its own when interrupted.
        with spike.make_context("spike", meant(arguments)) as context:
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
        complain(f"{where}: {error.format_message()} (see {where} --help)")
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        complain("spike: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Who reads our output has read enough; what is made is made before anything is printed.
        discard(sys.stdout)
        return 0
    except Exception as error:
        if debug:
            raise
        cure = MEMORY_CURES.get(command_name(arguments), MORE_MEMORY)
        complain(f"spike: {explain(error, roles, written, cure)}")
        return EXIT_USAGE if is_usage(error) else EXIT_FAILURE


def is_usage(error: Exception) -> bool:
    """Return whether an error is of what was said on the command line."""
    from spiketok.errors import SettingError

    return isinstance(error, SettingError)


def explain(
    error: Exception,
    roles: Mapping[str, str],
    written: Collection[str] = (),
    cure: str = MORE_MEMORY,
) -> str:
    """Say in one line what went wrong: the message alone when it was written for the user.

    `roles` says which argument or option each path was given as; `written` are those to write;
    `cure` helps where memory is not enough.
    """
    from spiketok.errors import PLACE_FAULTS, WRITE_FIXES, SpikeError

    if isinstance(error, SpikeError):
        return str(error)
    # torch has no type of its own for this on CPUs.
    lacks = any(words in str(error) for words in ("allocate memory", "out of memory"))
    if isinstance(error, MemoryError) or lacks:
        return f"not enough memory; {cure}"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        if not place and error.errno in (ENOSPC, EDQUOT, EFBIG):
            place = "standard output: "  # files that spike writes are named in their failures
        role = roles.get(str(error.filename))
        if isinstance(error, IsADirectoryError):
            return f"{place}is a folder; {role or 'this command'} needs a file"
        if error.errno in PLACE_FAULTS and str(error.filename) in written:
            return f"{place}{error.strerror}; choose another output"
        if error.errno in WRITE_FIXES:
            return f"{place}{error.strerror}; {WRITE_FIXES[error.errno]}"
        return f"{place}{error.strerror}" + (f" (given as {role})" if role else "")
    what = f"{type(error).__name__}: {error}"
    return f"this is a defect of spike: {what} (--debug shows where)"


def complain(message: str) -> None:
    """Print one line on stderr, whatever the message contains."""
    line = " ".join(message.split())
    with suppress(BrokenPipeError):
        click.echo(safe_for_terminals(line) if sys.stderr.isatty() else line, err=True)


def main() -> None:
    """Entry point of the `spike` command."""
    # Arrow's other allocators keep memory that was given back: up to 180 MiB for a row of 200.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

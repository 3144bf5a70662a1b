"""Lineage and configuration of a run folder, without its weights; nothing here loads torch."""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from spiketok.errors import SpikeError, parse_failures
from spiketok.fingerprints import distinct_prefixes
from spiketok.path_contents import path_contents
from spiketok.regular_files import read_regular

from ..config.loader import config_fingerprint, load_config
from ..config.schema import Config
from .checkpoint_folders import newest_checkpoint
from .checkpoint_state import STATE, parse_state

FORMAT = 1
CONFIG = "config.toml"
TOKENIZER = "tokenizer.json"
LINEAGE = "run.json"
FIX = "restore it from a copy"
# Name of the checkpoint that a run began with, among the fingerprints of its lineage.
INIT = "init"
# Contents of a path that is no run folder, and the command that makes one from them.
WAYS = {
    "packed model": "spike unpack makes one",
    "model folder for transformers": "spike import makes one",
    "shard folder": "spike train --data makes one",
    "does not exist": "spike train makes one",
}


class Lineage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lineage of a run: the fields of `run.json`."""

    format: int
    spike: str
    """Version of spike that made the run."""
    torch: str
    """Version of torch that made the run."""
    fingerprints: dict[str, str]
    """Of the run's inputs: `tokenizer`, `data`, of a student `teacher-1` …, and `init` where it
    began with another run's weights."""
    places: dict[str, str] = {}
    """Paths of `data` and teachers relative to the run folder, so that a project may move."""


def places_of(config: Config) -> dict[str, str]:
    """Return the folders that a run reads, by the names of their fingerprints."""
    teachers = config.distill.teachers if config.distill else ()
    named = {"data": config.data.path}
    return named | {f"teacher-{number}": path for number, path in enumerate(teachers, 1)}


def read_config(folder: Path) -> Config:
    """Read the configuration of a run, with the present paths of data and teachers.

    A path relative to the run is used if it exists, else the absolute path of its beginning. The
    caller compares the fingerprints of data and teachers.

    Raises:
        SpikeError: a file of the run cannot be read, or does not fit the newest checkpoint.
    """
    lineage = read_lineage(folder)
    config, places = load_config(str(part_of(folder, CONFIG))), lineage.places
    compare_with_checkpoint(folder, config, lineage)

    def present_path(name: str, path: str) -> str:
        relative = Path(os.path.normpath(folder.resolve() / places.get(name, "")))
        return str(relative) if name in places and relative.exists() else path

    now = {name: present_path(name, path) for name, path in places_of(config).items()}
    moved = replace(config, data=replace(config.data, path=now.pop("data")))
    if config.distill:
        moved = replace(moved, distill=replace(config.distill, teachers=tuple(now.values())))
    return moved


def compare_with_checkpoint(folder: Path, config: Config, lineage: Lineage) -> None:
    """Compare a run's configuration and lineage with the state of its newest checkpoint.

    The error names both files, for either may be damaged. This check comes first: any other would
    name shards or a tokenizer instead.

    Raises:
        SpikeError: they differ.
    """
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None:
        return
    known = parse_state(checkpoint).fingerprints
    ours = {"config": config_fingerprint(config), **lineage.fingerprints}
    for name in sorted(ours.keys() | known.keys()):
        theirs, own = distinct_prefixes(known.get(name, ""), ours.get(name, ""))
        if theirs != own:
            file = folder / (CONFIG if name == "config" else LINEAGE)
            raise SpikeError(
                f"{checkpoint / STATE}: its fingerprint of {name} ({theirs}) is not that of {file} "
                f"({own}); restore the damaged one of both from a copy"
            )


def part_of(folder: Path, name: str) -> Path:
    """Return the path of a required file of a run.

    Raises:
        SpikeError: it is missing.
    """
    if not (folder / name).exists():
        raise SpikeError(f"{folder / name}: missing; {FIX}")
    return folder / name


def read_lineage(folder: Path) -> Lineage:
    """Read `run.json`.

    Raises:
        SpikeError: there is none, or it is of an unknown format.
    """
    path = folder / LINEAGE
    with parse_failures(path, FIX):
        if not path.exists():
            raise SpikeError(f"{folder}: {no_run_folder(folder)}")
        lineage = msgspec.json.decode(read_regular(path), type=Lineage)
    if lineage.format != FORMAT:
        raise SpikeError(f"{path}: format {lineage.format} is not known; use a newer spike")
    return lineage


def no_run_folder(path: Path) -> str:
    """Return the message for a path that is no run folder: its contents and the fix."""
    contents = path_contents(path)
    way = next((way for kind, way in WAYS.items() if kind in contents), f"one has {LINEAGE}")
    return f"{contents}; name a run folder ({way})"

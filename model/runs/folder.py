"""Run folders: creating and opening them; docs/formats.md, section 3, describes their files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec
import torch
from msgspec.structs import replace

from spiketok import Tokenizer
from spiketok.atomic_files import make_folder, write_durably
from spiketok.errors import SpikeError, parse_failures
from spiketok.fingerprints import distinct_prefixes
from spiketok.path_contents import path_contents
from spiketok.regular_files import read_regular

from ..config.loader import config_fingerprint, dump_config, load_config
from ..config.schema import Config
from ..families.build import build_model
from ..families.language_model import LanguageModel
from ..families.parameter_roles import load_weights_
from .checkpoint import STATE, WEIGHTS, load_averages, load_trained_ids, parse_state, read_state
from .checkpoint_folders import check_no_links_inside, has_begun, newest_checkpoint
from .stored_weights import check_weights, described, model_of_shapes
from .tensor_files import file_sha256, load_tensors
from .trained_ids import TrainedIds

FORMAT = 1
CONFIG = "config.toml"
TOKENIZER = "tokenizer.json"
LINEAGE = "run.json"
FIX = "restore it from a copy"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run: a trained model with the weights for export, its tokenizer and its provenance."""

    config: Config
    model: LanguageModel
    tokenizer: Tokenizer
    step: int
    fingerprints: dict[str, str]
    digest: str
    """Sha256 of the checkpoint's `state.json`, which has those of its other files."""
    tables: Mapping[str, bytes] = field(default_factory=dict)
    """Tables of an artifact for evaluators; empty for a run folder."""
    trained_ids: TrainedIds = None
    """Ids that were targets in training, bool [V]; None where that is unknown."""


def create_run(
    folder: Path, config: Config, tokenizer: Tokenizer, fingerprints: Mapping[str, str]
) -> None:
    """Write the configuration, the tokenizer and the lineage of a new run.

    Args:
        folder: of the run.
        config: of the run.
        tokenizer: of the data.
        fingerprints: of the run's inputs, as in `Lineage`.

    Raises:
        SpikeError: the folder holds a run that has begun.
    """
    check_no_links_inside(folder)
    if has_begun(folder):
        raise SpikeError(f"{folder}: holds a run already; resume it or name another folder")
    make_folder(folder)
    write_durably(folder / CONFIG, dump_config(config).encode())
    tokenizer.save(folder / TOKENIZER)
    lineage = Lineage(
        format=FORMAT,
        spike=version("spike-lm"),
        torch=str(torch.__version__),
        fingerprints=dict(fingerprints),
        places={
            name: os.path.relpath(path, folder.resolve())
            for name, path in places_of(config).items()
            if Path(path).is_absolute()
        },
    )
    text = msgspec.json.format(msgspec.json.encode(lineage), indent=2)
    write_durably(folder / LINEAGE, text + b"\n")


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


def load_run(folder: Path, device: str = "cpu") -> Run:
    """Load the newest checkpoint of a run; every part is checked against the others.

    Raises:
        SpikeError: a part is missing, damaged or from another run.
    """
    lineage = read_lineage(folder)
    config = read_config(folder)
    tokenizer = Tokenizer.load(part_of(folder, TOKENIZER))
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None:
        raise SpikeError(f"{folder}: no checkpoint yet; resume the run")
    state, digest = read_state(checkpoint), file_sha256(checkpoint / STATE)
    if tokenizer.fingerprint != lineage.fingerprints.get("tokenizer"):
        raise SpikeError(f"{folder / TOKENIZER}: not the tokenizer of the run's training; {FIX}")
    model = _model_with_weights(checkpoint / WEIGHTS, config, tokenizer)
    if config.averaging and config.averaging.use != "weights":
        load_weights_(model, load_averages(checkpoint, model, config.averaging.use))
    model.to(device).requires_grad_(False)
    return Run(
        config=config,
        model=model,
        tokenizer=tokenizer,
        step=state.step,
        fingerprints=state.fingerprints,
        digest=digest,
        trained_ids=load_trained_ids(checkpoint, tokenizer.vocab_size),
    )


def _model_with_weights(path: Path, config: Config, tokenizer: Tokenizer) -> LanguageModel:
    """Build the model after checking that the weights fit, for its configuration may be forged."""
    weights = load_tensors(path)
    shapes = model_of_shapes(config, tokenizer, len(weights), str(path)).state_dict()
    check_weights(described(weights), described(shapes), str(path))
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, init_weights=False)
    model.load_state_dict(weights)
    return model

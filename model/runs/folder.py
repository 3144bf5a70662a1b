"""Run folders: creating and opening them; docs/formats.md, section 3, describes their files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec
import torch

from spiketok import Tokenizer
from spiketok.atomic_files import make_folder, write_durably
from spiketok.errors import SpikeError

from ..config.loader import dump_config
from ..config.schema import Config
from ..families.build import build_model
from ..families.language_model import LanguageModel
from ..families.parameter_roles import load_weights_
from .checkpoint import WEIGHTS, load_averages, load_trained_ids, read_state
from .checkpoint_folders import check_no_links_inside, has_begun, newest_checkpoint
from .checkpoint_state import STATE
from .lineage import (
    CONFIG,
    FIX,
    FORMAT,
    LINEAGE,
    TOKENIZER,
    Lineage,
    part_of,
    places_of,
    read_config,
    read_lineage,
)
from .stored_weights import check_weights, described, model_of_shapes
from .tensor_files import file_sha256, load_tensors
from .trained_ids import TrainedIds


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

"""Import of an exported folder as a run, or its model for use; its code is never read.

Files are untrusted until they are checked: the configuration before a model is built, names, shapes
and types of the weights before a tensor is read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from spiketok import Tokenizer
from spiketok.atomic_files import durable_folder
from spiketok.errors import SpikeError, parse_failures
from spiketok.huggingface import VOCABULARY_FILE
from spiketok.json_values import shown
from spiketok.path_contents import path_contents
from spiketok.regular_files import read_regular

from ..config.loader import config_fingerprint, config_of_sections, load_config
from ..config.schema import Config
from ..families.build import build_model
from ..families.sections import FAMILY_SECTIONS
from ..runs.folder import Run, create_run
from ..runs.stored_weights import FIX, check_weights, model_of_shapes
from ..runs.tensor_files import file_sha256, read_failures
from ..runs.trained_ids import TrainedIds
from ..training.checkpoint import RunPosition, TrainingTensors, save_checkpoint
from .config_json import MODEL_TYPE, spike_fields
from .provenance import CONFIG, WEIGHTS, Record, read_record
from .qwen3 import MODEL_TYPE as STOCK_TYPE
from .qwen3 import model_section

FIELDS, GENERATION = "config.json", "generation_config.json"
# Types of weights that become float32 without a change of value.
EXACT = ("F32", "BF16", "F16")


def import_model(folder: Path, run_folder: Path) -> Config:
    """Write a run folder from an exported one, whole or not at all; weights are equal to the bit.

    Without `spike_run.json`, as after `save_pretrained`, the run is at step 0 and its data unknown.

    Returns:
        The configuration of the run.

    Raises:
        SpikeError: a file is missing or damaged, or describes an unsupported model.
    """
    fields = read_fields(folder / FIELDS)
    record = read_record(folder)
    tokenizer = read_tokenizer(folder, fields)
    config = read_config(folder, fields, tokenizer)
    lineage = {"tokenizer": tokenizer.fingerprint}
    if record is not None:
        lineage = {key: value for key, value in record.fingerprints.items() if key != "config"}
        if lineage.get("tokenizer") != tokenizer.fingerprint:
            raise SpikeError(
                f"{folder / VOCABULARY_FILE}: not the tokenizer of the run; export the model again"
            )
    weights = read_weights(folder / WEIGHTS, config, tokenizer)
    try:
        with durable_folder(run_folder) as unfinished:
            create_run(unfinished, config, tokenizer, lineage)
            trained_ids = read_trained_ids(folder, tokenizer.vocab_size) if record else None
            _save(unfinished, config, tokenizer, weights, lineage, record, trained_ids)
    except FileExistsError:
        raise SpikeError(
            f"{run_folder}: exists already; remove it or choose another name"
        ) from None
    return config


def was_exported(folder: Path) -> bool:
    """Whether a folder with config.json has a model that spike supports, and spike's tokenizer.

    Raises:
        SpikeError: config.json cannot be read.
    """
    kind = _any_fields(folder / FIELDS).get("model_type")
    return kind in (MODEL_TYPE, STOCK_TYPE) and (folder / VOCABULARY_FILE).is_file()


def open_exported(folder: Path, device: str = "cpu") -> Run:
    """Open an exported folder without writing a run folder; weights are equal to the bit.

    Raises:
        SpikeError: as `import_model`.
    """
    fields, record = read_fields(folder / FIELDS), read_record(folder)
    tokenizer = read_tokenizer(folder, fields)
    config = read_config(folder, fields, tokenizer)
    weights = read_weights(folder / WEIGHTS, config, tokenizer)
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, init_weights=False)
    model.load_state_dict(weights)
    model.to(device).requires_grad_(False)
    return Run(
        config=config,
        model=model,
        tokenizer=tokenizer,
        step=record.step if record else 0,
        fingerprints=record.fingerprints if record else {"tokenizer": tokenizer.fingerprint},
        digest=file_sha256(folder / WEIGHTS),
        trained_ids=read_trained_ids(folder, tokenizer.vocab_size) if record else None,
    )


def _any_fields(path: Path) -> dict[str, Any]:
    with parse_failures(path, "export the model again"):
        if not path.exists():
            raise SpikeError(
                f"{path.parent}: {path_contents(path.parent)}, without {path.name}; name a folder "
                "that spike export model wrote"
            )
        fields: dict[str, Any] = msgspec.json.decode(read_regular(path), type=dict[str, Any])
    return fields


def read_fields(path: Path) -> dict[str, Any]:
    """Read config.json.

    Raises:
        SpikeError: it is missing, not a JSON object, or of an unsupported model.
    """
    fields = _any_fields(path)
    if fields.get("model_type") not in (MODEL_TYPE, STOCK_TYPE):
        raise SpikeError(
            f"{path}: model_type: {shown(fields.get('model_type'))} is not supported; name a model "
            f"of type {MODEL_TYPE!r} or {STOCK_TYPE!r}"
        )
    return fields


def read_tokenizer(folder: Path, fields: Mapping[str, Any]) -> Tokenizer:
    """Read the tokenizer, and check that it fits the model.

    Raises:
        SpikeError: it is missing, damaged, or has another size or separator than the model.
    """
    path = folder / VOCABULARY_FILE
    if not path.is_file():
        raise SpikeError(f"{path}: missing; put spike's tokenizer next to the weights")
    tokenizer = Tokenizer.load(path)
    expected = {"vocab_size": tokenizer.vocab_size}
    if fields.get("model_type") == MODEL_TYPE:
        expected["separator"] = tokenizer.eos_id
    for key, value in expected.items():
        if fields.get(key) != value:
            raise SpikeError(
                f"{folder / FIELDS}: {key}: {shown(fields.get(key))}, but the tokenizer has "
                f"{value}; use the model's tokenizer"
            )
    return tokenizer


def read_config(folder: Path, fields: Mapping[str, Any], tokenizer: Tokenizer) -> Config:
    """Return the configuration of the run, checked against config.json.

    Raises:
        SpikeError: the two disagree, or a value is not legal.
    """
    place = str(folder / FIELDS)
    if fields["model_type"] == STOCK_TYPE:
        sections = {"model": model_section(fields, place)}
    else:
        sections = fields.get("sections")  # type: ignore[assignment]
        known = {"model", *FAMILY_SECTIONS}
        if not isinstance(sections, dict) or not {"model"} <= sections.keys() <= known:
            families = " or ".join(FAMILY_SECTIONS)
            raise SpikeError(f"{place}: sections: unknown or missing; use model, and {families}")
    described = config_of_sections(sections, place)
    if described.model.vocab_size not in (0, tokenizer.vocab_size):
        raise SpikeError(
            f"{place}: sections.model.vocab_size: {described.model.vocab_size}, but the tokenizer "
            f"has {tokenizer.vocab_size}; use the model's tokenizer"
        )
    path = folder / CONFIG
    if not os.path.lexists(path):
        return described
    config = load_config(str(path))
    shapes = [spike_fields(c, tokenizer.vocab_size, 0)["sections"] for c in (described, config)]
    if shapes[0] != shapes[1]:
        raise SpikeError(f"{path}: not of the model in {FIELDS}; export the model again")
    return config


def read_weights(path: Path, config: Config, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """Return the weights by name, float32 tensors of the model's shapes, such as [V, D].

    Raises:
        SpikeError: the file is damaged, or a name, shape or type differs from the model's.
    """
    if not path.exists():
        raise SpikeError(f"{path}: missing; save the weights in this one file")
    with read_failures(path, FIX) as opened, safe_open(opened, framework="pt") as file:
        pieces = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        model = model_of_shapes(config, tokenizer, len(pieces), str(path))
        shapes = {name: list(weight.shape) for name, weight in model.state_dict().items()}
        found = {
            name: f"{_as_float32(piece.get_dtype())} {piece.get_shape()}"
            for name, piece in pieces.items()
        }
        needed = {name: f"F32 {shape}" for name, shape in shapes.items()}
        check_weights(found, needed, str(path))
        weights = {name: file.get_tensor(name).float() for name in shapes}
    for name, weight in weights.items():
        if not bool(weight.isfinite().all()):
            raise SpikeError(f"{path}: {name}: has numbers that are not finite; {FIX}")
    return weights


def _as_float32(dtype: str) -> str:
    return "F32" if dtype in EXACT else dtype


def read_trained_ids(folder: Path, vocab_size: int) -> TrainedIds:
    """Return which ids generation_config.json does not suppress, bool [vocab_size].

    None if the file lacks them, or has them in a form that `spike export model` does not write.
    """
    path = folder / GENERATION
    if not os.path.lexists(path):
        return None
    with parse_failures(path, "export the model again"):
        data = read_regular(path)
    try:
        suppressed = msgspec.json.decode(data, type=_Generation).suppress_tokens
    except (RecursionError, ValueError):
        return None
    if suppressed is None or not all(0 <= token < vocab_size for token in suppressed):
        return None
    trained = np.ones(vocab_size, np.bool_)
    trained[suppressed] = False
    return trained


class _Generation(msgspec.Struct, frozen=True):
    suppress_tokens: list[int] | None = None


def _save(
    run_folder: Path,
    config: Config,
    tokenizer: Tokenizer,
    weights: Mapping[str, Tensor],
    lineage: Mapping[str, str],
    record: Record | None,
    trained_ids: TrainedIds,
) -> None:
    """Write the checkpoint; the weights are also the values of the mean that is exported."""
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id)
    model.load_state_dict(dict(weights))
    exported = config.averaging.use if config.averaging else "weights"
    means: dict[str, Tensor] = {}
    if exported != "weights":
        means = {f"{exported}/{name}": p.detach() for name, p in model.named_parameters()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        save_checkpoint(
            run_folder,
            model,
            RunPosition(
                step=record.step if record else 0,
                samples=record.samples if record else 0,
                tokens=record.tokens if record else 0,
                fingerprints={"config": config_fingerprint(config), **lineage},
            ),
            TrainingTensors(averages=means, trained_ids=trained_ids),
        )

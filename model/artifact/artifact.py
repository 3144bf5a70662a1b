"""Artifact files: a quantized model, its configuration and its tokenizer in one file.

docs/formats.md, section 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import msgspec

from spiketok import Tokenizer
from spiketok.errors import SpikeError, parse_failures
from spiketok.id_layout import MAX_IDS

from ..config.loader import dump_config, parse_config
from ..config.schema import Config
from ..families.sections import without_training_only
from ..quantization.quantized_matrix import LowRank, QuantizedMatrix
from ..runs.trained_ids import TrainedIds, trained_from_bytes, trained_to_bytes
from .arrays import StoredArray, load_arrays, store_arrays, table_from_bytes, table_to_bytes
from .bit_packing import FLOATS, Array
from .container import FIX, Section, join_sections, most_allowed, refuse, split_sections

SCALES, LEFT, RIGHT = "/scales", "/left", "/right"
CONFIG, TOKENIZER, LINEAGE, ARRAYS, WEIGHTS = "config", "tokenizer", "lineage", "arrays", "weights"
REQUIRED = (CONFIG, TOKENIZER, LINEAGE, ARRAYS, WEIGHTS)
TRAINED_IDS = "trained-ids"
MAX_TEXT = 1 << 20
FEW_IDS = 1 << 16
OURS = (*REQUIRED, TRAINED_IDS)
Weight: TypeAlias = QuantizedMatrix | Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Artifact: a quantized model and its lineage."""

    config: Config
    """As trained, or as returned by `exported_config`."""
    tokenizer: Tokenizer
    step: int
    """Optimiser steps of the run."""
    fingerprints: Mapping[str, str]
    """Of the run's inputs: `config`, `tokenizer`, `data`."""
    compression: Mapping[str, str]
    """Quantization settings of the weights."""
    weights: Mapping[str, Weight]
    """By name: quantized matrices, or arrays of float32 or float16; without training-only ones."""
    tables: Mapping[str, bytes] = field(default_factory=dict)
    """Further tables for evaluators, by the name of their section."""
    trained_ids: TrainedIds = None
    """Ids that were targets in training, bool [V]; None where that is unknown."""


class _Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of the section `lineage`."""

    spike: str
    step: int
    fingerprints: dict[str, str]
    compression: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Contents of an artifact file: sections and arrays, not yet decoded."""

    sections: dict[str, Section]
    table: list[StoredArray]


def exported_config(config: Config) -> Config:
    """Return a configuration without training-only modules and without paths.

    Fingerprints are of the configuration as it was trained.
    """
    data = msgspec.structs.replace(config.data, path="")
    return msgspec.structs.replace(
        without_training_only(config), data=data, averaging=None, distill=None
    )


def artifact_to_bytes(artifact: Artifact) -> bytes:
    """Return the bytes of an artifact; equal artifacts give equal bytes.

    Raises:
        SpikeError: a table has the name of another section.
    """
    if taken := sorted(set(OURS) & artifact.tables.keys()):
        raise SpikeError(f"table {taken[0]}: a section has this name; choose another")
    table, weights = store_arrays(
        [row for name, weight in artifact.weights.items() for row in as_arrays(name, weight)]
    )
    tables = dict(artifact.tables)
    if artifact.trained_ids is not None:
        tables[TRAINED_IDS] = trained_to_bytes(artifact.trained_ids)
    lineage = _Lineage(
        spike=version("spike-lm"),
        step=artifact.step,
        fingerprints=dict(sorted(artifact.fingerprints.items())),
        compression=dict(artifact.compression),
    )
    return join_sections(
        [
            (CONFIG, dump_config(exported_config(artifact.config)).encode(), True),
            (TOKENIZER, artifact.tokenizer.to_bytes(), True),
            (LINEAGE, msgspec.json.encode(lineage), True),
            (ARRAYS, table_to_bytes(table), True),
            *((name, content, True) for name, content in sorted(tables.items())),
            (WEIGHTS, weights, False),
        ]
    )


def as_arrays(name: str, weight: Weight) -> list[tuple[str, int, Array]]:
    """Return the arrays, of any shape, of a weight: name, bits and numbers of each."""
    if not isinstance(weight, QuantizedMatrix):
        return [(name, 8 * weight.itemsize, weight)]
    arrays: list[tuple[str, int, Array]] = [(name, weight.bits, weight.codes)]
    arrays.append((name + SCALES, 16, weight.scales))
    if weight.correction is not None:
        arrays += as_arrays(name + LEFT, weight.correction.left)
        arrays += as_arrays(name + RIGHT, weight.correction.right)
    return arrays


def read_contents(path: Path) -> Contents:
    """Map an artifact and check its table of arrays.

    Raises:
        SpikeError: the file is no artifact, cut, damaged, or claims more than it can hold.
    """
    sections = split_sections(path)
    for name in REQUIRED:
        if name not in sections:
            refuse(path, f"section {name}", "is missing")
    if sections[WEIGHTS].coding:
        refuse(path, f"section {WEIGHTS}", "is compressed as a whole")
    for name in (CONFIG, LINEAGE):
        if sections[name].size > MAX_TEXT:
            refuse(path, f"section {name}", f"has {sections[name].size:,} bytes, too many")
    with parse_failures(f"{path}: section {ARRAYS}", FIX):
        table = table_from_bytes(sections[ARRAYS].plain())
    numbers = sum(row.numbers for row in table)
    if numbers > most_allowed(len(sections[WEIGHTS].stored)):
        refuse(path, f"section {ARRAYS}", f"claims {numbers:,} numbers, too many for the file")
    return Contents(sections=sections, table=table)


def read_artifact(path: Path, contents: Contents | None = None) -> Artifact:
    """Read an artifact in one pass; the caller checks the weights against the model.

    Raises:
        SpikeError: as `read_contents`, or a section is damaged.
    """
    sections = (contents := contents or read_contents(path)).sections
    plain = {}
    for name, section in sections.items():
        if name not in (ARRAYS, WEIGHTS):
            with parse_failures(f"{path}: section {name}", FIX):
                plain[name] = section.plain()
    with parse_failures(f"{path}: section {CONFIG}", FIX):
        config = parse_config(f"{path}: section {CONFIG}", plain.pop(CONFIG).decode())
    with parse_failures(f"{path}: section {LINEAGE}", FIX):
        lineage = msgspec.json.decode(plain.pop(LINEAGE), type=_Lineage)
    with parse_failures(f"{path}: section {WEIGHTS}", FIX):
        weights = _joined_arrays(contents)
    # A row of the embedding takes at least a byte; a small model may have many ids.
    most_ids = FEW_IDS + len(sections[WEIGHTS].stored)
    tokenizer = Tokenizer.load(path / TOKENIZER, plain.pop(TOKENIZER), min(most_ids, MAX_IDS))
    if tokenizer.fingerprint != lineage.fingerprints.get("tokenizer"):
        refuse(path, f"section {TOKENIZER}", "is not that of the run")
    trained_ids = None
    if TRAINED_IDS in plain:
        with parse_failures(f"{path}: section {TRAINED_IDS}", FIX):
            trained_ids = trained_from_bytes(plain.pop(TRAINED_IDS), tokenizer.vocab_size)
    positions = 2 * config.model.context * config.model.head_dim
    if positions > most_allowed(len(sections[WEIGHTS].stored)):
        refuse(path, f"section {CONFIG}", "has more positions than the file's size allows")
    return Artifact(
        config=config,
        tokenizer=tokenizer,
        step=lineage.step,
        fingerprints=lineage.fingerprints,
        compression=lineage.compression,
        weights=weights,
        tables=plain,
        trained_ids=trained_ids,
    )


def _joined_arrays(contents: Contents) -> dict[str, Weight]:
    """Return the result of `join_arrays`; its errors lack the file name and become ValueErrors."""
    try:
        return join_arrays(contents)
    except SpikeError as error:
        raise ValueError(error) from None


def join_arrays(contents: Contents) -> dict[str, Weight]:
    """Decode all arrays and join codes with their scales and corrections.

    Raises:
        ValueError: an array is damaged or missing.
        SpikeError: codes, scales and corrections do not fit.
    """
    floats: dict[str, Array] = {}
    codes: dict[str, tuple[int, Array]] = {}
    for row, array in load_arrays(contents.table, contents.sections[WEIGHTS].stored):
        if row.bits in FLOATS:
            floats[row.name] = array
        else:
            codes[row.name] = (row.bits, array)
    weights: dict[str, Weight] = {}
    for row in contents.table:
        owner = row.name.removesuffix(SCALES)
        if owner.removesuffix(LEFT).removesuffix(RIGHT) in codes.keys() - {row.name}:
            continue  # belongs to the codes of its owner
        weights[row.name] = (
            floats[row.name] if row.bits in FLOATS else quantized(row.name, codes, floats)
        )
    return weights


def quantized(
    name: str, codes: Mapping[str, tuple[int, Array]], floats: Mapping[str, Array]
) -> QuantizedMatrix:
    """Join the codes [rows, columns] of a name with their scales [rows] and corrections.

    Raises:
        ValueError: scales are missing, or one factor of a correction.
    """
    if name + SCALES not in floats:
        raise ValueError(f"{name} has no scales")
    left, right = name + LEFT, name + RIGHT
    correction = None
    if left in codes or right in codes:
        if left not in codes or right not in codes:
            raise ValueError(f"{name} has half a correction")
        correction = LowRank(
            left=quantized(left, codes, floats), right=quantized(right, codes, floats)
        )
    bits, array = codes[name]
    return QuantizedMatrix(
        codes=array, scales=floats[name + SCALES], bits=bits, correction=correction
    )

"""Size table of an artifact: its bytes by section, part and array."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spiketok.atomic_files import named_failures

from ..families.parameter_roles import role_of
from .arrays import entropy_bytes, load_arrays
from .artifact import read_artifact, read_contents


def artifact_table(data: bytes) -> dict[str, Any]:
    """Return the size table of an artifact's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.spike"
        with named_failures(path):
            path.write_bytes(data)
        return file_table(path)


def file_table(path: Path) -> dict[str, Any]:
    """Return the size table of a file, the result of `spike inspect` in docs/formats.md §4."""
    contents = read_contents(path)
    artifact = read_artifact(path, contents)
    arrays = [
        {
            "name": row.name,
            "shape": list(row.shape),
            "bits": row.bits,
            "layout": str(row.layout),
            "bytes": row.size,
            "entropy_bytes": entropy_bytes(array, row.bits),
            "bits_per_weight": 8 * row.size / row.numbers if row.numbers else None,
        }
        for row, array in load_arrays(contents.table, contents.sections["weights"].stored)
    ]
    weights = sum(weight.size for weight in map(numbers_of, artifact.weights.values()))
    stored = len(contents.sections["weights"].stored)
    return {
        "bytes": path.stat().st_size,
        "parts": part_bytes(arrays),
        "sections": {name: len(part.stored) for name, part in contents.sections.items()},
        "weights": weights,
        "bits_per_weight": 8 * stored / weights if weights else None,
        "entropy_bytes": sum(row["entropy_bytes"] for row in arrays),
        "step": artifact.step,
        "fingerprints": dict(artifact.fingerprints),
        "compression": dict(artifact.compression),
        "arrays": arrays,
    }


def numbers_of(weight: Any) -> Any:
    """Return the array that holds the numbers of a weight."""
    return getattr(weight, "codes", weight)


def part_bytes(arrays: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the bytes of arrays by part of the model, scales and corrections included."""
    sums = dict.fromkeys(("mlp", "attn", "embed", "other"), 0)
    for row in arrays:
        sums[role_of(row["name"].partition("/")[0]).quantization or "other"] += row["bytes"]
    return sums

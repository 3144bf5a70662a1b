"""Bytes of a run's packed model, where there is one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spike_lm.model.artifact.inspect import file_table
from spike_lm.model.runs.lineage import Lineage
from spiketok.errors import SpikeError

ENDING = ".spike"


def artifact_of(
    run: Path, lineage: Lineage, step: int, given: Sequence[Path]
) -> dict[str, Any] | None:
    """Return the sizes of the artifact of a run's last step; None where there is none.

    Those given are searched first, then files beside the run and in the working folder.

    Args:
        run: the run folder.
        lineage: of the run.
        step: of its newest checkpoint.
        given: files that were named.

    Raises:
        SpikeError: a file that was named is no artifact.
    """
    name = run.resolve().name + ENDING
    beside = [run.parent / name, run / name, Path(name)]
    for path in (*given, *(path for path in beside if path.is_file())):
        try:
            table = file_table(path)
        except SpikeError:
            if path in given:
                raise
            continue
        names = ("tokenizer", "data")
        same = all(table["fingerprints"].get(n) == lineage.fingerprints.get(n) for n in names)
        if same and table["step"] == step:
            kept = ("bytes", "parts", "sections", "weights", "bits_per_weight", "step")
            return {"file": str(path), **{key: table[key] for key in kept}}
    return None

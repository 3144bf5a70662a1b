"""Run folder of an exported model, as `spike import` makes it."""

from pathlib import Path
from typing import Any

from spike_lm.model.families.parameter_roles import count_parameters
from spike_lm.model.huggingface import import_model
from spike_lm.model.runs.folder import load_run


def import_to_run(folder: Path, run: Path) -> dict[str, Any]:
    """Make a run folder of an exported model; return the object of `spike import --json`."""
    import_model(folder, run)
    loaded = load_run(run)
    return {
        "run": str(run),
        "step": loaded.step,
        "parameters": count_parameters(loaded.model),
        "vocab_size": loaded.tokenizer.vocab_size,
        "fingerprints": loaded.fingerprints,
    }

"""Result rows of `spike plan`."""

from collections.abc import Mapping
from typing import Any

from ..results import some


def plan_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a plan: the predicted score, and the choices that it is of."""
    predicted, law, model = found["predicted"], found["law"], found["model"]
    low, high = predicted["interval"]
    held_out = found["held_out_error"]
    rows = {
        "predicted": f"{predicted['bits_per_byte']:.4f} bits per byte of held-out text, "
        f"{low:.4f} to {high:.4f}",
        "model": f"{some(model['parameters'], 'parameter')}, width {model['dim']}, "
        f"{some(model['layers'], 'layer')}",
        "training": f"{some(found['tokens'], 'token')} in {some(found['steps'], 'step')} of "
        f"{some(found['batch_size'], 'sequence')}, {found['epochs']:.2f} epochs, at "
        f"{found['tokens_per_second']:,.0f} tokens/s; rates {found['muon_learning_rate']:g} "
        f"(Muon), {found['adamw_learning_rate']:g} (AdamW)",
        "from": f"{len(found['probes'])} probes, R² {law['r2']:.4f}; "
        f"{found['compute_over_largest_probe']:.1f} times the largest one's compute"
        + (f", held-out probes predicted within {100 * held_out:.1f} %" if held_out else ""),
    }
    if found["epochs"] > 1:
        rows["caution"] = "the text repeats, which the law does not know"
    return rows | {"file": found["config"]}

"""Result rows of `spike scaling fit`."""

from collections.abc import Mapping
from typing import Any

from ..results import table_lines

DECAYS = "the learning rate falls within the run, which makes β too large: an upper bound"


def scaling_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a fit: all numbers of one run, a table of several and their joint law."""
    runs = found["runs"]
    if len(runs) == 1:
        rows = one_run(runs[0], found["knee"])
    else:
        heading = ["run", "E", "B", "β", "R²", "data term", "tokens"]
        cells = [
            [
                run["run"],
                f"{run['e']:.4f}",
                f"{run['b']:,.4g}",
                f"{run['beta']:.4f}",
                f"{run['r2']:.4f}",
                f"{run['data_term']:.4f}",
                counted(run["end_tokens"]),
            ]
            for run in runs
        ]
        rows = {"runs": "\n".join(table_lines(heading, cells))}
        if joint := found["joint"]:
            rows["joint law"] = joint_law(joint)
            if joint["unidentified"]:
                rows["caution"] = joint["unidentified"]
    if found["plots"]:
        rows["plot"] = ", ".join(found["plots"])
    return rows


def one_run(run: Mapping[str, Any], knee: Mapping[str, float]) -> dict[str, str]:
    """Return the rows of one run."""
    beta = run["intervals"]["beta"]
    rows = {
        "law": f"L(D) = {run['e']:.4f} + {run['b']:,.5g}·D^-{run['beta']:.4f} nats per token, "
        f"R² {run['r2']:.4f}, β {beta[0]:.3f} to {beta[1]:.3f}",
        "data term": data_term(run),
        "knee": f"{between(run, 'knee_by_difference')} by difference, "
        f"{counted(run['knee_by_derivative'])} by derivative: {counted(knee['more_tokens'])} more "
        f"gain less than {knee['least_gain']:g} nats",
    }
    if optimal := run["optimal_tokens"]:
        rows["optimal"] = (
            f"{counted(optimal['mixed'])} by a mix of two fits, this one and Chinchilla's; "
            f"{counted(optimal['chinchilla'])} by Chinchilla's constants, "
            f"{counted(optimal['per_parameter'])} by 20 tokens a parameter"
        )
    cautions = [run["unidentified"]] if run["unidentified"] else []
    cautions += [DECAYS] if run["learning_rate_decays"] else []
    return rows | ({"caution": "; ".join(cautions)} if cautions else {})


def data_term(run: Mapping[str, Any]) -> str:
    """Return the data term at the end of a run, and the gain of doubling the tokens."""
    low, high = run["intervals"]["data_term"]
    per_byte = run["bits_per_byte"]
    bits = f", {per_byte['doubling_gain']:.4f} bits per byte" if per_byte else ""
    return (
        f"{run['data_term']:.4f} nats ({low:.4f} to {high:.4f}) after "
        f"{counted(run['end_tokens'])}; twice the tokens gain {run['doubling_gain']:.4f}{bits} "
        f"({100 * run['doubling_perplexity_share']:.1f} % of the perplexity)"
    )


def joint_law(joint: Mapping[str, Any]) -> str:
    """Return a joint law with the intervals of its exponents."""
    intervals = joint["intervals"]
    alpha, beta = intervals["alpha"], intervals["beta"]
    return (
        f"L(N, D) = {joint['e']:.4f} + {joint['a']:,.4g}·N^-{joint['alpha']:.4f} + "
        f"{joint['b']:,.4g}·D^-{joint['beta']:.4f}, R² {joint['r2']:.4f}, α {alpha[0]:.3f} to "
        f"{alpha[1]:.3f}, β {beta[0]:.3f} to {beta[1]:.3f}"
    )


def between(run: Mapping[str, Any], name: str) -> str:
    """Return a number of tokens with its interval."""
    low, high = run["intervals"][name]
    return f"{counted(run[name])} ({counted(low)} to {counted(high)})"


def counted(tokens: float) -> str:
    """Return a number of tokens with three digits.

    >>> counted(4.376e9), counted(1.2e6), counted(500), counted(3e13)
    ('4.38 B tokens', '1.2 M tokens', '500 tokens', '30 T tokens')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g} {letter} tokens"
    return f"{tokens:.3g} tokens"

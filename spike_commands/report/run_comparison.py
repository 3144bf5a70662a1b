"""Comparison of two runs: keys that differ, and validation scores at the same tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from spike_lm.model.config.schema import Config
from spike_lm.model.evaluation.paired import PairedDifference
from spike_lm.model.runs.lineage import Lineage, read_config, read_lineage
from spike_lm.model.runs.metrics import METRICS, read_metrics

from .run_summary import Line, validation_name

# Keys that do not change a model: places of files, and logs.
PLACES = {"data.path", "distill.teachers", "log.to", "log.project"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Run record: the small files of a run."""

    folder: Path
    config: Config
    lineage: Lineage
    metrics: list[Line]


def read_run(folder: Path) -> RunRecord:
    """Read lineage, configuration and metrics of a run.

    Raises:
        SpikeError: one of them cannot be read.
    """
    return RunRecord(
        folder=folder,
        lineage=read_lineage(folder),
        config=read_config(folder),
        metrics=list(read_metrics(folder / METRICS)),
    )


def flat_config(config: Config) -> dict[str, Any]:
    """Return the keys of a configuration with their sections, but for paths and absent sections."""
    found: dict[str, Any] = {}
    for section, values in msgspec.structs.asdict(config).items():
        if values is not None:
            for key, value in msgspec.structs.asdict(values).items():
                found[f"{section}.{key}"] = list(value) if isinstance(value, tuple) else value
    return {key: value for key, value in found.items() if key not in PLACES}


def differing(first: dict[str, Any], second: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the keys whose values differ, with both values; None for a key that one lacks.

    >>> differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    {'b': [2, 3], 'c': [None, 4]}
    """
    keys = [*first, *(key for key in second if key not in first)]
    both = {key: [first.get(key), second.get(key)] for key in keys}
    return {key: values for key, values in both.items() if values[0] != values[1]}


def config_differences(first: RunRecord, second: RunRecord) -> dict[str, list[Any]]:
    """Return the keys of configuration and lineage that differ, with both values."""
    lineages = [
        {"spike": run.lineage.spike, "torch": run.lineage.torch, **run.lineage.fingerprints}
        for run in (first, second)
    ]
    return differing(flat_config(first.config), flat_config(second.config)) | differing(*lineages)


def validations(run: RunRecord) -> Iterator[tuple[int, int, str, float]]:
    """Yield step, tokens, name and value of each validation score."""
    for line in run.metrics:
        for key, value in line.items():
            if (name := validation_name(key)) and isinstance(value, float | int):
                yield int(line["step"] or 0), int(line.get("tokens") or 0), name, float(value)


def same_validation_text(first: RunRecord, second: RunRecord) -> bool:
    """Return whether the validation windows of two runs are the same text."""

    def text_of(run: RunRecord) -> tuple[Any, ...]:
        data = run.lineage.fingerprints.get("data")
        return data, run.config.validation.windows, run.config.model.context

    return text_of(first) == text_of(second) and text_of(first)[0] is not None


def validation_pairs(first: RunRecord, second: RunRecord) -> list[dict[str, Any]]:
    """Return the validation scores of both runs after the same number of tokens.

    The difference is the second score minus the first.
    """
    known = {(tokens, name): (step, value) for step, tokens, name, value in validations(first)}
    return [
        {
            "tokens": tokens,
            "steps": [known[tokens, name][0], step],
            "score_name": name,
            "scores": [known[tokens, name][1], value],
            "difference": value - known[tokens, name][1],
        }
        for step, tokens, name, value in validations(second)
        if (tokens, name) in known
    ]


def as_members(found: PairedDifference) -> dict[str, Any]:
    """Return a paired difference as an object of JSON."""
    return {
        "scores": [found.first, found.second],
        "difference": found.difference,
        "interval": None if found.low is None else [found.low, found.high],
        "distinguishable": found.distinguishable,
        "items": found.items,
    }


def compare_runs(first: Path, second: Path) -> dict[str, Any]:
    """Return the differing keys and the paired validation scores of two runs.

    Raises:
        SpikeError: a run cannot be read.
    """
    runs = read_run(first), read_run(second)
    return {
        "runs": [str(first), str(second)],
        "config": config_differences(*runs),
        "same_validation_text": same_validation_text(*runs),
        "validation": validation_pairs(*runs),
    }

"""File `plan.json` of a plan's folder: the inputs of the plan, and the speed that was measured."""

import os
from pathlib import Path

import msgspec

from spiketok.atomic_files import make_folder, write_durably
from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import read_regular

NAME, FORMAT = "plan.json", 1


class PlanInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of a plan; a folder has the probes of one plan."""

    data: str
    """Fingerprint of the training split."""
    config: str
    """Fingerprint of the base configuration."""
    minutes: float
    """Time of the training to plan."""
    probe_minutes: float
    """Time of all probes, as estimated."""


class PlanFile(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of `plan.json`."""

    format: int
    inputs: PlanInputs
    flops_per_second: float
    """Measured once: the probes of a second call are those of the first one."""


def read_plan(folder: Path, inputs: PlanInputs) -> float | None:
    """Return the speed that an earlier call measured; None where there was none.

    Raises:
        SpikeError: the folder has the probes of another plan, or the file is damaged.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    with parse_failures(path, "remove it; probes that fit are used again"):
        found = msgspec.json.decode(read_regular(path), type=PlanFile)
    if found.format != FORMAT or found.inputs != inputs:
        fields = [
            name
            for name in PlanInputs.__struct_fields__
            if getattr(found.inputs, name) != getattr(inputs, name)
        ]
        raise SpikeError(
            f"{path}: is of a plan with other {' and '.join(fields).replace('_', ' ')}; choose "
            "another --folder"
        )
    return found.flops_per_second


def write_plan(folder: Path, inputs: PlanInputs, flops_per_second: float) -> None:
    """Write the file into a folder, which is made."""
    make_folder(folder)
    plan = PlanFile(format=FORMAT, inputs=inputs, flops_per_second=flops_per_second)
    text = msgspec.json.format(msgspec.json.encode(plan), indent=2)
    write_durably(folder / NAME, text + b"\n")

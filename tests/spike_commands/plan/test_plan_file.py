"""The file of a plan's folder: written and read back; damage and other plans are one line."""

import msgspec
import pytest

from spike_commands.plan.plan_file import NAME, PlanInputs, read_plan, write_plan
from spiketok.errors import SpikeError

INPUTS = PlanInputs(data="d", config="c", minutes=10.0, probe_minutes=2.0)


def test_reads_what_was_written(tmp_path):
    assert read_plan(tmp_path, INPUTS) is None
    write_plan(tmp_path, INPUTS, 1e9)
    assert read_plan(tmp_path, INPUTS) == 1e9


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff", b'{"format": "1"}']
)
def test_damage_is_named(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(SpikeError, match=NAME):
        read_plan(tmp_path, INPUTS)


def test_another_plan_is_named(tmp_path):
    write_plan(tmp_path, INPUTS, 1e9)
    with pytest.raises(SpikeError, match="other minutes"):
        read_plan(tmp_path, msgspec.structs.replace(INPUTS, minutes=3.0))

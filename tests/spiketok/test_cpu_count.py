"""Cores that a process may use, from made-up control groups."""

import os

import pytest

from spiketok import cpu_count as cores
from spiketok.cpu_count import available_cores, cgroup_quota


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n"}, None),
        # In a container the group named is not among the mounts, and the root is its own.
        ("0::/docker/1\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (
            "3:memory:/m\n2:cpu,cpuacct:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            "1:cpu:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("0::/\n", {"cpu.max": "nonsense\n"}, None),
        ("0::/\n", {}, None),
    ],
)
def test_quota_of_control_groups(tmp_path, groups, files, quota):
    write(tmp_path / "groups", groups)
    for name, content in files.items():
        write(tmp_path / "mounts" / name, content)
    assert cgroup_quota(tmp_path / "groups", tmp_path / "mounts") == quota


@pytest.mark.parametrize(("quota", "count"), [(None, 8), (2.0, 2), (1.5, 2), (0.1, 1), (64.0, 8)])
def test_cores_are_those_allowed(monkeypatch, quota, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: quota)
    assert available_cores.__wrapped__() == count

"""CPU count: the cores that this process may use, by affinity and cgroup quota."""

import os
from functools import cache
from math import ceil
from pathlib import Path


@cache
def available_cores() -> int:
    """Return the number of cores for worker processes and threads, at least 1.

    The smaller of the CPU affinity and the cgroup's quota, rounded up. A container's processes see
    all cores of the machine, and more threads than the quota allows only wait.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    quota = cgroup_quota()
    return max(1, allowed if quota is None else min(allowed, ceil(quota)))


def cgroup_quota(
    groups: Path = Path("/proc/self/cgroup"), mounts: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """Return the cgroup quota of the process in cores; None for no limit.

    Args:
        groups: the groups of the process, as the kernel lists them.
        mounts: where cgroups are mounted: version 2, or the controllers of version 1.
    """
    try:
        lines = groups.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    quotas: list[float | None] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            roots = [mounts, mounts / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [mounts / controllers, mounts / "cpu"]
        else:
            continue
        # A limit of any group above counts, and a container may see its own as the root.
        inside = Path(path.lstrip("/"))
        below = (inside, *inside.parents)
        quotas += [folder_quota(root / folder) for root in roots for folder in below]
    return min((quota for quota in quotas if quota), default=None)


def folder_quota(folder: Path) -> float | None:
    """Return the quota of one cgroup in cores; None where it has no limit."""
    try:
        if (limit := folder / "cpu.max").exists():
            allowed, period = limit.read_text(encoding="ascii").split()
        else:
            allowed = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return int(allowed) / int(period) if int(allowed) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
        return None

"""Pace and text of a progress line: what is done, the remaining time, and numbers, in any width."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from re import match

from .sparkline import ASCII, BLOCKS, sparkline

# Older reports are no measure of the present speed.
WINDOW_SECONDS = 60.0
FULL_BAR, SHORTEST_BAR = 24, 6
SHORTEST_TREND, LONGEST_TREND = 5, 32


@dataclass(slots=True)
class Pace:
    """Speed and remaining time of a task, from the reports of the last minute."""

    total: float
    reports: deque[tuple[float, float]] = field(default_factory=deque)
    """Time in seconds and amount done, oldest first."""

    @property
    def done(self) -> float:
        """Amount done by the last report."""
        return self.reports[-1][1] if self.reports else 0.0

    def add(self, seconds: float, done: float) -> None:
        """Record that `done` was reached at a time; a task that starts again starts a new pace."""
        if done < self.done:
            self.reports.clear()
        self.reports.append((seconds, done))
        while len(self.reports) > 2 and self.reports[1][0] < seconds - WINDOW_SECONDS:
            self.reports.popleft()

    def speed(self) -> float | None:
        """Return the amount done per second; None before the second report."""
        if len(self.reports) < 2:
            return None
        (begun, first), (now, last) = self.reports[0], self.reports[-1]
        return (last - first) / (now - begun) if now > begun and last > first else None

    def eta(self) -> str:
        """Return the remaining time as a clock shows it; empty where it is unknown."""
        speed = self.speed()
        return clock((self.total - self.done) / speed) if speed else ""


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds; a long one as hours and minutes, or days.

    >>> clock(7.4), clock(3725), clock(36060), clock(1e6)
    ('0:07', '1:02:05', '10h01', '11 days')
    """
    hours, rest = divmod(max(0, round(seconds)), 3600)
    if hours > 99:
        return f"{hours // 24} days"
    minutes, rest = divmod(rest, 60)
    if hours > 9:
        return f"{hours}h{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def amount_done(done: float, total: float, unit: str) -> str:
    """Return the amount done of the total.

    >>> amount_done(1200, 70_000, "tokens"), amount_done(1.25, 6, "MB"), amount_done(45, 100, "%")
    ('1,200/70,000', '1.2/6.0 MB', '45%')
    """
    if unit == "%":
        return f"{done:.0f}%"
    if unit == "MB":
        digits = 1 if total < 100 else 0
        return f"{done:,.{digits}f}/{total:,.{digits}f} MB"
    return f"{done:,.0f}/{total:,.0f}"


def plain_line(description: str, pace: Pace, unit: str, remark: str) -> str:
    """Return a line for a log: description, amount, share, speed, remark and remaining time.

    Args:
        description: of the task.
        pace: of the task.
        unit: of the amounts.
        remark: parts separated by a comma and a space.
    """
    done, total = pace.done, pace.total
    parts = [amount_done(done, total, unit)]
    if unit not in ("%", "MB"):
        parts[0] += f" {unit}"
    if unit != "%" and total:
        parts[0] += f" ({100 * done / total:.0f}%)"
    speed = pace.speed()
    if speed and unit == "MB":
        parts.append(f"{speed:,.1f} MB/s")
    parts += [part for part in remark.split(", ") if part]
    if eta := pace.eta():
        parts.append(f"eta {eta}")
    return f"{description}: {', '.join(parts)}"


def line_in_width(
    width: int,
    description: str,
    pace: Pace,
    unit: str,
    remark: str,
    elapsed: float,
    trend: Sequence[float] = (),
    in_ascii: bool = False,
) -> str:
    """Return the longest of several lines that fits: sparkline and bar go first, numbers last.

    Args:
        width: columns of the terminal.
        description: of the task.
        pace: of the task.
        unit: of the amounts.
        remark: parts separated by a comma and a space; the first two are the important ones.
        elapsed: seconds since the task began.
        trend: series for a sparkline after the description, where there is room.
        in_ascii: whether only ASCII characters can be shown.
    """
    done, total = pace.done, pace.total
    share = min(1.0, done / total) if total else 1.0
    amount, eta = amount_done(done, total, unit), pace.eta()
    parts = [part for part in remark.split(", ") if part]
    ends = [f"eta {eta}"] if eta else []
    percent = [] if unit == "%" else [f"{100 * share:.0f}%"]
    passed = [clock(elapsed)]
    lines: list[Sequence[str]] = [
        [description, amount, *percent, *parts, *passed, *ends],
        [description, amount, *parts, *ends],
        [description, amount, *parts[:2], *ends],
        [description, amount, *map(without_unit, parts[:2]), *ends],
        [amount, *map(without_unit, parts[:2]), *ends],
    ]
    room = width - len("  ".join(lines[0])) - 2
    if room >= SHORTEST_BAR:
        size = min(room, FULL_BAR)
        if trend and room >= SHORTEST_BAR + 2 + SHORTEST_TREND:
            size = max(SHORTEST_BAR, min(FULL_BAR, (room - 2) // 2))
        full = [description, bar(share, size, in_ascii), *lines[0][1:]]
        return with_trend(full, width, trend, in_ascii)
    for line in lines:
        if len("  ".join(line)) <= width:
            return with_trend(line, width, trend if line[0] == description else (), in_ascii)
    return " ".join(lines[-1])[:width]


def with_trend(line: Sequence[str], width: int, trend: Sequence[float], in_ascii: bool) -> str:
    """Return a line with a sparkline after its first part, if there is room for one.

    Args:
        line: its parts.
        width: columns of the terminal.
        trend: the series.
        in_ascii: whether only ASCII characters can be shown.

    >>> with_trend(["train", "7/9"], 20, [3, 2, 1], in_ascii=True)
    'train  %=.  7/9'
    >>> with_trend(["train", "7/9"], 16, [3, 2, 1], in_ascii=True)
    'train  7/9'
    """
    room = min(width - len("  ".join(line)) - 2, LONGEST_TREND)
    shown = sparkline(trend, room, ASCII if in_ascii else BLOCKS) if room >= SHORTEST_TREND else ""
    return "  ".join([line[0], *([shown] if shown else []), *line[1:]])


def bar(share: float, width: int, in_ascii: bool = False) -> str:
    """Return a bar of characters.

    >>> bar(0.5, 6), bar(0.5, 6, in_ascii=True)
    ('━━━───', '###---')
    """
    full = round(share * width)
    return ("#" if in_ascii else "━") * full + ("-" if in_ascii else "─") * (width - full)


def without_unit(part: str) -> str:
    """Return a part of a remark up to its number.

    >>> without_unit("2.345 bits per byte"), without_unit("lr 0.01"), without_unit("reading")
    ('2.345', 'lr 0.01', 'reading')
    """
    found = match(r"\D*\d[\d.,e-]*", part)
    return found[0].strip() if found else part

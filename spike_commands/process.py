"""Signal handling: note the signals that ask a command to stop."""

import signal
from typing import Any


class stop_on_signals:  # noqa: N801 (used as a `with` block)
    """Signal handler that notes SIGTERM and Ctrl-C; the trainer checks it after each step."""

    received = 0

    def __enter__(self) -> "stop_on_signals":
        self.before = {
            number: signal.signal(number, self.remember)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def remember(self, number: int, *_: Any) -> None:
        """Note the signal; a second one ends the process at once."""
        self.received = number
        self.restore()

    def restore(self) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def __exit__(self, *_: Any) -> None:
        self.restore()

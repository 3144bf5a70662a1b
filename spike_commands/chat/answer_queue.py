"""First-in, first-out queue of limited length for the one model that answers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

MAX_QUEUED = 16
SECONDS_BETWEEN_LOOKS = 0.25


class QueueFullError(Exception):
    """Queue full: as many requests as allowed are waiting, or the server is closing."""


class AlreadyQueuedError(Exception):
    """Duplicate request: one of this name is waiting."""


class AnswerQueue:
    """First-in, first-out queue of requests: the first one may use the model."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._stops: dict[str, Event] = {}
        """An event that ends each answer; the first one is being written."""
        self._closed = False

    @contextmanager
    def joined(self, name: str) -> Iterator[Event]:
        """Wait in the queue for as long as the block runs; yield the event that ends the answer.

        Raises:
            QueueFullError: the queue is full or closing.
            AlreadyQueuedError: a request of this name is waiting.
        """
        with self._changed:
            if name in self._stops:
                raise AlreadyQueuedError
            if self._closed or len(self._stops) >= MAX_QUEUED:
                raise QueueFullError
            stop = self._stops[name] = Event()
        try:
            yield stop
        finally:
            with self._changed:
                del self._stops[name]
                self._changed.notify_all()

    def wait(
        self, name: str, give_up: Callable[[], bool], show_ahead: Callable[[int], None]
    ) -> bool:
        """Wait until the request is the first one; return False if it gave up before that.

        Args:
            name: that of `joined`.
            give_up: called several times a second.
            show_ahead: called with the number of requests ahead whenever it has changed.
        """
        shown = 0
        while ahead := self.ahead(name):
            if give_up():
                return False
            if ahead != shown:
                show_ahead(ahead)
                shown = ahead
            with self._changed:
                self._changed.wait(SECONDS_BETWEEN_LOOKS)
        return True

    def ahead(self, name: str) -> int:
        """Return the number of requests before this one."""
        with self._changed:
            return list(self._stops).index(name)

    def stop(self, name: str) -> None:
        """End the answer of this name, if there is one."""
        with self._changed:
            if name in self._stops:
                self._stops[name].set()

    def close(self, seconds: float) -> bool:
        """End all answers and take no more; return whether all have ended within the time."""
        end = time.monotonic() + seconds
        with self._changed:
            self._closed = True
            for stop in self._stops.values():
                stop.set()
            return self._changed.wait_for(lambda: not self._stops, end - time.monotonic())

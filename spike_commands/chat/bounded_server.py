"""HTTP server of the standard library with limits: connections, bytes of a request and seconds.

A connection carries one request. Connections beyond the limit are answered 503 by the accepting
thread, which never waits for them.
"""

import io
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock
from typing import Any

from ..console import remark

MAX_CONNECTIONS = 32
MAX_LINGERING = 128
MAX_HEAD = 1 << 15
# Of a whole request, however slowly it arrives; and of each piece that is sent.
SECONDS_TO_READ = 10.0
SECONDS_TO_SEND = 10.0
SECONDS_TO_LINGER = 1.0
SECONDS_TO_END = 3.0
RETRY_AFTER = "5"
BUSY = "too many requests at once; try again in a few seconds"


class BoundedServer(ThreadingHTTPServer):
    """Threading HTTP server with a limited number of connections at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.places = BoundedSemaphore(MAX_CONNECTIONS)
        self.served: set[socket.socket] = set()
        self.lingering: deque[tuple[float, socket.socket]] = deque()
        self.lingering_lock = Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or answer that the server is busy."""
        if not self.places.acquire(blocking=False):
            request.setblocking(False)
            with suppress(OSError):
                request.send(busy_answer())
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread has begun
            self.places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and free its place."""
        self.served.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.served.discard(request)
            self.places.release()

    def shutdown_request(self, request: Any) -> None:
        """Send the end of a connection, and close it a second later.

        Closing with a request half read would reset the connection, and the client would lose
        the answer.
        """
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
        with self.lingering_lock:
            self.lingering.append((time.monotonic() + SECONDS_TO_LINGER, request))
        self.service_actions()

    def service_actions(self) -> None:
        """Close connections that have ended; `serve_forever` calls it twice a second."""
        self.close_ended(MAX_LINGERING, time.monotonic())

    def close_ended(self, most: int, now: float) -> None:
        """Close ended connections whose second is over, and the oldest beyond `most`."""
        with self.lingering_lock:
            while self.lingering and (self.lingering[0][0] <= now or len(self.lingering) > most):
                self.lingering.popleft()[1].close()

    def server_close(self) -> None:
        """Stop listening, and end all connections and their threads.

        A thread left at the interpreter's end holds objects, of which native modules warn.
        """
        super().server_close()
        for connection in list(self.served):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + SECONDS_TO_END
        for _ in range(MAX_CONNECTIONS):
            self.places.acquire(timeout=max(0.0, end - time.monotonic()))
        self.close_ended(0, time.monotonic())

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Ignore a broken connection; print any other error in one line."""
        error = sys.exception()
        if not isinstance(error, OSError):
            what = " ".join(f"{type(error).__name__}: {error}".split())
            remark(f"a request failed ({what})", quiet=False)


def busy_answer() -> bytes:
    """Return the answer to a connection beyond the limit."""
    content = BUSY.encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\nRetry-After: {RETRY_AFTER}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


class LimitedReader(io.RawIOBase):
    """Reader of a limited number of bytes from a socket, with a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.left = MAX_HEAD
        self.end = time.monotonic() + SECONDS_TO_READ

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come; nothing when all bytes allowed were read.

        Raises:
            TimeoutError: the time is over.
        """
        if not self.left:
            return 0
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the request has not come in time")
        self.connection.settimeout(seconds)
        read = self.connection.recv_into(buffer, min(len(buffer), self.left))
        self.left -= read
        return read


class BoundedHandler(BaseHTTPRequestHandler):
    """Request handler with limits of size and time."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "spike", ""

    def setup(self) -> None:
        """Limit the bytes and the time of a request."""
        super().setup()
        self.rfile.close()
        self.limits = LimitedReader(self.connection)
        self.rfile = io.BufferedReader(self.limits)

    def handle(self) -> None:
        """Serve one request."""
        self.handle_one_request()

    def parse_request(self) -> bool:
        """Read the head; answer with an error if it is too large."""
        # Attributes that send_error needs if even the first line is too large.
        self.requestline, self.command, self.request_version = "", "", self.protocol_version
        if self.limits.left and not super().parse_request():
            return False  # an error was sent
        if not self.limits.left:
            self.send_error(431)
        return self.limits.left > 0

    def read_content(self, length: int) -> bytes:
        """Read the body, whose length is checked by the caller."""
        self.limits.left += length
        return self.rfile.read(length)

    def begin_sending(self) -> None:
        """Limit the seconds that each piece of the answer may take."""
        self.connection.settimeout(SECONDS_TO_SEND)

    def client_has_left(self) -> bool:
        """Return whether the client has closed the connection."""
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        return bool(poll.poll(0))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

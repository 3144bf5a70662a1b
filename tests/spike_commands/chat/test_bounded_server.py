"""Limits of the HTTP server: connections, bytes and seconds."""

import socket
import threading
import time

import pytest

from spike_commands.chat import bounded_server
from spike_commands.chat.bounded_server import BoundedHandler, BoundedServer

SECONDS = 60


class Echo(BoundedHandler):
    """Answers with the body."""

    def do_POST(self):  # noqa: N802
        content = self.read_content(int(self.headers["Content-Length"]))
        self.begin_sending()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content)


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(bounded_server, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(bounded_server, "SECONDS_TO_READ", 0.5)
    server = BoundedServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address
    server.shutdown()
    server.server_close()
    thread.join(SECONDS)


def whole(connection):
    """Read an answer to its end."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def exchange(address, *pieces):
    with socket.create_connection(address, SECONDS) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return whole(connection)


def test_a_request_is_read_in_pieces_and_answered_once(address):
    head = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
    for _ in range(5):
        assert exchange(address, head[:9], head[9:], b"he", b"llo").endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 40_000,
        b"GET / HTTP/1.1\r\n" + b"a: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 90 + (b"a: " + b"x" * 999 + b"\r\n") * 40,
    ],
)
def test_a_large_head_is_refused(address, head):
    assert exchange(address, head).startswith(b"HTTP/1.1 431 ")


def test_a_slow_request_is_dropped(address):
    with socket.create_connection(address, SECONDS) as connection:
        end = time.monotonic() + SECONDS
        with pytest.raises(OSError, match=r"reset|pipe"):
            while time.monotonic() < end:
                connection.sendall(b"x")
                time.sleep(0.02)


def test_connections_beyond_the_limit_are_told_to_come_again(address):
    idle = [socket.create_connection(address, SECONDS) for _ in range(2)]
    try:
        time.sleep(0.1)  # they are accepted before the third one
        found = exchange(address, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in found
        assert [whole(connection) for connection in idle] == [b"", b""]
    finally:
        for connection in idle:
            connection.close()
    assert exchange(address, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")[9:12] == b"200"

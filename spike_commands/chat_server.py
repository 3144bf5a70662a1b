"""Serves the page of `spike chat --web` to browsers of this machine, and to nobody else.

Three things keep others out: the address 127.0.0.1, a secret in the path, and the checks of `Host`
and `Origin`, without which a page from elsewhere could ask in a browser's name.
"""

import json
import secrets
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from .answering import REMARKS, stretches, why_ended
from .chat_page import chat_page

if TYPE_CHECKING:
    from spike_lm.model.evaluation import Conversation, Drawing

ADDRESS = "127.0.0.1"
HTTP_PORT = 80
LARGEST_REQUEST = 1 << 18
MOST_PAGES = 16
SECONDS_TO_READ = 30
SECONDS_TO_STOP = 10


@dataclass(slots=True, kw_only=True)
class Served:
    """What all requests share."""

    begin: "Callable[[str], Conversation]"
    drawing: "Drawing"
    max_tokens: int
    name: str
    system: str
    path: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(24)}/")
    pages: "OrderedDict[str, Conversation]" = field(default_factory=OrderedDict)
    """A conversation for each page, the last used last; the first are forgotten."""
    model: Lock = field(default_factory=Lock)
    """Held while something is written, or a conversation changed."""
    stop: Event = field(default_factory=Event)
    writing: str = ""
    """The page whose question is being answered."""


class RefusedError(Exception):
    """A request is not to be served: status and reason."""


class ChatServer(ThreadingHTTPServer):
    """Serves each connection in a thread of its own; browsers may go away at any time."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a connection that has broken."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def serve(served: Served, server: ChatServer) -> None:
    """Serve until Ctrl-C, which also stops what is being written."""
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()
    served.stop.set()
    served.model.acquire(timeout=SECONDS_TO_STOP)


def open_server(served: Served, port: int) -> ChatServer:
    """Return a server that listens; port 0 takes a free one.

    Raises:
        SpikeError: the port is taken or not ours to take.
    """
    from spiketok.errors import SpikeError

    class Handler(ChatHandler):
        shared = served

    try:
        return ChatServer((ADDRESS, port), Handler)
    except OSError as error:
        reason = error.strerror or "cannot be used"
        raise SpikeError(f"--port {port}: {reason}; name another, or none") from None


class ChatHandler(BaseHTTPRequestHandler):
    """Answers one browser."""

    shared: Served
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "spike", ""
    timeout = SECONDS_TO_READ

    def do_GET(self) -> None:
        """Serve the page, with a conversation of its own."""
        try:
            self.check_address()
            if self.path != self.shared.path:
                raise RefusedError(404, "not here; open the address that spike has printed")
            number = secrets.token_urlsafe(16)
            shared = self.shared
            shared.pages[number] = shared.begin(shared.system)
            while len(shared.pages) > MOST_PAGES:
                shared.pages.popitem(last=False)
            page, policy = chat_page({"name": shared.name, "page": number, "system": shared.system})
            self.send(200, page, "text/html; charset=utf-8", policy)
        except RefusedError as error:
            self.refuse(*error.args)

    def do_POST(self) -> None:
        """Serve what the page asks for: an answer, its end, or a new beginning."""
        actions = {"ask": self.ask, "stop": self.stop, "reset": self.reset}
        try:
            self.check_address()
            if self.headers.get("Origin") != f"http://{self.headers['Host']}":
                raise RefusedError(403, "only the page itself may ask")
            before, _, name = self.path.rpartition("/")
            if f"{before}/" != self.shared.path or name not in actions:
                raise RefusedError(404, "not here")
            wanted = self.request_content()
            number = text_of(wanted, "page")
            conversation = self.shared.pages.get(number)
            if conversation is None:
                raise RefusedError(410, "this page is too old; load it again")
            self.shared.pages.move_to_end(number)
            actions[name](number, conversation, wanted)
        except RefusedError as error:
            self.refuse(*error.args)

    def check_address(self) -> None:
        """Refuse requests that name another host: a foreign name may point at this machine."""
        port = self.connection.getsockname()[1]
        hosts = [f"{ADDRESS}:{port}", f"localhost:{port}"]
        # Of the port that http has anyway browsers do not speak.
        hosts += [ADDRESS, "localhost"] if port == HTTP_PORT else []
        if self.headers.get("Host") not in hosts:
            raise RefusedError(403, "not the address that spike has printed")

    def request_content(self) -> dict[str, Any]:
        """Read a JSON object of limited size."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(411, "the length is missing")
        if len(length) > 9 or int(length) > LARGEST_REQUEST:
            raise RefusedError(413, "the question is too long")
        if self.headers.get("Content-Type") != "application/json":
            raise RefusedError(415, "not JSON")
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise RefusedError(400, "not JSON") from None
        if not isinstance(found, dict):
            raise RefusedError(400, "not an object")
        return found

    def ask(self, number: str, conversation: "Conversation", wanted: dict[str, Any]) -> None:
        """Stream the answer to a question, a JSON object a line."""
        from spike_lm.model.evaluation import ask
        from spiketok.errors import SpikeError

        question, shared = text_of(wanted, "question"), self.shared
        if not shared.model.acquire(blocking=False):
            raise RefusedError(409, "another answer is being written; wait for it, or stop it")
        try:
            shared.stop.clear()
            shared.writing = number
            try:
                dropped = ask(conversation, question, shared.max_tokens)
            except SpikeError as error:
                raise RefusedError(400, str(error)) from None
            self.send_head(200, {"Transfer-Encoding": "chunked"}, "application/x-ndjson")
            if dropped:
                self.tell({"remark": f"the context is full: the oldest {dropped} are forgotten"})
            self.stream(conversation)
        finally:
            shared.writing = ""
            shared.model.release()
        # Who reads the end may ask again at once.
        if not self.close_connection:
            self.wfile.write(b"0\r\n\r\n")

    def stream(self, conversation: "Conversation") -> None:
        """Send a reply while it is written; who goes away stops it."""
        ids: list[int] = []
        shared, should_stop = self.shared, self.shared.stop.is_set
        limit = shared.max_tokens
        try:
            for kind, text in stretches(conversation, shared.drawing, limit, ids, should_stop):
                self.tell({"kind": kind, "text": text})
            ended = why_ended(conversation, limit, ids, stopped=should_stop())
            if ended in REMARKS:
                self.tell({"remark": REMARKS[ended]})
        except OSError:
            self.close_connection = True

    def tell(self, what: dict[str, Any]) -> None:
        """Send one line of an answer, as a chunk of its own."""
        line = json.dumps(what).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def stop(self, number: str, conversation: "Conversation", wanted: dict[str, Any]) -> None:  # noqa: ARG002
        """Stop the answer to this page's question."""
        if self.shared.writing == number:
            self.shared.stop.set()
        self.send(200, b"", "text/plain")

    def reset(
        self,
        number: str,
        conversation: "Conversation",  # noqa: ARG002
        wanted: dict[str, Any],
    ) -> None:
        """Begin the page's conversation anew, with the system prompt that it sends."""
        from spiketok.errors import SpikeError

        system, shared = text_of(wanted, "system"), self.shared
        if not shared.model.acquire(blocking=False):
            raise RefusedError(409, "an answer is being written; wait for it, or stop it")
        try:
            shared.pages[number] = shared.begin(system)
        except SpikeError as error:
            raise RefusedError(400, str(error)) from None
        finally:
            shared.model.release()
        self.send(200, b"", "text/plain")

    def refuse(self, status: int, reason: str) -> None:
        """Say why not, and read nothing more from this connection."""
        self.close_connection = True
        self.send(status, reason.encode(), "text/plain; charset=utf-8")

    def send(self, status: int, content: bytes, kind: str, policy: str = "") -> None:
        """Send a whole answer."""
        self.send_head(status, {"Content-Length": str(len(content))}, kind, policy)
        self.wfile.write(content)

    def send_head(self, status: int, more: dict[str, str], kind: str, policy: str = "") -> None:
        """Send the head of an answer: nothing is kept, guessed, framed or told to others."""
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Security-Policy": policy or "default-src 'none'",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            **({"Connection": "close"} if self.close_connection else {}),
            **more,
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def text_of(wanted: dict[str, Any], name: str) -> str:
    """Return a text from a request."""
    text = wanted.get(name)
    if not isinstance(text, str):
        raise RefusedError(400, f"{name}: not a text")
    return text.encode("utf-8", "replace").decode()

"""HTTP server of `spike chat --web`, for browsers of this machine alone.

Three things keep others out: the address 127.0.0.1, a secret in the path, and the checks of `Host`
and `Origin`. Without these a page from elsewhere could send requests through a browser.

The server keeps no conversations: a page sends its own, as ids, with each question.
"""

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from spike_lm.model.inference.chat import Conversation, add_user_turn
from spike_lm.model.inference.incremental import IncrementalDecoder
from spike_lm.model.inference.reply import REMARKS, finish_reason, stream_reply_parts
from spike_lm.model.inference.sampling import SamplingParams
from spiketok.errors import SpikeError

from ..results import some
from .answer_queue import AlreadyQueuedError, AnswerQueue, QueueFullError
from .bounded_server import BUSY, RETRY_AFTER, BoundedHandler, BoundedServer
from .page import chat_page
from .page_request import RefusedError, requested_conversation, text_of

ADDRESS = "127.0.0.1"
HTTP_PORT = 80
MAX_TEXT = 1 << 18
# Bytes of an id in JSON, with a comma and its part of the brackets.
BYTES_OF_ID = 12
SECONDS_TO_STOP = 10


@dataclass(slots=True, kw_only=True)
class Served:
    """State that all requests share."""

    begin: Callable[[str], Conversation]
    sampling: SamplingParams
    max_tokens: int
    context: int
    name: str
    system: str
    path: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(24)}/")
    queue: AnswerQueue = field(default_factory=AnswerQueue)
    read: tuple[list[int], list[list[int]], IncrementalDecoder] | None = None
    """The last conversation that was answered: system, turns, and what the model has read of it.
    Belongs to the first in the queue."""

    @property
    def largest_request(self) -> int:
        """Bytes that the texts and ids of a request may have."""
        return MAX_TEXT + BYTES_OF_ID * self.context


def serve(served: Served, server: BoundedServer) -> None:
    """Serve until Ctrl-C, which also stops the answer in progress."""
    with server:
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        served.queue.close(SECONDS_TO_STOP)


def open_server(served: Served, port: int) -> BoundedServer:
    """Return a server that listens; port 0 takes a free one.

    Raises:
        SpikeError: the port is taken or not permitted.
    """

    class Handler(ChatHandler):
        shared = served

    try:
        return BoundedServer((ADDRESS, port), Handler)
    except OSError as error:
        reason = error.strerror or "cannot be used"
        raise SpikeError(
            f"--port {port}: {reason}; choose another port, or leave --port out"
        ) from None


class ChatHandler(BoundedHandler):
    """Request handler of the chat page."""

    shared: Served

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        """Serve the page."""
        try:
            self.check_address()
            if self.path != self.shared.path:
                raise RefusedError(404, "no such page; open the address that spike printed")
            data = {"name": self.shared.name, "system": self.shared.system}
            page, policy = chat_page({**data, "page": secrets.token_urlsafe(16)})
            self.send(200, page, "text/html; charset=utf-8", policy)
        except RefusedError as error:
            self.refuse(*error.args)

    def do_POST(self) -> None:  # noqa: N802
        """Serve a request of the page: an answer, its end, or the check of a system prompt."""
        actions = {"ask": self.ask, "stop": self.stop, "begin": self.begin}
        try:
            self.check_address()
            if self.headers.get("Origin") != f"http://{self.headers['Host']}":
                raise RefusedError(
                    403, "the Origin is another page; ask from the page that spike printed"
                )
            before, _, name = self.path.rpartition("/")
            if f"{before}/" != self.shared.path or name not in actions:
                raise RefusedError(404, "no such action; reload the page")
            actions[name](self.request_content())
        except RefusedError as error:
            self.refuse(*error.args)

    def check_address(self) -> None:
        """Check the host of a request: a foreign name may point at this machine.

        Raises:
            RefusedError: it is not an address of this server.
        """
        port = self.connection.getsockname()[1]
        hosts = [f"{ADDRESS}:{port}", f"localhost:{port}"]
        # Browsers leave out the default port of http.
        hosts += [ADDRESS, "localhost"] if port == HTTP_PORT else []
        if self.headers.get("Host") not in hosts:
            raise RefusedError(403, "wrong Host; open the address that spike printed")

    def request_content(self) -> dict[str, Any]:
        """Read a JSON object of limited size.

        Raises:
            RefusedError: the body is too large, has no length, or is no JSON object.
        """
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(411, "Content-Length is missing; send it")
        if len(length) > 9 or int(length) > self.shared.largest_request:
            raise RefusedError(413, "the question is too long; shorten it")
        if self.headers.get("Content-Type") != "application/json":
            raise RefusedError(415, "the Content-Type is not JSON; send application/json")
        try:
            found = json.loads(self.read_content(int(length)))
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is not JSON; send a JSON object") from None
        if not isinstance(found, dict):
            raise RefusedError(400, "the body is not a JSON object; send one")
        return found

    def begin(self, fields: dict[str, Any]) -> None:
        """Check that a conversation can begin with the system prompt that the page sends."""
        requested_conversation(self.shared.begin, fields)
        self.send(200, b"", "text/plain")

    def ask(self, fields: dict[str, Any]) -> None:
        """Stream the answer to a question, a JSON object a line; the last has the whole turn.

        Raises:
            RefusedError: the request is broken, the queue is full, or this page already waits.
        """
        number, shared = text_of(fields, "page"), self.shared
        conversation = requested_conversation(shared.begin, fields)
        before = list(conversation.turns)
        try:
            dropped = add_user_turn(conversation, text_of(fields, "question"), shared.max_tokens)
        except SpikeError as error:
            raise RefusedError(400, str(error)) from None
        try:
            with shared.queue.joined(number) as stop, suppress(OSError):
                self.send_head(200, {"Transfer-Encoding": "chunked"}, "application/x-ndjson")
                self.answer(number, conversation, before, dropped, stop)
        except QueueFullError:
            raise RefusedError(503, BUSY) from None
        except AlreadyQueuedError:
            raise RefusedError(
                409, "the last question of this page is not answered yet; wait for it"
            ) from None

    def answer(
        self,
        number: str,
        conversation: Conversation,
        before: list[list[int]],
        dropped: int,
        stop: Event,
    ) -> None:
        """Wait for the model and send a reply while it is written; a client's leaving stops it.

        Args:
            number: the page's id.
            conversation: with the question as its last turn.
            before: the earlier turns.
            dropped: number of turns that were removed for the question.
            stop: set to end the answer.
        """
        ids: list[int] = []
        shared, limit = self.shared, self.shared.max_tokens

        def should_stop() -> bool:
            return stop.is_set() or self.client_has_left()

        if shared.queue.wait(number, should_stop, lambda ahead: self.send_line({"ahead": ahead})):
            if shared.read and not dropped and shared.read[:2] == (conversation.system, before):
                conversation.reading = shared.read[2]
            shared.read = None
            if dropped:
                self.send_line(
                    {"remark": f"the context is full: removed {some(dropped, 'question')}"}
                )
            for kind, text in stream_reply_parts(
                conversation, shared.sampling, limit, ids, should_stop
            ):
                self.send_line({"kind": kind, "text": text})
            shared.read = (conversation.system, conversation.turns, conversation.reading)
            ended = finish_reason(conversation, limit, ids, stopped=stop.is_set())
            if ended in REMARKS:
                self.send_line({"remark": REMARKS[ended]})
            self.send_line({"said": {"turns": conversation.turns, "replies": conversation.replies}})
        else:
            self.send_line({"remark": "stopped before the answer began; the question was removed"})
            self.send_line({"said": {"turns": before, "replies": conversation.replies}})
        self.wfile.write(b"0\r\n\r\n")

    def send_line(self, fields: dict[str, Any]) -> None:
        """Send one line of an answer, as an HTTP chunk."""
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def stop(self, fields: dict[str, Any]) -> None:
        """Stop the answer to this page's question."""
        self.shared.queue.stop(text_of(fields, "page"))
        self.send(200, b"", "text/plain")

    def refuse(self, status: int, reason: str) -> None:
        """Send an error response."""
        self.send(status, reason.encode(), "text/plain; charset=utf-8")

    def send(self, status: int, content: bytes, kind: str, policy: str = "") -> None:
        """Send a whole response.

        Args:
            status: HTTP status.
            content: the body.
            kind: content type.
            policy: content security policy.
        """
        self.send_head(status, {"Content-Length": str(len(content))}, kind, policy)
        self.wfile.write(content)

    def send_head(self, status: int, more: dict[str, str], kind: str, policy: str = "") -> None:
        """Send the response head: no caching, MIME sniffing, framing or referrer.

        Args:
            status: HTTP status.
            more: further headers.
            kind: content type.
            policy: content security policy.
        """
        self.begin_sending()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Security-Policy": policy or "default-src 'none'",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Connection": "close",
            **({"Retry-After": RETRY_AFTER} if status == 503 else {}),
            **more,
        }.items():
            self.send_header(name, value)
        self.end_headers()

"""The page of `spike chat --web`, in a browser as its user meets it."""

import socket
import threading
import time

import pytest

from spike_commands.chat.server import Served, open_server
from spike_lm.model.families.build import build_model
from spike_lm.model.inference.chat import begin_conversation
from spike_lm.model.inference.generate import SampledToken
from spike_lm.model.inference.sampling import SamplingParams
from spiketok import Tokenizer, build_vocabulary
from tests.model.tiny import tiny_config
from tests.spike_commands.chromium import CHROMIUM, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
TOKENIZER = Tokenizer(build_vocabulary([b"the"], 400, "chatml"))
HOSTILE = "<img src=x onerror=document.title='broken'></script>"
SECONDS = 60


def scripted(*pieces):
    """Ids of a reply: names of markers, and text."""
    special = TOKENIZER.special_ids
    return [
        token
        for piece in pieces
        for token in ([special[piece]] if piece in special else TOKENIZER.encode(piece).tolist())
    ]


REPLY = scripted(
    *("<think>", "\n24 = 48 / 2\n", "</think>", f"\n\nThe answer is {HOSTILE}\n"),
    *("<tool_call>", '{"name": "calculator"}', "</tool_call>", "<|im_end|>"),
)


class Script:
    """Stands for `generate`: writes a reply, and waits after its 10th id until it may go on."""

    def __init__(self):
        self.go_on = threading.Event()
        self.ids = REPLY

    def __call__(self, *_, **__):
        for number, token in enumerate(self.ids):
            if number == 10:
                self.go_on.wait(SECONDS)
            yield SampledToken(token, 0.0)


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.size(1000, 800)
        yield found


@pytest.fixture
def script(monkeypatch):
    found = Script()
    monkeypatch.setattr("spike_lm.model.inference.chat.generate", found)
    yield found
    found.go_on.set()


@pytest.fixture
def chat(window, script):
    """Serve a page and open it: (window, what is served); it must not complain."""
    config = tiny_config("model.context=2000")
    model = build_model(config, TOKENIZER.vocab_size, eos_id=TOKENIZER.eos_id)
    shared = Served(
        begin=lambda system: begin_conversation(model, TOKENIZER, system),
        sampling=SamplingParams(),
        max_tokens=1000,
        context=2000,
        name="runs/chat",
        system="You may call the calculator tool.",
    )
    server = open_server(shared, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    window.visit(address + shared.path)
    yield window, server
    assert window.complaints == []
    assert all(url.startswith(address + shared.path) for url in window.requests)
    script.go_on.set()
    server.shutdown()
    server.server_close()


def until(window, expression):
    """Wait until something is true on the page."""
    end = time.monotonic() + SECONDS
    while not window.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


def ask(window, question):
    window.evaluate(f"document.getElementById('question').value = {question!r}")
    window.click("#send")


IDLE = "!document.getElementById('send').hidden"


def text(window, selector):
    return window.evaluate(f"document.querySelector('{selector}').textContent")


def test_an_answer_streams_and_all_of_it_is_text(chat, script):
    window, _ = chat
    ask(window, f"Why? {HOSTILE}")
    until(window, "document.querySelector('.think div')?.textContent.length > 4")
    assert window.evaluate("document.querySelector('.think').open")
    assert window.evaluate(IDLE) is False
    script.go_on.set()
    until(window, IDLE)
    assert text(window, ".user") == f"Why? {HOSTILE}"
    assert text(window, ".think div") == "24 = 48 / 2\n"
    assert window.evaluate("document.querySelector('.think').open") is False
    assert text(window, ".assistant .text") == f"The answer is {HOSTILE}\n"
    assert text(window, ".tool_call") == '{"name": "calculator"}'
    assert window.evaluate("document.title") == "runs/chat"
    assert window.evaluate("document.querySelectorAll('img').length") == 0
    assert window.evaluate("said.turns[0]")[-len(REPLY) - 1 : -1] == REPLY


def test_an_answer_can_be_stopped_and_forgotten(chat, script):
    window, _ = chat
    script.ids = scripted("the answer has no end ") * 500
    ask(window, "go on")
    until(window, "document.querySelector('.assistant .text')?.textContent.length > 4")
    window.click("#stop")
    script.go_on.set()
    until(window, IDLE)
    assert text(window, ".remark") == "stopped"
    window.click("#reset")
    until(window, "document.getElementById('talk').childElementCount === 0")
    assert window.evaluate("said.turns") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_that_waits_or_loses_its_answer_says_so(chat, script, scheme, tmp_path):
    window, server = chat
    window.scheme(scheme)
    with server.RequestHandlerClass.shared.queue.joined("another page"):
        ask(window, "Who was first?")
        until(window, "document.querySelector('.remark')?.textContent.includes('1 before')")
        window.screenshot(tmp_path / "waiting.png")
    until(window, "document.querySelector('.think div')?.textContent.length > 4")
    assert window.evaluate("document.querySelectorAll('.remark').length") == 0
    for connection in list(server.served):
        connection.shutdown(socket.SHUT_RDWR)
    script.go_on.set()
    until(window, IDLE)
    assert "the answer was interrupted" in text(window, ".trouble")
    assert window.evaluate("document.getElementById('question').value") == "Who was first?"
    assert window.evaluate("said.turns") == []
    window.screenshot(tmp_path / "broken.png")
    window.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks_as_it_should(chat, script, scheme, tmp_path):
    window, _ = chat
    script.go_on.set()
    window.scheme(scheme)
    for question in ("How many clips did Natalia sell altogether in April and May?", "Why?"):
        ask(window, question)
        until(window, IDLE)
    window.screenshot(tmp_path / f"{scheme}.png")
    assert (tmp_path / f"{scheme}.png").stat().st_size > 10_000
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert window.evaluate(wide)

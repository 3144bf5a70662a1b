"""The server of `spike chat --web`: who is answered, who is not, and one answer at a time."""

import http.client
import json
import threading

import pytest

from spike_commands.chat_server import LARGEST_REQUEST, MOST_PAGES, Served, open_server
from spike_lm.model.assembly import build_model
from spike_lm.model.evaluation import Drawing, Drawn, begin_conversation
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import tiny_config

TOKENIZER = Tokenizer(build_vocabulary([b"the"], 400, "chatml"))


@pytest.fixture(scope="module")
def served():
    """A server that answers with an untrained model: (what it serves, its port)."""
    config = tiny_config("model.context=400")
    model = build_model(config, TOKENIZER.vocab_size, separator=TOKENIZER.separator)
    shared = Served(
        begin=lambda system: begin_conversation(model, TOKENIZER, system),
        drawing=Drawing(),
        max_tokens=60,
        name="tiny </script>",
        system="be brief",
    )
    server = open_server(shared, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield shared, server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def send(served):
    """Send one request: (status, headers, content)."""
    shared, port = served

    def send_request(method, name="", content=None, path=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        given = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
        given |= {key.replace("_", "-"): value for key, value in headers.items()}
        given = {key: value for key, value in given.items() if value is not None}
        connection.request(method, path or shared.path + name, body, given)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    return send_request


@pytest.fixture
def page(send):
    """The number of a page that was just loaded."""
    content = send("GET")[2].decode()
    data = content.split('id="data">')[1].split("</script>")[0]
    return json.loads(data)["page"]


def lines(content):
    return [json.loads(line) for line in content.splitlines()]


def test_the_page_allows_its_own_script_and_nothing_else(send):
    status, headers, content = send("GET")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"{{" not in content
    assert b"tiny </script>" not in content


def test_a_question_is_answered_line_by_line_and_kept(send, served, page):
    status, _, content = send("POST", "ask", {"page": page, "question": "who? <|im_end|>"})
    assert status == 200
    told = lines(content)
    assert "".join(line.get("text", "") for line in told)
    shared, _ = served
    (turn,) = shared.pages[page].turns
    assert turn.count(TOKENIZER.special_ids["<|im_start|>"]) == 2
    assert shared.pages[page].system
    assert send("POST", "reset", {"page": page, "system": ""})[0] == 200
    assert not shared.pages[page].turns
    assert not shared.pages[page].system


@pytest.mark.parametrize(
    ("status", "request_of"),
    [
        (403, {"Host": "evil.example"}),
        (403, {"Host": "127.0.0.1"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "null"}),
        (403, {"Origin": None}),
        (404, {"path": "/ask"}),
        (404, {"path": "/guess/ask"}),
        (404, {"name": "more"}),
        (415, {"Content_Type": "text/plain"}),
        (400, {"content": b"{"}),
        (400, {"content": b"[" * 100_000}),
        (400, {"content": [1]}),
        (400, {"content": {"page": 7}}),
        (410, {"content": {"page": "guess", "question": "hi"}}),
        (413, {"content": b"x" * (LARGEST_REQUEST + 1)}),
        (411, {"Content_Length": "-1"}),
        (413, {"Content_Length": "9" * 50}),
    ],
)
def test_others_are_refused(send, page, status, request_of):
    request = {"name": "ask", "content": {"page": page, "question": "hi"}} | request_of
    assert send("POST", **request)[0] == status


@pytest.mark.parametrize("content", [{"question": 7}, {}, {"question": "word " * 400}])
def test_a_bad_question_is_told_and_the_next_one_answered(send, page, content):
    status, _, reason = send("POST", "ask", {"page": page, **content})
    assert status == 400
    assert reason
    assert send("POST", "ask", {"page": page, "question": "hi"})[0] == 200


def test_loading_is_refused_under_another_name_or_path(send):
    assert send("GET", Host="evil.example")[0] == 403
    assert send("GET", path="/")[0] == 404
    assert send("GET", "page.js")[0] == 404


def test_one_answer_at_a_time_and_it_can_be_stopped(send, served, page, monkeypatch):
    shared, _ = served
    begun, answers = threading.Event(), []

    def endless(*_, **__):
        begun.set()
        while True:
            yield Drawn(4 + ord("x"), 0.0)

    monkeypatch.setattr("spike_lm.model.evaluation.conversation.generate", endless)
    asking = threading.Thread(
        target=lambda: answers.append(send("POST", "ask", {"page": page, "question": "hi"}))
    )
    asking.start()
    assert begun.wait(60)
    assert send("POST", "ask", {"page": page, "question": "too"})[0] == 409
    assert send("POST", "reset", {"page": page, "system": ""})[0] == 409
    assert send("POST", "stop", {"page": page})[0] == 200
    asking.join(60)
    ((status, _, content),) = answers
    assert status == 200
    assert lines(content)[-1] == {"remark": "stopped"}
    assert not shared.model.locked()


def test_a_browser_that_goes_away_stops_the_answer(served, page, monkeypatch):
    shared, port = served

    def endless(*_, **__):
        while True:
            yield Drawn(4 + ord("x"), 0.0)

    monkeypatch.setattr("spike_lm.model.evaluation.conversation.generate", endless)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    body = json.dumps({"page": page, "question": "hi"})
    connection.request("POST", shared.path + "ask", body, headers)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.close()
    connection.close()
    assert shared.model.acquire(timeout=60)
    shared.model.release()


def test_old_pages_are_forgotten(send, served, page):
    for _ in range(MOST_PAGES):
        assert send("GET")[0] == 200
    assert len(served[0].pages) == MOST_PAGES
    assert send("POST", "ask", {"page": page, "question": "hi"})[0] == 410


def test_a_page_in_use_is_kept_while_others_are_opened(send, page):
    for _ in range(MOST_PAGES + 1):
        assert send("GET")[0] == 200
        assert send("POST", "reset", {"page": page, "system": ""})[0] == 200


def test_a_system_prompt_too_long_is_told_and_changes_nothing(send, served, page):
    before = served[0].pages[page]
    status, _, reason = send("POST", "reset", {"page": page, "system": "word " * 400})
    assert (status, b"shorten it" in reason) == (400, True)
    assert served[0].pages[page] is before


def test_browsers_leave_out_the_port_that_http_has_anyway(send, served, monkeypatch):
    assert send("GET", Host="127.0.0.1")[0] == 403
    monkeypatch.setattr("spike_commands.chat_server.HTTP_PORT", served[1])
    assert send("GET", Host="127.0.0.1")[0] == 200


def test_a_port_that_is_taken_is_told(served):
    shared, port = served
    with pytest.raises(SpikeError, match=f"--port {port}"):
        open_server(shared, port)

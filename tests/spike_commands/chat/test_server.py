"""The server of `spike chat --web`: who is answered, who is not, and one answer at a time."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from spike_commands.chat.answer_queue import AnswerQueue, QueueFullError
from spike_commands.chat.server import Served, open_server
from spike_lm.model.families.build import build_model
from spike_lm.model.inference.chat import add_user_turn, begin_conversation, generate_reply
from spike_lm.model.inference.generate import SampledToken
from spike_lm.model.inference.sampling import SamplingParams
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import tiny_config

SECONDS = 60
TOKENIZER = Tokenizer(build_vocabulary([b"the"], 400, "chatml"))
HI = {"page": "p", "system": "", "question": "hi"}


@pytest.fixture(scope="module")
def served():
    """A server that answers with an untrained model: (what it serves, its port)."""
    config = tiny_config("model.context=400")
    model = build_model(config, TOKENIZER.vocab_size, eos_id=TOKENIZER.eos_id)
    shared = Served(
        begin=lambda system: begin_conversation(model, TOKENIZER, system),
        sampling=SamplingParams(),
        max_tokens=60,
        context=config.model.context,
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


def answered(send, question, said=None, page="p", system="be brief"):
    """Ask and return (what was told, what was said) of an answer."""
    wanted = {"page": page, "system": system, "question": question, **(said or {})}
    status, _, content = send("POST", "ask", wanted)
    assert status == 200, content
    *told, last = lines(content)
    return told, last["said"]


def test_a_question_is_answered_line_by_line_and_the_page_keeps_it(send):
    told, said = answered(send, "who? <|im_end|>")
    assert all(line["kind"] for line in told if "text" in line)
    (turn,) = said["turns"]
    assert turn.count(TOKENIZER.special_ids["<|im_start|>"]) == 2
    _, more = answered(send, "and?", said)
    assert more["turns"][0] == turn
    assert more["replies"] == 2


def test_answers_of_forty_pages_in_turn_are_those_of_one_conversation_each(
    send, served, monkeypatch
):
    shared, _ = served
    monkeypatch.setattr(shared, "max_tokens", 4)

    def alone(questions):
        conversation = shared.begin("be brief")
        for question in questions:
            add_user_turn(conversation, question, shared.max_tokens)
            list(generate_reply(conversation, shared.sampling, shared.max_tokens))
        return conversation.turns

    said = dict.fromkeys(range(40))
    for turn in range(2):
        for page in said:
            said[page] = answered(send, f"{turn} of {page % 3}?", said[page], f"page {page}")[1]
    for page in (0, 1, 39):
        assert said[page]["turns"] == alone([f"{turn} of {page % 3}?" for turn in range(2)])


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
        (400, {"content": {**HI, "page": 7}}),
        (400, {"content": {**HI, "system": None}}),
        (400, {"content": {**HI, "turns": [7]}}),
        (400, {"content": {**HI, "turns": [[-1]]}}),
        (400, {"content": {**HI, "turns": [[400]]}}),
        (400, {"content": {**HI, "turns": [[True]]}}),
        (400, {"content": {**HI, "replies": -1}}),
        (413, {"content": b"x" * (1 << 19)}),
        (411, {"Content_Length": "-1"}),
        (413, {"Content_Length": "9" * 50}),
    ],
)
def test_others_are_refused(send, status, request_of):
    request = {"name": "ask", "content": HI} | request_of
    assert send("POST", **request)[0] == status


@pytest.mark.parametrize("content", [{"question": 7}, {}, {"question": "word " * 400}])
def test_a_bad_question_is_told_and_the_next_one_answered(send, content):
    status, _, reason = send("POST", "ask", {"page": "p", "system": "", **content})
    assert status == 400
    assert reason
    assert send("POST", "ask", HI)[0] == 200


def test_loading_is_refused_under_another_name_or_path(send):
    assert send("GET", Host="evil.example")[0] == 403
    assert send("GET", path="/")[0] == 404
    assert send("GET", "page.js")[0] == 404


@pytest.fixture
def endless(monkeypatch):
    """Make each answer go on until it is stopped; return an event: one has begun."""
    begun = threading.Event()

    def generated(*_, **__):
        begun.set()
        end = time.monotonic() + SECONDS  # so that a failure of the test ends, too
        while time.monotonic() < end:
            yield SampledToken(4 + ord("x"), 0.0)

    monkeypatch.setattr("spike_lm.model.inference.chat.generate", generated)
    return begun


def until(true):
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_answers_wait_in_a_queue_and_can_be_stopped(send, served, endless, monkeypatch):
    monkeypatch.setattr("spike_commands.chat.answer_queue.MAX_QUEUED", 2)
    queue = served[0].queue
    with ThreadPoolExecutor() as threads:
        first = threads.submit(answered, send, "hi", page="first")
        assert endless.wait(SECONDS)
        second = threads.submit(answered, send, "hi", page="second")
        until(lambda: len(queue._stops) == 2)
        assert send("POST", "ask", {**HI, "page": "first"})[0] == 409
        status, headers, _ = send("POST", "ask", {**HI, "page": "third"})
        assert (status, headers["Retry-After"]) == (503, "5")
        assert send("POST", "stop", {"page": "second"})[0] == 200
        told, said = second.result(SECONDS)
        assert "ahead" in told[0]
        assert "the question was removed" in told[-1]["remark"]
        assert said == {"turns": [], "replies": 0}
        assert send("POST", "stop", {"page": "first"})[0] == 200
        told, said = first.result(SECONDS)
        assert told[-1] == {"remark": "stopped"}
        assert len(said["turns"]) == 1


def test_a_browser_that_goes_away_stops_the_answer(served, endless):
    shared, port = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    connection.request("POST", shared.path + "ask", json.dumps(HI), headers)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.close()
    connection.close()
    until(lambda: not shared.queue._stops)


def test_closing_ends_answers_and_takes_no_more():
    queue = AnswerQueue()
    with queue.joined("one") as stop:
        assert not queue.close(0)
        assert stop.is_set()
        with pytest.raises(QueueFullError), queue.joined("two"):
            pass
    assert queue.close(0)


def test_a_system_prompt_too_long_is_refused(send):
    status, _, reason = send("POST", "begin", {"system": "word " * 400})
    assert (status, b"shorten it" in reason) == (400, True)
    assert send("POST", "begin", {"system": "be brief"})[0] == 200


def test_browsers_leave_out_the_port_that_http_has_anyway(send, served, monkeypatch):
    assert send("GET", Host="127.0.0.1")[0] == 403
    monkeypatch.setattr("spike_commands.chat.server.HTTP_PORT", served[1])
    assert send("GET", Host="127.0.0.1")[0] == 200


def test_a_port_that_is_taken_is_told(served):
    shared, port = served
    with pytest.raises(SpikeError, match=f"--port {port}"):
        open_server(shared, port)

import pytest

from spiketok.chat.tool_calls import check_answer, read_call
from spiketok.errors import SpikeError


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"name": "f", "arguments": {"x": 1.5, "é": None}}, '{"x": 1.5, "é": null}'),
        ({"name": "f", "arguments": ' {"x":1}'}, ' {"x":1}'),
        ({"type": None, "function": {"name": "f", "arguments": {}, "strict": None}}, "{}"),
        ({"id": "a", "type": "function", "name": "f", "arguments": {}}, "{}"),
        (
            {"id": None, "function": {"name": "f", "arguments": {"n": 10**30}}},
            '{"n": 1' + "0" * 30 + "}",
        ),
    ],
)
def test_calls_become_json(call, expected):
    assert read_call(call) == (f'{{"name": "f", "arguments": {expected}}}', call.get("id"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("f(1)", ": is a text; write an object"),
        ({"name": "f"}, ": is not an object of 'name' and 'arguments'"),
        ({"name": "f", "arguments": {}, "strict": True}, "write exactly these"),
        ({"function": {"name": "f", "arguments": {}}, "index": 0}, "a key beside 'function'"),
        ({"function": "f"}, ".function: is not an object of 'name'"),
        ({"type": "code", "function": {"name": "f", "arguments": {}}}, ".type: is 'code'; write"),
        ({"id": 3, "name": "f", "arguments": {}}, ".id: is a number; write"),
        ({"name": 3, "arguments": {}}, ".name: is a number; write"),
        ({"function": {"name": "f", "arguments": "x=1"}}, ".function.arguments: is not JSON"),
        ({"name": "f", "arguments": '{"x": NaN}'}, ".arguments: is not JSON (NaN is not JSON)"),
        ({"name": "f", "arguments": {"x": float("inf")}}, ".arguments: is not JSON"),
        ({"name": "f", "arguments": "[1]"}, ".arguments: is neither a JSON object"),
        ({"name": "f", "arguments": None}, ": is not an object of 'name' and 'arguments'"),
    ],
)
def test_malformed_calls_are_refused_with_their_place(call, words):
    with pytest.raises(SpikeError) as caught:
        read_call(call)
    assert words in str(caught.value)


def test_answers_come_in_the_order_of_the_calls():
    open_calls = ["a", "b", None, "d"]
    check_answer({"tool_call_id": "a"}, open_calls)
    check_answer({"name": "f"}, open_calls)
    check_answer({}, open_calls)
    with pytest.raises(SpikeError, match=r"tool_call_id: 'c' is not the id of the next call"):
        check_answer({"tool_call_id": "c"}, open_calls)
    with pytest.raises(SpikeError, match="next call without answer"):
        check_answer({"tool_call_id": "d"}, [])
    with pytest.raises(SpikeError, match="name: is a number"):
        check_answer({"name": 1}, [])

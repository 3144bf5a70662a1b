import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe import read_conversation
from spiketok import Message, message
from spiketok.errors import SpikeError

ASKED = (message("user", "1+1?"), message("assistant", "2"))
TOLD = (message("system", "Add."), *ASKED)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"messages": [{"role": "user", "content": "1+1?"}]}, ASKED[:1]),
        ({"id": 1, "prompt": "x", "messages": []}, ()),
        (
            {"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}]},
            ASKED,
        ),
        ({"conversations": [{"from": "observation", "value": "2"}]}, (message("tool", "2"),)),
        ({"prompt": "1+1?", "response": "2", "meta": [None]}, ASKED),
        ({"prompt": "1+1?", "completion": "2", "system": "Add."}, TOLD),
        ({"instruction": "1+1?", "input": "", "output": "2", "system": None}, ASKED),
        ({"instruction": "1+1?", "context": "", "input": None, "response": "2"}, ASKED),
        ({"instruction": "1+1?", "instances": [{"input": "", "output": "2"}]}, ASKED),
        (
            {"instruction": "Add", "input": "1+1", "output": ""},
            (message("user", "Add\n\n1+1"), message("assistant", "")),
        ),
    ],
)
def test_known_shapes(record, expected):
    assert read_conversation(record) == expected


def test_markers_are_parsed_only_on_demand():
    record = {"prompt": "<think>", "response": "<think>a</think>b"}
    assert read_conversation(record)[1] == message("assistant", "<think>a</think>b")
    asked, said = read_conversation(record, parse_markers=True)
    assert asked == message("user", "<think>")
    assert [part.kind for part in said.parts] == ["think", "text"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "exactly one of messages, conversations, prompt, instruction is needed"),
        ({"turns": ["hi"]}, "there is only 'turns'"),
        ({"messages": [], "conversations": []}, "there is 'messages' and 'conversations'"),
        ({"prompt": "a", "instruction": "a", "output": "b"}, "'prompt' and 'instruction'"),
        ({"prompt": "a"}, "exactly one of response, completion, output"),
        ({"prompt": "a", "response": "b", "output": "c"}, "'response' and 'output'"),
        ({"prompt": ["a"], "response": "b"}, "prompt: a list instead of a text"),
        ({"prompt": "a", "response": None}, "response: null instead of a text"),
        ({"prompt": "a", "response": "b", "system": 1}, "system: a number"),
        (
            {"instruction": "a", "input": "b", "context": "c", "output": "d"},
            "'input' and 'context'",
        ),
        ({"instruction": "a", "instances": []}, "instances: must be a list of one object"),
        ({"instruction": "a", "instances": [{"input": "", "x": 1}]}, "instances[0]: unknown key"),
        ({"conversations": {}}, "conversations: an object instead of a list"),
        ({"conversations": [{"from": "gpt"}]}, "conversations[0]: must have 'from' and 'value'"),
        ({"conversations": [{"from": "bing", "value": "x"}]}, "conversations[0].from: 'bing'"),
        ({"conversations": [{"from": "gpt", "value": 1}]}, "conversations[0].value: a number"),
    ],
)
def test_other_shapes_are_refused_with_their_place(record, words):
    with pytest.raises(SpikeError) as caught:
        read_conversation(record)
    assert words in str(caught.value)


KEYS = ["messages", "conversations", "prompt", "instruction", "response", "output", "input"]
KEYS += ["role", "content", "from", "value", "tool_calls", "function", "name", "arguments"]
WORDS = st.sampled_from(["user", "assistant", "tool", "human", "gpt", "{}", "<think>", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.booleans())
def test_hostile_records_are_refused_or_become_messages(record, parse_markers):
    try:
        found = read_conversation(record, parse_markers)
    except SpikeError:
        return
    assert all(isinstance(said, Message) for said in found)

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe import read_conversation
from datapipe.sources.chat_labels import NotForTrainingError
from spiketok import Message, message, read_messages
from spiketok.errors import SpikeError

ASKED = (message("user", "1+1?"), message("assistant", "2"))
SAID = {"from": "gpt", "value": "hi"}
SPOKEN = {"role": "assistant", "content": "4", "weight": 1}
CALLS = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 2}}}]}
TOLD = (message("system", "Add."), *ASKED)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"messages": [{"role": "user", "content": "1+1?"}]}, ASKED[:1]),
        ({"id": 1, "question": "x", "messages": []}, ()),
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
        ({}, "exactly one of messages, conversations, conversation, prompt, instruction, "),
        ({"turns": ["hi"]}, "has only 'turns'; write exactly one of"),
        ({"messages": [], "conversations": []}, "has 'messages' and 'conversations'"),
        ({"prompt": "a", "instruction": "a", "output": "b"}, "'prompt' and 'instruction'"),
        ({"prompt": "a"}, "exactly one of response, completion, output"),
        ({"prompt": "a", "response": "b", "output": "c"}, "'response' and 'output'"),
        ({"prompt": ["a"], "response": "b"}, "prompt[0]: is a text; write an object"),
        ({"prompt": 1, "response": "b"}, "prompt: is a number; write a text"),
        ({"prompt": "a", "response": None}, "exactly one of response, completion, output"),
        ({"prompt": "a", "response": "b", "system": 1}, "system: is a number"),
        (
            {"instruction": "a", "input": "b", "context": "c", "output": "d"},
            "'input' and 'context'",
        ),
        ({"instruction": [], "input": "b", "output": "c"}, "instruction: is a list; write a text"),
        ({"instruction": "a", "instances": []}, "instances: is not a list of one object"),
        ({"instruction": "a", "instances": [{"input": "", "x": 1}]}, "instances[0]: unknown key"),
        ({"input": "a", "preferred_output": []}, "input: is a text; write an object"),
        (
            {"input": {"messages": []}, "messages": [], "preferred_output": []},
            "messages: is there beside 'input'",
        ),
        ({"conversations": {}}, "conversations: is an object; write a list"),
        ({"conversations": ["hi", "ho"]}, "conversations[0]: is a text; write an object"),
        ({"conversations": [{"from": "gpt"}]}, "conversations[0]: lacks 'from' or 'value'"),
        ({"conversations": [{**SAID, "x": 1}]}, "conversations[0]: has unknown keys beside"),
        ({"conversations": [{"from": "bing", "value": "x"}]}, "conversations[0].from: 'bing'"),
        ({"conversations": [{"from": "gpt", "value": 1}]}, "conversations[0].value: is a number"),
        (
            {"conversations": [{"from": "function_call", "value": "f(1)"}]},
            "conversations[0].value: is not JSON",
        ),
        (
            {"conversations": [{"from": "function_call", "value": "{}"}]},
            "conversations[0].tool_calls[0]: is not an object of 'name' and 'arguments'",
        ),
    ],
)
def test_other_shapes_are_refused_with_their_place(record, words):
    with pytest.raises(SpikeError) as caught:
        read_conversation(record)
    assert words in str(caught.value)


NULLS = dict.fromkeys(["conversations", "prompt", "tools", "label", "chosen", "history", "x"])


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}]},
        {"messages": [CALLS, {"role": "tool", "content": "5"}, SPOKEN]},
        {"messages": [SPOKEN], "label": True},
    ],
)
def test_a_null_says_nothing_at_any_depth(record):
    def with_nulls(value):
        if isinstance(value, dict):
            return {"null": None} | {key: with_nulls(each) for key, each in value.items()}
        return [with_nulls(each) for each in value] if isinstance(value, list) else value

    assert read_conversation(NULLS | with_nulls(record)) == read_conversation(record)


def test_a_call_of_sharegpt_is_that_of_messages():
    call = {"name": "area", "arguments": {"sides": [5, 3]}}
    turns = [
        {"from": "human", "value": "How large?", "weight": None},
        {"from": "function_call", "value": json.dumps(call)},
        {"from": "observation", "value": "15", "name": "area"},
        {"from": "gpt", "value": "15.", "reasoning_content": "so", "weight": 0},
    ]
    messages = [
        {"role": "user", "content": "How large?"},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": call}]},
        {"role": "tool", "content": "15"},
        {"role": "assistant", "content": "15.", "reasoning": "so", "weight": 0},
    ]
    expected = read_messages(messages)
    assert read_conversation({"conversations": turns, "tools": "[]"}) == expected
    assert read_conversation({"conversations": messages}) == expected
    turns[1]["value"] = json.dumps([call, call])
    assert [part.kind for part in read_conversation({"conversations": turns})[1].parts] == [
        "tool_call"
    ] * 2


CONTEXT = (ASKED[0], ASKED[1]._replace(trained=False))
AGAIN = (message("user", "2+2?"), message("assistant", "4"))
TURNS = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "2+2?"},
]
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("4", "5"))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # Earlier turns, which are read wherever they are.
        ({"instruction": "2+2?", "output": "4", "history": [["1+1?", "2"]]}, ASKED + AGAIN),
        ({"instruction": "1+1?", "output": "2", "history": []}, ASKED),
        ({"messages": TURNS[:2], "system": "Add."}, TOLD),
        ({"messages": [{"role": "system", "content": "Add."}, *TURNS[:2]], "system": "Add."}, TOLD),
        ({"messages": TURNS[:2], "prompt": "1+1?", "completion": "2", "n": [{}]}, ASKED),
        ({"question": "1+1?", "answer": "2"}, ASKED),
        # TRL: what is in the prompt is context.
        ({"prompt": TURNS, "completion": [GOOD]}, CONTEXT + AGAIN),
        ({"prompt": TURNS[:1], "completion": "2", "answer": "2"}, ASKED),
        # Labels.
        ({"prompt": "1+1?", "completion": "2", "label": True}, ASKED),
        ({"prompt": "1+1?", "completion": "2", "label": "maths", "score": "4.5"}, ASKED),
        # Preferences: OpenAI, TRL with and without a prompt, UltraFeedback, LLaMA-Factory, Orca.
        (
            {"input": {"messages": TURNS, "tools": [], "parallel_tool_calls": True},
             "preferred_output": [GOOD], "non_preferred_output": [BAD]},
            CONTEXT + AGAIN,
        ),
        ({"prompt": "2+2?", "chosen": "4", "rejected": "5"}, AGAIN),
        ({"prompt": TURNS, "chosen": [GOOD], "rejected": [BAD]}, CONTEXT + AGAIN),
        ({"chosen": [*TURNS, GOOD], "rejected": [*TURNS, BAD]}, CONTEXT + AGAIN),
        (
            {"prompt": "2+2?", "chosen": [TURNS[2], GOOD], "messages": [TURNS[2], GOOD]},
            AGAIN,
        ),
        (
            {"conversations": [{"from": "human", "value": "2+2?"}],
             "chosen": {"from": "gpt", "value": "4"}, "rejected": {"from": "gpt", "value": "5"}},
            AGAIN,
        ),
        ({"system": "Add.", "question": "1+1?", "chosen": "2", "rejected": "3"}, TOLD),
        ({"instruction": "2+2?", "input": "", "chosen": "4", "rejected": "5",
          "history": [["1+1?", "2"]]}, CONTEXT + AGAIN),
    ],
)  # fmt: skip
def test_shapes_of_trainers(record, expected):
    assert read_conversation(record) == expected


EXCHANGE = {"prompt": "1+1?", "completion": "2"}
TOOL = {"type": "function", "function": {"name": "area", "parameters": {}}}


@pytest.mark.parametrize(
    "mark",
    [
        {"label": False},
        {"kto_tag": False},
        {"chosen": False},
        {"is_correct": False},
        {"rejected": True},
        {"weight": 0},
    ],
)
def test_records_marked_as_bad_are_never_replies_to_learn(mark):
    with pytest.raises(NotForTrainingError):
        read_conversation(EXCHANGE | mark)
    assert read_conversation(EXCHANGE | mark, ignored_keys=list(mark)) == ASKED


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("label", 0, "label: 0 may mark a bad reply"),
        ("label", "Rejected", "label: 'Rejected' may mark a bad reply"),
        ("score", -1.5, "score: -1.5 may mark a bad reply"),
        ("score", "-1", "score: '-1' may mark a bad reply"),
        ("score", math.nan, "score: nan may mark a bad reply"),
        ("rating", " 0.0 ", "rating: ' 0.0 ' may mark a bad reply"),
        ("rating", "bad", "rating: 'bad' may mark a bad reply"),
        ("label", "0", "label: '0' may mark a bad reply"),
        ("weight", "0", "weight: is '0'; write 0 or 1"),
        ("weight", math.nan, "weight: is nan; write 0 or 1"),
        ("is_correct", 0, "is_correct: 0 may mark a bad reply"),
        ("accepted", "False", "accepted: 'False' may mark a bad reply"),
        ("reward", 0, "reward: 0 may mark a bad reply"),
        ("weight", 0.5, "weight: is 0.5; write 0 or 1"),
        ("rejected", "3", "rejected: is a bad reply without a chosen one"),
        ("tools", [TOOL], "tools: 'area' is not in the system message"),
        ("functions", '[{"name": "area"}]', "functions: 'area' is not in the system message"),
        ("images", ["a.png"], "images: only text is read"),
        ("context", "He has one.", "context: is in no message"),
        ("instruct_messages", TURNS, "instruct_messages: has turns beside"),
        ("previous", {"from": "gpt", "value": "x"}, "previous: has turns beside"),
    ],
)
def test_a_key_that_is_conversation_is_refused_by_name(key, value, words):
    for record in (EXCHANGE | {key: value}, {"messages": TURNS[:2], key: value}):
        with pytest.raises(SpikeError) as caught:
            read_conversation(record)
        assert words in str(caught.value)
        assert not isinstance(caught.value, NotForTrainingError)
        assert read_conversation(record, ignored_keys=[key]) == ASKED


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"prompt": "What?"}, "prompt: is in no message"),
        ({"prompt": TURNS}, "prompt: has turns beside"),
        ({"output": "3"}, "output: is in no message"),
        ({"history": [["a", "b"]]}, "history: has turns beside"),
        ({"system": "Subtract."}, "system: the messages begin with another one"),
        ({"chosen": [GOOD]}, "chosen: follows a reply"),
        ({"chosen": [TURNS[2], GOOD]}, "chosen: does not begin with the messages"),
    ],
)
def test_what_contradicts_the_messages_is_refused(beside, words):
    said = [{"role": "system", "content": "Add."}, *TURNS[:2]]
    with pytest.raises(SpikeError) as caught:
        read_conversation({"messages": said} | beside)
    assert words in str(caught.value)


def test_tools_that_the_system_message_names_are_known_to_the_model():
    record = EXCHANGE | {"tools": [TOOL], "system": "Call area(sides)."}
    assert read_conversation(record)[0] == message("system", "Call area(sides).")


def test_a_chosen_text_without_prompt_is_refused():
    with pytest.raises(SpikeError, match="chosen: is a text without a prompt"):
        read_conversation({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "x"})


def test_what_is_nested_too_deeply_is_one_error():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SpikeError, match="nested too deeply"):
        read_conversation(EXCHANGE | {"meta": deep})


KEYS = ["messages", "conversations", "prompt", "instruction", "response", "output", "input"]
KEYS += [
    "preferred_output",
    "chosen",
    "rejected",
    "label",
    "history",
    "system",
    "tools",
    "weight",
    "score",
]
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


@pytest.mark.parametrize("record", [{}, {"messages": None}])
def test_a_record_of_nothing_is_called_empty(record):
    with pytest.raises(SpikeError, match=r"is an empty object; write exactly one of"):
        read_conversation(record)

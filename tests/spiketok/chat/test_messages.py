import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.chat.chatml import Message, Part, message, pieces, render
from spiketok.chat.messages import read_messages, split_markers
from spiketok.errors import SpikeError

ANSWER = {"role": "assistant", "content": "4"}
CALL = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 2}'}}
CALLED = Part("tool_call", '{"name": "add", "arguments": {"x": 2}}')
BOTH = [Part("think", "a"), Part("text", "b")]


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        ({"content": "hi"}, [Part("text", "hi")]),
        ({"content": ""}, [Part("text", "")]),
        ({"content": "<think>x</think>"}, [Part("text", "<think>x</think>")]),
        ({"content": "b", "reasoning": "a"}, BOTH),
        ({"content": "b", "reasoning_content": "a", "thinking": ""}, BOTH),
        ({"content": None, "tool_calls": [CALL, CALL]}, [CALLED, CALLED]),
        ({"thinking": "a", "tool_calls": None}, [Part("think", "a")]),
        ({"content": "b", "tool_calls": [CALL], "thinking": "a"}, [*BOTH, CALLED]),
        ({"content": []}, []),
        (
            {"content": [{"type": "think", "text": ""}, {"type": "solution", "text": "4"}]},
            [Part("think", ""), Part("solution", "4")],
        ),
    ],
)  # fmt: skip
def test_what_an_assistant_may_say(item, parts):
    assert read_messages([{"role": "assistant", **item}]) == (Message("assistant", tuple(parts)),)


NULLS = dict.fromkeys(
    ["tool_calls", "function_call", "tool_call_id", "name", "reasoning", "weight", "refusal", "x"]
)


def test_a_key_that_is_null_says_nothing():
    parts = [{"type": "text", "text": "2+2?", "image_url": None}]
    said = [{"role": "user", "content": parts}, {"role": "assistant", "tool_calls": [CALL]}]
    said += [{"role": "tool", "content": "4"}, ANSWER]
    assert read_messages([NULLS | item for item in said]) == read_messages(said)
    assert read_messages([{**ANSWER, "annotations": []}]) == read_messages([ANSWER])


def test_other_names_of_roles_and_calls():
    read = [
        {"role": "developer", "content": "Add.", "name": "d"},
        {"role": "assistant", "content": None, "function_call": CALL["function"]},
        {"role": "function", "name": "add", "content": "4"},
    ]
    system, assistant, tool = read_messages(read)
    assert (system, tool) == (message("system", "Add."), message("tool", "4"))
    assert assistant.parts == (CALLED,)


@pytest.mark.parametrize("key", ["weight", "train", "training", "loss", "loss_weight"])
def test_a_message_of_weight_0_is_not_trained_on(key):
    said = [{"role": "user", "content": "hi", key: 0}, {**ANSWER, key: False}, {**ANSWER, key: 1.0}]
    assert [found.trained for found in read_messages(said)] == [True, False, True]
    rows = [row for row in pieces(read_messages(said)) if row.text in ("4", "<|im_end|>")]
    assert [row.trained for row in rows] == [False, False, False, True, True]


def test_tools_answer_inside_markers():
    said = [{"role": "assistant", "tool_calls": [CALL, CALL]}]
    for content in ("4", [{"type": "text", "text": "4"}], [{"type": "tool_response", "text": "4"}]):
        answer = {"role": "tool", "name": "add", "tool_call_id": "a", "content": content}
        assert read_messages([*said, answer])[1] == message("tool", "4")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hi", "messages: is a text; write a list"),
        (["hi"], "messages[0]: is a text; write an object"),
        ([ANSWER, {"content": "hi"}], "messages[1].role: None is unknown"),
        ([{"role": ["user"], "content": "hi"}], "messages[0].role: ['user'] is unknown"),
        ([{"role": "ghost", "content": "hi"}], "messages[0].role: 'ghost' is unknown"),
        ([{"role": "user", "content": "hi", "name": 3}], "messages[0].name: is a number"),
        ([{"role": "user", "content": "hi", "tool_calls": [CALL]}], "unknown key 'tool_calls'"),
        ([{**ANSWER, "refusal": "no"}], "messages[0]: unknown key 'refusal'"),
        ([{**ANSWER, "weight": 0.5}], "messages[0].weight: is 0.5; write 0 or 1"),
        ([{**ANSWER, "weight": 1, "train": False}], "'weight' and 'train' contradict"),
        ([{"role": "user", "content": "hi", "weight": 1}], "'user' cannot be trained on"),
        ([{**ANSWER, "tool_calls": [CALL], "function_call": CALL}], "both 'tool_calls' and"),
        ([{**ANSWER, "function_call": {}}], "function_call[0]: is not an object"),
        ([{"role": "user"}], "messages[0].content: is missing"),
        ([{"role": "assistant", "content": None}], "messages[0].content: is missing"),
        ([{"role": "user", "content": 3}], "messages[0].content: is a number"),
        ([{"role": "user", "content": [{"type": "text"}]}], ".content[0]: is not a part"),
        ([{"role": "user", "content": [{"type": "x", "text": ""}]}], ".content[0].type: 'x'"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "[0].text: is a number"),
        ([{**ANSWER, "reasoning": 0}], "messages[0].reasoning: is a number"),
        ([{**ANSWER, "reasoning": "a", "thinking": "b"}], "both 'reasoning' and 'thinking'"),
        ([{**ANSWER, "tool_calls": "f"}], "messages[0].tool_calls: is a text"),
        ([{**ANSWER, "tool_calls": [CALL, {}]}], "tool_calls[1]: is not an object"),
        ([{"role": "tool", "content": "4", "tool_call_id": "a"}], "messages[0].tool_call_id: 'a'"),
    ],
)  # fmt: skip
def test_malformed_messages_are_refused_with_their_place(messages, words):
    with pytest.raises(SpikeError) as caught:
        read_messages(messages)
    assert words in str(caught.value)


def test_markers_are_parsed_in_assistants_text_alone_and_only_on_demand():
    text = "<think>a</think>\n\nb<|im_end|>"
    said = [{"role": role, "content": text} for role in ("system", "user", "assistant")]
    system, user, assistant = read_messages(said, parse_markers=True)
    assert (system, user) == (message("system", text), message("user", text))
    assert assistant.parts == (Part("think", "a"), Part("text", "\n\nb<|im_end|>"))
    assert all(len(found.parts) == 1 for found in read_messages(said))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["text", "think", "solution", "tool_call"]),
            st.text(max_size=3).map(lambda text: f"<im_end>{text}"),
        )
    )
)
def test_splitting_loses_nothing(pairs):
    parts = [Part(*pair) for pair in pairs]
    text = render([Message("assistant", tuple(parts))])
    found = split_markers(text)
    inside = Message("assistant", tuple(found))
    assert render([inside]) == f"<|im_start|>assistant\n{text}<|im_end|>\n"
    assert [part for part in found if part.kind != "text"] == [
        part for part in parts if part.kind != "text"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<think>a", "<think> is not closed; write </think>"),
        ("a</think>", "</think> closes no marker; open one before it"),
        ("<think><think>", "<think> follows an open <think>; write </think> first"),
        ("<think></tool_call>", "</tool_call> follows an open <think>; write </think> first"),
    ],
)
def test_odd_markers_are_refused(text, words):
    with pytest.raises(SpikeError) as caught:
        read_messages([{"role": "assistant", "content": text}], parse_markers=True)
    assert str(caught.value) == f"messages[0].content: {words}"

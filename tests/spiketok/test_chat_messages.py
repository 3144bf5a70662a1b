import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.chat import Message, Part, message, render
from spiketok.chat_messages import read_messages, split_markers
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


def test_tools_answer_inside_markers():
    said = [{"role": "assistant", "tool_calls": [CALL, CALL]}]
    for content in ("4", [{"type": "text", "text": "4"}], [{"type": "tool_response", "text": "4"}]):
        answer = {"role": "tool", "name": "add", "tool_call_id": "a", "content": content}
        assert read_messages([*said, answer])[1] == message("tool", "4")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hi", "messages: a text instead of a list"),
        (["hi"], "messages[0]: a text instead of an object"),
        ([ANSWER, {"content": "hi"}], "messages[1].role: None is unknown"),
        ([{"role": ["user"], "content": "hi"}], "messages[0].role: ['user'] is unknown"),
        ([{"role": "function", "content": "hi"}], "messages[0].role: 'function' is unknown"),
        ([{"role": "user", "content": "hi", "name": "x"}], "messages[0]: unknown key 'name'"),
        ([{"role": "user", "content": "hi", "tool_calls": []}], "unknown key 'tool_calls'"),
        ([{"role": "user"}], "messages[0].content: missing"),
        ([{"role": "assistant", "content": None}], "messages[0].content: missing"),
        ([{"role": "user", "content": 3}], "messages[0].content: a number"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0]: not a part"),
        ([{"role": "user", "content": [{"type": "x", "text": ""}]}], ".content[0].type: 'x'"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "[0].text: a number"),
        ([{**ANSWER, "reasoning": 0}], "messages[0].reasoning: a number"),
        ([{**ANSWER, "reasoning": "a", "thinking": "b"}], "both 'reasoning' and 'thinking'"),
        ([{**ANSWER, "tool_calls": "f"}], "messages[0].tool_calls: a text"),
        ([{**ANSWER, "tool_calls": [CALL, {}]}], "messages[0].tool_calls[1]: must have"),
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
        ("<think>a", "<think> is not closed"),
        ("a</think>", "</think> in plain text"),
        ("<think><think>", "<think> behind an open <think>"),
        ("<think></tool_call>", "</tool_call> behind an open <think>"),
    ],
)
def test_odd_markers_are_refused(text, words):
    with pytest.raises(SpikeError) as caught:
        read_messages([{"role": "assistant", "content": text}], parse_markers=True)
    assert str(caught.value) == f"messages[0].content: {words}"

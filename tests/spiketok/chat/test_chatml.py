import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.chat.chatml import (
    AROUND,
    KINDS_OF_ROLE,
    MARKERS,
    Message,
    Part,
    marker_ids,
    message,
    pieces,
    render,
)
from spiketok.errors import SpikeError

# Texts that would love to be structure.
TEXTS = st.lists(st.sampled_from([*MARKERS, "a", "\n", "user\n", "é", ""]), max_size=5).map("".join)


def messages_of(role):
    parts = st.tuples(st.sampled_from(KINDS_OF_ROLE[role]), TEXTS).map(lambda pair: Part(*pair))
    return st.lists(parts, max_size=4).map(lambda found: Message(role, tuple(found)))


CONVERSATIONS = st.lists(st.sampled_from(list(KINDS_OF_ROLE)).flatmap(messages_of), max_size=5)


def by_definition(messages):
    """Return what docs/chat.md says of messages, as text."""
    whole = ""
    for said in messages:
        inside = "".join(
            part.text if part.kind == "text" else part.text.join(AROUND[part.kind])
            for part in said.parts
        )
        whole += f"<|im_start|>{said.role}\n{inside}<|im_end|>\n"
    return whole


@given(CONVERSATIONS)
def test_rendering_is_what_the_format_says(messages):
    assert render(messages) == by_definition(messages)
    prompt = render(messages, generation_prompt=True)
    assert prompt == by_definition(messages) + "<|im_start|>assistant\n"


@given(CONVERSATIONS)
def test_markers_come_from_parts_alone(messages):
    found = [piece.text for piece in pieces(messages) if piece.marker]
    others = [part for said in messages for part in said.parts if part.kind != "text"]
    assert len(found) == 2 * len(messages) + 2 * len(others)
    assert set(found) <= set(MARKERS)


@given(CONVERSATIONS)
def test_text_between_two_markers_is_one_piece_but_for_role_and_line_end(messages):
    row = pieces(messages)
    for before, here in pairwise(row):
        if not before.marker and not here.marker:
            assert re.fullmatch("(system|user|assistant|tool)\n", before.text)


@given(CONVERSATIONS, CONVERSATIONS)
def test_conversations_add_up(first, second):
    assert pieces(first) + pieces(second) == pieces(first + second)
    assert pieces(first, generation_prompt=True)[: len(pieces(first))] == pieces(first)


@given(CONVERSATIONS)
def test_trained_is_what_an_assistant_says_after_the_role(messages):
    speaker, inside = "", False
    for piece in pieces(messages):
        assert piece.trained == (inside and speaker == "assistant")
        if piece == ("<|im_start|>", True, False):
            speaker, inside = "", False
        elif not speaker:
            speaker, inside = piece.text.strip(), True
        elif piece.marker and piece.text == "<|im_end|>":
            inside = False


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (message("bot", "hi"), r"messages\[1\]: role 'bot' is unknown"),
        (
            Message("user", (Part("think", "x"),)),
            r"messages\[1\]: a message of 'user' cannot",
        ),
        (Message("assistant", (Part("tool_response", "x"),)), "tool_response"),
        (Message("assistant", (Part("image", "x"),)), "image"),
        (Message("tool", (Part("text", "x"),)), "'text'; use tool_response"),
    ],
)
def test_what_a_role_cannot_say_is_refused(wrong, words):
    with pytest.raises(SpikeError, match=words):
        pieces([message("user", "hi"), wrong])


def test_missing_markers_are_named():
    with pytest.raises(SpikeError, match="lacks the chat markers <think>, </think>; train"):
        marker_ids({name: 0 for name in MARKERS if "think" not in name})

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary
from spiketok.chat.chatml import Message, Part, render
from spiketok.errors import SpikeError
from spiketok.huggingface.text_processing import (
    Encoder,
    chat_segments,
    name_pattern,
    placeholders,
    places,
    resolved,
    rows_of,
    split_at_names,
)

SIMPLE = (False, False, False)
NAMES = ["<eos>", "<think>", "</think>", "<|im_start|>", "<|im_end|>"]
PARTS = [*NAMES, "user\n", "the", "\n", "ää", "\U0001f994", "|><", " "]
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
plain = st.text(max_size=20).filter(lambda text: not re.search("<[|/a-z]", text))


def pattern_of(names, flags=SIMPLE):
    return name_pattern(tuple((name, *flags) for name in names))


def encoded(vocabulary, segments):
    encode = Encoder(vocabulary.entries, vocabulary.kinds)
    assert encode.native
    return encode([segments])[0]


def flat(lists):
    return [item for items in lists for item in items]


@settings(deadline=None)
@given(texts)
def test_segments_are_the_text_in_order(text):
    ids = {name: place for place, name in enumerate(NAMES)}
    segments = list(split_at_names(text, pattern_of(NAMES), ids))
    assert "".join(part.text for part in segments) == text
    assert all(text.startswith(part.text, part.start) for part in segments)
    assert all(part.text for part in segments)
    assert all((part.token is None) == (part.text not in ids) for part in segments)
    assert not [
        part
        for part in segments
        if part.token is None and re.search("|".join(map(re.escape, NAMES)), part.text)
    ]


def test_only_the_line_behind_the_start_of_a_message_is_set_apart():
    ids = {name: place for place, name in enumerate(NAMES)}

    def parts(text):
        return [part.text for part in split_at_names(text, pattern_of(NAMES), ids)]

    assert parts("user\nthe\n") == ["user\nthe\n"]
    assert parts("<eos>user\nthe") == ["<eos>", "user\nthe"]
    assert parts("<|im_start|>user\nthe\nth") == ["<|im_start|>", "user\n", "the\nth"]
    assert parts("<|im_start|>the") == ["<|im_start|>", "the"]
    assert parts("<|im_start|>\n") == ["<|im_start|>", "\n"]


@pytest.mark.parametrize(
    ("flags", "segments"),
    [
        (SIMPLE, ["a  ", "<x>", "  b", "<x>"]),
        ((True, False, False), ["a", "  <x>", "  b", "<x>"]),
        ((False, True, False), ["a  ", "<x>  ", "b", "<x>"]),
        ((False, False, True), ["a  ", "<x>", "  b<x>"]),
    ],
)
def test_added_tokens_take_blanks_as_they_are_told(flags, segments):
    found = list(split_at_names("a  <x>  b<x>", pattern_of(["<x>"], flags), {"<x>": 7}))
    assert [part.text for part in found] == segments
    assert {part.token for part in found} == {None, 7}


def test_the_longest_name_is_found():
    pattern = pattern_of(["<a>", "<a><b>"])
    assert [part.token for part in split_at_names("<a><b>", pattern, {"<a>": 1, "<a><b>": 2})] == [
        2
    ]


@settings(deadline=None)
@given(texts)
def test_places_hold_the_characters_of_their_tokens(text):
    vocabulary = build_vocabulary([b"the", b"\xa4\xc3", "ä".encode(), b"\n\n"], 400, "chatml")
    ids = vocabulary.special_ids
    segments = list(split_at_names(text, pattern_of(ids), ids))
    found = encoded(vocabulary, segments)
    tokens = flat(found)
    spans = list(places(segments, found, vocabulary.entries))
    assert len(spans) == len(tokens)
    covered = set()
    for token, (start, stop) in zip(tokens, spans, strict=True):
        assert vocabulary.entries[token] in text[start:stop].encode()
        assert len(text[start:stop].encode()) - len(vocabulary.entries[token]) <= 6
        covered |= set(range(start, stop))
    assert covered == set(range(len(text)))
    assert spans == sorted(spans)


def test_a_character_in_several_tokens_is_covered_by_each():
    vocabulary = build_vocabulary([b"\xa4a"], 400, "chatml")
    segments = list(split_at_names("äa", pattern_of(NAMES), {}))
    found = encoded(vocabulary, segments)
    assert list(places(segments, found, vocabulary.entries)) == [(0, 1), (0, 2)]


@given(st.lists(st.integers(0, 9)), st.none() | st.lists(st.integers(0, 9)), st.data())
def test_placeholders_tell_their_place_whatever_is_cut_off(first, second, data):
    one, other = placeholders((first, second))
    assert (other is None) == (second is None)
    both, ids = one + (other or []), first + (second or [])
    assert resolved([*both, 0], ids, "fill") == [*ids, "fill"]
    start = data.draw(st.integers(0, len(ids)))
    assert resolved([5, *both[start:]], ids) == [5, *ids[start:]]


@pytest.mark.parametrize(
    ("arguments", "rows", "batched"),
    [
        (("a", None, False), [("a", None)], False),
        (("a", "b", False), [("a", "b")], False),
        (([5, 6], None, False), [([5, 6], None)], False),
        ((["a", "b"], None, True), [(["a", "b"], None)], False),
        (([], None, False), [], True),
        ((["a", "b"], None, False), [("a", None), ("b", None)], True),
        ((["a"], ["b"], False), [("a", "b")], True),
        (([("a", "b"), ["c", "d"]], None, False), [("a", "b"), ("c", "d")], True),
        (([["a", "b"], ("c", "d")], None, True), [(["a", "b"], None), ("c", "d")], True),
        (([[5, 6], []], None, False), [([5, 6], None), ([], None)], True),
    ],
)
def test_rows_are_texts_or_pairs_of_them(arguments, rows, batched):
    assert rows_of(*arguments) == (rows, batched)


def test_a_batch_of_pairs_needs_as_many_seconds():
    with pytest.raises(ValueError, match="shorter"):
        rows_of(["a", "b"], ["c"], False)


messages = st.lists(
    st.one_of(
        st.builds(
            lambda role, text: Message(role, (Part("text", text),)),
            st.sampled_from(["system", "user"]),
            plain,
        ),
        st.builds(lambda text: Message("tool", (Part("tool_response", text),)), plain),
        st.builds(
            lambda parts: Message("assistant", tuple(parts)),
            st.lists(
                st.builds(Part, st.sampled_from(["text", "think", "solution", "tool_call"]), plain),
                max_size=3,
            ),
        ),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(messages, st.booleans())
def test_a_rendered_conversation_has_the_ids_of_its_messages(chat, prompt):
    vocabulary = build_vocabulary([b"\nth", b"r\n", b"\n\n", b"e\n", b"><", b">\n"], 410, "chatml")
    ids = vocabulary.special_ids
    by_messages = encoded(vocabulary, chat_segments(chat, ids, prompt, open_end=False))
    by_text = encoded(vocabulary, list(split_at_names(render(chat, prompt), pattern_of(ids), ids)))
    assert flat(by_messages) == flat(by_text)


def test_without_a_boundary_behind_the_role_a_line_break_would_join_it():
    vocabulary = build_vocabulary([b"\n\n"], 410, "chatml")
    chat, ids = [Message("user", (Part("text", "\nHi"),))], vocabulary.special_ids
    by_messages = encoded(vocabulary, chat_segments(chat, ids, False, open_end=False))
    whole = Tokenizer(vocabulary).encode(render(chat, False), allow_special=True).tolist()
    assert whole != flat(by_messages)


def test_an_open_end_leaves_out_what_closes_the_last_message():
    chat = [Message("user", (Part("text", "a"),)), Message("assistant", (Part("text", "b"),))]
    ids = {
        name: place for place, name in enumerate(build_vocabulary([], 388, "chatml").special_ids)
    }
    whole = chat_segments(chat, ids, generation_prompt=False, open_end=False)
    assert chat_segments(chat, ids, generation_prompt=False, open_end=True) == whole[:-2]
    assert [part.text for part in whole[-3:]] == ["b", "<|im_end|>", "\n"]
    assert [part.trained for part in whole] == [False] * 7 + [True, True, False]
    with pytest.raises(SpikeError, match="lacks the chat markers"):
        chat_segments(chat, {}, generation_prompt=False, open_end=False)

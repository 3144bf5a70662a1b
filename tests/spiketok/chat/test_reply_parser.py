from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Part, ReplyStream, Tokenizer, build_vocabulary, encode_chat
from spiketok.chat.chatml import END, Message
from spiketok.chat.reply_parser import joined

TOKENIZER = Tokenizer(build_vocabulary([b"a\xc3", b"\xa4b", b"th"], 400, "chatml"))
SPECIAL = TOKENIZER.special_ids
SPECIAL_IDS = frozenset(SPECIAL.values())
KINDS = ("think", "solution", "tool_call")
PARTS = st.lists(st.builds(Part, st.sampled_from(KINDS), st.text())).flatmap(
    lambda marked: (
        st.lists(st.text(min_size=1), min_size=len(marked) + 1, max_size=len(marked) + 1)
        .map(lambda texts: [Part("text", text) for text in texts])
        .map(
            lambda texts: [
                part for pair in zip(texts, [*marked, None], strict=True) for part in pair
            ]
        )
        .map(lambda row: [part for part in row if part is not None])
    )
)


def read(ids):
    stream = ReplyStream(TOKENIZER)
    pieces = [piece for token in ids for piece in stream.add(token)]
    return joined([*pieces, *stream.finish()])


@settings(deadline=None)
@given(PARTS)
def test_gives_back_the_parts_that_were_encoded(parts):
    ids = encode_chat(TOKENIZER, [Message("assistant", tuple(parts))])[0].tolist()
    begin = len(encode_chat(TOKENIZER, [], generation_prompt=True)[0])
    assert read(ids[begin : ids.index(SPECIAL[END]) + 1]) == parts


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 399), st.sampled_from(sorted(SPECIAL_IDS)))))
def test_every_text_comes_out_whatever_is_drawn(ids):
    runs = [list(run) for special, run in groupby(ids, SPECIAL_IDS.__contains__) if not special]
    found = "".join(text for _, text in read(ids))
    for name in SPECIAL:
        found = found.replace(name, "")
    assert found == "".join(map(TOKENIZER.decode, runs))


def test_markers_out_of_place_are_text():
    text = TOKENIZER.encode(b"th").tolist()
    think, done, call = SPECIAL["<think>"], SPECIAL["</think>"], SPECIAL["<tool_call>"]
    assert read([done, *text]) == [Part("text", "</think>th")]
    assert read([think, *text, call, *text]) == [Part("think", "th<tool_call>th")]
    assert read([call, call]) == [Part("tool_call", "<tool_call>")]
    assert read([think, done, think, *text]) == [Part("think", ""), Part("think", "th")]
    half = TOKENIZER.encode("aä".encode()).tolist()[:1]
    assert read([*half, think]) == [Part("text", "a\ufffd"), Part("think", "")]

from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import StreamDecoder, Tokenizer, build_vocabulary

# Halves of characters, characters across tokens, and what can never be completed.
PIECES = [b"a\xc3", b"\xa4b", b"\xf0\x9f", b"\x98\x80", b"\xe2\x82", b"\xff\xfe", b"th"]
TOKENIZER = Tokenizer(build_vocabulary(PIECES, 400, "chatml"))


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 399), st.integers(260, 266))))
def test_the_parts_are_the_text(ids):
    decoder = StreamDecoder(TOKENIZER)
    for _ in range(2):  # finish() leaves the decoder as new
        parts = [decoder.add(token) for token in ids]
        assert "".join([*parts, decoder.finish()]) == TOKENIZER.decode(ids)


@settings(deadline=None)
@given(st.text())
def test_only_whole_characters_come_out(text):
    decoder = StreamDecoder(TOKENIZER)
    parts = [decoder.add(token) for token in TOKENIZER.encode(text).tolist()]
    assert "".join(parts) == text
    assert decoder.finish() == ""


def test_text_comes_as_soon_as_it_is_certain():
    decoder = StreamDecoder(TOKENIZER)
    smile = TOKENIZER.encode("\U0001f600").tolist()
    assert [decoder.add(token) for token in smile] == ["", "\U0001f600"]
    # Half a character, then a letter: the half is lost at once, and the letter is there.
    assert [decoder.add(token) for token in (smile[0], 4 + ord("x"))] == ["", "\ufffdx"]
    assert decoder.add(smile[0]) == ""
    assert decoder.finish() == "\ufffd"

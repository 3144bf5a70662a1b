import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import BeseVocabulary, TokenHealer, Tokenizer, build_vocabulary
from spiketok.errors import SpikeError

PIECES = [b"ab", b"abc", b"abcde", b"bcdb", b"ca", b"cab", b"\xc3\xa4", b"aa", b"aaaa", b"dbdb"]
TOKENIZER = Tokenizer(build_vocabulary(PIECES, 400, "chatml"))
HEALER = TokenHealer(TOKENIZER)
texts = st.text("abcde\u00e4", max_size=12).map(str.encode)


def encode(text):
    return TOKENIZER.encode(text).tolist()


@settings(deadline=None)
@given(texts, texts, st.integers(0, 3))
def test_what_is_certain_begins_every_longer_text(text, more, cut):
    text = text[: max(0, len(text) - cut)]
    kept, rest = HEALER.stable_prefix(text)
    assert TOKENIZER.decode_bytes(kept) + rest == text
    assert encode(text + more)[: len(kept)] == kept


@settings(deadline=None)
@given(texts)
def test_no_further_token_is_certain(text):
    kept, rest = HEALER.stable_prefix(text)
    if rest:
        following = {encode(text + entry)[len(kept)] for entry in [b"", *tails(rest)]}
        assert len(following) > 1


def tails(rest):
    return [piece[len(rest) :] for piece in PIECES if piece.startswith(rest)]


@settings(deadline=None)
@given(texts, texts)
def test_what_fits_is_what_longest_match_may_take(text, more):
    kept, rest = HEALER.stable_prefix(text)
    whole = encode(text + more)[len(kept) :]
    for token in whole:
        if not rest:
            break
        assert token in HEALER.allowed_ids(rest)
        rest = rest[len(TOKENIZER.decode_bytes([token])) :]
    if kept != encode(text):
        _, rest = HEALER.stable_prefix(text)
        reached = {encode(text + tail)[len(kept)] for tail in [b"", *tails(rest)]}
        assert set(HEALER.allowed_ids(rest)) == reached


@settings(deadline=None)
@given(texts, st.sets(st.sampled_from(range(4, len(PIECES) + 260)), max_size=80), st.randoms())
def test_choices_spell_the_rest_with_ids_that_are_not_banned(text, banned, random):
    _, rest = HEALER.stable_prefix(text)
    first = HEALER.choices(rest, banned) if rest else []
    assert {*first} <= {*HEALER.allowed_ids(rest)} - banned
    assert HEALER.choices(rest, set()) == HEALER.allowed_ids(rest)
    left = rest
    while left and first:
        choices = HEALER.choices(left, banned)
        assert choices
        left = left[len(TOKENIZER.decode_bytes([random.choice(choices)])) :]
    own = set(encode(rest))
    if rest and not first:
        assert own & banned


def test_an_example():
    assert HEALER.stable_prefix(b"xab") == (encode(b"x"), b"ab")
    assert sorted(TOKENIZER.decode_bytes([t]) for t in HEALER.allowed_ids(b"ab")) == [
        b"ab",
        b"abc",
        b"abcde",
    ]
    assert HEALER.stable_prefix(b"abce") == (encode(b"abce"), b"")
    assert HEALER.stable_prefix(b"<|im_end|>")[1] == b""
    assert HEALER.stable_prefix(b"") == ([], b"")


def test_bese_is_not_healed():
    with pytest.raises(SpikeError, match="longest-match"):
        TokenHealer(Tokenizer(BeseVocabulary(merges=(), vocab_size=40)))

from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary, reference
from spiketok.longest_match_python import PlainMatcher

dense = st.lists(st.sampled_from(b"ab\xc3\xa4"), max_size=60).map(bytes)
pieces = st.lists(
    st.one_of(dense, st.binary(max_size=12)).filter(lambda piece: len(piece) > 1),
    max_size=40,
    unique=True,
)


def matcher(vocabulary):
    return PlainMatcher((vocabulary.entries[token], token) for token in vocabulary.ids_of(0))


@settings(deadline=None, max_examples=300)
@given(pieces, st.one_of(dense, st.binary(max_size=80)))
def test_encode_is_leftmost_longest(some, text):
    vocabulary = build_vocabulary(some, 260 + len(some), "minimal")
    assert matcher(vocabulary).encode(text) == reference.encode(vocabulary, text)


def test_a_long_text_is_encoded_as_the_native_core_does():
    chain = [b"a" * length for length in range(2, 255, 3)]
    vocabulary = build_vocabulary(chain, 400, "minimal")
    text = (b"a" * 1000 + b"b") * 20 + b"a" * 7
    assert matcher(vocabulary).encode(text) == Tokenizer(vocabulary).encode(text).tolist()

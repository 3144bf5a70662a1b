from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import Tokenizer, build_vocabulary, reference
from spiketok.errors import SpikeError

WORDS = ["the end", "", "and äther", "<eos>", "\0\n"]
ARROW_TYPES = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
NAMES = ["<eos>", "<pad>", "<think>", "</think>", "<|endoftext|>", "the", "<", "|>", "ä"]


def test_attributes(tokenizer, vocabulary):
    assert tokenizer.vocab_size == len(vocabulary) == 400
    assert tokenizer.fingerprint == vocabulary.fingerprint()
    assert tokenizer.lossless
    assert tokenizer.eos_id == tokenizer.special_ids["<eos>"] == 3
    assert tokenizer.special_ids["<|im_start|>"] == 400 - 128
    assert len(tokenizer.special_ids) == 4 + 17
    lengths = tokenizer.byte_lengths
    assert lengths.dtype == np.int64
    assert lengths[:4].tolist() == [0] * 4
    assert lengths[4:260].tolist() == [1] * 256
    assert lengths[260:264].tolist() == [2, 3, 4, 4]
    assert not lengths[400 - 128 :].any()


@settings(deadline=None)
@given(st.text())
def test_text_comes_back(text):
    tokenizer = Tokenizer(build_vocabulary([b"ab", b"\xc3\xa4x"], 400, "chatml"))
    ids = tokenizer.encode(text)
    assert ids.dtype == np.uint16
    assert tokenizer.decode(ids) == text
    assert tokenizer.byte_lengths[ids].sum() == len(text.encode())


def test_names_are_plain_text_unless_allowed(tokenizer):
    text = "a<eos>b<|im_start|><|im_start|>"
    plain = tokenizer.encode(text)
    assert not set(plain.tolist()) & set(tokenizer.special_ids.values())
    special = tokenizer.encode(text, allow_special=True)
    assert special.tolist() == [97 + 4, 3, 98 + 4, 272, 272]
    assert tokenizer.decode(plain) == tokenizer.decode(special) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from(NAMES), max_size=12).map("".join))
def test_special_encoding_is_as_defined(text):
    vocabulary = build_vocabulary([b"<e", b"eos>the", b"the<", b"|><"], 400, "chatml")
    found = Tokenizer(vocabulary).encode(text, allow_special=True)
    assert found.tolist() == reference.encode(vocabulary, text.encode(), allow_special=True)


def test_lone_surrogates_are_refused(tokenizer):
    for call in (tokenizer.encode, lambda text: tokenizer.encode_batch([text])):
        with pytest.raises(SpikeError, match="character 1 is a lone surrogate"):
            call("a\ud800")


def test_batch_of_nothing(tokenizer):
    ids, offsets = tokenizer.encode_batch([])
    assert (ids.dtype, offsets.dtype) == (np.uint16, np.int64)
    assert (len(ids), offsets.tolist()) == (0, [0])


@pytest.mark.parametrize("arrow_type", ARROW_TYPES, ids=str)
def test_arrow_columns(tokenizer, arrow_type):
    column = pa.array([word.encode() for word in WORDS], pa.binary()).cast(arrow_type)
    same = [
        (column, WORDS),
        (column[1:4], WORDS[1:4]),
        (column[2:2], []),
        (column[3:], WORDS[3:]),
        (pa.chunked_array([column[:2], column[2:2], column[2:]]), WORDS),
        (pa.chunked_array([], arrow_type), []),
        (pa.array([], arrow_type), []),
        (pa.array(["", ""], arrow_type), ["", ""]),
    ]
    for texts, expected in same:
        found = tokenizer.encode_batch(texts)
        wanted = tokenizer.encode_batch(expected)
        assert [part.tolist() for part in found] == [part.tolist() for part in wanted]
        assert [part.dtype for part in found] == [part.dtype for part in wanted]


def test_arrow_columns_that_are_no_texts(tokenizer):
    with pytest.raises(SpikeError, match="row 1 is null"):
        tokenizer.encode_batch(pa.array(["a", None, "b"])[0:])
    with pytest.raises(SpikeError, match="int64"):
        tokenizer.encode_batch(pa.array([1, 2]))
    with pytest.raises(TypeError, match="list"):
        tokenizer.encode_batch("one text")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.uint64])
def test_decode_takes_any_integers(tokenizer, dtype):
    assert tokenizer.decode_bytes(np.array([101, 3, 102], dtype)) == b"a<eos>b"
    assert tokenizer.decode_bytes(np.array([101, 9, 3, 9, 102, 9], dtype)[::2]) == b"a<eos>b"


def test_decode(tokenizer):
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode([4 + 0xC3]) == "\ufffd"
    assert tokenizer.decode(tokenizer.vocabulary.reserved_ids) == ""
    long = tokenizer.encode("the and aaaa" * 50)
    assert tokenizer.decode(long) == "the and aaaa" * 50


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5, 400], "id 400 at position 1"),
        ([-1], "id -1 at position 0"),
        (np.array([2**64 - 1], np.uint64), "position 0"),
        (np.array([65535], np.uint16), "id 65535"),
        ([0.5], "float64"),
        ([[1], [2]], "2-d"),
        (["a"], "integers"),
    ],
)
def test_decode_refuses(tokenizer, ids, message):
    with pytest.raises(SpikeError, match=message):
        tokenizer.decode(ids)


def test_load_gives_what_was_saved(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode("the and").tolist() == tokenizer.encode("the and").tolist()


@settings(deadline=None)
@given(st.text())
def test_byte_offsets_are_places_in_the_text(text):
    tokenizer = Tokenizer(build_vocabulary([b"ab", b"\xc3\xa4x"], 400, "chatml"))
    ids, data = tokenizer.encode(text), text.encode()
    offsets = tokenizer.byte_offsets(ids)
    assert offsets.dtype == np.int64
    parts = [data[start:stop] for start, stop in pairwise(offsets)]
    assert parts == [tokenizer.decode_bytes([token]) for token in ids]
    assert offsets[-1] == len(data)


def test_byte_offsets_of_special_tokens_and_nothing(tokenizer):
    assert tokenizer.byte_offsets([]).tolist() == [0]
    assert tokenizer.byte_offsets([261, 3, 272, 260]).tolist() == [0, 3, 3, 3, 5]
    for ids, place in (([1, -1], 1), ([400], 0), (np.array([2**64 - 1], np.uint64), 0)):
        with pytest.raises(SpikeError, match=f"at position {place}"):
            tokenizer.byte_offsets(ids)

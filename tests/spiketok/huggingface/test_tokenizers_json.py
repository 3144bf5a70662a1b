import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import build_vocabulary, reference
from spiketok.huggingface.tokenizers_json import LETTERS, byte_level, longest_match, stock_file

dense = st.lists(st.sampled_from(b"ab[^\\ \xc3\xa4"), max_size=40).map(bytes)
pieces = st.lists(
    st.one_of(dense, st.binary(max_size=12)).filter(lambda piece: len(piece) > 1),
    max_size=30,
    unique=True,
)


def test_each_byte_has_a_letter_of_its_own():
    assert sorted(LETTERS) == list(range(256))
    assert len(set(LETTERS.values())) == 256
    assert byte_level(b"\x00 \n!~\x7f\xad\xff") == "ĀĠĊ!~ġŃÿ"


@settings(deadline=None)
@given(pieces, st.one_of(dense, st.binary(max_size=60)))
def test_the_expression_finds_the_longest_entries(some, text):
    vocabulary = build_vocabulary(some, 260 + len(some), "minimal")
    entries = {byte_level(vocabulary.entries[token]): token for token in vocabulary.ids_of(0)}
    found = re.findall(longest_match(entries), byte_level(text))
    assert [entries[entry] for entry in found] == reference.encode(vocabulary, text)


def test_long_chains_of_entries_are_no_trouble():
    chain = [b"a" * length for length in range(1, 256)]
    pattern = re.compile(longest_match(map(byte_level, chain)))
    assert list(map(len, pattern.findall("a" * 600))) == [255, 255, 90]


def test_the_file_has_every_id_and_marks_the_special_ones(vocabulary):
    content = stock_file(vocabulary)
    names = content["model"]["vocab"]
    assert sorted(names.values()) == list(range(len(vocabulary)))
    assert {
        item["content"]: item["id"] for item in content["added_tokens"]
    } == vocabulary.special_ids
    assert all(item["special"] and not item["normalized"] for item in content["added_tokens"])
    roles, cuts = content["pre_tokenizer"]["pretokenizers"][1:]
    assert roles["pattern"]["Regex"] == r"\A(?:system|user|assistant|tool)Ċ"
    assert re.findall(cuts["pattern"]["Regex"], "theĠĊĊ") == ["theĠ", "ĊĊ"]
    without_chat = stock_file(build_vocabulary([b"ab"], 261, "minimal"))
    assert len(without_chat["pre_tokenizer"]["pretokenizers"]) == 2


@pytest.mark.slow
@settings(deadline=None)
@given(
    pieces,
    st.lists(st.one_of(st.text(max_size=30), dense.map(lambda text: text.decode("latin-1")))),
)
def test_the_library_encodes_as_defined(some, texts):
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = build_vocabulary(some, 260 + len(some), "minimal")
    loaded = tokenizers.Tokenizer.from_str(json.dumps(stock_file(vocabulary)))
    for text in texts:
        wanted = reference.encode(vocabulary, text.encode(), allow_special=True)
        assert loaded.encode(text).ids == wanted
        assert loaded.decode(wanted, skip_special_tokens=False) == text


@pytest.mark.slow
def test_the_library_takes_the_longest_possible_entries():
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = build_vocabulary([b"a" * length for length in range(2, 256)], 600, "minimal")
    loaded = tokenizers.Tokenizer.from_str(json.dumps(stock_file(vocabulary)))
    text = "a" * 600 + "b"
    assert loaded.encode(text).ids == reference.encode(vocabulary, text.encode())

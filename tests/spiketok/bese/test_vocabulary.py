import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok import BeseVocabulary, StreamDecoder, Tokenizer
from spiketok.bese import reference as bese_reference
from spiketok.bese.reference import BASE_IDS, MAX_BASE_IDS, is_byte
from spiketok.errors import SpikeError

# Letters in runs around the length that the case rule takes, and all that has a code of its own.
runs = st.builds(
    lambda letters, length: (letters * length)[:length],
    st.sampled_from([b"A", b"b", b"Ab", b"BCd", b"QU"]),
    st.integers(0, 140),
)
marks = st.sampled_from(["’", "“", "—", "…", "‿", "€", "é", "я", "中", "\n", "\n\n", "\t"])
texts = st.lists(st.one_of(runs, marks.map(str.encode), st.binary(max_size=9)), max_size=12).map(
    b"".join
)
any_merges = st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), max_size=60)


def vocabulary_of(pairs, **changes):
    """Make merges of any numbers: ids that are not there yet become ones that are."""
    merges = []
    for pair in pairs:
        merge = tuple(1 + token % (BASE_IDS + len(merges) - 1) for token in pair)
        if merge not in merges and len(bese_reference.expand(merge, merges)) <= MAX_BASE_IDS:
            merges.append(merge)
    size = BASE_IDS + len(merges)
    return BeseVocabulary(**{"merges": tuple(merges), "vocab_size": size} | changes)


# Pairs that English text has, so that merges build on merges.
TEXT = b'The cat and THE dog, "and" the cow said:\n\nMoo! 12,345 (caf\xc3\xa9s) \xe2\x80\x94 e' * 3
LEARNED = ((4, 23), (16, 19), (8, 14), (5, 12), (43, 40), (6, 44), (12, 4), (5, 46), (47, 23))


def tokenizer_of(merges=LEARNED, **changes):
    size = BASE_IDS + len(merges)
    return Tokenizer(BeseVocabulary(**{"merges": merges, "vocab_size": size} | changes))


@settings(deadline=None, max_examples=300)
@given(texts, any_merges)
def test_text_comes_back_and_weights_are_its_bytes(text, pairs):
    tokenizer = Tokenizer(vocabulary_of(pairs))
    ids = tokenizer.encode(text)
    assert tokenizer.decode_bytes(ids) == text
    assert tokenizer.byte_lengths[ids].sum() == len(text)
    assert tokenizer.byte_offsets(ids)[-1] == len(text)


@settings(deadline=None, max_examples=300)
@given(texts)
def test_base_ids_are_as_defined(text):
    ids = tokenizer_of(()).encode(text).tolist()
    assert ids == list(bese_reference.base_ids(text))
    assert bese_reference.text_of(ids) == text


def test_every_byte_has_a_code_that_begins_no_other():
    codes = set(bese_reference.BYTES) | {
        (3, *(19 + (number >> shift & 3) for shift in (4, 2, 0))) for number in range(64)
    }
    assert len(bese_reference.CODES) == 256 - 26
    for code in codes:
        assert not any(code[:stop] in codes for stop in range(1, len(code)))
    for code in bese_reference.BYTES:
        assert [is_byte(base) for base in code] == [False] * (len(code) - 1) + [True]


@settings(deadline=None, max_examples=300)
@given(st.lists(texts, max_size=4), any_merges, st.integers(1, 3))
def test_segments_are_merged_by_rank(documents, pairs, threads):
    vocabulary = vocabulary_of(pairs)
    ids, offsets = Tokenizer(vocabulary).encode_batch(documents, threads)
    for text, start, stop in zip(documents, offsets[:-1], offsets[1:], strict=True):
        rows = bese_reference.segments(text)
        merged = [token for row in rows for token in bese_reference.merge(row, vocabulary.merges)]
        assert ids[start:stop].tolist() == merged


def test_a_long_segment_is_cut():
    text = b"et" * 5000
    vocabulary = vocabulary_of([(3, 4), (39, 39), (40, 40), (41, 41)])
    ids = Tokenizer(vocabulary).encode(text).tolist()
    rows = list(bese_reference.segments(text))
    assert [len(row) for row in rows] == [MAX_BASE_IDS, MAX_BASE_IDS, 10000 - 2 * MAX_BASE_IDS]
    assert ids == [token for row in rows for token in bese_reference.merge(row, vocabulary.merges)]


@pytest.mark.parametrize("piece", [b"a", b"A", b"Ab ", b"\n", b"\xff", b"et"])
def test_one_line_of_eight_megabytes(piece):
    text = piece * ((8 << 20) // len(piece))
    tokenizer = tokenizer_of((*LEARNED, (26, 26), (5, 5), (50, 50)))
    ids = tokenizer.encode(text)
    assert tokenizer.byte_lengths[ids].sum() == len(text)
    assert tokenizer.decode_bytes(ids) == text


def test_threads_change_nothing_in_a_long_document():
    generator = np.random.default_rng(0)
    text = generator.choice(np.frombuffer(TEXT, np.uint8), 3_000_000).tobytes()
    tokenizer = tokenizer_of()
    one = tokenizer.encode_batch([text, TEXT], threads=1)
    many = tokenizer.encode_batch([text, TEXT], threads=4)
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, BASE_IDS + len(LEARNED) - 1), max_size=60), st.booleans())
def test_any_ids_decode_to_as_many_bytes_as_they_weigh(ids, lossless):
    alphabet = "bese" if lossless else "bese-published"
    tokenizer = tokenizer_of(alphabet=alphabet)
    text = tokenizer.decode_bytes(ids)
    names = len("<doc>") * ids.count(0)
    assert len(text) == tokenizer.byte_lengths[np.array(ids, np.int64)].sum() + names
    decoder = StreamDecoder(tokenizer)
    for _ in range(2):
        parts = [decoder.add(token) for token in ids]
        assert "".join([*parts, decoder.finish()]) == tokenizer.decode(ids)


def test_case_signs_and_quotes():
    tokenizer = tokenizer_of(())
    expected = {
        "The USA": [1, 5, 12, 4, 23, 2, 15, 19, 10, 6],
        "A": [1, 6],
        '"-': [18, 22, 29],
        ":;": [3, 4, 3, 5],
        "’": [3, 20, 21, 20],
        "\x80": [3, 17, 14, 3, 15, 4],
    }
    assert {text: tokenizer.encode(text).tolist() for text in expected} == expected


def test_the_separator_stands_between_documents():
    tokenizer = tokenizer_of()
    assert tokenizer.eos_id == tokenizer.special_ids["<doc>"] == 0
    assert tokenizer.byte_lengths[0] == 0
    ids = tokenizer.encode("CAPS<doc>caps", allow_special=True)
    assert ids.tolist().count(0) == 1
    assert tokenizer.decode(ids) == "CAPS<doc>caps"
    assert 0 not in tokenizer.encode("CAPS<doc>caps")
    # A separator ends whatever was begun: capitals, escapes.
    assert tokenizer.decode([2, 0, 4, 3, 0, 4]) == "<doc>e<doc>e"


@settings(deadline=None, max_examples=200)
@given(texts)
def test_the_published_alphabet_keeps_the_number_of_bytes(text):
    tokenizer = tokenizer_of(alphabet="bese-published")
    ids = tokenizer.encode(text)
    assert tokenizer.byte_lengths[ids].sum() == len(text)
    base = list(bese_reference.published_base_ids(text))
    assert ids.tolist() == bese_reference.merge(base, LEARNED)


def test_the_published_alphabet_loses_text():
    tokenizer = tokenizer_of(alphabet="bese-published")
    assert not tokenizer.lossless
    assert tokenizer.score_name == "pseudo_bits_per_byte"
    one, other = 'Say "No": é', "say 'nO'; ü"
    assert tokenizer.encode(one).tolist() == tokenizer.encode(other).tolist()
    assert tokenizer.decode(tokenizer.encode(one)) == "say 'no'? ??"
    assert tokenizer_of().encode(one).tolist() != tokenizer_of().encode(other).tolist()


def test_a_file_comes_back(tmp_path):
    vocabulary = tokenizer_of(
        settings={"held_out": 0.1}, training={"bytes": 3}, inputs=(tmp_path / "a.txt",)
    ).vocabulary
    path = tmp_path / "tokenizer.json"
    vocabulary.write(path)
    assert BeseVocabulary.read(path) == vocabulary
    assert Tokenizer.load(path).fingerprint == vocabulary.fingerprint()
    assert json.loads(path.read_text())["lossless"] is True


def test_fingerprints_tell_what_encodes_differently():
    found = {
        tokenizer_of(**changes).fingerprint
        for changes in (
            {},
            {"alphabet": "bese-published"},
            {"vocab_size": 60},
            {"merges": LEARNED[:-1], "vocab_size": 49},
        )
    }
    assert len(found) == 4
    assert tokenizer_of(training={"x": 1}).fingerprint in found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": "other"}, "alphabet"),
        ({"alphabet": []}, "alphabet"),
        ({"lossless": False}, "lossless"),
        ({"vocab_size": 41}, "vocab_size"),
        ({"vocab_size": 2**40}, "vocab_size"),
        ({"vocab_size": True}, "vocab_size"),
        ({"merges": 3}, "merges"),
        ({"merges": [[4]]}, "number 0"),
        ({"merges": [[4, 40]]}, "number 0"),
        ({"merges": [[0, 4]]}, "number 0"),
        ({"merges": [[4, 4], [4, True]]}, "number 1"),
        ({"merges": [[4, 4], [4, 4]]}, "there twice"),
        ({"merges": [[4, 4]] + [[n, n] for n in range(40, 80)]}, "too long"),
        ({"spike": None}, "spike is not an object"),
        ({"spike": {"format": 2}}, "format"),
        ({"spike": {"format": 1, "settings": 1}}, "settings"),
        ({"algorithm": "other"}, "algorithm"),
    ],
    ids=str,
)
def test_a_wrong_file_is_refused(tmp_path, change, message):
    path = tmp_path / "tokenizer.json"
    tokenizer_of(vocab_size=100).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SpikeError, match=message):
        Tokenizer.load(path)


def test_ids_out_of_range_are_refused():
    tokenizer = tokenizer_of(vocab_size=60)
    assert tokenizer.vocabulary.reserved_ids == list(range(49, 60))
    assert tokenizer.decode([4, 59, 4]) == "ee"
    for ids in ([60], [-1]):
        with pytest.raises(SpikeError, match="position 0"):
            tokenizer.decode(ids)


def test_more_ids_than_16_bits_hold():
    tokenizer = tokenizer_of(vocab_size=70_000)
    ids = tokenizer.encode(TEXT)
    assert ids.dtype == np.uint32
    assert ids.tolist() == tokenizer_of().encode(TEXT).tolist()
    assert tokenizer.decode_bytes(ids) == TEXT

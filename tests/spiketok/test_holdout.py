"""Holding documents out depends on their bytes and the fraction alone."""

from hypothesis import given
from hypothesis import strategies as st

from spiketok.holdout import HeldOut, document_id, held_out_of, is_held_out


@given(st.binary(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_fraction_only_adds_documents(text, one, other):
    small, large = sorted((one, other))
    identifier = document_id(text)
    assert len(identifier) == 16
    assert is_held_out(identifier, small) <= is_held_out(identifier, large)


def test_the_share_of_documents_is_the_fraction():
    held = sum(is_held_out(document_id(b"%d" % number), 0.1) for number in range(20_000))
    assert abs(held / 20_000 - 0.1) < 0.01


TEXTS = st.lists(st.binary(max_size=3), max_size=8)


@given(TEXTS, st.floats(0, 1, exclude_max=True), st.randoms())
def test_both_sides_have_a_document_wherever_there_are_two(texts, fraction, random):
    names = [document_id(text) for text in texts]
    held_out = held_out_of(names, fraction)
    out = {name for name in names if name in held_out}
    usual = {name for name in names if is_held_out(name, fraction)}
    if fraction == 0 or len(set(names)) < 2:
        assert not out
    elif 0 < len(usual) < len(set(names)):
        assert out == usual
    else:
        assert len(out) in (1, len(set(names)) - 1)
        assert out == ({min(names)} if not usual else set(names) - {max(names)})
    random.shuffle(names)
    assert held_out_of(names, fraction) == held_out


@given(TEXTS, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_larger_fraction_only_adds_documents_to_a_corpus(texts, one, other):
    names = [document_id(text) for text in texts]
    small, large = (held_out_of(names, fraction) for fraction in sorted((one, other)))
    assert {name for name in names if name in small} <= {name for name in names if name in large}


def test_names_are_asked_for_until_both_sides_have_one():
    asked = []
    names = (asked.append(number) or document_id(b"%d" % number) for number in range(10**9))
    assert held_out_of(names, 0.01).record(0.01) == {}
    assert len(asked) < 2000


def test_named_documents_are_held_out():
    held_out = HeldOut(0, frozenset([document_id(b"a")]))
    assert document_id(b"a") in held_out
    assert document_id(b"b") not in held_out

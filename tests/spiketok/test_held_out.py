"""Holding documents out depends on their bytes and the fraction alone."""

from hypothesis import given
from hypothesis import strategies as st

from spiketok.held_out import document_id, is_held_out


@given(st.binary(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_fraction_only_adds_documents(text, one, other):
    small, large = sorted((one, other))
    identifier = document_id(text)
    assert len(identifier) == 16
    assert is_held_out(identifier, small) <= is_held_out(identifier, large)


def test_the_share_of_documents_is_the_fraction():
    held = sum(is_held_out(document_id(b"%d" % number), 0.1) for number in range(20_000))
    assert abs(held / 20_000 - 0.1) < 0.01

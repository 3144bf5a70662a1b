import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.layers.attention_mask import (
    document_ids,
    document_mask,
    document_starts,
)

SEPARATOR = 3
Rows = st.lists(st.tuples(st.integers(2, 5), st.booleans()), min_size=1, max_size=12)


@given(row=Rows, queries=st.integers(1, 12), apart=st.booleans(), padded=st.booleans())
def test_a_token_sees_its_document_and_nothing_later(row, queries, apart, padded):
    ids = torch.tensor([[number for number, _ in row]])
    attention_mask = torch.tensor([[is_real for _, is_real in row]])
    eos_id = SEPARATOR if apart else None
    numbers = document_ids(ids, eos_id, attention_mask if padded else None)
    queries = min(queries, len(row))
    attn_mask = document_mask(numbers, queries)
    assert attn_mask.shape == (1, 1, queries, len(row))
    for q, t in enumerate(range(len(row) - queries, len(row))):
        for s in range(len(row)):
            border = apart and SEPARATOR in ids[0, s + 1 : t + 1].tolist()
            both = (
                {True} if not padded else {bool(attention_mask[0, s]), bool(attention_mask[0, t])}
            )
            if both == {True}:
                assert attn_mask[0, 0, q, s] == (s <= t and not border)
            elif both == {True, False} or s > t:
                assert not attn_mask[0, 0, q, s]
        assert attn_mask[0, 0, q, t]


def test_a_separator_begins_a_document_and_so_does_what_follows_padding():
    ids = torch.tensor([[9, 9, 3, 8, 3, 3, 7]])
    begins = [True, False, True, False, True, True, False]
    assert document_starts(document_ids(ids, SEPARATOR)).tolist() == [begins]
    attention_mask = torch.tensor([[False, True, True, True, True, True, True]])
    begins[1] = True
    assert document_starts(document_ids(ids, SEPARATOR, attention_mask)).tolist() == [begins]

import torch

from spike_lm.model.layers.bigram_embedding import BigramEmbedding, hashed_bigrams
from tests.model.layers.causality import assert_causal, noise

SEPARATOR = 3


def test_rows_equal_their_definition():
    ids = torch.tensor([[5, 9, 3, 7, 3, 3, 2], [1023, 1023, 0, 4, 1, 2, 9]])
    rows = hashed_bigrams(ids, rows=2048, eos_id=SEPARATOR)
    for b, sequence in enumerate(ids.tolist()):
        for t, token in enumerate(sequence):
            alone = t == 0 or token == SEPARATOR
            hashed = ((36313 * token) ^ (27191 * sequence[t - 1])) % 2047
            assert rows[b, t] == (2047 if alone else hashed)


def test_block_equals_its_definition():
    block = BigramEmbedding(rows=16, table_dim=3, dim=5, eos_id=SEPARATOR)
    ids = torch.randint(0, 9, (2, 7), generator=torch.Generator().manual_seed(0))
    rows = hashed_bigrams(ids, rows=16, eos_id=SEPARATOR)
    expected = block.table.weight[rows] @ block.proj.weight.T * 0.05
    torch.testing.assert_close(block(ids), expected)


def test_what_comes_later_changes_nothing():
    block = BigramEmbedding(rows=4096, table_dim=3, dim=5, eos_id=SEPARATOR).double()
    block.table.weight.data = noise(4096, 3)
    ids = torch.tensor([[1, 5, 3, 9, 0, 0, 7, 3]])
    assert_causal(lambda x: block(x).detach(), ids)


def test_a_document_is_not_told_how_the_one_before_ended():
    block = BigramEmbedding(rows=4096, table_dim=3, dim=5, eos_id=SEPARATOR)
    first, second = torch.tensor([[8, 3, 5, 6]]), torch.tensor([[9, 3, 5, 6]])
    assert torch.equal(block(first)[:, 1:], block(second)[:, 1:])

"""What the export refuses, and that its reason is true."""

from itertools import pairwise, permutations

import pytest

from spiketok import Tokenizer, build_vocabulary, reference


def by_ranks(text, ranks):
    """Encode as byte-pair encoders do: join the pair of lowest rank, the leftmost of equal ones."""
    parts = list(text)
    while True:
        joined = [first + second for first, second in pairwise(parts)]
        pairs = [(ranks[pair], at) for at, pair in enumerate(joined) if pair in ranks]
        if not pairs:
            return parts
        _, at = min(pairs)
        parts[at : at + 2] = [joined[at]]


@pytest.mark.parametrize("order", list(permutations(["ab", "ba"])), ids="<".join)
def test_no_ranks_do_what_longest_match_does(order):
    vocabulary = build_vocabulary([entry.encode() for entry in order], 262, "minimal")
    tokenizer = Tokenizer(vocabulary)

    def longest(text):
        return [tokenizer.decode([token]) for token in tokenizer.encode(text)]

    assert (longest("aba"), longest("bab")) == (["ab", "a"], ["ba", "b"])
    ranks = {entry: rank for rank, entry in enumerate(order)}
    assert [by_ranks(text, ranks) == longest(text) for text in ("aba", "bab")].count(True) == 1
    assert reference.encode(vocabulary, b"bab") == tokenizer.encode("bab").tolist()

"""Magnitude pruning: the smallest weights become zero (Han et al. 2015, arXiv:1506.02626)."""

from torch import Tensor


def smallest_weights(weight: Tensor, share: float) -> Tensor | None:
    """Return the pruning mask, true for the smallest `share` of `weight`, rounded down; None: none.

    Where equal sizes meet the border, fewer are chosen.

    >>> smallest_weights(Tensor([[1, -3], [0.5, 2]]), 0.5).tolist()
    [[True, False], [True, False]]
    """
    count = int(share * weight.numel())
    if not count:
        return None
    sizes = weight.abs()
    border = sizes.flatten().kthvalue(count + 1).values
    return sizes < border

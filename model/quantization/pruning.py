"""Magnitude pruning: the smallest weights become zero (Han et al. 2015, arXiv:1506.02626)."""

from torch import Tensor


def smallest_weights(weight: Tensor, share: float) -> Tensor | None:
    """Return the pruning mask, true for the smallest `share` of weights; None: no weight.

    The mask has the shape of `weight`, [rows, columns]. Their number is rounded down, and smaller
    where equal magnitudes are at the threshold.

    >>> smallest_weights(Tensor([[1, -3], [0.5, 2]]), 0.5).tolist()
    [[True, False], [True, False]]
    """
    count = int(share * weight.numel())
    if not count:
        return None
    magnitudes = weight.abs()
    threshold = magnitudes.flatten().kthvalue(count + 1).values
    return magnitudes < threshold

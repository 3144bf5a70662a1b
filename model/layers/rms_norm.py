"""RMSNorm without gain, and LN scale: the norms' output shrinks with depth.

RMSNorm is from Zhang and Sennrich 2019 (arXiv:1910.07467), LN scale from Sun et al. 2025
(arXiv:2502.05795, "The Curse of Depth").
"""

from torch import Tensor
from torch.nn import functional

NORM_EPS = 1e-6


def scaled_norm(stream: Tensor, scale: float) -> Tensor:
    """Return the rows of [..., D] with root mean square `scale`; no gain is learned."""
    return functional.rms_norm(stream, stream.shape[-1:]) * scale


def depth_scale(layer: int) -> float:
    """Return 1 / √(layer + 1) for layers counted from 0.

    >>> depth_scale(3)
    0.5
    """
    return float((layer + 1) ** -0.5)

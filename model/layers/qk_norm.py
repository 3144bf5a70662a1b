"""QK-norm with a learned gain per query head.

Without a bound the products of queries and keys grow until the softmax saturates (Henry et al.
2020, arXiv:2010.04245). Here both have norm √K, and a learned gain per query head scales the
products: openai/parameter-golf starts it at 1.5, PR #1666 at 5.
"""

from torch import Tensor
from torch.nn import functional


def qk_norm(query: Tensor, key: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Return queries [B, H, T, K] · gain [H] and keys [B, G, T, K], each head's mean square 1.

    Rotary positions commute with both, so they may come before or after.
    """
    size = query.shape[-1:]
    stretched = functional.rms_norm(query, size) * gain.to(query.dtype)[:, None, None]
    return stretched, functional.rms_norm(key, size)

"""QK-norm with a learned gain per query head.

Without a bound the products of queries and keys grow until the softmax saturates (Henry et al.
2020, arXiv:2010.04245). Here both have norm √K, and a learned gain per query head scales the
products. Its initial value is 1.5 in openai/parameter-golf, 5 in PR #1666.
"""

from torch import Tensor
from torch.nn import functional


def qk_norm(query: Tensor, key: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Return normed queries [B, H, T, K] · gain [H] and normed keys [B, G, T, K].

    RoPE commutes with both, so it may come before or after.
    """
    shape = query.shape[-1:]
    scaled = functional.rms_norm(query, shape) * gain.to(query.dtype)[:, None, None]
    return scaled, functional.rms_norm(key, shape)

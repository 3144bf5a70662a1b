"""Exclusive self-attention (XSA): removes a token's own value from the output.

The residual stream carries a token's own value anyway, so attention can serve the others. No
parameters. openai/parameter-golf, used in the last 4
layers by PR #1666 and in all 11 by PR #851.
"""

import torch
from torch import Tensor

SIZE_EPS = 1e-12


def remove_self_value(gathered: Tensor, value: Tensor) -> Tensor:
    """Return y − (y · v̂) v̂ for y in gathered [B, H, T, K] and v̂ = v / |v| of the same token.

    Values are [B, G, T, K]; each serves a group of H / G query heads.
    """
    batch, groups, time, head_dim = value.shape
    heads = gathered.reshape(batch, groups, -1, time, head_dim)
    own = value.unsqueeze(2)
    # Dividing the product by v · v instead of v by |v| touches one number per row, not K.
    size = own.square().sum(dim=-1, keepdim=True).clamp(min=SIZE_EPS)
    share = (heads * own).sum(dim=-1, keepdim=True) / size
    return torch.addcmul(heads, share, own, value=-1.0).view(gathered.shape)
